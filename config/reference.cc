#include "config/reference.h"

#include <sstream>
#include <string_view>

#include "config/key_names.h"
#include "config/scalar.h"
#include "config/schema.h"

namespace furrow::config {
namespace {

constexpr std::size_t kCommentBytesMax = 100;

constexpr std::string_view kHeader = R"(# furrow.yaml: every key with its meaning, range and default.
#
# A line that begins with '#' and no space is a key at its default: take the '#' away to change it.
# An element of a list begins with '-': take that line's '#' away first. This file is to look things
# up in: begin with a copy of minimal.yaml, the smallest useful file.
#
# Times take ms s m h d, one number and one unit: 90m, not 1h30m. Sizes take KiB MiB GiB. ${NAME} is
# replaced from the environment, $$ is a '$'. What YAML would take for something else stands in
# quotes: "*:1883", "[::]:1883", "#", and between { } also "${NAME}". Relative paths are relative to
# this file. `furrow check FILE` finds every mistake before the gateway does.
)";

// "a time, 1s to 1h", "one of a, b": what may be written.
std::string value_text(const Key& key) {
  const std::string range = std::string(key.least) + " to " + std::string(key.most);
  const std::string word = key.words.empty() ? "" : ", or " + std::string(key.words);
  switch (key.kind) {
    case Kind::Section:
    case Kind::List:
      return {};
    case Kind::Flag:
      return "True or false";
    case Kind::Count:
      return "A number, " + range + word;
    case Kind::Size:
      return "A size, " + range + word;
    case Kind::Time:
      return "A time, " + range + word;
    case Kind::Word: {
      std::string words;
      for (const std::string_view one : split_words(key.words)) words += (words.empty() ? "" : ", ") + std::string(one);
      return "One of: " + words;
    }
    case Kind::Text:
      return "Text";
    case Kind::Texts:
      return "A list of texts";
    case Kind::Groups:
      return "A map of names to lists of texts";
    case Kind::Pairs:
      return "A map of names to texts";
    case Kind::File:
      return "A path" + word;
    case Kind::Bind:
      return "ADDRESS:PORT";
    case Kind::Addresses:
      return "An address or a list of them";
    case Kind::Networks:
      return "An address or network, or a list of them";
    case Kind::Origins:
      return "An origin or a list of them";
  }
  return {};
}

// The values that a key takes and what follows from them, in one sentence or none.
std::string conditions_text(const Key& key) {
  std::string text = value_text(key);
  if (key.is_required()) text += "; required";
  if (key.needs_restart) text += "; a change needs a restart";
  return text.empty() ? text : text + ".";
}

// `text` as comment lines that do not pass kCommentBytesMax, broken between words.
std::string as_comment(const std::string& text, const std::string& indent) {
  std::istringstream words(text);
  std::string comment;
  std::string line = indent + "#";
  for (std::string word; words >> word;) {
    if (line.size() + 1 + word.size() > kCommentBytesMax) {
      comment += line + "\n";
      line = indent + "#";
    }
    line += " " + word;
  }
  return comment + line + "\n";
}

std::string explanation(const Key& key, const std::string& indent) {
  std::string text = as_comment(std::string(key.doc), indent);
  if (const std::string conditions = conditions_text(key); !conditions.empty()) text += as_comment(conditions, indent);
  if (!key.danger.empty()) text += as_comment("Danger: " + std::string(key.danger), indent);
  return text;
}

std::size_t depth_of(const Key& key) {
  const auto count = [&](std::string_view part) {
    std::size_t found = 0;
    for (std::size_t at = key.path.find(part); at != std::string_view::npos; at = key.path.find(part, at + 1)) ++found;
    return found;
  };
  // A list indents twice: its dash, then the keys of the element.
  return count(".") + count("[].");
}

bool is_map_or_list(const Key& key) {
  return key.kind == Kind::Section || key.kind == Kind::List;
}

// Inside of a list even sections are comments: without its dash an element would be a map. So is a list within a
// section: there an empty one can mean something else than none.
std::string written_lines(const Key& key, const std::string& indent) {
  const bool in_list = key.path.find("[].") != std::string_view::npos;
  const bool is_inner_list = key.kind == Kind::List && key.path.find('.') != std::string_view::npos;
  const std::string mark = in_list || is_inner_list || !is_map_or_list(key) ? "#" : "";
  std::string lines = indent + mark + std::string(written_name(key.path)) + ":";
  if (!is_map_or_list(key)) lines += " " + std::string(key.example.empty() ? key.standard : key.example);
  if (key.kind == Kind::List) lines += "\n" + indent + "  #-";
  return lines + "\n";
}

std::string manual_entry(const Key& key) {
  std::string entry = ".TP\n.B " + troff_text(key.path) + "\n" + troff_text(key.doc) + "\n";
  const auto add_line = [&](const std::string& line) { entry += ".br\n" + troff_text(line) + "\n"; };
  if (const std::string conditions = conditions_text(key); !conditions.empty()) add_line(conditions);
  if (!key.standard.empty()) add_line("Default: " + std::string(key.standard));
  if (!key.danger.empty()) add_line("Danger: " + std::string(key.danger));
  return entry;
}

}  // namespace

std::string reference_yaml() {
  std::string text(kHeader);
  for (const Key& key : keys()) {
    const std::string indent(2 * depth_of(key), ' ');
    if (key.path.find('.') == std::string_view::npos) text += "\n";
    text += explanation(key, indent) + written_lines(key, indent);
  }
  return text;
}

std::string uncommented(const std::string& reference) {
  std::istringstream lines(reference);
  std::string text;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t mark = line.find_first_not_of(' ');
    const bool is_key =
        mark != std::string::npos && line[mark] == '#' && mark + 1 < line.size() && line[mark + 1] != ' ';
    if (is_key) line.erase(mark, 1);
    text += line + "\n";
  }
  return text;
}

std::string troff_text(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\\') {
      result += "\\e";
    } else if (c == '-') {
      result += "\\-";
    } else {
      result += c;
    }
  }
  return result;
}

std::string manual_page() {
  std::string page =
      ".TH FURROW.YAML 5\n.SH NAME\nfurrow.yaml \\- configuration of the furrow MQTT edge gateway\n.SH DESCRIPTION\n"
      "Times take ms s m h d, sizes KiB MiB GiB, one number and one unit; 0 needs no unit. ${NAME} is replaced from "
      "the "
      "environment, $$ is a $. What YAML would take for something else stands in quotes: \"*:1883\", \"[::]:1883\", "
      "\"#\", and between { } also \"${NAME}\".\n"
      "Relative paths are relative to the file. A [] stands for the elements of a list.\n.SH KEYS\n";
  for (const Key& key : keys()) page += manual_entry(key);
  return page + ".SH SEE ALSO\nfurrow(1)\n";
}

}  // namespace furrow::config
