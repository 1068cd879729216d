#include "config/daily_window.h"

#include <gtest/gtest.h>

namespace furrow::config {
namespace {

TEST(DailyWindow, EveryTextGivesItselfBack) {
  for (const char* text : {"", "02:00-04:00", "22:30-04:00", "00:00-24:00", "23:59-00:00"}) {
    const auto window = parse_window(text);
    ASSERT_TRUE(window.has_value()) << text;
    EXPECT_EQ(window->text(), text);
  }
  EXPECT_EQ(parse_window("22:30-04:00")->begin, 22 * 60 + 30);
}

TEST(DailyWindow, WhatIsNoPartOfTheDayIsRefused) {
  for (const char* text : {"2:00-4:00", "02:00", "02:00 04:00", "02:60-04:00", "24:00-04:00", "02:00-24:01",
                           "25:00-26:00", "-1:00-04:00", "ab:cd-ef:gh", "02:00-02:00", "02:00-04:00-"}) {
    EXPECT_FALSE(parse_window(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace furrow::config
