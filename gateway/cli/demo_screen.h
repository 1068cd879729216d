// The tour on standard output: its story in lines, its numbers in rows.
//
// Colours and a bar are for people: a pipe gets the same words without them, and NO_COLOR takes the colours away
// (https://no-color.org).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "broker-core/base/time.h"

namespace furrow::gateway {

class DemoScreen {
 public:
  struct Style {
    bool bar = false;
    bool colour = false;
  };
  // As suits what standard output is.
  static Style style_of_output();

  explicit DemoScreen(Style style) : style_(style) {}

  // A line of the story, at once.
  void say(std::string_view line) const;
  // The same, where something broke or healed.
  void say_bad(std::string_view line) const;
  void say_good(std::string_view line) const;

  struct Row {
    Duration since_start{};
    std::uint64_t sent = 0;
    std::uint64_t arrived = 0;
    std::uint64_t waiting = 0;  // in the gateway; with `arrived` never more than `sent`
    std::string_view bridge;    // the state of the bridge
  };
  void report(const Row& row) const;

 private:
  const Style style_;
};

// A row without its line end.
std::string format_row(const DemoScreen::Row& row, DemoScreen::Style style);

}  // namespace furrow::gateway
