#include "gateway/cli/text_columns.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "broker-core/base/printable.h"

namespace furrow::gateway {

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

bool wants_colour() {
  const auto value_of = [](const char* variable) {
    const char* const value = std::getenv(variable);
    return value != nullptr ? std::string_view(value) : std::string_view();
  };
  return ::isatty(STDOUT_FILENO) == 1 && value_of("TERM") != "dumb" && value_of("NO_COLOR").empty();
}

std::string bold(std::string_view text, bool colour) {
  return colour ? "\x1b[1m" + std::string(text) + "\x1b[0m" : std::string(text);
}

}  // namespace furrow::gateway
