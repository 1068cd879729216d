#include "gateway/status/store_watch.h"

#include <gtest/gtest.h>

#include "tests/support/store_rows.h"

namespace furrow::gateway {
namespace {

using broker::StoreState;
using std::chrono::minutes;
using std::chrono::seconds;
using Events = std::vector<std::string>;

class StoreWatchTest : public ::testing::Test {
 protected:
  void note(StoreState state, std::optional<Instant> commit_started = std::nullopt) {
    broker::StoreHealth health;
    health.state = state;
    watch_.note(health, commit_started, now_);
  }

  EventLog log_;
  Instant now_{std::chrono::hours(1)};
  StoreWatch watch_{log_, now_};
};

TEST_F(StoreWatchTest, SaysNothingWhileAllIsWell) {
  for (int i = 0; i < 5; ++i) note(StoreState::Ok, now_);
  EXPECT_EQ(log_.events, Events{});
}

TEST_F(StoreWatchTest, SaysEachChangeOnce) {
  for (int i = 0; i < 5; ++i) note(StoreState::Full);
  EXPECT_EQ(log_.events, Events{"store.trouble"});
  for (int i = 0; i < 5; ++i) note(StoreState::Failing);
  EXPECT_EQ(log_.events, (Events{"store.trouble", "store.trouble"}));
  for (int i = 0; i < 5; ++i) note(StoreState::Ok);
  EXPECT_EQ(log_.events, (Events{"store.trouble", "store.trouble", "store.recovered"}));
}

TEST_F(StoreWatchTest, RemembersTheStateAndSinceWhen) {
  now_ += seconds(1);
  note(StoreState::Full);
  const Instant full = now_;
  now_ += seconds(1);
  note(StoreState::Full);
  EXPECT_EQ(watch_.health().state, StoreState::Full);
  EXPECT_EQ(watch_.since(), full);
  EXPECT_EQ(watch_.changes(), 1U);
}

TEST_F(StoreWatchTest, ACommitThatDoesNotEndRaisesOneAlarm) {
  const Instant started = now_;
  now_ += minutes(5);
  note(StoreState::Slow, started);
  EXPECT_EQ(log_.events, Events{"store.trouble"});
  for (int i = 0; i < 5; ++i) {
    now_ += seconds(1);
    note(StoreState::Slow, started);
  }
  EXPECT_EQ(log_.events, (Events{"store.trouble", "store.alarm"}));
  note(StoreState::Ok, now_);
  now_ += minutes(6);
  note(StoreState::Ok, now_ - minutes(6));
  EXPECT_EQ(log_.events, (Events{"store.trouble", "store.alarm", "store.recovered", "store.alarm"}));
}

}  // namespace
}  // namespace furrow::gateway
