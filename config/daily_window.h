// Hours of the day as text and as value: "22:30-04:00", which may go over midnight.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "broker-core/base/result.h"

namespace furrow::config {

struct DailyWindow {
  std::uint16_t begin = 0;  // minutes of the day
  std::uint16_t end = 0;    // behind the last of them; equal: all day

  bool is_all_day() const { return begin == end; }
  // As parse_window() takes it; empty: all day.
  std::string text() const;
  friend bool operator==(const DailyWindow&, const DailyWindow&) = default;
};

// The error names the fix; it does not name the key.
Result<DailyWindow> parse_window(std::string_view text);

}  // namespace furrow::config
