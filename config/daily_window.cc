#include "config/daily_window.h"

#include <optional>

#include "config/messages.h"

namespace furrow::config {
namespace {

constexpr std::size_t kTimeBytes = 5;  // HH:MM

std::optional<std::uint16_t> parse_minute(std::string_view text) {
  if (text.size() != kTimeBytes || text[2] != ':') return std::nullopt;
  const auto two_digits = [&](std::size_t at) {
    const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : -100; };
    return 10 * digit(text[at]) + digit(text[at + 1]);
  };
  const int hour = two_digits(0);
  const int minute = two_digits(3);
  const bool is_midnight_again = hour == 24 && minute == 0;
  if (hour < 0 || minute < 0 || minute > 59 || (hour > 23 && !is_midnight_again)) return std::nullopt;
  return static_cast<std::uint16_t>(hour * 60 + minute);
}

std::string time_of_day(std::uint16_t minute) {
  const auto two_digits = [](int number) { return (number < 10 ? "0" : "") + std::to_string(number); };
  return two_digits(minute / 60) + ":" + two_digits(minute % 60);
}

}  // namespace

std::string DailyWindow::text() const {
  return is_all_day() ? "" : time_of_day(begin) + "-" + time_of_day(end);
}

Result<DailyWindow> parse_window(std::string_view text) {
  if (text.empty()) return DailyWindow{};
  if (text.size() == 2 * kTimeBytes + 1 && text[kTimeBytes] == '-') {
    const auto begin = parse_minute(text.substr(0, kTimeBytes));
    const auto end = parse_minute(text.substr(kTimeBytes + 1));
    if (begin && end && *begin == *end) {
      return invalid(in_quotes(text) + " is no time at all: leave the key out for the whole day");
    }
    if (begin && *begin < 24 * 60 && end) return DailyWindow{*begin, *end};
  }
  return invalid(in_quotes(text) + " is not a part of the day: write HH:MM-HH:MM in quotes, as in \"22:30-04:00\"");
}

}  // namespace furrow::config
