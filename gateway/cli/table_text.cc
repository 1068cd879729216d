#include "gateway/cli/table_text.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "broker-core/base/printable.h"

namespace furrow::gateway {
namespace {

constexpr std::string_view kPlain = "\x1b[0m";

bool is_set(const char* variable) {
  const char* const value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

}  // namespace

std::string shown(std::string_view text) {
  return printable(text, kShownBytesMax);
}

std::size_t width(std::string_view text) {
  std::size_t count = 0;
  for (; !text.empty(); ++count) (void)take_character(text);
  return count;
}

std::string cut(std::string_view text, std::size_t columns) {
  if (width(text) <= columns) return std::string(text);
  std::string begin;
  for (std::size_t i = 1; i < columns; ++i) begin += take_character(text).bytes;
  return begin + "…";
}

std::string left(std::string_view text, std::size_t columns) {
  const std::string shown = cut(text, columns);
  return shown + std::string(columns - width(shown), ' ');
}
std::string right(std::string_view text, std::size_t columns) {
  const std::string shown = cut(text, columns);
  return std::string(columns - width(shown), ' ') + shown;
}

std::string painted(std::string_view text, std::string_view with, bool colour) {
  return colour && !text.empty() ? std::string(with).append(text).append(kPlain) : std::string(text);
}

std::string wrapped(std::string_view text, std::string_view indent) {
  std::string all;
  std::string line(indent);
  bool is_begun = false;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (is_begun && width(line) + 1 + width(word) > kColumns) {
      all += line + "\n";
      line = indent;
      is_begun = false;
    }
    if (is_begun) line += ' ';
    line += cut(word, kColumns - width(indent));
    is_begun = true;
  }
  return is_begun ? all + line + "\n" : all;
}

std::string counted(std::uint64_t count, std::string_view thing) {
  return std::to_string(count) + " " + std::string(thing) + (count == 1 ? "" : "s");
}

void print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void print_line(std::string_view line) {
  print(line);
  print("\n");
}

bool can_redraw() {
  const char* const terminal = std::getenv("TERM");
  const bool is_dumb = terminal != nullptr && std::string_view(terminal) == "dumb";
  return ::isatty(STDOUT_FILENO) == 1 && !is_dumb;
}

bool has_colours() {
  return can_redraw() && !is_set("NO_COLOR");
}

}  // namespace furrow::gateway
