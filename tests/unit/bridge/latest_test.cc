// Rules that keep only the latest message of each topic while messages wait.
#include <chrono>

#include "bridge/lane.h"
#include "tests/unit/bridge/bridge_fixture.h"

namespace furrow::test {
namespace {

using namespace std::chrono_literals;
using broker::DropReason;
using mqtt::Qos;
using testing::ElementsAre;
using testing::SizeIs;

class LatestTest : public BridgeFixture {
 protected:
  LatestTest() { bridge_options.rules.front().keep_latest = true; }
  void publish_rounds(int rounds, Qos qos) {
    for (int round = 1; round <= rounds; ++round) {
      for (const char* topic : {"farm/a", "farm/b", "farm/c"}) publish(topic, std::to_string(round), qos);
    }
  }
};

class LatestAtQosTest : public LatestTest, public testing::WithParamInterface<Qos> {};
INSTANTIATE_TEST_SUITE_P(, LatestAtQosTest, testing::Values(Qos::AtLeastOnce, Qos::ExactlyOnce));

TEST_P(LatestAtQosTest, AfterAnOutageOnlyTheNewestOfEachTopicCrosses) {
  start();
  publish_rounds(5, GetParam());
  pass(1s);
  EXPECT_EQ(snapshot().backlog_messages, 3U);
  EXPECT_EQ(dropped(DropReason::Replaced), 12U);
  online();
  pass(1s);
  EXPECT_THAT(published(), ElementsAre("farm/a=5", "farm/b=5", "farm/c=5"));
}

TEST_P(LatestAtQosTest, OlderOneStaysUntilTheNewerIsSafe) {
  start();
  publish("farm/a", "1", GetParam());
  pass(1s);
  store_answers = false;
  publish("farm/a", "2", GetParam());
  EXPECT_EQ(dropped(DropReason::Replaced), 0U);
  store_answers = true;
  crash_and_restart();
  EXPECT_EQ(snapshot().backlog_messages, 1U);
  online();
  pass(1s);
  EXPECT_THAT(published(), ElementsAre("farm/a=1"));
}

TEST_P(LatestAtQosTest, NewerOnesReplaceWhatWaitedBeforeARestart) {
  start();
  publish_rounds(2, GetParam());
  pass(2s);
  crash_and_restart();
  publish("farm/b", "3", GetParam());
  online();
  pass(1s);
  EXPECT_THAT(published(), ElementsAre("farm/a=2", "farm/c=2", "farm/b=3"));
  EXPECT_EQ(dropped(DropReason::Replaced), 4U);
}

// A crash forgets that the older one was dropped, and sends the newer one first, as it was in flight.
TEST_F(LatestTest, OlderOneDoesNotComeBehindTheNewerAfterACrash) {
  start();
  publish("farm/a", "1", Qos::ExactlyOnce);
  publish("farm/a", "2", Qos::ExactlyOnce);
  online();
  pass(1s);
  ASSERT_THAT(published(), ElementsAre("farm/a=2"));
  crash_and_restart();
  online();
  pass(1s);
  EXPECT_THAT(published(), ElementsAre("farm/a=2"));
}

TEST_F(LatestTest, WhatIsRetainedGivesWayToWhatIsRetained) {
  start();
  publish("farm/a", "1", Qos::AtLeastOnce, {.retain = true});
  publish("farm/a", "2", Qos::AtLeastOnce);
  publish("farm/a", "3", Qos::AtLeastOnce);
  pass(1s);
  EXPECT_EQ(snapshot().backlog_messages, 2U) << "the far side would retain nothing without the first";
  publish("farm/a", "4", Qos::AtLeastOnce, {.retain = true});
  online();
  EXPECT_THAT(published(), ElementsAre("farm/a=4"));
}

TEST_F(LatestTest, WhileTheLinkIsUpEachCrosses) {
  start();
  online();
  publish_rounds(3, Qos::AtLeastOnce);
  EXPECT_THAT(published(), SizeIs(9));
  EXPECT_EQ(dropped(DropReason::Replaced), 0U);
}

TEST_F(LatestTest, OtherRulesKeepAll) {
  bridge_options.rules.push_back(rule(bridge::Direction::Up, "log/#"));
  start();
  for (const char* payload : {"1", "2"}) publish("log/a", payload, Qos::AtLeastOnce);
  for (const char* payload : {"1", "2"}) publish("farm/a", payload, Qos::AtLeastOnce);
  online();
  EXPECT_THAT(published(), ElementsAre("log/a=1", "log/a=2", "farm/a=2"));
}

// More topics than memory has room for messages: the older ones are found when they are read.
TEST_F(LatestTest, WhatHasLeftMemoryGivesWayWhenItIsRead) {
  const std::string filling(2'000, 'x');
  start();
  for (int i = 0; i < 800; ++i) publish("farm/" + std::to_string(i), "old" + filling, Qos::AtLeastOnce);
  for (int i = 0; i < 800; ++i) publish("farm/" + std::to_string(i), "new" + filling, Qos::AtLeastOnce);
  online();
  std::size_t count = 0;
  for (int round = 0; round < 100; ++round) {
    for (const std::string& line : said()) {
      if (!line.starts_with("PUBLISH")) continue;
      EXPECT_EQ(line.find("\"old"), std::string::npos) << line.substr(0, 30);
      ++count;
      far(mqtt::Puback{PacketId{static_cast<std::uint16_t>(std::stoi(line.substr(line.find(" id=") + 4)))},
                       mqtt::ReasonCode::Success,
                       {}});
    }
  }
  EXPECT_EQ(count, 800U);
  EXPECT_EQ(dropped(DropReason::Replaced), 800U);
}

}  // namespace
}  // namespace furrow::test
