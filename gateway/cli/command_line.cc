#include "gateway/cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker-core/base/printable.h"
#include "broker-core/mqtt/topic.h"
#include "config/key_names.h"
#include "config/reference.h"
#include "config/scalar.h"
#include "gateway/cli/exit_code.h"
#include "gateway/version.h"

namespace furrow::gateway {
namespace {

constexpr std::array<std::string_view, 17> kBuilt{"run",      "check",  "status", "fleet",  "clients", "bridge",
                                                  "retained", "buffer", "trace",  "diag",   "route",   "access",
                                                  "certs",    "demo",   "passwd", "import", "help"};
// The topic of `help` beside the commands: every key of the configuration.
constexpr std::string_view kConfigTopic = "config";

constexpr std::string_view kFirstSteps =
    "a command is missing. To begin with:\n"
    "  furrow demo          shows an outage on this machine: sensors, a gateway, a region, a cut\n"
    "  furrow help config   shows every key of the configuration; a file of six lines is enough\n"
    "  furrow check FILE    says what is wrong with a configuration, and what it would not survive\n"
    "  furrow run FILE      runs the gateway\n"
    "'furrow help' has the rest";

Answered print(std::FILE* stream, const std::string& text, int exit_code) {
  std::fputs(text.c_str(), stream);
  return {exit_code};
}

Answered refuse(std::string_view why) {
  return print(stderr, "furrow: " + std::string(why) + "\n", kExitUsage);
}

std::string shown(std::string_view argument) {
  constexpr std::size_t kArgumentBytesMax = 200;
  return printable(argument, kArgumentBytesMax);
}

std::string all_built() {
  std::string all;
  for (const std::string_view one : kBuilt) all += (all.empty() ? "" : ", ") + std::string(one);
  return all;
}

Answered refuse_unknown(const std::string& command) {
  const std::vector<std::string_view> known(kBuilt.begin(), kBuilt.end());
  const std::string nearest = config::nearest_name(command, known);
  return refuse("there is no command '" + shown(command) + "'; " +
                (nearest.empty() ? "built are: " + all_built() : "did you mean '" + nearest + "'?"));
}

// "20" and "20s" alike: seconds are what one thinks in here, and elsewhere times have a unit.
Result<Duration> parse_seconds(const std::string& option, const std::string& text, Duration least) {
  constexpr Duration kMost = std::chrono::hours(24);
  const bool is_bare = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  const Result<Duration> time = config::parse_time(is_bare ? text + "s" : text);
  if (!time) return Error(Errc::InvalidArgument, option + ": " + time.error().message());
  if (*time >= least && *time <= kMost) return *time;
  return Error(Errc::InvalidArgument, option + ": '" + text + "' is out of range: " + config::time_text(least) +
                                          " to " + config::time_text(kMost));
}

// A time with its unit, in whole seconds.
Result<std::chrono::seconds> parse_whole_seconds(const std::string& option, const std::string& text,
                                                 std::chrono::seconds least) {
  constexpr auto kMost = std::chrono::hours(24 * 366 * 100);
  const Result<Duration> time = config::parse_time(text);
  if (!time) return Error(Errc::InvalidArgument, option + ": " + time.error().message());
  if (*time < least || *time > kMost) {
    return Error(Errc::InvalidArgument, option + ": '" + text + "' is out of range");
  }
  return std::chrono::floor<std::chrono::seconds>(*time);
}

OptionText describe_option(const CLI::Option& option) {
  const std::string type = option.get_items_expected_max() > 0 ? option.get_type_name() : "";
  OptionText text{.names = {},
                  .place = option.get_positional() ? option.get_name(true) : "",
                  .value = type.substr(0, type.find(':')),  // what follows is the range
                  .text = option.get_description(),
                  .required = option.get_required()};
  if (!option.get_option_text().empty()) text.place = option.get_option_text();
  for (const std::string& name : option.get_snames()) text.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) text.names.push_back("--" + name);
  return text;
}

CommandText describe_command(const CLI::App& command) {
  CommandText text{.name = command.get_name(), .text = command.get_description(), .options = {}, .commands = {}};
  for (const CLI::Option* option : command.get_options()) text.options.push_back(describe_option(*option));
  for (const CLI::App* one : command.get_subcommands([](const CLI::App*) { return true; })) {
    text.commands.push_back(describe_command(*one));
  }
  return text;
}

class Parser {
 public:
  Parser() {
    app_.require_subcommand(0, 1);  // that there is one is looked at last: `furrow --nonsense` has another mistake
    app_.set_version_flag("-V,--version", std::string("furrow ") + kVersion);
    CLI::App* const run = app_.add_subcommand("run", "Run the gateway");
    run->add_option("-c,--config,FILE", run_.config,
                    "Configuration; default: /etc/furrow/furrow.yaml, or built-in values if there is none")
        ->type_name("FILE");
    run->add_option("--data", run_.data, "Data directory, instead of the configured one")->type_name("DIR");
    CLI::App* const check =
        app_.add_subcommand("check", "Check a configuration, and say what would not survive an outage");
    check->add_option("-c,--config,FILE", check_.config, "Configuration; default as for run")->type_name("FILE");
    check->add_option("--data", check_.data, "Data directory, instead of the configured one")->type_name("DIR");
    CLI::Option* const connect = check->add_option(
        "--connect", check_.bridge,
        "Try the way of a bridge, or of all, step by step: name, TCP, TLS, login, rules; changes nothing");
    connect->type_name("BRIDGE")->expected(0, 1);
    check->add_flag("--json", check_.json, "Print a line of JSON for each step that was tried")->needs(connect);
    add_status(*app_.add_subcommand("status", "Show what a running gateway does: bridges, what waits, and why"));
    add_fleet(*app_.add_subcommand("fleet", "Show all gateways of a region that tell it whether they are there"));
    add_clients(
        *app_.add_subcommand("clients", "Show who is connected or has a session; end connections and sessions"));
    add_bridge(*app_.add_subcommand("bridge", "Show bridges, pause them, and move them to another connection"));
    add_retained(*app_.add_subcommand("retained", "Show and delete retained messages"));
    add_buffer(*app_.add_subcommand(
        "buffer", "Look into what waits for the far brokers or was set aside, write it out, or drop it"));
    add_trace(*app_.add_subcommand("trace", "Show the packets of a client, topic, address or bridge as they pass"));
    add_diag(*app_.add_subcommand("diag", "Gather what a maintainer asks for in one file, without secrets"));
    CLI::App* const route =
        app_.add_subcommand("route", "Say which bridges take a topic, as what, and why others do not");
    route->add_option("TOPIC", route_.topic, "The topic of a message")->required();
    route->add_option("--from", route_.from, "The topic is one of this bridge's far side: where it comes down to")
        ->type_name("BRIDGE");
    route->add_option("-c,--config", route_.config, "Configuration; default as for run")->type_name("FILE");
    CLI::App* const access =
        app_.add_subcommand("access", "Say what a client may publish or subscribe, and by which rule");
    access->add_option("question", question_, "What is asked: publish a message to TOPIC, or subscribe with it")
        ->option_text("USER publish|subscribe TOPIC")
        ->required();
    access->add_flag("--anonymous", anonymous_, "Of a client without a user name: leave out USER");
    access->add_option("--client", access_.client, "Its client identifier")->type_name("ID");
    access->add_option("--listener", access_.listener, "The name of the listener that it comes by")->type_name("NAME");
    access->add_option("--from", access_.from, "Its IP address")->type_name("ADDRESS");
    access->add_flag("--retain", access_.retain, "The message is to be retained");
    access->add_option("-c,--config", access_.config, "Configuration; default as for run")->type_name("FILE");
    CLI::App* const demo =
        app_.add_subcommand("demo", "Show an outage: sensors, a gateway, a region, a cut and its end");
    demo->add_option("--outage", outage_, "How long the WAN is away at each cut, in seconds or as in 2m; default: 10")
        ->type_name("TIME");
    demo->add_option("--for", publish_for_, "How long the sensors publish, at least 1s; default: until Ctrl-C")
        ->type_name("TIME");
    CLI::App* const passwd = app_.add_subcommand("passwd", "Set, check or delete the password of a user in a file");
    passwd->add_option("FILE", passwd_.file, "What access.password_file names; made if it is not there")->required();
    passwd->add_option("USER", user_, "The user; not with --list");
    passwd->add_flag("--stdin", passwd_.from_stdin, "Take the password from standard input, its first line");
    CLI::Option* const erase = passwd->add_flag("--delete")->description("Take the user away");
    CLI::Option* const check_only = passwd->add_flag("--check")->description("Only say whether the password is right");
    CLI::Option* const list = passwd->add_flag("--list")->description("Print the names of all users");
    erase->excludes(check_only)->excludes(list);
    check_only->excludes(list);
    add_certs(*app_.add_subcommand("certs", "Make certificates for a site, and show those of a configuration"));
    CLI::App* const import =
        app_.add_subcommand("import", "Translate a mosquitto.conf, and the files that it names, into a furrow.yaml");
    import->add_option("MOSQUITTO.CONF", import_.file, "The file; what differs or is left to do is said, line by line")
        ->required();
    import
        ->add_option("-o,--output", import_.output,
                     "Where to; default: standard output, without the secrets. Passwords and keys are written into "
                     "files beside it, which only their owner may read")
        ->type_name("FILE");
    import->add_flag("--force", import_.force, "Write over files that are there");
    CLI::App* const help =
        app_.add_subcommand("help", "Print help on a command, or every key of the configuration (help config)");
    help->add_option("COMMAND", help_topic_);
  }

  CommandText describe() const { return describe_command(app_); }

  Command parse(int count, const char* const* arguments) {
    const std::string command = count > 1 ? arguments[1] : "";
    // CLI11 would only say that a command is missing.
    if (!command.empty() && command.front() != '-' && !has_command(command)) return refuse_unknown(command);
    if (const std::string option = missing_dash(count, arguments); !option.empty()) {
      return refuse("there is no option -" + option + "; did you mean --" + option + "?");
    }
    try {
      app_.parse(count, arguments);
    } catch (const CLI::Success& answer) {  // help or the version was asked for
      return {Answered{app_.exit(answer)}};
    } catch (const CLI::ExtrasError& error) {
      return refuse_extra(error.what());
    } catch (const CLI::ParseError& error) {
      return refuse(std::string(error.what()) + "; see " + help_command());
    }
    if (app_.got_subcommand("run")) return run_;
    if (app_.got_subcommand("check")) return check();
    if (app_.got_subcommand("status")) return status_;
    if (app_.got_subcommand("fleet")) return fleet_;
    if (app_.got_subcommand("clients")) return clients();
    if (app_.got_subcommand("bridge")) return bridge();
    if (app_.got_subcommand("retained")) return retained();
    if (app_.got_subcommand("buffer")) return buffer();
    if (app_.got_subcommand("trace")) return trace();
    if (app_.got_subcommand("diag")) return diag_;
    if (app_.got_subcommand("route")) return route_;
    if (app_.got_subcommand("access")) return access();
    if (app_.got_subcommand("certs")) return certs();
    if (app_.got_subcommand("demo")) return demo();
    if (app_.got_subcommand("passwd")) return passwd();
    if (app_.got_subcommand("import")) return import_;
    if (app_.got_subcommand("help")) return help();
    return refuse(kFirstSteps);
  }

 private:
  void add_status(CLI::App& status) {
    status.add_option("-c,--config,FILE", status_.config, "Configuration of the gateway; default as for run")
        ->type_name("FILE");
    status
        .add_option("--url", status_.url,
                    "The gateway's address, mqtt://HOST:PORT or mqtts://HOST:PORT; default: by the configuration")
        ->type_name("URL");
    status.add_option("--ca", status_.ca, "Certificates to trust; default: the listener's, or those of this system")
        ->type_name("FILE");
    CLI::Option* const username =
        status.add_option("--username", status_.username, "Who may read $SYS/furrow/#; default: nobody in particular")
            ->type_name("NAME");
    status.add_option("--password-from", status_.password_from, "A file with the password, which is for you alone")
        ->type_name("FILE")
        ->needs(username);
    status.add_flag("--watch", status_.watch, "Show it again each second, until Ctrl-C");
    status.add_flag("--json", status_.json, "Print the status documents as JSON, a line for all of them");
  }

  void add_fleet(CLI::App& fleet) {
    fleet.add_option("--url", fleet_.url, "The region's address, mqtt://HOST:PORT or mqtts://HOST:PORT")
        ->type_name("URL")
        ->required();
    fleet.add_option("--topic", fleet_.topic, "Where they do, as in their status.remote_topic; default: fleet/+")
        ->type_name("FILTER");
    CLI::Option* const username =
        fleet.add_option("--username", fleet_.username, "Who may read it; default: nobody in particular")
            ->type_name("NAME");
    fleet.add_option("--password-from", fleet_.password_from, "A file with the password, which is for you alone")
        ->type_name("FILE")
        ->needs(username);
    fleet.add_option("--ca", fleet_.ca, "Certificates to trust; default: those that this system trusts")
        ->type_name("FILE");
    fleet.add_flag("--watch", fleet_.watch, "Go on, and show each change, until Ctrl-C");
    fleet.add_flag("--json", fleet_.json, "Print their documents as JSON, a line for all of them");
  }

  // --- commands that go to a running gateway by its control socket, and most of them to a stopped one, too ---
  // `action` is one of those that `command` is split into.
  CLI::App& add_action(CLI::App& command, const std::string& action, const std::string& text, GatewayChoice& choice,
                       bool& json) {
    command.require_subcommand(1);
    CLI::App* const one = command.add_subcommand(action, text);
    one->add_option("-c,--config", choice.config, "Configuration of the gateway; default as for run")
        ->type_name("FILE");
    one->add_option("--data", choice.data, "Its data directory, instead of the configured one")->type_name("DIR");
    one->add_flag("--json", json, "Print the answer as it comes: a line of JSON for each thing");
    return *one;
  }

  std::string action_of(const std::string& command) const {
    return app_.get_subcommand(command)->get_subcommands().front()->get_name();
  }

  void add_clients(CLI::App& clients) {
    const auto add = [&](const std::string& action, const std::string& text) -> CLI::App& {
      return add_action(clients, action, text, clients_, clients_.json);
    };
    add("list", "All of them, with what waits for each");
    const auto add_with_id = [&](const std::string& action, const std::string& text) {
      add(action, text).add_option("ID", clients_.client, "Its client identifier")->required();
    };
    add_with_id("show", "One of them, with its subscriptions");
    add_with_id("kick", "End its connection; the session stays, and the client may come back");
    add_with_id("forget", "End its session: its subscriptions and what waits for it are gone, its will is published");
  }

  Command clients() {
    using Action = ClientsOptions::Action;
    const std::string action = action_of("clients");
    clients_.action = action == "show"   ? Action::Show
                      : action == "kick" ? Action::Kick
                      : action == "list" ? Action::List
                                         : Action::Forget;
    return clients_;
  }

  void add_bridge(CLI::App& bridge) {
    const auto add = [&](const std::string& action, const std::string& text) -> CLI::App& {
      return add_action(bridge, action, text, bridge_, bridge_.json);
    };
    add("list", "All of them, and what is left of those that were");
    const auto add_with_name = [&](const std::string& action, const std::string& text) -> CLI::App& {
      CLI::App& one = add(action, text);
      one.add_option("NAME", bridge_.bridge, "Its name")->required();
      return one;
    };
    add_with_name("pause", "Take leave of the far broker and go on to buffer, over restarts, too")
        .add_option("--for", pause_for_, "How long, as in 2h; default: until it is resumed")
        ->type_name("TIME");
    add_with_name("resume", "End a pause");
    add_with_name("reconnect", "Connect again, beginning with the first address");
    add_with_name("use", "Connect to this one of its addresses now, and stay there while it is well")
        .add_option("ADDRESS", bridge_.address, "Its URL, HOST:PORT, or HOST")
        ->required();
  }

  Command bridge() {
    using Action = BridgeOptions::Action;
    const std::string action = action_of("bridge");
    bridge_.action = action == "list"        ? Action::List
                     : action == "pause"     ? Action::Pause
                     : action == "resume"    ? Action::Resume
                     : action == "reconnect" ? Action::Reconnect
                                             : Action::Use;
    if (!pause_for_) return bridge_;
    const auto length = parse_whole_seconds("--for", *pause_for_, std::chrono::seconds(1));
    if (!length) return refuse(length.error().message());
    bridge_.length = *length;
    return bridge_;
  }

  void add_retained(CLI::App& retained) {
    const auto add = [&](const std::string& action, const std::string& text, bool needs_filter) -> CLI::App& {
      CLI::App& one = add_action(retained, action, text, retained_, retained_.json);
      one.add_option("FILTER", retained_.filter, "A topic or a filter, with + and #")->required(needs_filter);
      one.add_option("--older", older_, "Only those that are older than this, as in 30d")->type_name("TIME");
      return one;
    };
    add("list", "Topics, with the size and the age of their values", false);
    add("show", "Topics and their values", true);
    add("delete", "Delete them as their publishers would: far brokers hear of it, too", true)
        .add_flag("--yes", retained_.yes, "Do not ask");
  }

  Command retained() {
    using Action = RetainedOptions::Action;
    const std::string action = action_of("retained");
    retained_.action = action == "list" ? Action::List : action == "show" ? Action::Show : Action::Delete;
    if (!mqtt::is_valid_filter(retained_.filter))
      return refuse("'" + shown(retained_.filter) + "' is not a topic filter");
    if (!older_) return retained_;
    const auto older = parse_whole_seconds("--older", *older_, std::chrono::seconds(0));
    if (!older) return refuse(older.error().message());
    retained_.older = *older;
    return retained_;
  }

  void add_buffer(CLI::App& buffer) {
    const auto add = [&](const std::string& action, const std::string& text) -> CLI::App& {
      return add_action(buffer, action, text, buffer_, buffer_.json);
    };
    const auto add_of_bridge = [&](const std::string& action, const std::string& text) -> CLI::App& {
      CLI::App& one = add(action, text);
      one.add_option("--bridge", buffer_.bridge, "Whose buffer; not needed where there is only one")->type_name("NAME");
      return one;
    };
    const auto add_of_both = [&](const std::string& action, const std::string& text) -> CLI::App& {
      CLI::App& one = add_of_bridge(action, text);
      one.add_flag("--quarantine", buffer_.quarantine,
                   "Of what was set aside, as the far broker ends the connection when it gets it");
      return one;
    };
    add("list", "The buffers of all bridges, and what waits in them");
    add_of_both("show", "The messages that are the next to leave")
        .add_option("--limit", buffer_.limit, "How many at most; default: 20")
        ->type_name("COUNT")
        ->check(CLI::Range(1, 1'000'000));
    add_of_both("export", "Write all messages as lines of JSON; they stay where they are")
        .add_option("-o,--output", buffer_.output, "A new file, for its owner alone; default: standard output")
        ->type_name("FILE");
    add_of_both("purge", "Drop all messages, counted as purged").add_flag("--yes", buffer_.yes, "Do not ask");
    add_of_bridge("replay", "Send what was set aside again, behind what waits")
        .add_flag("--yes", buffer_.yes, "Do not ask");
  }

  Command check() {
    check_.connect = app_.get_subcommand("check")->count("--connect") > 0;
    if (check_.bridge && check_.bridge->empty()) check_.bridge.reset();
    return check_;
  }

  Command buffer() {
    using Action = BufferOptions::Action;
    const std::string action = action_of("buffer");
    buffer_.action = action == "list"     ? Action::List
                     : action == "show"   ? Action::Show
                     : action == "export" ? Action::Export
                     : action == "replay" ? Action::Replay
                                          : Action::Purge;
    return buffer_;
  }

  void add_trace(CLI::App& trace) {
    trace.add_option("--client", trace_.client, "The client with this identifier")->type_name("ID");
    trace
        .add_option("--topic", trace_.filter,
                    "Messages to a topic or filter, as the connection names it, with what acknowledges them; '#' is "
                    "every packet")
        ->type_name("FILTER");
    trace.add_option("--address", trace_.address, "Clients from this IP address, or network as in 192.168.4.0/24")
        ->type_name("ADDRESS");
    CLI::Option* const bridge =
        trace.add_option("--bridge", trace_.bridge, "A bridge, with its region")->type_name("NAME");
    for (const char* const of_clients : {"--client", "--address"}) bridge->excludes(trace.get_option(of_clients));
    trace.add_option("--for", trace_for_, "How long, up to 1h; default: 1m")->type_name("TIME");
    trace.add_option("--count", trace_.count, "How many packets at most; default: 10000")
        ->type_name("COUNT")
        ->check(CLI::Range(1, 1'000'000));
    trace.add_flag("--payload", trace_.payload, "Show the first 64 bytes of payloads, too, escaped");
    trace.add_flag("--json", trace_.json, "Print the answer as it comes: a line of JSON for each packet");
    trace.add_option("-c,--config", trace_.config, "Configuration of the gateway; default as for run")
        ->type_name("FILE");
    trace.add_option("--data", trace_.data, "Its data directory, instead of the configured one")->type_name("DIR");
  }

  Command trace() {
    const bool is_all = trace_.client.empty() && trace_.address.empty() && trace_.bridge.empty() && !trace_.filter;
    if (is_all) {
      return refuse("say what to trace: --client, --topic, --address or --bridge; --topic '#' is everything");
    }
    if (trace_.filter && !mqtt::is_valid_filter(*trace_.filter)) {
      return refuse("'" + shown(*trace_.filter) + "' is not a topic filter");
    }
    if (!trace_for_) return trace_;
    const auto length = parse_whole_seconds("--for", *trace_for_, std::chrono::seconds(1));
    if (!length) return refuse(length.error().message());
    trace_.length = *length;
    return trace_;
  }

  void add_diag(CLI::App& diag) {
    diag.add_option("-c,--config", diag_.config, "Configuration of the gateway; default as for run")->type_name("FILE");
    diag.add_option("--data", diag_.data, "Its data directory, instead of the configured one")->type_name("DIR");
    diag.add_option("-o,--output", diag_.output,
                    "A new file, a tar.gz for its owner alone; default: one here, by gateway and time")
        ->type_name("FILE");
    CLI::Option* const unit =
        diag.add_option("--unit", diag_.unit, "The unit whose journal is taken; default: furrow")->type_name("NAME");
    diag.add_option("--log", diag_.log, "A file with the log, instead of the journal")
        ->type_name("FILE")
        ->excludes(unit);
  }

  void add_certs(CLI::App& certs) {
    certs.require_subcommand(1);
    CLI::App* const show = certs.add_subcommand("show", "The certificates of a configuration, with the days left");
    show->add_option("-c,--config,FILE", certs_.config, "Configuration; default as for run")->type_name("FILE");
    CLI::App* const init =
        certs.add_subcommand("init", "Make a CA, and a certificate for all names and addresses of this machine");
    init->add_option("DIR", certs_.directory, "Where to; made if it is not there. Nothing is written over")->required();
    CLI::App* const issue = certs.add_subcommand("issue", "Make a certificate for a device or another gateway");
    issue->add_option("NAME", certs_.name, "Its common name: the user that it is here")->required();
    issue->add_option("--dir", certs_.directory, "Where the CA is; default: here")->type_name("DIR");
    issue->add_option("--host", certs_.hosts, "Its names and addresses, when it is a server, too")
        ->type_name("HOST")
        ->delimiter(',');
    for (CLI::App* const one : {init, issue}) {
      one->add_option("--days", certs_.days, "How long it is valid; default: 825")
          ->type_name("DAYS")
          ->check(CLI::Range(1, 7300));
    }
  }

  Command certs() {
    const CLI::App* const action = app_.get_subcommand("certs")->get_subcommands().front();
    if (action->get_name() == "init") certs_.action = CertsOptions::Action::Init;
    if (action->get_name() == "issue") certs_.action = CertsOptions::Action::Issue;
    return certs_;
  }

  Command access() const {
    const std::size_t words = anonymous_ ? 2 : 3;
    if (question_.size() != words) {
      return refuse(std::string("access takes ") + (anonymous_ ? "" : "USER, ") +
                    "publish or subscribe, and a topic; see furrow help access");
    }
    AccessOptions options = access_;
    if (!anonymous_) options.user = question_[0];
    options.action = question_[words - 2];
    options.topic = question_[words - 1];
    return options;
  }

  Command demo() const {
    DemoOptions options;
    const Result<Duration> outage = parse_seconds("--outage", outage_, Duration::zero());
    if (!outage) return refuse(outage.error().message());
    options.outage = *outage;
    if (!publish_for_) return options;
    // In less than that nothing would be shown, and a tour without a message proves nothing.
    const Result<Duration> publish_for = parse_seconds("--for", *publish_for_, std::chrono::seconds(1));
    if (!publish_for) return refuse(publish_for.error().message());
    options.publish_for = *publish_for;
    return options;
  }

  Command passwd() const {
    const CLI::App& given = *app_.get_subcommand("passwd");
    const auto is_set = [&given](const char* option) { return given.get_option(option)->count() > 0; };
    using Action = PasswdOptions::Action;
    PasswdOptions options = passwd_;
    options.action = is_set("--delete")  ? Action::Delete
                     : is_set("--check") ? Action::Check
                     : is_set("--list")  ? Action::List
                                         : Action::Set;
    if (user_.has_value() == (options.action == Action::List)) {
      return refuse(user_ ? "--list takes no USER" : "passwd FILE USER: the user is missing; see furrow help passwd");
    }
    options.user = user_.value_or("");
    return options;
  }

  Command help() {
    // An App that has parsed a command prints help on that one only.
    if (help_topic_.empty()) return print(stdout, Parser().app_.help(), kExitFine);
    if (help_topic_ == kConfigTopic) return print(stdout, config::reference_yaml(), kExitFine);
    if (!has_command(help_topic_)) return refuse_unknown(help_topic_);
    return print(stdout, app_.get_subcommand(help_topic_)->help("furrow"), kExitFine);
  }

  // The name of an option in `-config`, which CLI11 would take for `-c onfig`; empty when there is none.
  std::string missing_dash(int count, const char* const* arguments) const {
    for (int i = 1; i < count; ++i) {
      const std::string_view argument = arguments[i];
      if (!argument.starts_with('-') || argument.starts_with("--")) continue;
      for (const CLI::App* command : app_.get_subcommands([](const CLI::App*) { return true; })) {
        if (command->get_option_no_throw("-" + std::string(argument)) != nullptr)
          return std::string(argument.substr(1));
      }
    }
    return {};
  }

  // An argument that nobody takes: an option that is mistyped or stands before its command, or one file too many.
  Command refuse_extra(const std::string& what) const {
    const std::vector<std::string> extra = app_.remaining(true);
    const CLI::App* const command = parsed_command();
    const std::string& first = extra.empty() ? what : extra.front();
    const std::string name = first.substr(std::min(first.find_first_not_of('-'), first.size()));
    if (command == nullptr && (name.starts_with("c") || name.starts_with("data"))) {
      return refuse(shown(first) + " stands behind a command: furrow run " + shown(first) + " …");
    }
    std::vector<std::string_view> known;
    const CLI::App& asked = command == nullptr ? app_ : *command;
    for (const CLI::Option* option : asked.get_options()) {
      for (const std::string& one : option->get_lnames()) known.push_back(one);
    }
    const std::string nearest =
        first.starts_with('-') ? config::nearest_name(name.substr(0, name.find('=')), known) : std::string();
    if (!nearest.empty()) return refuse("there is no option " + shown(first) + "; did you mean --" + nearest + "?");
    const bool is_option = first.starts_with('-');
    return refuse((is_option ? "there is no option " : "one argument too many: ") + shown(first) + "; see " +
                  help_command());
  }

  const CLI::App* parsed_command() const {
    const std::vector<const CLI::App*> commands =
        app_.get_subcommands([](const CLI::App* one) { return one->parsed(); });
    return commands.empty() ? nullptr : commands.front();
  }

  std::string help_command() const {
    const CLI::App* const command = parsed_command();
    return command == nullptr ? "furrow help" : "furrow help " + command->get_name();
  }

  bool has_command(const std::string& name) const {
    return !app_.get_subcommands([&name](const CLI::App* one) { return one->get_name() == name; }).empty();
  }

  CLI::App app_{"furrow: an MQTT edge gateway with a cross-region bridge", "furrow"};
  RunOptions run_;
  CheckOptions check_;
  PasswdOptions passwd_;
  std::optional<std::string> user_;
  CertsOptions certs_;
  ImportOptions import_;
  AccessOptions access_;
  StatusOptions status_;
  FleetOptions fleet_;
  RouteOptions route_;
  ClientsOptions clients_;
  BridgeOptions bridge_;
  std::optional<std::string> pause_for_;
  RetainedOptions retained_;
  std::optional<std::string> older_;
  BufferOptions buffer_;
  TraceOptions trace_;
  std::optional<std::string> trace_for_;
  DiagOptions diag_;
  std::vector<std::string> question_;
  bool anonymous_ = false;
  std::string outage_ = "10";
  std::optional<std::string> publish_for_;
  std::string help_topic_;
};

}  // namespace

CommandText describe_command_line() {
  return Parser().describe();
}

Command parse_command_line(int count, const char* const* arguments) {
  return Parser().parse(count, arguments);
}

}  // namespace furrow::gateway
