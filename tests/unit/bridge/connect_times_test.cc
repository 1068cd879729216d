#include "bridge/connect_times.h"

#include <gtest/gtest.h>

#include <chrono>

namespace furrow::bridge {
namespace {

using namespace std::chrono_literals;

constexpr Instant kNow = Instant(Duration(1'000'000'000));

constexpr std::uint16_t at(int hour, int minute) {
  return static_cast<std::uint16_t>(60 * hour + minute);
}

ConnectTimes::Options window(std::uint16_t begin, std::uint16_t end) {
  return {.window_begin = begin, .window_end = end};
}

bool is_open(ConnectTimes::Options options, std::uint16_t minute) {
  ConnectTimes times(options);
  times.set_minute(minute, kNow);
  return times.window_is_open();
}

TEST(Window, HoldsItsFirstMinuteAndNotTheOneBehindItsLast) {
  const auto night = window(at(2, 0), at(4, 0));
  EXPECT_FALSE(is_open(night, at(1, 59)));
  EXPECT_TRUE(is_open(night, at(2, 0)));
  EXPECT_TRUE(is_open(night, at(3, 59)));
  EXPECT_FALSE(is_open(night, at(4, 0)));
}

TEST(Window, MayGoOverMidnight) {
  const auto night = window(at(22, 30), at(4, 0));
  EXPECT_FALSE(is_open(night, at(22, 29)));
  EXPECT_TRUE(is_open(night, at(22, 30)));
  EXPECT_TRUE(is_open(night, at(0, 0)));
  EXPECT_TRUE(is_open(night, at(3, 59)));
  EXPECT_FALSE(is_open(night, at(4, 0)));
  EXPECT_TRUE(is_open(window(at(22, 0), at(24, 0)), at(23, 59)));
}

TEST(Window, SaysWhenItOpens) {
  ConnectTimes times(window(at(2, 0), at(4, 0)));
  times.set_minute(at(23, 0), kNow);
  EXPECT_EQ(times.opens_at(), kNow + 3h);
  EXPECT_EQ(times.reason(), "until 02:00, when its window opens");
  times.set_minute(at(3, 0), kNow);
  EXPECT_EQ(times.opens_at(), std::nullopt);
}

TEST(Window, IsClosedBeforeTheTimeIsAskedForAndOpenWhileItIsNotTrusted) {
  ConnectTimes times(window(at(2, 0), at(4, 0)));
  EXPECT_FALSE(times.wants_connection({}, kNow));
  times.set_minute(std::nullopt, kNow);
  EXPECT_TRUE(times.wants_connection({}, kNow));
}

TEST(Demand, WithoutOneAConnectionIsAlwaysWanted) {
  const ConnectTimes times({});
  EXPECT_TRUE(times.wants_connection({}, kNow));
  EXPECT_EQ(times.idle_due(), kNever);
}

TEST(Demand, IsMetByTheirNumber) {
  const ConnectTimes times({.demand_messages = 3});
  EXPECT_FALSE(times.wants_connection({2, kNow - 24h}, kNow));
  EXPECT_TRUE(times.wants_connection({3, kNow}, kNow));
  EXPECT_EQ(times.wanted_due({2, kNow}), kNever);
  EXPECT_EQ(times.wanted_due({3, kNow}), Instant::min());
  EXPECT_EQ(times.reason(), "until 3 messages wait");
}

TEST(Demand, IsMetByTheirAge) {
  const ConnectTimes times({.demand_messages = 3, .demand_age = 15min});
  EXPECT_FALSE(times.wants_connection({1, kNow}, kNow + 14min));
  EXPECT_TRUE(times.wants_connection({1, kNow}, kNow + 15min));
  EXPECT_EQ(times.wanted_due({1, kNow}), kNow + 15min);
  EXPECT_EQ(times.wanted_due({}), kNever);
  EXPECT_EQ(times.reason(), "until 3 messages wait, or one has waited for 900s");
}

TEST(Demand, WhatLiesOnDiskSinceAnUnknownTimeIsOldEnough) {
  const ConnectTimes times({.demand_age = 15min});
  EXPECT_TRUE(times.wants_connection({1, std::nullopt}, kNow));
}

TEST(Demand, CountsUntilTheBridgeHasLeft) {
  ConnectTimes times({.demand_messages = 3, .idle = 60s});
  times.note_connecting();
  EXPECT_TRUE(times.wants_connection({1, kNow}, kNow));
  times.note_activity(kNow);
  EXPECT_EQ(times.idle_due(), kNow + 60s);
  times.note_left();
  EXPECT_FALSE(times.wants_connection({1, kNow}, kNow));
}

TEST(Demand, WaitsForTheWindowToo) {
  ConnectTimes::Options options = window(at(2, 0), at(4, 0));
  options.demand_messages = 1;
  ConnectTimes times(options);
  times.set_minute(at(1, 0), kNow);
  EXPECT_FALSE(times.wants_connection({5, kNow}, kNow));
  EXPECT_EQ(times.wanted_due({5, kNow}), kNever);
  times.set_minute(at(2, 0), kNow);
  EXPECT_TRUE(times.wants_connection({5, kNow}, kNow));
  EXPECT_FALSE(times.wants_connection({}, kNow));
}

}  // namespace
}  // namespace furrow::bridge
