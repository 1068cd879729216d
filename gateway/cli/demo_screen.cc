#include "gateway/cli/demo_screen.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

#include "gateway/cli/table_text.h"

namespace furrow::gateway {
namespace {

// `#` has arrived, `-` waits.
std::string bar(const DemoScreen::Row& row, DemoScreen::Style style) {
  constexpr std::uint64_t kWidth = 30;
  const std::uint64_t sent = std::max<std::uint64_t>(row.sent, 1);
  const auto arrived = static_cast<std::size_t>(std::min(kWidth, row.arrived * kWidth / sent));
  // A single message that waits shows.
  const auto waiting = static_cast<std::size_t>(std::min(kWidth - arrived, (row.waiting * kWidth + sent - 1) / sent));
  return "[" + painted(std::string(arrived, '#'), kGreen, style.colour) +
         painted(std::string(waiting, '-'), kYellow, style.colour) +
         std::string(static_cast<std::size_t>(kWidth) - arrived - waiting, ' ') + "]";
}

std::string_view colour_of(std::string_view state) {
  if (state == "online") return kGreen;
  return state == "draining" || state == "connecting" ? kYellow : kRed;
}

// At once, also into a pipe: somebody follows the tour there.
void tell(std::string_view line) {
  print_line(line);
  std::fflush(stdout);
}

}  // namespace

DemoScreen::Style DemoScreen::style_of_output() {
  return {.bar = ::isatty(STDOUT_FILENO) == 1, .colour = has_colours()};
}

void DemoScreen::say(std::string_view line) const {
  tell(line);
}

void DemoScreen::say_bad(std::string_view line) const {
  tell(painted(line, kRed, style_.colour));
}

void DemoScreen::say_good(std::string_view line) const {
  tell(painted(line, kGreen, style_.colour));
}

void DemoScreen::report(const Row& row) const {
  tell(format_row(row, style_));
}

std::string format_row(const DemoScreen::Row& row, DemoScreen::Style style) {
  std::array<char, 160> numbers{};
  const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::snprintf(numbers.data(), numbers.size(), "[%5.1f s] sent %5llu   arrived %5llu   in the gateway %5llu   ",
                std::chrono::duration<double>(row.since_start).count(), number(row.sent), number(row.arrived),
                number(row.waiting));
  return std::string(numbers.data()) + (style.bar ? bar(row, style) + "   " : "") + "bridge " +
         painted(row.bridge, colour_of(row.bridge), style.colour);
}

}  // namespace furrow::gateway
