#include "gateway/jwt.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>

namespace furrow::gateway {
namespace {

// Behind the year 9000, as a number of seconds.
constexpr double kSecondsMax = 250'000'000'000;

int base64url_digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '-') return 62;
  return c == '_' ? 63 : -1;
}

std::optional<std::string> decode_base64url(std::string_view text) {
  std::string plain;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const int digit = base64url_digit(c);
    if (digit < 0) return std::nullopt;
    bits = (bits << 6U) | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    plain += static_cast<char>((bits >> count) & 0xFFU);
  }
  return plain;
}

// Walks a JSON object as far as is needed to find a number among its own members. It need not be valid elsewhere.
class Members {
 public:
  explicit Members(std::string_view json) : rest_(json) {}

  std::optional<double> number(std::string_view name) {
    skip_blanks();
    if (!take('{')) return std::nullopt;
    while (true) {
      skip_blanks();
      const auto key = take_string();
      skip_blanks();
      if (!key || !take(':')) return std::nullopt;
      skip_blanks();
      if (*key == name) return take_number();
      if (!skip_value()) return std::nullopt;
      skip_blanks();
      if (!take(',')) return std::nullopt;
    }
  }

 private:
  void skip_blanks() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size())); }

  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  // As it is written, with its escapes.
  std::optional<std::string_view> take_string() {
    if (!take('"')) return std::nullopt;
    for (std::size_t i = 0; i < rest_.size(); ++i) {
      if (rest_[i] == '\\') {
        ++i;
      } else if (rest_[i] == '"') {
        const std::string_view text = rest_.substr(0, i);
        rest_.remove_prefix(i + 1);
        return text;
      }
    }
    return std::nullopt;
  }

  std::optional<double> take_number() {
    double value = 0;
    const auto read = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (read.ec != std::errc{}) return std::nullopt;
    return value;
  }

  // Up to the comma or bracket behind the value.
  bool skip_value() {
    std::size_t depth = 0;
    while (!rest_.empty()) {
      const char c = rest_.front();
      if (depth == 0 && (c == ',' || c == '}')) return true;
      if (c == '"') {
        if (!take_string()) return false;
        continue;
      }
      if (c == '{' || c == '[') ++depth;
      if (c == '}' || c == ']') {
        if (depth == 0) return false;
        --depth;
      }
      rest_.remove_prefix(1);
    }
    return false;
  }

  std::string_view rest_;
};

}  // namespace

std::optional<WallTime> jwt_end(std::string_view password) {
  if (std::ranges::count(password, '.') != 2) return std::nullopt;
  const std::size_t begin = password.find('.') + 1;
  const auto claims = decode_base64url(password.substr(begin, password.find('.', begin) - begin));
  if (!claims) return std::nullopt;
  const auto seconds = Members(*claims).number("exp");
  if (!seconds || *seconds <= 0 || *seconds > kSecondsMax) return std::nullopt;
  return WallTime(std::chrono::seconds(static_cast<std::int64_t>(*seconds)));
}

}  // namespace furrow::gateway
