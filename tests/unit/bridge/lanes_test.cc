// The queues of a buffer: priorities, and what is live before a backlog.
#include "bridge/lanes.h"

#include <chrono>

#include "tests/unit/bridge/bridge_fixture.h"

namespace furrow::test {
namespace {

using namespace std::chrono_literals;
using bridge::Direction;
using bridge::Priority;
using broker::DropReason;
using mqtt::Qos;
using mqtt::ReasonCode;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;
using testing::UnorderedElementsAre;

bridge::Rule rule_of(std::string filter, Priority priority) {
  bridge::Rule made = rule(Direction::Up, std::move(filter));
  made.priority = priority;
  return made;
}

class LanesTest : public BridgeFixture {
 protected:
  LanesTest() {
    bridge_options.rules = {rule_of("alarm/#", Priority::High), rule_of("farm/#", Priority::Normal),
                            rule_of("log/#", Priority::Low)};
  }
  void puback(std::uint16_t id) { far(mqtt::Puback{PacketId{id}, ReasonCode::Success, {}}); }
};

TEST_F(LanesTest, WhatIsHighLeavesFirstAndWhatIsLowLast) {
  start();
  publish("log/1", "a", Qos::AtLeastOnce);
  publish("farm/1", "b", Qos::AtLeastOnce);
  publish("alarm/1", "c", Qos::AtLeastOnce);
  publish("log/1", "d", Qos::AtLeastOnce);
  publish("alarm/1", "e", Qos::AtLeastOnce);
  online();
  EXPECT_THAT(published(), ElementsAre("alarm/1=c", "alarm/1=e", "farm/1=b", "log/1=a", "log/1=d"));
}

TEST_F(LanesTest, AlarmPassesWhatWaitsForTheWindow) {
  bridge_options.inflight_max = 1;
  start();
  for (const char* payload : {"1", "2", "3"}) publish("farm/1", payload, Qos::AtLeastOnce);
  online();
  publish("alarm/1", "now", Qos::AtLeastOnce);
  EXPECT_THAT(published(), ElementsAre("farm/1=1"));
  puback(1);
  EXPECT_THAT(published(), ElementsAre("alarm/1=now"));
  puback(2);
  EXPECT_THAT(published(), ElementsAre("farm/1=2"));
}

TEST_F(LanesTest, LanesAreKeptOverAPowerCut) {
  start();
  publish("log/1", "a", Qos::AtLeastOnce);
  publish("alarm/1", "b", Qos::AtLeastOnce);
  online();
  published();
  publish("farm/1", "c", Qos::ExactlyOnce);
  publish("alarm/1", "d", Qos::ExactlyOnce);
  pass(1s);
  EXPECT_THAT(published(), ElementsAre("farm/1=c", "alarm/1=d"));
  crash_and_restart();
  EXPECT_EQ(snapshot().backlog_messages + snapshot().inflight, 4U);
  online();
  // Those of QoS 2 in flight are resumed, and then the lanes have their turns.
  EXPECT_THAT(published(), ElementsAre("farm/1=c", "alarm/1=d", "alarm/1=b", "log/1=a"));
}

TEST_F(LanesTest, FullBufferDropsWhatIsLowFirst) {
  bridge_options.buffer.messages_max = 3;
  start();
  publish("alarm/1", "a", Qos::AtLeastOnce);
  publish("log/1", "b", Qos::AtLeastOnce);
  publish("farm/1", "c", Qos::AtLeastOnce);
  publish("alarm/1", "d", Qos::AtLeastOnce);  // instead of b
  publish("farm/1", "e", Qos::AtLeastOnce);   // instead of c
  publish("log/1", "f", Qos::AtLeastOnce);    // nothing is as low as that
  EXPECT_EQ(dropped(DropReason::QueueFull), 3U);
  publish("alarm/1", "g", Qos::AtLeastOnce);  // instead of e
  publish("alarm/1", "h", Qos::AtLeastOnce);  // instead of a
  EXPECT_EQ(snapshot().backlog_messages, 3U);
  online();
  EXPECT_THAT(published(), ElementsAre("alarm/1=d", "alarm/1=g", "alarm/1=h"));
}

TEST_F(LanesTest, LimitOfBytesHoldsForAllLanesTogether) {
  bridge_options.buffer.bytes_max = 100;
  bridge_options.buffer.when_full = broker::WhenFull::DropNewest;
  start();
  publish("alarm/1", std::string(60, 'a'), Qos::AtLeastOnce);
  publish("farm/1", std::string(60, 'b'), Qos::AtLeastOnce);
  publish("log/1", "c", Qos::AtLeastOnce);
  EXPECT_EQ(dropped(DropReason::QueueFull), 1U);
  EXPECT_EQ(snapshot().backlog_messages, 2U);
  EXPECT_LE(snapshot().backlog_bytes, 100U);
}

TEST_F(LanesTest, BufferThatRefusesCountsAllLanes) {
  bridge_options.buffer.messages_max = 1;
  bridge_options.buffer.when_full = broker::WhenFull::Refuse;
  start();
  publish("log/1", "a", Qos::AtLeastOnce);
  pass(1s);
  publish("alarm/1", "b", Qos::AtLeastOnce);
  EXPECT_THAT(sensor().received(), ElementsAre("PUBACK id=1 reason=00", StartsWith("PUBACK id=2 reason=97")));
}

TEST_F(LanesTest, NoNumberIsGivenInTwoLanes) {
  bridge_options.stamp.sequence = true;
  start();
  for (const char* topic : {"alarm/1", "farm/1", "log/1"}) publish(topic, "x", Qos::AtLeastOnce);
  online();
  pass(1s);
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT"), HasSubstr("\"seq\":\"10000000000001\""),
                                  HasSubstr("\"seq\":\"1\""), HasSubstr("\"seq\":\"40000000000001\"")));
}

TEST_F(LanesTest, RenamedBridgeKeepsItsLanes) {
  start();
  publish("alarm/1", "a", Qos::AtLeastOnce);
  publish("log/1", "b", Qos::AtLeastOnce);
  detach();
  ASSERT_EQ(buffers().rename("region", "north"), bridge::Buffers::Renaming::Done);
  bridge_options.name = "north";
  attach();
  pass(1s);
  crash_and_restart();
  online();
  EXPECT_THAT(published(), ElementsAre("alarm/1=a", "log/1=b"));
}

TEST_F(LanesTest, RuleWithAnotherPriorityLeavesWhatWaitsInItsLane) {
  start();
  publish("log/1", "a", Qos::AtLeastOnce);
  publish("farm/1", "b", Qos::AtLeastOnce);
  bridge_options.rules.back().priority = Priority::High;
  set_rules(bridge_options.rules);
  publish("log/1", "c", Qos::AtLeastOnce);
  online();
  EXPECT_THAT(published(), ElementsAre("log/1=c", "farm/1=b", "log/1=a"));
}

TEST_F(LanesTest, PaceOfADrainHoldsBackNoAlarm) {
  bridge_options.drain.messages_per_second = 1;
  bridge_options.drain.burst = 1s;
  start();
  for (const char* payload : {"1", "2", "3"}) publish("farm/1", payload, Qos::AtLeastOnce);
  online();
  published();
  publish("alarm/1", "now", Qos::AtLeastOnce);
  publish("farm/2", "at once", Qos::AtMostOnce);
  EXPECT_THAT(published(), ElementsAre("alarm/1=now", "farm/2=at once"));
}

// --- a rule with a pace ---

class PacedRuleTest : public LanesTest {
 protected:
  PacedRuleTest() {
    bridge_options.rules = {rule_of("log/#", Priority::Normal), rule_of("farm/#", Priority::Normal)};
    bridge_options.rules.front().messages_per_second = 2;
  }
  void publish_each(const std::string& topic, std::initializer_list<const char*> payloads, Qos qos) {
    for (const char* payload : payloads) publish(topic, payload, qos);
  }
};

TEST_F(PacedRuleTest, MessagesOfTheRuleWaitAndHoldUpNoOther) {
  start();
  online();
  publish_each("log/1", {"1", "2", "3", "4", "5", "6"}, Qos::AtLeastOnce);
  publish("farm/1", "now", Qos::AtLeastOnce);
  EXPECT_THAT(published(), ElementsAre("log/1=1", "log/1=2", "log/1=3", "farm/1=now")) << "a second's worth, and one";
  pass(499ms);
  EXPECT_THAT(published(), IsEmpty());
  pass(1ms);
  EXPECT_THAT(published(), ElementsAre("log/1=4"));
  pass(1s);
  EXPECT_THAT(published(), ElementsAre("log/1=5", "log/1=6"));
  publish("log/1", "7", Qos::AtLeastOnce);
  EXPECT_THAT(published(), IsEmpty());
  pass(5s);
  EXPECT_THAT(published(), ElementsAre("log/1=7"));
  EXPECT_GE(bridge().next_deadline() - now, 1s) << "nothing waits: nobody is woken for the pace";
}

TEST_F(PacedRuleTest, BacklogOfTheRuleIsPacedAsWell) {
  start();
  publish_each("log/1", {"1", "2", "3", "4", "5"}, Qos::AtLeastOnce);
  publish_each("farm/1", {"a", "b"}, Qos::AtLeastOnce);
  online();
  EXPECT_THAT(published(), ElementsAre("farm/1=a", "farm/1=b", "log/1=1", "log/1=2", "log/1=3"));
  pass(1s);
  EXPECT_THAT(published(), ElementsAre("log/1=4", "log/1=5"));
}

TEST_F(PacedRuleTest, QosZeroWaitsForThePaceButNotForTheLink) {
  start();
  publish("log/1", "lost", Qos::AtMostOnce);
  EXPECT_EQ(dropped(DropReason::Qos0Offline), 1U);
  online();
  publish_each("log/1", {"1", "2", "3", "4"}, Qos::AtMostOnce);
  EXPECT_THAT(published(), ElementsAre("log/1=1", "log/1=2", "log/1=3"));
  EXPECT_EQ(snapshot().backlog_messages, 1U);
  pass(1s);
  EXPECT_THAT(published(), ElementsAre("log/1=4"));
  pass(1s);
  EXPECT_EQ(snapshot().delivered, 4U);
}

TEST_F(PacedRuleTest, LaneOfTheRuleIsKeptOverAPowerCut) {
  start();
  online();
  publish_each("log/1", {"1", "2", "3", "4", "5"}, Qos::AtLeastOnce);
  pass(400ms);
  (void)published();
  crash_and_restart();
  EXPECT_EQ(snapshot().backlog_messages + snapshot().inflight, 5U);
  online();
  EXPECT_THAT(published(), ElementsAre("log/1=1", "log/1=2", "log/1=3"));
  pass(1s);
  EXPECT_THAT(published(), ElementsAre("log/1=4", "log/1=5"));
}

TEST_F(PacedRuleTest, RuleWithoutAPaceAnyMoreSendsWhatWaits) {
  start();
  publish_each("log/1", {"1", "2", "3", "4", "5"}, Qos::AtLeastOnce);
  bridge_options.rules.front().messages_per_second = 0;
  set_rules(bridge_options.rules);
  online();
  EXPECT_THAT(published(), SizeIs(5));
}

TEST_F(PacedRuleTest, EmptyLaneOfARuleThatIsGoneServesTheNext) {
  bridge_options.stamp.sequence = true;
  start();
  publish("log/1", "x", Qos::AtLeastOnce);
  online();
  pass(1s);
  EXPECT_THAT(said(), Contains(HasSubstr("\"seq\":\"60000000000001\"")));
  puback(1);
  bridge_options.rules.front().filter = "event/#";
  set_rules(bridge_options.rules);
  publish("event/1", "x", Qos::AtLeastOnce);
  pass(1s);
  EXPECT_THAT(said(), Contains(HasSubstr("\"seq\":\"60000000000002\"")));
  crash_and_restart();
  std::size_t count = 0;
  buffer().lanes().for_each([&](const bridge::Lane&) { ++count; });
  EXPECT_EQ(count, 2U);
}

TEST_F(PacedRuleTest, LaneThatIsNotEmptyServesNoOtherRule) {
  start();
  publish_each("log/1", {"1", "2", "3", "4"}, Qos::AtLeastOnce);
  bridge_options.rules.front().messages_per_second = 0;
  bridge_options.rules.back().messages_per_second = 1;
  set_rules(bridge_options.rules);
  publish_each("farm/1", {"a", "b", "c"}, Qos::AtLeastOnce);
  online();
  EXPECT_THAT(published(), UnorderedElementsAre("log/1=1", "log/1=2", "log/1=3", "log/1=4", "farm/1=a", "farm/1=b"));
}

TEST_F(PacedRuleTest, InAFullBufferTheOldestGoesWhicheverLaneOfItsPriorityHasIt) {
  bridge_options.buffer.messages_max = 3;
  start();
  publish("farm/1", "a", Qos::AtLeastOnce);
  pass(1ms);
  publish("log/1", "b", Qos::AtLeastOnce);
  pass(1ms);
  publish("farm/1", "c", Qos::AtLeastOnce);
  pass(1ms);
  publish("log/1", "d", Qos::AtLeastOnce);  // instead of a
  pass(1ms);
  publish("farm/1", "e", Qos::AtLeastOnce);  // instead of b
  EXPECT_EQ(dropped(DropReason::QueueFull), 2U);
  online();
  EXPECT_THAT(published(), ElementsAre("farm/1=c", "farm/1=e", "log/1=d"));
}

TEST_F(PacedRuleTest, WhatIsThinnedAndPacedWaitsInTheBuffer) {
  bridge_options.rules.front().thinning.every = 10s;
  start();
  online();
  for (const char* topic : {"log/1", "log/2", "log/3", "log/4"}) publish(topic, "old", Qos::AtMostOnce);
  EXPECT_THAT(published(), ElementsAre("log/1=old", "log/2=old", "log/3=old"));
  publish("log/4", "new", Qos::AtMostOnce);
  pass(1s);
  EXPECT_THAT(published(), ElementsAre("log/4=old")) << "it was there first; the next follows in ten seconds";
  pass(10s);
  EXPECT_THAT(published(), ElementsAre("log/4=new"));
}

// --- a bridge that is not always connected ---

TEST_F(LanesTest, AlarmConnectsOutsideTheWindowAndNothingElseGoesWithIt) {
  bridge_options.times = {.window_begin = 120, .window_end = 240};
  start();
  bridge().handle_minute(60, now);
  turn();
  publish("farm/1", "later", Qos::AtLeastOnce);
  pass(1s);
  EXPECT_EQ(state(), "waiting: until 02:00, when its window opens");
  publish("alarm/1", "now", Qos::AtLeastOnce);
  pass(1s);
  ASSERT_TRUE(dialing());
  bridge().handle_minute(61, now);
  turn();
  accept();
  EXPECT_THAT(published(), ElementsAre("alarm/1=now"));
  puback(1);
  pass(1s);
  EXPECT_THAT(said(), testing::Contains(StartsWith("DISCONNECT")));
  EXPECT_EQ(snapshot().backlog_messages, 1U);
}

TEST_F(LanesTest, AlarmDoesNotWaitForDemand) {
  bridge_options.times = {.demand_messages = 100, .idle = 10s};
  start();
  publish("farm/1", "b", Qos::AtLeastOnce);
  pass(1s);
  EXPECT_FALSE(dialing());
  publish("alarm/1", "a", Qos::AtLeastOnce);
  pass(1s);
  ASSERT_TRUE(dialing());
  accept();
  EXPECT_THAT(published(), ElementsAre("alarm/1=a", "farm/1=b"));
}

// --- live before a backlog ---

TEST_F(LanesTest, LiveMessagesPassTheBacklog) {
  bridge_options.live_first = true;
  bridge_options.inflight_max = 1;
  start();
  for (const char* payload : {"old 1", "old 2"}) publish("farm/1", payload, Qos::AtLeastOnce);
  online();
  publish("farm/1", "new 1", Qos::AtLeastOnce);
  publish("farm/1", "new 2", Qos::AtLeastOnce);
  for (std::uint16_t id = 1; id <= 4; ++id) puback(id);
  EXPECT_THAT(published(), ElementsAre("farm/1=old 1", "farm/1=new 1", "farm/1=new 2", "farm/1=old 2"));
}

TEST_F(LanesTest, WithoutABacklogLiveMessagesKeepTheirOrder) {
  bridge_options.live_first = true;
  bridge_options.inflight_max = 1;
  start();
  online();
  for (const char* payload : {"1", "2", "3"}) publish("farm/1", payload, Qos::AtLeastOnce);
  for (std::uint16_t id = 1; id <= 3; ++id) puback(id);
  EXPECT_THAT(published(), ElementsAre("farm/1=1", "farm/1=2", "farm/1=3"));
}

// It would be replaced by an older one.
TEST_F(LanesTest, WhatTheFarSideRetainsDoesNotPassTheBacklog) {
  bridge_options.live_first = true;
  bridge_options.inflight_max = 1;
  start();
  publish("farm/1", "old 1", Qos::AtLeastOnce, {.retain = true});
  publish("farm/1", "old 2", Qos::AtLeastOnce, {.retain = true});
  online();
  publish("farm/1", "new", Qos::AtLeastOnce, {.retain = true});
  for (std::uint16_t id = 1; id <= 3; ++id) puback(id);
  EXPECT_THAT(published(), ElementsAre("farm/1=old 1", "farm/1=old 2", "farm/1=new"));
}

}  // namespace
}  // namespace furrow::test
