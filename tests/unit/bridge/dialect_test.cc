#include "bridge/dialect.h"

#include <gtest/gtest.h>

namespace furrow::bridge {
namespace {

using mqtt::Version;

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
  EXPECT_FALSE(dialect.handle_closed_silently());
  EXPECT_EQ(dialect.version(), Version::V5);
  EXPECT_TRUE(dialect.handle_closed_silently());
  EXPECT_EQ(dialect.version(), Version::V3_1_1);
}

// Without the bit a broker of 3.1.1 sends our own messages back.
TEST(Dialect, ALinkThatBreaksDuringTheHandshakeDoesNotCostTheBridgeBit) {
  Dialect dialect(VersionChoice::V3_1_1, true);
  for (int i = 0; i < 4; ++i) {
    EXPECT_FALSE(dialect.handle_closed_silently());
    EXPECT_TRUE(dialect.bridge_bit());
  }
  EXPECT_TRUE(dialect.handle_closed_silently());
  EXPECT_FALSE(dialect.bridge_bit());
}

TEST(Dialect, ABrokerThatClosesOn311TooIsAskedInVersion5Again) {
  Dialect dialect(VersionChoice::Auto, false);
  (void)dialect.handle_closed_silently();
  (void)dialect.handle_closed_silently();
  EXPECT_FALSE(dialect.handle_closed_silently());
  EXPECT_EQ(dialect.version(), Version::V5);
}

TEST(Dialect, WhatWasUnderstoodOutlivesAFewSilentCloses) {
  Dialect dialect(VersionChoice::Auto, false);
  dialect.handle_understood();
  for (int i = 0; i < 9; ++i) EXPECT_FALSE(dialect.handle_closed_silently());
  EXPECT_EQ(dialect.version(), Version::V5);
  EXPECT_TRUE(dialect.handle_closed_silently()) << "by now it is another broker";
}

TEST(Dialect, AChosenVersionIsNotLeft) {
  Dialect dialect(VersionChoice::V5, true);
  EXPECT_FALSE(dialect.handle_refused());
  EXPECT_FALSE(dialect.handle_closed_silently());
  EXPECT_FALSE(dialect.handle_closed_silently());
  EXPECT_EQ(dialect.version(), Version::V5);
}

}  // namespace
}  // namespace furrow::bridge
