#include "gateway/clock.h"

#include <gtest/gtest.h>

namespace furrow::gateway {
namespace {

constexpr WallTime kBuilt{std::chrono::seconds(1'700'000'000)};
constexpr Duration kDay = std::chrono::hours(24);

TEST(ClockTrust, BelievesTheKernel) {
  EXPECT_TRUE(
      is_trusted({.synchronised = true, .has_hardware = false, .wall = kBuilt - kDay, .built = kBuilt, .noted = {}}));
}

TEST(ClockTrust, BelievesAHardwareClockPastTheDayOfTheBuild) {
  EXPECT_TRUE(
      is_trusted({.synchronised = false, .has_hardware = true, .wall = kBuilt + kDay, .built = kBuilt, .noted = {}}));
  EXPECT_FALSE(
      is_trusted({.synchronised = false, .has_hardware = true, .wall = kBuilt - kDay, .built = kBuilt, .noted = {}}));
}

TEST(ClockTrust, DoesNotBelieveAHardwareClockThatIsBehindAnEarlierRun) {
  ClockEvidence evidence{.synchronised = false,
                         .has_hardware = true,
                         .wall = kBuilt + 10 * kDay,
                         .built = kBuilt,
                         .noted = kBuilt + 20 * kDay};
  EXPECT_FALSE(is_trusted(evidence));
  evidence.wall = kBuilt + 21 * kDay;
  EXPECT_TRUE(is_trusted(evidence));
  evidence.wall = kBuilt;
  evidence.synchronised = true;
  EXPECT_TRUE(is_trusted(evidence));
}

TEST(ClockTrust, DoesNotBelieveAClockThatStoodStill) {
  EXPECT_FALSE(
      is_trusted({.synchronised = false, .has_hardware = false, .wall = kBuilt + kDay, .built = kBuilt, .noted = {}}));
}

TEST(JudgedWall, OfAClockThatIsNotTrustedIsTheLatestThatIsKnownToHaveBeen) {
  ClockEvidence evidence{.synchronised = false, .has_hardware = false, .wall = {}, .built = kBuilt, .noted = {}};
  EXPECT_EQ(judged_wall(evidence), kBuilt);
  evidence.noted = kBuilt + 5 * kDay;
  EXPECT_EQ(judged_wall(evidence), kBuilt + 5 * kDay);
  evidence.wall = kBuilt + 6 * kDay;
  EXPECT_EQ(judged_wall(evidence), kBuilt + 6 * kDay);
  // Whoever is trusted is believed, whatever was before.
  evidence.synchronised = true;
  evidence.wall = kBuilt + 1 * kDay;
  EXPECT_EQ(judged_wall(evidence), kBuilt + 1 * kDay);
}

TEST(Clock, StampsOneMomentOnAllClocks) {
  const Clock clock;
  const Instant now = clock.now();
  const ClockStamp stamp = clock.stamp(now - kDay);
  EXPECT_EQ(stamp.monotonic, now - kDay);
  EXPECT_NEAR(std::chrono::duration<double>(clock.wall() - stamp.wall).count(), 86400, 5);
  EXPECT_EQ(stamp.boot, clock.stamp(now).boot);
}

}  // namespace
}  // namespace furrow::gateway
