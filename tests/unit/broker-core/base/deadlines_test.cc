#include "broker-core/base/deadlines.h"

#include <gtest/gtest.h>

#include <string>

namespace furrow {
namespace {

constexpr Instant at(int second) {
  return Instant(std::chrono::seconds(second));
}

TEST(Deadlines, ComeInOrderOfTime) {
  Deadlines<std::string> deadlines;
  EXPECT_EQ(deadlines.next(), kNever);
  deadlines.add(at(30), "keep-alive");
  deadlines.add(at(10), "connect");
  deadlines.add(at(20), "will");
  EXPECT_EQ(deadlines.next(), at(10));
  std::string key;
  EXPECT_FALSE(deadlines.pop_due(at(9), key));
  EXPECT_TRUE(deadlines.pop_due(at(20), key));
  EXPECT_EQ(key, "connect");
  EXPECT_TRUE(deadlines.pop_due(at(20), key));
  EXPECT_EQ(key, "will");
  EXPECT_FALSE(deadlines.pop_due(at(20), key));
  EXPECT_EQ(deadlines.next(), at(30));
}

TEST(Deadlines, WhatIsNotWantedIsPrunedAndTheRestKeepsItsOrder) {
  Deadlines<int> deadlines;
  for (const int second : {50, 10, 40, 20, 30}) deadlines.add(at(second), second);
  deadlines.prune([](Instant when, int key) { return when != at(10) && key != 40; });
  EXPECT_EQ(deadlines.size(), 3U);
  for (const int expected : {20, 30, 50}) {
    int key = 0;
    ASSERT_TRUE(deadlines.pop_due(at(60), key));
    EXPECT_EQ(key, expected);
  }
}

TEST(Deadlines, NeverIsNotKept) {
  Deadlines<int> deadlines;
  deadlines.add(kNever, 1);
  int key = 0;
  EXPECT_FALSE(deadlines.pop_due(kNever, key));
}

}  // namespace
}  // namespace furrow
