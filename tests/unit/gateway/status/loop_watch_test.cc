#include "gateway/status/loop_watch.h"

#include <gtest/gtest.h>

namespace furrow::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(LoopWatch, RemembersTheWorstForTenToTwentySeconds) {
  LoopWatch watch;
  Instant now{seconds(1000)};
  EXPECT_EQ(watch.late_by(now), Duration::zero());
  watch.note(milliseconds(3), now);
  watch.note(seconds(2), now + seconds(1));
  watch.note(milliseconds(1), now + seconds(2));
  EXPECT_EQ(watch.late_by(now + seconds(3)), seconds(2));
  watch.note(milliseconds(5), now + seconds(11));
  EXPECT_EQ(watch.late_by(now + seconds(12)), seconds(2));
  watch.note(milliseconds(7), now + seconds(22));
  EXPECT_EQ(watch.late_by(now + seconds(22)), milliseconds(7));
}

TEST(LoopWatch, ForgetsWhenNothingComes) {
  LoopWatch watch;
  const Instant now{seconds(1000)};
  watch.note(seconds(2), now);
  EXPECT_EQ(watch.late_by(now + seconds(19)), seconds(2));
  EXPECT_EQ(watch.late_by(now + seconds(20)), Duration::zero());
  watch.note(milliseconds(1), now + seconds(60));
  EXPECT_EQ(watch.late_by(now + seconds(60)), milliseconds(1));
  EXPECT_EQ(watch.lateness().sum(), milliseconds(2'001));
}

}  // namespace
}  // namespace furrow::gateway
