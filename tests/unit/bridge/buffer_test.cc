// What outlives a bridge, and what may change while it runs.
#include "bridge/buffer.h"

#include <chrono>

#include "tests/unit/bridge/bridge_fixture.h"

namespace furrow::test {
namespace {

using namespace std::chrono_literals;
using bridge::Direction;
using mqtt::Qos;
using mqtt::ReasonCode;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

class Buffer : public BridgeFixture {
 protected:
  void online(bool session_present = false) {
    if (!dialing()) redial();
    accept(session_present);
    said();
  }
  void puback(std::uint16_t id) { far(mqtt::Puback{PacketId{id}, ReasonCode::Success, {}}); }
};

// --- without a bridge ---

TEST_F(Buffer, MessagesAreTakenWhileTheBridgeIsAway) {
  start();
  online();
  detach();
  publish("farm/1", "21", Qos::AtLeastOnce);
  advance(1s);
  EXPECT_THAT(sensor().received(), ElementsAre("PUBACK id=1 reason=00"));
  attach();
  EXPECT_EQ(snapshot().backlog_messages, 1U);
  online(true);
  puback(1);
  EXPECT_EQ(snapshot().delivered, 1U);
}

TEST_F(Buffer, TakingABridgeAwayAcknowledgesNobody) {
  start();
  online();
  store_answers = false;
  publish("farm/1", "21", Qos::AtLeastOnce);
  detach();
  advance(1s);
  EXPECT_THAT(sensor().received(), IsEmpty());
  store_answers = true;
  persist();
  EXPECT_THAT(sensor().received(), ElementsAre("PUBACK id=1 reason=00"));
  attach();
  EXPECT_EQ(snapshot().backlog_messages + snapshot().inflight, 1U);
  EXPECT_EQ(dropped(broker::DropReason::SessionEnded), 0U);
}

TEST_F(Buffer, NextBridgeResumesWhatIsInFlight) {
  start();
  online();
  publish("farm/1", "one", Qos::AtLeastOnce);
  publish("farm/2", "two", Qos::ExactlyOnce);
  far(mqtt::Pubrec{PacketId{2}, ReasonCode::Success, {}});
  detach();
  attach();
  accept(true);
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT"), HasSubstr("\"one\" qos=1 id=1 dup"), "PUBREL id=2 reason=00"));
  puback(1);
  far(mqtt::Pubcomp{PacketId{2}, ReasonCode::Success, {}});
  EXPECT_EQ(snapshot().delivered, 2U);
  EXPECT_EQ(snapshot().accepted, 2U);
}

TEST_F(Buffer, Qos2ThatCameDownIsTakenOnceByBothBridges) {
  bridge_options.rules.push_back(rule(Direction::Down, "command/#"));
  start();
  online();
  far_publishes("command/valve", "open", Qos::ExactlyOnce, 5);
  detach();
  attach();
  online(true);
  far_publishes("command/valve", "open", Qos::ExactlyOnce, 5, {}, true);
  EXPECT_THAT(said(), ElementsAre("PUBREC id=5 reason=00"));
  EXPECT_EQ(snapshot().received, 1U);
  EXPECT_EQ(snapshot().rules[1].down, 1U);
}

TEST_F(Buffer, Session311IsNotSubscribedToAgainByTheNextBridge) {
  bridge_options.version = bridge::VersionChoice::V3_1_1;
  bridge_options.rules.push_back(rule(Direction::Down, "command/#"));
  start();
  online();
  far(mqtt::Suback{PacketId{1}, {ReasonCode::GrantedQos2}, {}});
  detach();
  attach();
  accept(true);
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT")));
}

TEST_F(Buffer, DisabledBridgeTakesNothingAndKeepsWhatThereIs) {
  start();
  publish("farm/1", "kept", Qos::AtLeastOnce);
  detach();
  bridge_options.enabled = false;
  attach();
  publish("farm/1", "for nobody", Qos::AtLeastOnce);
  EXPECT_EQ(state(), "disabled: enabled: false in the configuration");
  EXPECT_EQ(snapshot().backlog_messages, 1U);
  EXPECT_EQ(snapshot().accepted, 1U);
  detach();
  bridge_options.enabled = true;
  attach();
  accept();
  EXPECT_THAT(said(), Contains(HasSubstr("\"kept\"")));
}

TEST_F(Buffer, QueueWithoutABridgeIsFoundAtStart) {
  start();
  publish("farm/1", "21", Qos::AtLeastOnce);
  pass(1s);
  end_of_the_gateway();
  bridge::Buffers buffers(store.restored(), broker());
  bridge::Snapshot found;
  buffers.of("region").describe(found);
  EXPECT_EQ(found.backlog_messages, 1U);
  EXPECT_EQ(found.disk_messages, 1U);
  EXPECT_EQ(found.accepted, 1U);
  EXPECT_THAT(found.rules, IsEmpty());
}

// --- rules ---

TEST_F(Buffer, NewRulesTakeAndSayTheDifference) {
  bridge_options.rules = {rule(Direction::Up, "farm/#"), rule(Direction::Down, "command/#"),
                          rule(Direction::Down, "setting/#")};
  start();
  online();
  set_rules({rule(Direction::Up, "barn/#"), rule(Direction::Down, "setting/#"), rule(Direction::Down, "news/#")});
  EXPECT_THAT(said(), ElementsAre(StartsWith("SUBSCRIBE id=3 {0b=3} \"news/#\""), "UNSUBSCRIBE id=4 \"command/#\""));
  publish("farm/1", "no rule", Qos::AtLeastOnce);
  publish("barn/1", "21", Qos::AtLeastOnce);
  EXPECT_THAT(said(), ElementsAre(HasSubstr("PUBLISH \"barn/1\"")));
  EXPECT_EQ(snapshot().accepted, 1U);
}

TEST_F(Buffer, RulesThatChangeWhileTheFarBrokerIsAwayAreSaidOnceItIsThere) {
  bridge_options.rules = {rule(Direction::Down, "command/#")};
  start();
  online();
  cut();
  set_rules({rule(Direction::Down, "news/#")});
  redial();
  accept(true);
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT"), HasSubstr("\"news/#\""),
                                  StartsWith("UNSUBSCRIBE id=3 \"command/#\"")));
}

TEST_F(Buffer, ChangedSubscriptionIsNotSentItsRetainedMessagesAgain) {
  bridge_options.rules = {rule(Direction::Down, "command/#", Qos::AtLeastOnce)};
  start();
  online();
  set_rules({rule(Direction::Down, "command/#", Qos::ExactlyOnce)});
  EXPECT_THAT(said(), ElementsAre(HasSubstr("\"command/#\" qos=2 as_published handling=1")));
}

TEST_F(Buffer, CountersStayWithTheirRules) {
  bridge_options.rules = {rule(Direction::Up, "farm/#"), rule(Direction::Up, "barn/#")};
  start();
  online();
  publish("farm/1", "x", Qos::AtLeastOnce);
  for (int i = 0; i < 2; ++i) publish("barn/1", "x", Qos::AtLeastOnce);
  set_rules(
      {rule(Direction::Up, "barn/#", Qos::AtLeastOnce), rule(Direction::Up, "new/#"), rule(Direction::Up, "farm/#")});
  const auto rules = snapshot().rules;
  EXPECT_EQ(rules[0].up, 2U);
  EXPECT_EQ(rules[1].up, 0U);
  EXPECT_EQ(rules[2].up, 1U);
}

TEST_F(Buffer, MessagesWhoseRuleIsGoneAreDroppedAndCounted) {
  start();
  publish("farm/1", "x", Qos::AtLeastOnce);
  set_rules({rule(Direction::Up, "barn/#")});
  accept();
  EXPECT_EQ(dropped(broker::DropReason::RuleRemoved), 1U);
  EXPECT_EQ(snapshot().backlog_messages, 0U);
}

TEST_F(Buffer, FarBrokerOf311IsAskedNotToEchoOnceARuleLetsSomethingDown) {
  bridge_options.version = bridge::VersionChoice::V3_1_1;
  start();
  link();
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT level=4 ")));
  far(mqtt::Connack{});
  set_rules({rule(Direction::Both, "farm/#")});
  EXPECT_EQ(state(), "backoff: the new rules need another CONNECT");
  redial();
  link();
  EXPECT_THAT(said(), ElementsAre(HasSubstr("bridge")));
}

TEST_F(Buffer, MessageThatIsHeldWhileItsRuleGoesIsRouted) {
  options.limits.session_queue = {.messages_max = 1, .when_full = broker::WhenFull::Refuse};
  leave_subscribed("durable", "command/#");
  bridge_options.rules = {rule(Direction::Up, "farm/#"), rule(Direction::Down, "command/#")};
  start();
  online();
  far_publishes("command/a", "x", Qos::AtLeastOnce, 1);
  far_publishes("command/b", "y", Qos::AtLeastOnce, 2);
  set_rules({});
  Client& reader = connect_durable("durable");
  reader.acknowledge(mqtt::PacketType::Puback, 1);
  pass(1s);
  EXPECT_EQ(snapshot().routed, 2U);
  EXPECT_THAT(reader.received(), Contains(HasSubstr("\"y\"")));
}

// --- limits ---

TEST_F(Buffer, BufferThatIsToldToRefuseRefuses) {
  start();
  publish("farm/1", "1", Qos::AtLeastOnce);
  bridge().set_limits({.messages_max = 1, .when_full = broker::WhenFull::Refuse});
  publish("farm/1", "2", Qos::AtLeastOnce);
  EXPECT_THAT(sensor().received(), Contains(StartsWith("PUBACK id=2 reason=97")));
  bridge().set_limits({.messages_max = 1, .when_full = broker::WhenFull::DropNewest});
  publish("farm/1", "3", Qos::AtLeastOnce);
  EXPECT_EQ(dropped(broker::DropReason::QueueFull), 1U);
}

TEST_F(Buffer, PublisherThatWaitsForRoomGoesOnWhenTheLimitIsRaised) {
  bridge_options.buffer = {.messages_max = 1, .when_full = broker::WhenFull::Refuse};
  start();
  Client& old = connect({.client_id = "old", .version = mqtt::Version::V3_1_1});
  for (std::uint16_t id = 1; id <= 2; ++id) old.publish("farm/1", "x", Qos::AtLeastOnce, id);
  pass(1s);
  EXPECT_THAT(old.received(), ElementsAre("PUBACK id=1 reason=00"));
  bridge().set_limits({.messages_max = 2, .when_full = broker::WhenFull::Refuse});
  pass(1s);
  EXPECT_THAT(old.received(), ElementsAre("PUBACK id=2 reason=00"));
}

TEST_F(Buffer, LoweredLimitDropsNothingBeforeItsRoomIsNeeded) {
  start();
  for (const char* payload : {"1", "2", "3"}) publish("farm/1", payload, Qos::AtLeastOnce);
  bridge().set_limits({.messages_max = 2});
  EXPECT_EQ(snapshot().backlog_messages, 3U);
  publish("farm/1", "4", Qos::AtLeastOnce);
  EXPECT_EQ(snapshot().backlog_messages, 2U);
  EXPECT_EQ(dropped(broker::DropReason::QueueFull), 2U);
}

// --- another name ---

class Renamed : public Buffer {
 protected:
  // The bridge is called `other` from its next start on, as by `renamed_from: region`.
  bridge::Buffers::Renaming rename() {
    bridge_options.name = "other";
    return buffers().rename("region", "other");
  }
  // A gateway that is killed and starts again under the new name.
  bridge::Buffers::Renaming restart_renamed() {
    end_of_the_gateway();
    make_buffers();
    const auto done = rename();
    attach();
    return done;
  }
};

TEST_F(Renamed, ABufferKeepsWhatItHasOverARestart) {
  start();
  online();
  publish("farm/1", "21", Qos::AtLeastOnce);
  puback(1);
  cut();
  publish("farm/1", "22", Qos::AtLeastOnce);
  advance(1s);
  EXPECT_EQ(restart_renamed(), bridge::Buffers::Renaming::Done);
  EXPECT_EQ(snapshot().backlog_messages, 1U);
  EXPECT_EQ(snapshot().delivered, 1U);
  advance(1s);
  // From now on it is there under its new name alone.
  EXPECT_EQ(restart_renamed(), bridge::Buffers::Renaming::NothingToDo);
  EXPECT_EQ(snapshot().backlog_messages, 1U);
  online();
  puback(1);
  EXPECT_EQ(snapshot().delivered, 2U);
}

TEST_F(Renamed, ABufferKeepsWhatItHasWhileTheGatewayRuns) {
  start();
  online();
  publish("farm/1", "21", Qos::AtLeastOnce);
  detach();
  EXPECT_EQ(rename(), bridge::Buffers::Renaming::Done);
  attach();
  EXPECT_EQ(buffer().name(), "other");
  EXPECT_EQ(bridge().bridge_name(), "other");
  online(true);
  EXPECT_THAT(said(), IsEmpty());
  puback(1);
  EXPECT_EQ(snapshot().delivered, 1U);
}

TEST_F(Renamed, TheFormerNameMayBeUsedByANewBridge) {
  start();
  online();
  publish("farm/1", "21", Qos::AtLeastOnce);
  detach();
  (void)rename();
  EXPECT_EQ(buffers().of("region").waiting(), 0U);
  EXPECT_EQ(buffers().of("other").waiting(), 1U);
}

TEST_F(Renamed, SubscriptionsAtTheFarSideAreKnownUnderTheNewName) {
  bridge_options.rules = {rule(Direction::Down, "command/#")};
  start();
  accept();
  EXPECT_THAT(said(), Contains(StartsWith("SUBSCRIBE")));
  far(mqtt::Suback{PacketId{1}, {ReasonCode::GrantedQos2}, {}});
  advance(1s);
  bridge_options.rules = {};
  (void)restart_renamed();
  link();
  said();
  far(mqtt::Connack{true, ReasonCode::Success, {}});
  EXPECT_THAT(said(), Contains(StartsWith("UNSUBSCRIBE")));
}

TEST_F(Renamed, TwoBuffersStayAsTheyAre) {
  start();
  online();
  publish("farm/1", "21", Qos::AtLeastOnce);
  detach();
  (void)buffers().of("other");
  EXPECT_EQ(rename(), bridge::Buffers::Renaming::Refused);
  EXPECT_EQ(buffers().of("region").waiting(), 1U);
  EXPECT_EQ(buffers().of("other").waiting(), 0U);
  attach();
}

// The queue has its new name, and the row of the far session has not: the two files are not committed together.
TEST_F(Renamed, ACrashBetweenTheTwoFilesIsMadeGood) {
  bridge_options.rules = {rule(Direction::Down, "command/#")};
  start();
  accept();
  far(mqtt::Suback{PacketId{1}, {ReasonCode::GrantedQos2}, {}});
  advance(1s);
  detach();
  store_answers = false;
  (void)rename();
  advance(1s);
  constexpr int kUpToTheQueueFile = 2;
  store.crash(kUpToTheQueueFile);
  end_of_the_gateway();
  store_answers = true;
  bridge_options.rules = {};
  make_buffers();
  EXPECT_EQ(rename(), bridge::Buffers::Renaming::Done);
  attach();
  link();
  said();
  far(mqtt::Connack{true, ReasonCode::Success, {}});
  EXPECT_THAT(said(), Contains(StartsWith("UNSUBSCRIBE")));
}

}  // namespace
}  // namespace furrow::test
