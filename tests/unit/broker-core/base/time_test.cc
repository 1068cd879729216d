#include "broker-core/base/time.h"

#include <gtest/gtest.h>

namespace furrow {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

ClockStamp stamp(std::uint64_t boot, Duration since_boot, Duration wall, bool trusted = true) {
  return {.boot = boot, .monotonic = Instant(since_boot), .wall = WallTime(wall), .trusted = trusted};
}

TEST(Time, WithinABootTheMonotonicClockCountsAlone) {
  // The wall clock jumped back a day meanwhile.
  EXPECT_EQ(elapsed(stamp(1, hours(1), hours(100)), stamp(1, hours(3), hours(76))), hours(2));
  EXPECT_EQ(elapsed(stamp(1, hours(3), hours(100)), stamp(1, hours(1), hours(101))), Duration::zero());
}

// Jumps of ten years while a message waits, with and without a restart of the gateway (which keeps the boot id).
TEST(Time, JumpsOfTheWallClockChangeNothingWithinABoot) {
  const Duration wall = hours(500'000);
  for (const Duration jump : {Duration(hours(87'660)), Duration(-hours(87'660))}) {
    for (const bool trusted : {true, false}) {
      EXPECT_EQ(elapsed(stamp(1, hours(1), wall, trusted), stamp(1, hours(2), wall + jump, true)), hours(1));
    }
  }
}

// A clock that is wrong after the restart of the machine, and says so, makes nothing expire.
TEST(Time, AnUntrustedJumpAcrossBootsAgesNothingButTheTimeSinceBoot) {
  const Duration wall = hours(500'000);
  for (const Duration jump : {Duration(hours(87'660)), Duration(-hours(87'660))}) {
    EXPECT_EQ(elapsed(stamp(1, hours(1), wall), stamp(2, minutes(5), wall + jump, false)), minutes(5));
  }
}

TEST(Time, AcrossBootsTrustedWallClocksCountTheTimePoweredOff) {
  EXPECT_EQ(elapsed(stamp(1, hours(50), hours(100)), stamp(2, minutes(5), hours(112))), hours(12));
}

TEST(Time, AcrossBootsWithoutTrustOnlyTheTimeSinceBootCounts) {
  EXPECT_EQ(elapsed(stamp(1, hours(50), hours(100), false), stamp(2, minutes(5), hours(112))), minutes(5));
  EXPECT_EQ(elapsed(stamp(1, hours(50), hours(100)), stamp(2, minutes(5), hours(112), false)), minutes(5));
}

TEST(Time, WhatWasNotCountedIsKnownOnceTheClockIsRight) {
  const ClockStamp then = stamp(1, hours(50), hours(100));
  EXPECT_EQ(uncounted(then, stamp(2, minutes(5), hours(112))), hours(12) - minutes(5));
  EXPECT_EQ(uncounted(then, stamp(2, minutes(5), hours(112), false)), Duration::zero());
  EXPECT_EQ(uncounted(then, stamp(1, hours(51), hours(112))), Duration::zero());
  EXPECT_EQ(uncounted(stamp(1, hours(50), hours(100), false), stamp(2, minutes(5), hours(112))), Duration::zero());
}

TEST(Time, WallClockThatWentBackDoesNotShortenTheTimeSinceBoot) {
  EXPECT_EQ(elapsed(stamp(1, hours(50), hours(100)), stamp(2, minutes(5), hours(90))), minutes(5));
}

}  // namespace
}  // namespace furrow
