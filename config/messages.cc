#include "config/messages.h"

namespace furrow::config {
namespace {

// Whether YAML reads `text` as it is, also between brackets.
bool is_plain(std::string_view text) {
  if (text.empty() || text.find_first_of("[]{},\"'\\`") != std::string_view::npos) return false;
  if (text.starts_with('#') || text.find(" #") != std::string_view::npos) return false;
  if (text.find(": ") != std::string_view::npos || text.ends_with(':')) return false;
  return std::string_view("*&!|>%@?:- ").find(text.front()) == std::string_view::npos && text.back() != ' ';
}

}  // namespace

std::string as_written(std::string_view text) {
  if (text.size() > kShownBytesMax || is_plain(text)) return printable(text, kShownBytesMax);
  if (text.find_first_of("\"\\") == std::string_view::npos) return "\"" + printable(text, kShownBytesMax) + "\"";
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? "''" : std::string(1, c);
  return printable(quoted, 2 * kShownBytesMax) + "'";
}

}  // namespace furrow::config
