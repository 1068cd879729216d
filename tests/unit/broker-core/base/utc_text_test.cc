#include "broker-core/base/utc_text.h"

#include <gtest/gtest.h>

#include <chrono>

namespace furrow {
namespace {

TEST(UtcText, IsRfc3339WithMilliseconds) {
  EXPECT_EQ(utc_text(WallTime{}), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(utc_text(WallTime(std::chrono::microseconds(1'795'514'400'123'999))), "2026-11-24T10:00:00.123Z");
  EXPECT_EQ(utc_text(WallTime(std::chrono::milliseconds(-1))), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(utc_text(WallTime(std::chrono::seconds(1'709'209'845))), "2024-02-29T12:30:45.000Z");
}

}  // namespace
}  // namespace furrow
