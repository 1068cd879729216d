#include "gateway/cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <string_view>

#include "gateway/cli/exit_code.h"
#include "gateway/version.h"

namespace furrow::gateway {
namespace {

// Promised, and refused by name rather than as a typing mistake.
constexpr std::array<std::string_view, 4> kNotBuilt{"route", "status", "buffer", "passwd"};

Answered print(std::FILE* stream, const std::string& text, int exit_code) {
  std::fputs(text.c_str(), stream);
  return {exit_code};
}

Answered refuse(const std::string& why) {
  return print(stderr, "furrow: " + why + "\n", kExitUsage);
}

bool is_not_built(std::string_view command) {
  return std::find(kNotBuilt.begin(), kNotBuilt.end(), command) != kNotBuilt.end();
}

Answered refuse_unknown(const std::string& command) {
  return refuse("there is no command '" + command + "'; built are: run, check, demo, help");
}

Answered refuse_not_built(const std::string& command) {
  return refuse("'" + command + "' is not built in this version; built are: run, check, demo, help");
}

class Parser {
 public:
  Parser() {
    app_.require_subcommand(0, 1);  // that there is one is looked at last: `furrow --nonsense` has another mistake
    app_.failure_message([](const CLI::App*, const CLI::Error& error) {
      return std::string("furrow: ") + error.what() + "; see furrow --help\n";
    });
    app_.set_version_flag("--version", std::string("furrow ") + kVersion);
    CLI::App* const run = app_.add_subcommand("run", "Run the gateway");
    run->add_option("-c,--config", run_.config,
                    "Configuration; default: /etc/furrow/furrow.yaml, or built-in values if there is none")
        ->type_name("FILE");
    run->add_option("--data", run_.data, "Data directory, instead of the configured one")->type_name("DIR");
    CLI::App* const check =
        app_.add_subcommand("check", "Check a configuration, and say what would not survive an outage");
    check->add_option("-c,--config", check_.config, "Configuration; default as for run")->type_name("FILE");
    CLI::App* const demo =
        app_.add_subcommand("demo", "Show an outage: sensors, a gateway, a region, a cut and its end");
    demo->add_option("--outage", demo_.outage_s, "Seconds without WAN")->type_name("S")->capture_default_str();
    demo->add_option("--for", demo_.for_s, "Seconds that the sensors publish; default: until Ctrl-C")->type_name("S");
    CLI::App* const help = app_.add_subcommand("help", "Print help on a command");
    help->add_option("COMMAND", help_topic_);
  }

  Command parse(int count, const char* const* arguments) {
    const std::string command = count > 1 ? arguments[1] : "";
    if (is_not_built(command)) return refuse_not_built(command);
    // CLI11 would only say that a command is missing.
    if (!command.empty() && command.front() != '-' && !has_command(command)) return refuse_unknown(command);
    try {
      app_.parse(count, arguments);
    } catch (const CLI::ParseError& error) {
      return {Answered{app_.exit(error) == 0 ? kExitFine : kExitUsage}};
    }
    if (app_.got_subcommand("run")) return run_;
    if (app_.got_subcommand("check")) return check_;
    if (app_.got_subcommand("demo")) return demo_;
    if (app_.got_subcommand("help")) return help();
    return refuse("a command is missing; built are: run, check, demo, help");
  }

 private:
  Command help() {
    // An App that has parsed a command prints help on that one only.
    if (help_topic_.empty()) return print(stdout, Parser().app_.help(), kExitFine);
    if (is_not_built(help_topic_)) return refuse_not_built(help_topic_);
    if (!has_command(help_topic_)) return refuse_unknown(help_topic_);
    return print(stdout, app_.get_subcommand(help_topic_)->help("furrow"), kExitFine);
  }

  bool has_command(const std::string& name) {
    const auto commands = app_.get_subcommands([&name](const CLI::App* one) { return one->get_name() == name; });
    return !commands.empty();
  }

  CLI::App app_{"furrow: an MQTT edge gateway with a cross-region bridge", "furrow"};
  RunOptions run_;
  CheckOptions check_;
  DemoOptions demo_;
  std::string help_topic_;
};

}  // namespace

Command parse_command_line(int count, const char* const* arguments) {
  return Parser().parse(count, arguments);
}

}  // namespace furrow::gateway
