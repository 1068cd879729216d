#include "gateway/cli/demo_screen.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

namespace furrow::gateway {
namespace {

constexpr std::string_view kGreen = "\x1b[32m";
constexpr std::string_view kYellow = "\x1b[33m";
constexpr std::string_view kRed = "\x1b[31m";
constexpr std::string_view kPlain = "\x1b[0m";

std::string painted(std::string_view text, std::string_view colour, DemoScreen::Style style) {
  if (!style.colour || text.empty()) return std::string(text);
  return std::string(colour).append(text).append(kPlain);
}

// `#` has arrived, `-` waits.
std::string bar(const DemoScreen::Row& row, DemoScreen::Style style) {
  constexpr std::uint64_t kWidth = 30;
  const std::uint64_t sent = std::max<std::uint64_t>(row.sent, 1);
  const auto arrived = static_cast<std::size_t>(std::min(kWidth, row.arrived * kWidth / sent));
  // A single message that waits shows.
  const auto waiting = static_cast<std::size_t>(std::min(kWidth - arrived, (row.waiting * kWidth + sent - 1) / sent));
  return "[" + painted(std::string(arrived, '#'), kGreen, style) + painted(std::string(waiting, '-'), kYellow, style) +
         std::string(static_cast<std::size_t>(kWidth) - arrived - waiting, ' ') + "]";
}

std::string_view colour_of(std::string_view state) {
  if (state == "online") return kGreen;
  return state == "draining" || state == "connecting" ? kYellow : kRed;
}

void print(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

}  // namespace

DemoScreen::Style DemoScreen::style_of_output() {
  const auto variable = [](const char* name) -> std::string_view {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
  };
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  return {.bar = terminal, .colour = terminal && variable("NO_COLOR").empty() && variable("TERM") != "dumb"};
}

void DemoScreen::say(std::string_view line) const {
  print(std::string(line));
}

void DemoScreen::say_bad(std::string_view line) const {
  print(painted(line, kRed, style_));
}

void DemoScreen::say_good(std::string_view line) const {
  print(painted(line, kGreen, style_));
}

void DemoScreen::report(const Row& row) const {
  print(format_row(row, style_));
}

std::string format_row(const DemoScreen::Row& row, DemoScreen::Style style) {
  std::array<char, 160> numbers{};
  const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::snprintf(numbers.data(), numbers.size(), "[%5.1f s] sent %5llu   arrived %5llu   in the gateway %5llu   ",
                std::chrono::duration<double>(row.since_start).count(), number(row.sent), number(row.arrived),
                number(row.waiting));
  return std::string(numbers.data()) + (style.bar ? bar(row, style) + "   " : "") + "bridge " +
         painted(row.bridge, colour_of(row.bridge), style);
}

}  // namespace furrow::gateway
