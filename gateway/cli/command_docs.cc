#include "gateway/cli/command_docs.h"

#include <algorithm>
#include <string_view>

#include "config/reference.h"

namespace furrow::gateway {
namespace {

using config::troff_text;

constexpr std::string_view kBeforeCommands =
    ".SH DESCRIPTION\n"
    "A small broker for the sensors of a site, and a bridge to the brokers of a region. What it has acknowledged "
    "reaches the region, after an outage, a crash or a power cut.\n"
    ".SH COMMANDS\n";

constexpr std::string_view kAfterCommands =
    ".SH SIGNALS\n"
    ".TP\n.B SIGTERM, SIGINT\nWrite what is buffered, tell the clients, and stop.\n"
    ".TP\n.B SIGHUP\nRead the configuration again. A file with mistakes changes nothing, and the log says where they "
    "are.\n"
    ".SH EXIT STATUS\n"
    ".TP\n.B 0\nFine.\n"
    ".TP\n.B 1\nIt failed while it ran.\n"
    ".TP\n.B 2\nThe configuration or the command line is wrong.\n"
    ".SH FILES\n"
    ".TP\n.I /etc/furrow/furrow.yaml\nThe configuration, where no other is named.\n"
    ".TP\n.I /var/lib/furrow\nMessages that wait, sessions and retained messages, unless gateway.data says otherwise.\n"
    ".SH SEE ALSO\n"
    ".BR furrow.yaml (5),\n.BR systemd.service (5),\n.BR journalctl (1)\n";

// The second part of the shell's file; the first is the table of words.
constexpr std::string_view kComplete =
    "\n"
    "_furrow() {\n"
    "  local word=\"${COMP_WORDS[COMP_CWORD]}\" command=\"\" i\n"
    "  for ((i = 1; i < COMP_CWORD; ++i)); do\n"
    "    if [[ \" $(_furrow_words \"$command\") \" == *\" ${COMP_WORDS[i]} \"* && ${COMP_WORDS[i]} != -* ]]; then\n"
    "      command=\"${command:+$command }${COMP_WORDS[i]}\"\n"
    "    fi\n"
    "  done\n"
    "  local fit\n"
    "  fit=\"$(compgen -W \"$(_furrow_words \"$command\")\" -- \"$word\")\"\n"
    "  if [[ $word != -* ]]; then fit=\"$(grep -v '^-' <<<\"$fit\")\"; fi\n"
    "  mapfile -t COMPREPLY < <(printf '%s' \"$fit\")\n"
    "}\n"
    "complete -o default -F _furrow furrow\n";

std::string bold(std::string_view text) {
  return "\\fB" + troff_text(text) + "\\fR";
}

std::string slanted(std::string_view text) {
  return "\\fI" + troff_text(text) + "\\fR";
}

// `-c, --config FILE`, or the place alone.
std::string option_heading(const OptionText& option) {
  if (option.names.empty()) return slanted(option.place);
  std::string heading;
  for (const std::string& name : option.names) heading += (heading.empty() ? "" : ", ") + bold(name);
  return option.value.empty() ? heading : heading + " " + slanted(option.value);
}

// A manual page names the program by itself.
std::string_view without_name(std::string_view text) {
  constexpr std::string_view kName = "furrow: ";
  return text.starts_with(kName) ? text.substr(kName.size()) : text;
}

std::string arguments_of(const CommandText& command) {
  std::string arguments;
  for (const OptionText& option : command.options) {
    if (option.place.empty()) continue;
    arguments += option.required ? " " + slanted(option.place) : " [" + slanted(option.place) + "]";
  }
  return arguments;
}

std::string option_entry(const OptionText& option) {
  return ".TP\n" + option_heading(option) + "\n" + troff_text(option.text) + ".\n";
}

// Every command has it, so that it is said once.
bool is_help(const OptionText& option) {
  return std::find(option.names.begin(), option.names.end(), "--help") != option.names.end();
}

void add_manual(std::string& page, const CommandText& command, const std::string& before) {
  const std::string name = before + " " + command.name;
  for (const CommandText& one : command.commands) add_manual(page, one, name);
  if (!command.commands.empty()) return;
  page += ".SS " + bold(name) + arguments_of(command) + "\n" + troff_text(command.text) + ".\n";
  for (const OptionText& option : command.options) {
    if (!is_help(option) && !option.text.empty()) page += option_entry(option);
  }
}

std::string words_of(const CommandText& command, const CommandText& furrow) {
  std::string words;
  const auto add = [&words](const std::string& word) { words += (words.empty() ? "" : " ") + word; };
  for (const CommandText& one : command.commands) add(one.name);
  for (const OptionText& option : command.options) {
    for (const std::string& name : option.names) add(name);
    if (option.place != "COMMAND") continue;
    for (const CommandText& one : furrow.commands) add(one.name);
  }
  return words;
}

void add_words(std::string& table, const CommandText& command, const CommandText& furrow, const std::string& path) {
  table += "    '" + path + "') echo '" + words_of(command, furrow) + "' ;;\n";
  for (const CommandText& one : command.commands) {
    add_words(table, one, furrow, path.empty() ? one.name : path + " " + one.name);
  }
}

}  // namespace

std::string command_manual(const CommandText& furrow, const std::string& version) {
  std::string page = ".TH FURROW 1 \"\" \"furrow " + version + "\" \"User Commands\"\n.SH NAME\nfurrow \\- ";
  page += troff_text(without_name(furrow.text)) + "\n.SH SYNOPSIS\n";
  page += bold("furrow") + " " + slanted("COMMAND") + " [" + slanted("OPTION") + "]... [";
  page += slanted("ARGUMENT") + "]...\n";
  page += kBeforeCommands;
  for (const CommandText& command : furrow.commands) add_manual(page, command, "furrow");
  page += ".SH OPTIONS\nA command takes \\fB\\-\\-help\\fR, too.\n";
  for (const OptionText& option : furrow.options) page += option_entry(option);
  return page + std::string(kAfterCommands);
}

std::string bash_completion(const CommandText& furrow) {
  std::string text =
      "# Completion of furrow for bash, made from its command line.\n\n"
      "# The words that may follow the command $1.\n_furrow_words() {\n  case \"$1\" in\n";
  add_words(text, furrow, furrow, "");
  return text + "  esac\n}\n" + std::string(kComplete);
}

}  // namespace furrow::gateway
