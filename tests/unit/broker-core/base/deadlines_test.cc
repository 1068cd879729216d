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

TEST(Deadlines, NeverIsNotKept) {
  Deadlines<int> deadlines;
  deadlines.add(kNever, 1);
  int key = 0;
  EXPECT_FALSE(deadlines.pop_due(kNever, key));
}

}  // namespace
}  // namespace furrow
