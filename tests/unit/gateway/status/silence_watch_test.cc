#include "gateway/status/silence_watch.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/broker_fixture.h"

namespace furrow::gateway {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class SilenceWatchTest : public test::BrokerFixture {
 protected:
  void start(std::vector<SilenceWatch::Entry> entries = {{"farm/+/moisture", hours(2)}}) {
    if (watch_ == nullptr) watch_ = std::make_unique<SilenceWatch>(broker(), log);
    watch_->set(entries, now);
  }
  void publish(std::string_view topic, std::string_view payload = "x", bool retain = false) {
    if (sensor_ == nullptr) sensor_ = &connect({.client_id = "sensor"});
    sensor_->publish(topic, payload, mqtt::Qos::AtMostOnce, 0, {.retain = retain});
  }
  std::vector<std::string> silent() const {
    std::vector<std::string> topics;
    for (const SilentTopic& one : watch_->status(now).silent) topics.push_back(one.topic);
    return topics;
  }

  std::unique_ptr<SilenceWatch> watch_;
  test::Client* sensor_ = nullptr;
};

TEST_F(SilenceWatchTest, TopicThatWasHeardAndThenIsNot) {
  start();
  publish("farm/1/moisture");
  now += hours(1);
  publish("farm/2/moisture");
  publish("farm/2/level");
  EXPECT_EQ(watch_->status(now).topics, 2U);
  EXPECT_THAT(silent(), IsEmpty());
  EXPECT_EQ(watch_->next_deadline(), now + hours(1)) << "when the first has been silent for two";
  now += hours(1);
  EXPECT_THAT(silent(), ElementsAre("farm/1/moisture"));
  watch_->note_looked(now);
  EXPECT_EQ(watch_->next_deadline(), now + hours(1));
  const std::uint64_t changes = watch_->changes();
  publish("farm/2/moisture");
  EXPECT_EQ(watch_->changes(), changes);
  publish("farm/1/moisture");
  EXPECT_GT(watch_->changes(), changes) << "it is back";
  EXPECT_THAT(silent(), IsEmpty());
}

TEST_F(SilenceWatchTest, SilenceSaysSinceWhen) {
  start();
  publish("farm/1/moisture");
  const Instant heard = now;
  now += hours(5);
  const std::vector<SilentTopic> silent = watch_->status(now).silent;
  ASSERT_EQ(silent.size(), 1U);
  EXPECT_EQ(silent[0].last, heard);
  EXPECT_EQ(silent[0].since, heard + hours(2));
}

TEST_F(SilenceWatchTest, RetainedValuesThatAreThereCountFromWhenTheyWerePublished) {
  publish("farm/1/moisture", "17", true);
  now += hours(3);
  publish("farm/2/moisture", "18", true);
  start();
  EXPECT_THAT(silent(), ElementsAre("farm/1/moisture"));
  EXPECT_LE(watch_->next_deadline(), now) << "somebody is to look at it";
}

TEST_F(SilenceWatchTest, EmptyRetainedMessageGivesATopicUp) {
  start();
  publish("farm/1/moisture", "17", true);
  publish("farm/2/moisture", "", false);
  publish("farm/1/moisture", "", true);
  now += hours(3);
  EXPECT_THAT(silent(), ElementsAre("farm/2/moisture")) << "an event without a payload is one";
}

TEST_F(SilenceWatchTest, ReloadKeepsWhatStayingEntriesHaveHeard) {
  start({{"farm/+/moisture", hours(2)}, {"farm/+/level", hours(2)}});
  publish("farm/1/moisture");
  publish("farm/1/level");
  start({{"farm/+/moisture", hours(2)}, {"farm/+/level", hours(4)}});
  EXPECT_EQ(watch_->status(now).topics, 1U) << "the level is another entry now";
  start({});
  EXPECT_EQ(watch_->status(now).topics, 0U);
  EXPECT_EQ(broker().subscriptions(), 0U);
  EXPECT_EQ(watch_->next_deadline(), kNever);
}

TEST_F(SilenceWatchTest, TopicsOverTheBoundAreCountedAndSaidOnce) {
  start();
  for (std::size_t i = 0; i < SilenceWatch::kTopicsMax + 5; ++i) publish("farm/" + std::to_string(i) + "/moisture");
  const SilenceStatus status = watch_->status(now);
  EXPECT_EQ(status.topics, SilenceWatch::kTopicsMax);
  EXPECT_EQ(status.over_limit, 5U);
  EXPECT_EQ(
      std::ranges::count_if(
          log.lines, [](const std::string& line) { return line.starts_with("warning watch.full filter=farm/+/"); }),
      1);
}

TEST_F(SilenceWatchTest, NoClientSeesTheDifference) {
  start();
  publish("farm/1/moisture");
  EXPECT_EQ(stats().messages_sent, 0U);
  EXPECT_EQ(broker().clients(), 1U);
}

}  // namespace
}  // namespace furrow::gateway
