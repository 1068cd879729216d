#include "broker-core/base/random.h"

#include <gtest/gtest.h>

#include <array>

namespace furrow {
namespace {

TEST(Random, SameSeedGivesTheSameRun) {
  Random one(7);
  Random other(7);
  Random different(8);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t number = one.next();
    EXPECT_EQ(number, other.next());
    differs = differs || number != different.next();
  }
  EXPECT_TRUE(differs);
}

// The first numbers of the published generator for seed 0: recorded seeds keep their meaning.
TEST(Random, IsSplitMix64) {
  Random random(0);
  EXPECT_EQ(random.next(), 0xE220A8397B1DCDAFU);
  EXPECT_EQ(random.next(), 0x6E789E6AA1B965F4U);
}

TEST(Random, BelowStaysBelowAndReachesEveryValue) {
  Random random(1);
  std::array<int, 6> seen{};
  for (int i = 0; i < 6'000; ++i) ++seen.at(random.below(6));
  for (const int count : seen) EXPECT_NEAR(count, 1'000, 200);
}

TEST(Random, ChanceIsAPercentage) {
  Random random(1);
  int hits = 0;
  for (int i = 0; i < 10'000; ++i) hits += random.chance(25) ? 1 : 0;
  EXPECT_NEAR(hits, 2'500, 300);
  EXPECT_FALSE(random.chance(0));
  EXPECT_TRUE(random.chance(100));
}

}  // namespace
}  // namespace furrow
