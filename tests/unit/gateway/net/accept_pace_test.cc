#include "gateway/net/accept_pace.h"

#include <gtest/gtest.h>

namespace furrow::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant kStart{std::chrono::hours(1)};

TEST(AcceptPace, ASecondsWorthComesAtOnceAndTheRestAtTheRate) {
  AcceptPace pace;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(pace.take(10, kStart), Duration::zero()) << i;
  EXPECT_EQ(pace.take(10, kStart), milliseconds(100));
  EXPECT_EQ(pace.take(10, kStart + milliseconds(100)), milliseconds(100));
  EXPECT_EQ(pace.take(10, kStart + seconds(10)), Duration::zero());
}

TEST(AcceptPace, ZeroIsNoLimit) {
  AcceptPace pace;
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(pace.take(0, kStart), Duration::zero());
}

TEST(AcceptPace, NewcomersWaitAfterATurnThatTookLong) {
  AcceptPace pace;
  EXPECT_EQ(pace.late_wait(), Duration::zero());
  pace.note_turn(AcceptPace::kLate - milliseconds(1));
  EXPECT_EQ(pace.late_wait(), Duration::zero());
  pace.note_turn(AcceptPace::kLate);
  EXPECT_GT(pace.late_wait(), Duration::zero());
  pace.note_turn(milliseconds(1));
  EXPECT_EQ(pace.late_wait(), Duration::zero());
}

}  // namespace
}  // namespace furrow::gateway
