#include "bridge/backoff.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace furrow::bridge {
namespace {

constexpr Duration kInitial = std::chrono::seconds(1);
constexpr Duration kMax = std::chrono::seconds(60);

TEST(Backoff, StaysWithinItsBoundsHoweverOftenItFails) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Backoff backoff(kInitial, kMax, seed);
    for (int attempt = 0; attempt < 100; ++attempt) {
      const Duration delay = backoff.next();
      EXPECT_GE(delay, kInitial) << "seed " << seed;
      EXPECT_LE(delay, kMax) << "seed " << seed;
    }
  }
}

TEST(Backoff, FirstDelayIsShortAndLaterOnesReachFar) {
  Duration longest{};
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Backoff backoff(kInitial, kMax, seed);
    EXPECT_LE(backoff.next(), 3 * kInitial) << "seed " << seed;
    for (int attempt = 0; attempt < 20; ++attempt) longest = std::max(longest, backoff.next());
  }
  EXPECT_GT(longest, kMax / 2);
}

TEST(Backoff, GatewaysWithDifferentSeedsComeBackApart) {
  std::set<Duration> delays;
  for (std::uint64_t seed = 0; seed < 100; ++seed) delays.insert(Backoff(kInitial, kMax, seed).next());
  EXPECT_GT(delays.size(), 95U);
}

TEST(Backoff, BeginsAgainAfterAReset) {
  Backoff backoff(kInitial, kMax, 1);
  for (int attempt = 0; attempt < 20; ++attempt) (void)backoff.next();
  backoff.reset();
  EXPECT_LE(backoff.next(), 3 * kInitial);
}

TEST(Backoff, AFixedDelayNeedsNoLuck) {
  Backoff backoff(kInitial, kInitial, 1);
  EXPECT_EQ(backoff.next(), kInitial);
  EXPECT_EQ(backoff.next(), kInitial);
}

}  // namespace
}  // namespace furrow::bridge
