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

bool is_name(std::string_view text) {
  constexpr std::size_t kNameBytesMax = 64;
  constexpr std::string_view kAllowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
  return !text.empty() && text.size() <= kNameBytesMax && text.find_first_not_of(kAllowed) == std::string_view::npos;
}

std::string explain_name(std::string_view text) {
  return in_quotes(text) + " is not a name: 1 to 64 characters of A-Z a-z 0-9 _ . -";
}

}  // namespace furrow::config
