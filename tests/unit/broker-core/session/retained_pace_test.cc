#include "broker-core/session/retained_pace.h"

#include <gtest/gtest.h>

namespace furrow::broker {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

class RetainedPaceTest : public testing::Test {
 protected:
  void wait_for_answer() { pace_.add(10, false); }
  void answer() {
    pace_.remove(10);
    pace_.begin_next();
  }
  // A publisher asks and is answered as soon as the pace allows.
  void ask_and_answer() {
    wait_for_answer();
    now_ = std::max(now_, pace_.due());
    pace_.pay(now_);
    answer();
  }
  void spend_all() {
    for (int i = 0; i < RetainedPace::kCommitsMax; ++i) ask_and_answer();
  }

  Instant now_{hours(1)};
  RetainedPace pace_{seconds(1)};
};

TEST_F(RetainedPaceTest, NothingIsDueWhileNobodyWaits) {
  EXPECT_EQ(pace_.due(), kNever);
  wait_for_answer();
  EXPECT_LE(pace_.due(), now_);
  answer();
  EXPECT_EQ(pace_.due(), kNever);
}

TEST_F(RetainedPaceTest, BudgetAnswersAFewHundredAtOnce) {
  const Instant begin = now_;
  spend_all();
  EXPECT_EQ(now_, begin);
  wait_for_answer();
  EXPECT_EQ(pace_.due(), begin + seconds(1));
}

TEST_F(RetainedPaceTest, BudgetFillsByOneEachInterval) {
  spend_all();
  now_ += seconds(3);
  const Instant later = now_;
  for (int i = 0; i < 3; ++i) ask_and_answer();
  EXPECT_EQ(now_, later);
  ask_and_answer();
  EXPECT_EQ(now_, later + seconds(1));
}

TEST_F(RetainedPaceTest, BudgetHoldsNoMoreThanItsMaximum) {
  now_ += hours(10'000);
  const Instant begin = now_;
  spend_all();
  EXPECT_EQ(now_, begin);
  ask_and_answer();
  EXPECT_EQ(now_, begin + seconds(1));
}

TEST_F(RetainedPaceTest, NobodyWaitsLongerThanAnIntervalHoweverMuchWasSpent) {
  spend_all();
  for (int i = 0; i < 10; ++i) pace_.pay(now_);
  wait_for_answer();
  EXPECT_EQ(pace_.due(), now_ + seconds(1));
}

TEST_F(RetainedPaceTest, FirstValueOfATopicIsWrittenAtOnceAndCostsNothing) {
  spend_all();
  now_ += milliseconds(1500);
  const Instant begin = now_;
  pace_.add(10, true);
  EXPECT_LE(pace_.due(), now_);
  pace_.pay(now_);
  answer();
  ask_and_answer();
  EXPECT_EQ(now_, begin) << "the commit that the interval had brought was spent";
}

TEST_F(RetainedPaceTest, PublisherThatHasUsedUpItsWindowIsAnsweredAtOnceAndCostsNothing) {
  spend_all();
  now_ += milliseconds(1500);
  const Instant begin = now_;
  wait_for_answer();
  pace_.hurry();
  EXPECT_LE(pace_.due(), now_);
  pace_.pay(now_);
  answer();
  ask_and_answer();
  EXPECT_EQ(now_, begin);
}

TEST_F(RetainedPaceTest, HasteEndsWithTheCommitThatItWasFor) {
  spend_all();
  wait_for_answer();
  pace_.hurry();
  answer();
  wait_for_answer();
  EXPECT_EQ(pace_.due(), now_ + seconds(1));
}

TEST_F(RetainedPaceTest, WithoutAnIntervalEverythingIsWrittenAtOnce) {
  RetainedPace pace{Duration::zero()};
  for (int i = 0; i < 2 * RetainedPace::kCommitsMax; ++i) {
    pace.add(10, false);
    ASSERT_LE(pace.due(), now_);
    pace.pay(now_);
    pace.remove(10);
    pace.begin_next();
  }
}

}  // namespace
}  // namespace furrow::broker
