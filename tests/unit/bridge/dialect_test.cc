#include "bridge/dialect.h"

#include <gtest/gtest.h>

namespace furrow::bridge {
namespace {

using namespace std::chrono_literals;
using mqtt::Version;

constexpr Instant kStart{};

TEST(Dialect, StepsDownFromVersion5AtEachRefusal) {
  Dialect dialect(VersionChoice::Auto, true);
  EXPECT_EQ(dialect.version(), Version::V5);
  EXPECT_FALSE(dialect.bridge_bit());

  EXPECT_TRUE(dialect.handle_refused());
  EXPECT_EQ(dialect.version(), Version::V3_1_1);
  EXPECT_TRUE(dialect.bridge_bit());

  EXPECT_TRUE(dialect.handle_refused());
  EXPECT_EQ(dialect.version(), Version::V3_1_1);
  EXPECT_FALSE(dialect.bridge_bit());

  EXPECT_FALSE(dialect.handle_refused()) << "nothing is left to try at once";
  EXPECT_EQ(dialect.version(), Version::V5);
}

TEST(Dialect, NeedsNoBridgeBitWhenNothingComesDown) {
  Dialect dialect(VersionChoice::V3_1_1, false);
  EXPECT_EQ(dialect.version(), Version::V3_1_1);
  EXPECT_FALSE(dialect.bridge_bit());
}

TEST(Dialect, OneSilentCloseOfVersion5MayBeABrokerThatIsStarting) {
  Dialect dialect(VersionChoice::Auto, false);
  EXPECT_EQ(dialect.handle_closed_silently(), Dialect::Verdict::AskAgain);
  EXPECT_EQ(dialect.version(), Version::V5);
  EXPECT_EQ(dialect.handle_closed_silently(), Dialect::Verdict::NextAtOnce);
  EXPECT_EQ(dialect.version(), Version::V3_1_1);
}

TEST(Dialect, SilenceOnVersion5IsARefusalAtOnce) {
  Dialect dialect(VersionChoice::Auto, false);
  EXPECT_EQ(dialect.handle_silence(), Dialect::Verdict::NextAtOnce);
  EXPECT_EQ(dialect.version(), Version::V3_1_1);
}

// Without the bit a broker of 3.1.1 sends our own messages back.
TEST(Dialect, ALinkThatBreaksDuringTheHandshakeDoesNotCostTheBridgeBit) {
  Dialect dialect(VersionChoice::V3_1_1, true);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(dialect.handle_closed_silently(), Dialect::Verdict::AskAgain);
    EXPECT_TRUE(dialect.bridge_bit());
  }
  EXPECT_EQ(dialect.handle_closed_silently(), Dialect::Verdict::NextAtOnce);
  EXPECT_TRUE(dialect.lacks_bridge_bit());
}

TEST(Dialect, ABrokerThatClosesOn311TooIsAskedInVersion5Again) {
  Dialect dialect(VersionChoice::Auto, false);
  (void)dialect.handle_closed_silently();
  (void)dialect.handle_closed_silently();
  EXPECT_EQ(dialect.handle_closed_silently(), Dialect::Verdict::Unrelated);
  EXPECT_EQ(dialect.version(), Version::V5);
}

TEST(Dialect, WhatWasUnderstoodOutlivesAFewSilentCloses) {
  Dialect dialect(VersionChoice::Auto, false);
  dialect.handle_understood(kStart);
  for (int i = 0; i < 9; ++i) EXPECT_EQ(dialect.handle_closed_silently(), Dialect::Verdict::Unrelated);
  EXPECT_EQ(dialect.version(), Version::V5);
  EXPECT_EQ(dialect.handle_closed_silently(), Dialect::Verdict::NextAtOnce) << "by now it is another broker";
}

TEST(Dialect, AChosenVersionIsNotLeft) {
  Dialect dialect(VersionChoice::V5, true);
  EXPECT_FALSE(dialect.handle_refused());
  EXPECT_EQ(dialect.handle_closed_silently(), Dialect::Verdict::Unrelated);
  EXPECT_EQ(dialect.handle_closed_silently(), Dialect::Verdict::Unrelated);
  EXPECT_EQ(dialect.version(), Version::V5);
}

TEST(Dialect, WhatWasUnderstoodBeforeARestartIsTriedFirst) {
  Dialect dialect(VersionChoice::Auto, true);
  dialect.restore(false, kStart);
  EXPECT_EQ(dialect.version(), Version::V3_1_1);
  EXPECT_TRUE(dialect.bridge_bit());
  Dialect lacking(VersionChoice::Auto, true);
  lacking.restore(true, kStart);
  EXPECT_TRUE(lacking.lacks_bridge_bit());
  Dialect chosen(VersionChoice::V5, true);
  chosen.restore(false, kStart);
  EXPECT_EQ(chosen.version(), Version::V5);
}

TEST(Dialect, BetterOnesAreTriedAgainAfterHoursAndOneRefusalOfAnyKindIsEnough) {
  Dialect dialect(VersionChoice::Auto, true);
  dialect.restore(true, kStart);
  dialect.handle_dial(kStart + 5h);
  EXPECT_EQ(dialect.version(), Version::V3_1_1);
  dialect.handle_dial(kStart + 6h);
  EXPECT_EQ(dialect.version(), Version::V5);
  EXPECT_EQ(dialect.handle_closed_silently(), Dialect::Verdict::NextAtOnce);
  EXPECT_TRUE(dialect.bridge_bit());
  EXPECT_EQ(dialect.handle_closed_silently(), Dialect::Verdict::NextAtOnce);
  EXPECT_TRUE(dialect.lacks_bridge_bit());
  for (int i = 0; i < 9; ++i)
    EXPECT_EQ(dialect.handle_closed_silently(), Dialect::Verdict::Unrelated) << "it is known to work";
  dialect.handle_dial(kStart + 11h);
  EXPECT_TRUE(dialect.lacks_bridge_bit());
  dialect.handle_dial(kStart + 12h);
  EXPECT_EQ(dialect.version(), Version::V5);
  dialect.handle_understood(kStart + 12h);
  dialect.handle_dial(kStart + 48h);
  EXPECT_EQ(dialect.version(), Version::V5);
  EXPECT_FALSE(dialect.is_fallback());
}

}  // namespace
}  // namespace furrow::bridge
