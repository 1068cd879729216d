#include "broker-core/publish_pace.h"

#include <gtest/gtest.h>

namespace furrow::broker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant kStart{std::chrono::hours(1)};

TEST(PublishPace, ABurstComesAtOnceAndTheRestAtTheRate) {
  const PublishRate rate{.messages_per_second = 10, .burst = seconds(1)};
  PublishPace pace;
  for (int i = 0; i < 10; ++i) EXPECT_LE(pace.take(1, rate, kStart), kStart) << i;
  EXPECT_EQ(pace.take(1, rate, kStart), kStart + milliseconds(100));
  EXPECT_EQ(pace.take(1, rate, kStart + milliseconds(100)), kStart + milliseconds(200));
}

TEST(PublishPace, WhatIsNotUsedIsSavedUpToTheBurst) {
  const PublishRate rate{.messages_per_second = 10, .burst = seconds(1)};
  PublishPace pace;
  for (int i = 0; i < 20; ++i) pace.take(1, rate, kStart);
  const Instant later = kStart + seconds(100);
  for (int i = 0; i < 10; ++i) EXPECT_LE(pace.take(1, rate, later), later) << i;
  EXPECT_GT(pace.take(1, rate, later), later);
}

TEST(PublishPace, TheSlowerOfTheTwoDecides) {
  const PublishRate rate{.messages_per_second = 10, .bytes_per_second = 10, .burst = {}};
  PublishPace pace;
  EXPECT_EQ(pace.take(1, rate, kStart), kStart + milliseconds(100));
  EXPECT_EQ(pace.take(100, rate, kStart + milliseconds(100)), kStart + milliseconds(10'100));
}

TEST(PublishPace, FractionsOfAMicrosecondAddUp) {
  const PublishRate rate{.bytes_per_second = 4'000'000, .burst = {}};
  PublishPace pace;
  Instant until;
  for (int i = 0; i < 4'000; ++i) until = pace.take(1, rate, kStart);
  EXPECT_EQ(until, kStart + milliseconds(1));
}

}  // namespace
}  // namespace furrow::broker
