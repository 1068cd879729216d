// The way up: what is promised to local publishers while the far broker comes and goes.
#include "bridge/way_up.h"

#include <chrono>

#include "tests/unit/bridge/bridge_fixture.h"

namespace furrow::test {
namespace {

using namespace std::chrono_literals;
using bridge::Direction;
using broker::DropReason;
using mqtt::PacketType;
using mqtt::PropertyId;
using mqtt::Qos;
using mqtt::ReasonCode;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

class WayUp : public BridgeFixture {
 protected:
  void online(mqtt::PropertyView properties = {}, bool session_present = false) {
    if (!dialing()) redial();
    accept(session_present, properties);
    said();
  }
  void puback(std::uint16_t id, ReasonCode reason = ReasonCode::Success) {
    far(mqtt::Puback{PacketId{id}, reason, {}});
  }
  void pubrec(std::uint16_t id) { far(mqtt::Pubrec{PacketId{id}, ReasonCode::Success, {}}); }
  void pubcomp(std::uint16_t id) { far(mqtt::Pubcomp{PacketId{id}, ReasonCode::Success, {}}); }
  // Two retained messages of one topic are under way: the far broker does not take the first for now, whose next
  // attempt is due, and has not answered the second.
  void refuse_for_now_before_a_newer_one() {
    start();
    online();
    publish("farm/1", "on", Qos::AtLeastOnce, {.retain = true});
    publish("farm/1", "off", Qos::AtLeastOnce, {.retain = true});
    (void)said();
    puback(1, ReasonCode::QuotaExceeded);
    pass(2s);
  }
};

TEST_F(WayUp, Qos1IsAcknowledgedOnceTheFarBrokerHasAndNeverWritten) {
  start();
  online();
  const auto written = store.segments();
  publish("farm/1", "21", Qos::AtLeastOnce);
  EXPECT_THAT(said(), ElementsAre("PUBLISH \"farm/1\" \"21\" qos=1 id=1"));
  EXPECT_THAT(sensor().received(), IsEmpty());
  EXPECT_EQ(snapshot().inflight, 1U);
  puback(1);
  EXPECT_THAT(sensor().received(), ElementsAre("PUBACK id=1 reason=00"));
  EXPECT_EQ(snapshot().delivered, 1U);
  EXPECT_EQ(store.segments(), written);
}

TEST_F(WayUp, OneMessageAtATimeIsTimedToItsFirstAnswer) {
  start();
  online();
  publish("farm/1", "timed", Qos::AtLeastOnce);
  publish("farm/1", "not timed", Qos::AtLeastOnce);
  pass(40ms);
  puback(2);
  EXPECT_EQ(snapshot().acknowledgement_times.sum(), 0ms);
  puback(1);
  EXPECT_EQ(snapshot().acknowledgement_times.sum(), 40ms);
  publish("farm/1", "timed", Qos::ExactlyOnce);
  pass(100ms);  // and until it is written
  pubrec(3);
  const Duration both = snapshot().acknowledgement_times.sum();
  EXPECT_GT(both, 40ms);
  pass(1s);
  pubcomp(3);
  EXPECT_EQ(snapshot().acknowledgement_times.sum(), both) << "PUBREC was the first answer";
}

// When the far broker has got it is not known: at the first time, or when it was sent again.
TEST_F(WayUp, AMessageThatIsSentAgainIsNotTimed) {
  start();
  online();
  publish("farm/1", "21", Qos::AtLeastOnce);
  cut();
  online({}, true);
  pass(40ms);
  puback(1);
  EXPECT_EQ(snapshot().delivered, 1U);
  EXPECT_EQ(snapshot().acknowledgement_times.sum(), 0ms);
}

TEST_F(WayUp, Qos1IsAcknowledgedOnceWrittenWhileTheFarBrokerIsAway) {
  start();
  publish("farm/1", "21", Qos::AtLeastOnce);
  EXPECT_THAT(sensor().received(), IsEmpty());
  pass(100ms);
  EXPECT_THAT(sensor().received(), ElementsAre("PUBACK id=1 reason=00"));
  EXPECT_EQ(snapshot().backlog_messages, 1U);
  EXPECT_EQ(snapshot().disk_messages, 1U);
}

TEST_F(WayUp, AnOutageIsDrainedInOrder) {
  start();
  for (const char* payload : {"1", "2", "3"}) publish("farm/1", payload, Qos::AtLeastOnce);
  pass(1s);
  accept();
  EXPECT_EQ(state(), "online") << "three fit the window";
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT"), HasSubstr("\"1\""), HasSubstr("\"2\""), HasSubstr("\"3\"")));
  for (std::uint16_t id = 1; id <= 3; ++id) puback(id);
  EXPECT_EQ(snapshot().delivered, 3U);
  EXPECT_EQ(snapshot().backlog_messages, 0U);
}

TEST_F(WayUp, ALongBacklogShowsAsDrainingUntilItIsGone) {
  start();
  for (int i = 0; i < 5; ++i) publish("farm/1", "x", Qos::AtLeastOnce);
  pass(1s);
  online(Properties().number(PropertyId::ReceiveMaximum, 2));
  EXPECT_EQ(state(), "draining");
  for (std::uint16_t id = 1; id <= 2; ++id) puback(id);
  pass(1s);
  EXPECT_EQ(state(), "draining");
  EXPECT_TRUE(snapshot().drain_eta.has_value());
  for (std::uint16_t id = 3; id <= 5; ++id) puback(id);
  EXPECT_EQ(state(), "online");
  EXPECT_FALSE(snapshot().drain_eta.has_value());
}

TEST_F(WayUp, RatesMoveByThemselvesHoweverOftenSomebodyLooks) {
  start();
  online();
  std::uint16_t id = 0;
  for (int i = 0; i < 300; ++i) {
    publish("farm/1", "x", Qos::AtLeastOnce);
    puback(++id);
    pass(100ms);
    snapshot();
  }
  EXPECT_NEAR(snapshot().up_per_s, 10, 1);
  EXPECT_EQ(snapshot().down_per_s, 0);
  pass(10s);
  EXPECT_NEAR(snapshot().up_per_s, 10 / 2.718, 1) << "and nobody has looked";
}

TEST_F(WayUp, BridgeAtRestIsNotWokenForItsRates) {
  start();
  online();
  publish("farm/1", "x", Qos::AtLeastOnce);
  puback(1);
  EXPECT_LE(bridge().next_deadline() - now, 1s);
  pass(5min);
  EXPECT_EQ(snapshot().up_per_s, 0);
  EXPECT_GE(bridge().next_deadline() - now, 5s) << "the next PINGREQ";
}

TEST_F(WayUp, ABacklogLeavesNoFasterThanItMay) {
  bridge_options.drain = {.messages_per_second = 10, .burst = 1s};
  start();
  for (int i = 0; i < 30; ++i) publish("farm/1", std::to_string(i), Qos::AtLeastOnce);
  online();
  EXPECT_EQ(snapshot().inflight, 11U) << "a second's worth, and the one that ends it";
  pass(1s);
  EXPECT_EQ(snapshot().inflight, 21U);
  EXPECT_EQ(state(), "draining");
  pass(1s);
  EXPECT_EQ(snapshot().inflight, 30U) << "the last has no backlog behind it";
  for (std::uint16_t id = 1; id <= 30; ++id) puback(id);
  publish("farm/1", "live", Qos::AtLeastOnce);
  EXPECT_THAT(said(), Contains(HasSubstr("\"live\""))) << "what comes without a backlog is not held back";
}

TEST_F(WayUp, ABacklogIsPacedInBytesToo) {
  bridge_options.drain = {.bytes_per_second = 1000, .burst = {}};
  start();
  for (int i = 0; i < 3; ++i) publish("farm/1", std::string(994, 'x'), Qos::AtLeastOnce);
  online();
  EXPECT_EQ(snapshot().inflight, 1U);
  pass(1s);
  EXPECT_EQ(snapshot().inflight, 2U);
}

TEST_F(WayUp, OutputGathersUntilItsTimeOrAFullSegment) {
  bridge_options.coalesce = 1s;
  start();
  online();
  pass(1s);
  (void)said();
  publish("farm/1", "a", Qos::AtLeastOnce);
  pass(400ms);
  publish("farm/1", "b", Qos::AtMostOnce);
  pass(599ms);
  EXPECT_THAT(said(), IsEmpty());
  EXPECT_EQ(snapshot().inflight, 2U);
  pass(1ms);
  EXPECT_THAT(said(), ElementsAre(HasSubstr("\"a\""), HasSubstr("\"b\"")));
  EXPECT_EQ(store.segments(), 0U) << "it is acknowledged before it would be written";
  puback(1);
  EXPECT_THAT(sensor().received(), ElementsAre("PUBACK id=1 reason=00"));
  publish("farm/1", std::string(1300, 'x'), Qos::AtMostOnce);
  EXPECT_THAT(said(), ElementsAre(HasSubstr("xxx"))) << "a full segment does not wait";
}

TEST_F(WayUp, WhatWaitsForMoreIsWrittenAfterItsTime) {
  bridge_options.coalesce = 1s;
  start();
  online();
  pass(1s);
  publish("farm/1", "a", Qos::AtLeastOnce);
  pass(2s);
  EXPECT_EQ(store.segments(), 1U);
  EXPECT_THAT(sensor().received(), ElementsAre("PUBACK id=1 reason=00"));
}

TEST_F(WayUp, AFarSideThatCannotSayHowMuchItTakesHasALimitOfTheConfiguration) {
  bridge_options.version = bridge::VersionChoice::V3_1_1;
  bridge_options.known.packet_bytes_max = 100;
  start();
  online();
  publish("farm/1", std::string(100, 'x'), Qos::AtLeastOnce);
  publish("farm/1", "x", Qos::AtLeastOnce);
  EXPECT_EQ(dropped(broker::DropReason::TooLarge), 1U);
  EXPECT_EQ(snapshot().inflight, 1U);
}

TEST_F(WayUp, AMessageWhoseTopicTheFarSideDoesNotTakeIsDroppedBeforeItIsSent) {
  bridge_options.known = {.topic_bytes_max = 20, .topic_levels_max = 3};
  start();
  online();
  publish("farm/1/2", "x", Qos::AtLeastOnce);
  EXPECT_EQ(snapshot().inflight, 1U);
  publish("farm/1/2/3", "x", Qos::AtLeastOnce);
  publish("farm/" + std::string(16, 'l'), "x", Qos::AtLeastOnce);
  EXPECT_EQ(dropped(broker::DropReason::TooLarge), 2U);
  EXPECT_EQ(snapshot().inflight, 1U);
}

TEST_F(WayUp, WhatConnackAllowsDoesNotWidenWhatIsKnownOfTheFarSide) {
  bridge_options.known = {.receive_maximum = 1, .maximum_qos = Qos::AtLeastOnce, .retain_available = false};
  start();
  online(Properties().number(PropertyId::ReceiveMaximum, 10).number(PropertyId::RetainAvailable, 1));
  publish("farm/1", "x", Qos::ExactlyOnce, {.retain = true});
  publish("farm/2", "x", Qos::AtLeastOnce);
  EXPECT_THAT(said(), ElementsAre(AllOf(HasSubstr("qos=1"), Not(HasSubstr("retain")))));
  EXPECT_EQ(snapshot().inflight, 1U);
}

TEST_F(WayUp, ReceiveMaximumBoundsWhatIsInFlight) {
  start();
  online(Properties().number(PropertyId::ReceiveMaximum, 2));
  for (int i = 0; i < 5; ++i) publish("farm/1", "x", Qos::AtLeastOnce);
  EXPECT_THAT(said(), SizeIs(2));
  EXPECT_EQ(snapshot().inflight, 2U);
  EXPECT_EQ(snapshot().backlog_messages, 3U);
  puback(1);
  EXPECT_THAT(said(), ElementsAre("PUBLISH \"farm/1\" \"x\" qos=1 id=3"));
}

TEST_F(WayUp, TheWindowCanBeMadeSmaller) {
  bridge_options.inflight_max = 1;
  start();
  online();
  publish("farm/1", "x", Qos::AtLeastOnce);
  publish("farm/1", "y", Qos::AtLeastOnce);
  EXPECT_THAT(said(), SizeIs(1));
}

TEST_F(WayUp, NoMoreQos2IsUnderWayThanABrokerOf311BearsThatCannotSayHowMuch) {
  bridge_options.version = bridge::VersionChoice::V3_1_1;
  start();
  online();
  for (int i = 0; i < 30; ++i) publish("farm/1", "x", Qos::ExactlyOnce);
  EXPECT_THAT(said(), SizeIs(20));
  for (std::uint16_t id = 1; id <= 3; ++id) pubrec(id);
  for (std::uint16_t id = 1; id <= 3; ++id) pubcomp(id);
  EXPECT_EQ(snapshot().inflight, 20U);
  EXPECT_EQ(snapshot().backlog_messages, 7U);
  cut();
  redial();
  accept(true);
  EXPECT_THAT(said(), SizeIs(1 + 20));
}

TEST_F(WayUp, Qos1IsNotHeldBackByTheLimitOfQos2) {
  bridge_options.version = bridge::VersionChoice::V3_1_1;
  start();
  online();
  for (int i = 0; i < 120; ++i) publish("farm/1", "x", Qos::AtLeastOnce);
  EXPECT_THAT(said(), SizeIs(100));
}

TEST_F(WayUp, TheLimitOfQos2CanBeRaised) {
  bridge_options.version = bridge::VersionChoice::V3_1_1;
  bridge_options.inflight_max = 50;
  start();
  online();
  for (int i = 0; i < 60; ++i) publish("farm/1", "x", Qos::ExactlyOnce);
  EXPECT_THAT(said(), SizeIs(50));
}

TEST_F(WayUp, Qos0WhileTheFarBrokerIsAwayIsCounted) {
  start();
  publish("farm/1", "21", Qos::AtMostOnce);
  EXPECT_EQ(snapshot().accepted, 1U);
  EXPECT_EQ(dropped(DropReason::Qos0Offline), 1U);
}

TEST_F(WayUp, Qos0IsInFlightUntilTheSocketHasIt) {
  start();
  online();
  block();
  publish("farm/1", "21", Qos::AtMostOnce);
  EXPECT_EQ(snapshot().accepted, 1U);
  EXPECT_EQ(snapshot().inflight, 1U);
  block(false);
  EXPECT_THAT(said(), ElementsAre("PUBLISH \"farm/1\" \"21\" qos=0 id=0"));
  EXPECT_EQ(snapshot().delivered, 1U);
}

TEST_F(WayUp, Qos0InTheSocketsWayIsCountedWhenTheConnectionBreaks) {
  start();
  online();
  block();
  publish("farm/1", "21", Qos::AtMostOnce);
  cut();
  EXPECT_EQ(dropped(DropReason::Qos0Offline), 1U);
  EXPECT_EQ(snapshot().inflight, 0U);
}

TEST_F(WayUp, ARuleCanBufferQos0) {
  bridge_options.rules[0].buffer_qos0 = true;
  start();
  publish("farm/1", "21", Qos::AtMostOnce);
  EXPECT_EQ(snapshot().backlog_messages, 1U);
  online();
  EXPECT_EQ(snapshot().delivered, 1U);
}

TEST_F(WayUp, ARuleCanRaiseTheQosSoThatReadingsAreBufferedAndAcknowledged) {
  bridge_options.rules[0].qos_min = Qos::AtLeastOnce;
  start();
  publish("farm/1", "while it is away", Qos::AtMostOnce);
  EXPECT_EQ(snapshot().backlog_messages, 1U);
  pass(1s);
  crash_and_restart();
  accept();
  EXPECT_THAT(said(), Contains(HasSubstr("\"while it is away\" qos=1")));
  far(mqtt::Puback{PacketId{1}, ReasonCode::Success, {}});
  publish("farm/1", "while it is there", Qos::AtMostOnce);
  EXPECT_THAT(said(), Contains(HasSubstr("\"while it is there\" qos=1")));
  EXPECT_EQ(snapshot().delivered, 1U);
  EXPECT_EQ(snapshot().inflight, 1U);
}

// Whoever publishes at QoS 0 cannot be told.
TEST_F(WayUp, WhatIsRaisedIsDroppedAndNotRefusedWhenTheBufferIsFull) {
  bridge_options.rules[0].qos_min = Qos::AtLeastOnce;
  bridge_options.buffer = {.messages_max = 1, .when_full = broker::WhenFull::Refuse};
  start();
  publish("farm/1", "1", Qos::AtMostOnce);
  publish("farm/1", "2", Qos::AtMostOnce);
  EXPECT_EQ(snapshot().backlog_messages, 1U);
  EXPECT_EQ(dropped(broker::DropReason::RefusedQos0), 1U);
}

TEST_F(WayUp, Qos0IsNotBufferedWhileTooMuchWaitsForTheStore) {
  options.limits.commit_waiting_bytes = 100;
  bridge_options.rules[0].buffer_qos0 = true;
  store_answers = false;
  start();
  publish("farm/1", std::string(200, 'x'), Qos::AtMostOnce);
  publish("farm/1", "late", Qos::AtMostOnce);
  EXPECT_EQ(dropped(DropReason::StoreFailed), 1U);
  EXPECT_EQ(snapshot().backlog_messages, 1U);
  store_answers = true;
  advance(std::chrono::seconds(2));
  publish("farm/1", "in time", Qos::AtMostOnce);
  EXPECT_EQ(snapshot().backlog_messages, 2U);
}

TEST_F(WayUp, Qos0FromTheBufferIsInFlightUntilTheSocketHasIt) {
  bridge_options.rules[0].buffer_qos0 = true;
  start();
  publish("farm/1", "21", Qos::AtMostOnce);
  link();
  clog();
  far(mqtt::Connack{});
  EXPECT_EQ(snapshot().backlog_messages, 0U);
  EXPECT_EQ(snapshot().inflight, 1U);
  EXPECT_EQ(snapshot().delivered, 0U);
  clog(false);
  EXPECT_EQ(snapshot().inflight, 0U);
  EXPECT_EQ(snapshot().delivered, 1U);
}

TEST_F(WayUp, Qos0FromTheBufferThatTheSocketNeverTookIsCountedAsDropped) {
  bridge_options.rules[0].buffer_qos0 = true;
  start();
  publish("farm/1", "21", Qos::AtMostOnce);
  link();
  clog();
  far(mqtt::Connack{});
  cut();
  EXPECT_EQ(dropped(DropReason::Qos0Offline), 1U);
  EXPECT_EQ(snapshot().accepted, 1U);
  pass(10min);
  crash_and_restart();
  EXPECT_EQ(dropped(DropReason::Qos0Offline), 1U);
  EXPECT_EQ(snapshot().accepted, 1U);
}

TEST_F(WayUp, WhatFollowsIsNotDeliveredWithWhatTheSocketTookBefore) {
  start();
  online();
  clog();
  publish("farm/1", "taken", Qos::AtMostOnce);
  publish("farm/1", "behind it", Qos::AtMostOnce);
  EXPECT_EQ(snapshot().inflight, 2U);
  block();
  clog(false);
  EXPECT_THAT(said(), ElementsAre(HasSubstr("\"taken\"")));
  EXPECT_EQ(snapshot().delivered, 1U);
  EXPECT_EQ(snapshot().inflight, 1U);
  cut();
  EXPECT_EQ(snapshot().delivered, 1U);
  EXPECT_EQ(dropped(DropReason::Qos0Offline), 1U);
}

TEST_F(WayUp, ARuleLowersTheQosAndClearsTheRetainFlag) {
  bridge_options.rules[0].qos_max = Qos::AtLeastOnce;
  bridge_options.rules[0].retain_keep = false;
  start();
  online();
  publish("farm/1", "21", Qos::ExactlyOnce, {.retain = true});
  EXPECT_THAT(said(), ElementsAre("PUBLISH \"farm/1\" \"21\" qos=1 id=1"));
}

TEST_F(WayUp, RetainIsKeptUnlessTheFarBrokerCannot) {
  start();
  online();
  publish("farm/1", "a", Qos::AtMostOnce, {.retain = true});
  EXPECT_THAT(said(), ElementsAre("PUBLISH \"farm/1\" \"a\" qos=0 id=0 retain"));
  cut();
  online(Properties().number(PropertyId::RetainAvailable, 0));
  publish("farm/1", "b", Qos::AtMostOnce, {.retain = true});
  EXPECT_THAT(said(), ElementsAre("PUBLISH \"farm/1\" \"b\" qos=0 id=0"));
}

TEST_F(WayUp, PropertiesTravelAndTheResponseTopicIsMappedBack) {
  bridge_options.rules[0].remote_prefix = "barn-7/";
  bridge_options.rules.push_back(rule(Direction::Down, "answer/#"));
  bridge_options.rules[1].remote_prefix = "barn-7/";
  start();
  online();
  publish("farm/1", "a", Qos::AtMostOnce,
          {.properties = Properties().text(PropertyId::ResponseTopic, "answer/1").user("k", "v")});
  EXPECT_THAT(said(),
              ElementsAre("PUBLISH \"barn-7/farm/1\" \"a\" qos=0 id=0 {08=\"barn-7/answer/1\" 26=\"k\":\"v\"}"));
  publish("farm/1", "b", Qos::AtMostOnce, {.properties = Properties().text(PropertyId::ResponseTopic, "other/1")});
  EXPECT_THAT(said(), ElementsAre(HasSubstr("{08=\"other/1\"}")));
}

TEST_F(WayUp, ALowerMaximumQosIsObeyedAndNothingWaitsForAnAnswerThatCannotCome) {
  start();
  publish("farm/1", "two", Qos::ExactlyOnce);
  publish("farm/1", "one", Qos::AtLeastOnce);
  pass(1s);
  online(Properties().number(PropertyId::MaximumQos, 0));
  EXPECT_EQ(snapshot().delivered, 2U);
  EXPECT_EQ(snapshot().inflight, 0U);
  publish("farm/1", "x", Qos::AtLeastOnce);
  EXPECT_THAT(said(), ElementsAre("PUBLISH \"farm/1\" \"x\" qos=0 id=0"));
  EXPECT_EQ(snapshot().delivered, 3U);
}

TEST_F(WayUp, WhatGoesAtQos0ForTheFarBrokersSakeIsKeptUntilTheSocketHasIt) {
  start();
  online(Properties().number(PropertyId::MaximumQos, 0));
  clog();
  publish("farm/1", "x", Qos::AtLeastOnce);
  EXPECT_EQ(snapshot().inflight, 1U);
  cut();
  EXPECT_EQ(snapshot().inflight, 1U) << "not lost";
  clog(false);
  redial();
  accept(true, Properties().number(PropertyId::MaximumQos, 0));
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT"), "PUBLISH \"farm/1\" \"x\" qos=0 id=0"));
  EXPECT_EQ(snapshot().delivered, 1U);
}

TEST_F(WayUp, AMessageOfQos2CanGoAtQos1) {
  start();
  publish("farm/1", "two", Qos::ExactlyOnce);
  pass(1s);
  accept(false, Properties().number(PropertyId::MaximumQos, 1));
  EXPECT_THAT(said(), testing::Contains("PUBLISH \"farm/1\" \"two\" qos=1 id=1"));
  puback(1);
  EXPECT_EQ(snapshot().delivered, 1U);
  EXPECT_THAT(said(), IsEmpty()) << "no PUBREL";
}

TEST_F(WayUp, WhatIsTooLargeForTheFarBrokerIsDroppedAndTheRestGoesOn) {
  start();
  publish("farm/1", std::string(100, 'x'), Qos::AtLeastOnce);
  pass(1s);
  online(Properties().number(PropertyId::MaximumPacketSize, 50));
  EXPECT_EQ(dropped(DropReason::TooLarge), 1U);
  publish("farm/1", std::string(100, 'y'), Qos::AtLeastOnce);
  publish("farm/1", std::string(100, 'z'), Qos::AtMostOnce);
  EXPECT_EQ(dropped(DropReason::TooLarge), 3U);
  publish("farm/1", "small", Qos::AtLeastOnce);
  EXPECT_THAT(said(), ElementsAre(HasSubstr("small")));
}

TEST_F(WayUp, TopicAliasesReplaceTheTopicFromTheSecondMessageOn) {
  start();
  online(Properties().number(PropertyId::TopicAliasMaximum, 4));
  publish("farm/1", "a", Qos::AtMostOnce);
  publish("farm/1", "b", Qos::AtLeastOnce);
  EXPECT_THAT(said(),
              ElementsAre("PUBLISH \"farm/1\" \"a\" qos=0 id=0 {23=1}", "PUBLISH \"\" \"b\" qos=1 id=1 {23=1}"));
  cut();
  redial();
  accept(true, Properties().number(PropertyId::TopicAliasMaximum, 4));
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT"), "PUBLISH \"farm/1\" \"b\" qos=1 id=1 dup {23=1}"));
}

TEST_F(WayUp, ASessionThatTheFarBrokerKeptIsResumed) {
  start();
  online();
  publish("farm/1", "a", Qos::AtLeastOnce);
  said();
  cut();
  EXPECT_EQ(snapshot().inflight, 1U);
  redial();
  accept(true);
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT"), "PUBLISH \"farm/1\" \"a\" qos=1 id=1 dup"));
  puback(1);
  EXPECT_EQ(snapshot().delivered, 1U);
}

TEST_F(WayUp, ASessionThatTheFarBrokerLostBeginsAnew) {
  start();
  online();
  publish("farm/1", "a", Qos::AtLeastOnce);
  cut();
  redial();
  accept(false);
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT"), HasSubstr("\"a\" qos=1 id=2")));
}

TEST_F(WayUp, Qos2LeavesOnlyOnceItsIdentifierIsOnDisk) {
  start();
  online();
  store_answers = false;
  publish("farm/1", "a", Qos::ExactlyOnce);
  EXPECT_THAT(said(), IsEmpty());
  store_answers = true;
  turn();
  EXPECT_THAT(said(), ElementsAre("PUBLISH \"farm/1\" \"a\" qos=2 id=1"));
  EXPECT_EQ(store.exchanges(), 1U);
}

TEST_F(WayUp, Qos2SurvivesReconnectBetweenPubrecAndPubrel) {
  start();
  online();
  publish("farm/1", "a", Qos::ExactlyOnce);
  said();
  store_answers = false;
  pubrec(1);
  EXPECT_THAT(said(), IsEmpty()) << "PUBREC is not on disk yet";
  cut();
  store_answers = true;
  redial();
  accept(true);
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT"), "PUBREL id=1 reason=00"));
  pubcomp(1);
  EXPECT_EQ(snapshot().delivered, 1U);
}

TEST_F(WayUp, Qos2SurvivesAPowerCutAfterPubrel) {
  start();
  online();
  publish("farm/1", "a", Qos::ExactlyOnce);
  pubrec(1);
  EXPECT_THAT(said(), ElementsAre(HasSubstr("PUBLISH"), "PUBREL id=1 reason=00"));
  crash_and_restart();
  EXPECT_EQ(snapshot().backlog_messages, 1U);
  accept(true);
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT"), "PUBREL id=1 reason=00")) << "not the message again";
  pubcomp(1);
  EXPECT_EQ(snapshot().delivered, 1U);
}

TEST_F(WayUp, APowerCutLosesNothingThatWasAcknowledged) {
  start();
  for (const char* payload : {"1", "2"}) publish("farm/1", payload, Qos::AtLeastOnce);
  pass(1s);
  EXPECT_THAT(sensor().received(), SizeIs(2));
  crash_and_restart();
  EXPECT_EQ(snapshot().accepted, 2U);
  accept();
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT"), HasSubstr("\"1\""), HasSubstr("\"2\"")));
}

TEST_F(WayUp, WhatNoRuleTakesAnyMoreIsDroppedWhenItsTurnComes) {
  start();
  publish("farm/1", "x", Qos::AtLeastOnce);
  pass(1s);
  bridge_options.rules = {rule(Direction::Up, "greenhouse/#")};
  crash_and_restart();
  online();
  EXPECT_EQ(dropped(DropReason::RuleRemoved), 1U);
}

TEST_F(WayUp, AChangedRuleMapsWhatWaits) {
  start();
  publish("farm/1", "x", Qos::AtLeastOnce);
  pass(1s);
  bridge_options.rules[0].remote_prefix = "barn-7/";
  crash_and_restart();
  accept();
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT"), HasSubstr("\"barn-7/farm/1\"")));
}

TEST_F(WayUp, ARulesExpiryDropsWhatIsOlder) {
  bridge_options.rules.insert(bridge_options.rules.begin(), rule(Direction::Up, "farm/fast/#"));
  bridge_options.rules[0].expire_after = 30s;
  start();
  publish("farm/slow/1", "kept", Qos::AtLeastOnce);
  publish("farm/fast/1", "old", Qos::AtLeastOnce);
  pass(25s);
  publish("farm/fast/1", "new", Qos::AtLeastOnce);
  pass(20s);
  EXPECT_EQ(snapshot().expired, 1U) << "counted while the far broker is away";
  if (!dialing()) redial();
  accept();
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT"), HasSubstr("kept"), HasSubstr("new")));
}

TEST_F(WayUp, AMessagesOwnExpiryCounts) {
  start();
  publish("farm/1", "x", Qos::AtLeastOnce, {.properties = Properties().number(PropertyId::MessageExpiryInterval, 10)});
  publish("farm/1", "y", Qos::AtLeastOnce, {.properties = Properties().number(PropertyId::MessageExpiryInterval, 0)});
  EXPECT_EQ(snapshot().expired, 1U);
  pass(20s);
  accept();
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT")));
  EXPECT_EQ(snapshot().expired, 2U);
}

TEST_F(WayUp, ARefusedMessageIsCountedAndTheRestGoesOn) {
  start();
  online();
  publish("farm/1", "x", Qos::AtLeastOnce);
  puback(1, ReasonCode::NotAuthorized);
  EXPECT_EQ(dropped(DropReason::RefusedRemote), 1U);
}

TEST_F(WayUp, WhatTheFarBrokerDoesNotTakeForNowIsKeptAndTriedAgain) {
  start();
  online();
  publish("farm/1", "x", Qos::AtLeastOnce);
  publish("farm/1", "y", Qos::AtLeastOnce);
  publish("farm/1", "z", Qos::AtLeastOnce);
  puback(1);
  puback(2, ReasonCode::QuotaExceeded);
  puback(3, ReasonCode::QuotaExceeded);
  (void)said();
  EXPECT_EQ(snapshot().state, bridge::State::Stalled);
  EXPECT_THAT(snapshot().reason, HasSubstr("0x97"));
  publish("farm/1", "behind", Qos::AtLeastOnce);
  pass(999ms);
  EXPECT_THAT(said(), IsEmpty());
  pass(1ms);
  EXPECT_THAT(said(), ElementsAre(HasSubstr("y"), HasSubstr("z"), HasSubstr("behind")));

  puback(2, ReasonCode::QuotaExceeded);
  pass(1'999ms);
  EXPECT_THAT(said(), IsEmpty());
  puback(3);
  puback(4);
  pass(1ms);
  EXPECT_THAT(said(), ElementsAre(HasSubstr("y")));
  puback(2);
  EXPECT_EQ(snapshot().state, bridge::State::Online);
  EXPECT_EQ(snapshot().delivered, 4U);
  EXPECT_EQ(snapshot().inflight, 0U);
}

TEST_F(WayUp, WhatIsTriedAgainReplacesNoNewerRetainedMessage) {
  start();
  online();
  publish("farm/1", "on", Qos::AtLeastOnce, {.retain = true});
  publish("farm/2", "other", Qos::AtLeastOnce, {.retain = true});
  publish("farm/3", "old", Qos::AtLeastOnce, {.retain = true});
  publish("farm/1", "off", Qos::AtLeastOnce, {.retain = true});
  publish("farm/3", "event", Qos::AtLeastOnce);
  (void)said();
  puback(1, ReasonCode::QuotaExceeded);
  puback(2, ReasonCode::QuotaExceeded);
  puback(3, ReasonCode::QuotaExceeded);
  puback(4);
  puback(5);
  pass(1s);
  EXPECT_THAT(said(), ElementsAre(testing::AllOf(HasSubstr("\"on\""), Not(HasSubstr("retain"))),
                                  testing::AllOf(HasSubstr("\"other\""), HasSubstr("retain")),
                                  testing::AllOf(HasSubstr("\"old\""), HasSubstr("retain"))));
}

// The newer one left first, and the far broker may yet take it.
TEST_F(WayUp, WhatIsTriedAgainWaitsForANewerRetainedMessageThatIsUnderWay) {
  refuse_for_now_before_a_newer_one();
  EXPECT_THAT(said(), IsEmpty());
  puback(2);
  EXPECT_THAT(said(), ElementsAre(testing::AllOf(HasSubstr("\"on\""), Not(HasSubstr("retain")))));
}

TEST_F(WayUp, WhatIsTriedAgainIsRetainedWhenTheNewerMessageIsRefused) {
  refuse_for_now_before_a_newer_one();
  puback(2, ReasonCode::NotAuthorized);
  EXPECT_THAT(said(), ElementsAre(testing::AllOf(HasSubstr("\"on\""), HasSubstr("retain"))));
}

TEST_F(WayUp, AFullBufferThatRefusesSaysSoToThePublisher) {
  bridge_options.buffer = {.messages_max = 1, .bytes_max = 0, .age_max = {}, .when_full = broker::WhenFull::Refuse};
  bridge_options.rules[0].buffer_qos0 = true;
  start();
  publish("farm/1", "x", Qos::AtLeastOnce);
  publish("farm/1", "y", Qos::AtLeastOnce);
  EXPECT_THAT(sensor().received(), testing::Contains(StartsWith("PUBACK id=2 reason=97")));
  publish("farm/1", "z", Qos::AtMostOnce);
  EXPECT_EQ(dropped(DropReason::RefusedQos0), 1U);
  EXPECT_EQ(snapshot().backlog_messages, 1U);
}

TEST_F(WayUp, AnEmptyBufferTakesAMessageLargerThanItself) {
  bridge_options.buffer = {.messages_max = 0, .bytes_max = 100, .age_max = {}, .when_full = broker::WhenFull::Refuse};
  start();
  publish("farm/1", std::string(1000, 'x'), Qos::AtLeastOnce);
  publish("farm/1", "small", Qos::AtLeastOnce);
  pass(1s);
  EXPECT_THAT(sensor().received(), ElementsAre("PUBACK id=1 reason=00", StartsWith("PUBACK id=2 reason=97")));
  accept();
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT"), HasSubstr(std::string(1000, 'x'))));
}

TEST_F(WayUp, AnEmptyBufferTakesALargeMessageWhateverItDropsWhenFull) {
  for (const auto when_full : {broker::WhenFull::DropOldest, broker::WhenFull::DropNewest}) {
    bridge_options.buffer = {.messages_max = 0, .bytes_max = 100, .age_max = {}, .when_full = when_full};
    start();
    publish("farm/1", std::string(1000, 'x'), Qos::AtLeastOnce);
    pass(1s);
    EXPECT_EQ(dropped(DropReason::QueueFull), 0U);
    EXPECT_EQ(snapshot().backlog_messages, 1U);
    accept();
    puback(1);
    pass(1s);
    end_of_the_gateway();
  }
}

TEST_F(WayUp, AFullBufferDropsItsOldest) {
  bridge_options.buffer = {.messages_max = 2, .bytes_max = 0, .age_max = {}, .when_full = broker::WhenFull::DropOldest};
  start();
  for (const char* payload : {"1", "2", "3"}) publish("farm/1", payload, Qos::AtLeastOnce);
  EXPECT_EQ(dropped(DropReason::QueueFull), 1U);
  accept();
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT"), HasSubstr("\"2\""), HasSubstr("\"3\"")));
}

TEST_F(WayUp, ConnectedWithoutAcknowledgementsIsStalled) {
  bridge_options.keep_alive = 0s;
  start();
  online();
  pass(1h);
  publish("farm/1", "x", Qos::AtLeastOnce);
  EXPECT_EQ(state(), "online") << "an idle hour is no stall";
  said();
  pass(29s);
  EXPECT_EQ(state(), "online");
  pass(1s);
  EXPECT_EQ(state(), "backoff: no acknowledgement for 30s");
  EXPECT_FALSE(linked());
  EXPECT_EQ(snapshot().inflight, 1U);
  redial();
  accept(true);
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT"), HasSubstr("dup")));
  EXPECT_EQ(state(), "stalled: no acknowledgement for 30s") << "CONNACK alone proves nothing";
  puback(1);
  EXPECT_EQ(state(), "online");
}

TEST_F(WayUp, FarBrokerThatNeverAcknowledgesIsStalledWheneverItIsConnected) {
  start();
  online();
  publish("farm/1", "x", Qos::AtLeastOnce);
  pass(30s);
  Duration longest{};
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(state(), "backoff: no acknowledgement for 30s");
    longest = std::max(longest, *snapshot().next_attempt - now);
    redial();
    EXPECT_EQ(state(), "connecting: no acknowledgement for 30s");
    online({}, true);
    for (int second = 0; second < 29; ++second) {
      EXPECT_EQ(state(), "stalled: no acknowledgement for 30s");
      pass(1s);
      far(mqtt::Pingresp{});
    }
    pass(1s);
  }
  EXPECT_GT(longest, 5s);
  const auto starts = [](std::string_view start) {
    return [start](const std::string& line) { return line.starts_with(start); };
  };
  EXPECT_EQ(std::ranges::count_if(log.lines, starts("info bridge.online")), 1);
  EXPECT_EQ(std::ranges::count_if(log.lines, starts("warning bridge.offline")), 1);
  redial();
  online({}, true);
  puback(1);
  EXPECT_EQ(state(), "online");
  EXPECT_EQ(std::ranges::count_if(log.lines, starts("info bridge.online")), 2);
}

TEST_F(WayUp, FirstWaitIsShortWhenALinkStallsThatHadWorked) {
  start();
  for (int attempt = 0; attempt < 20; ++attempt) {
    refuse();
    redial();
  }
  online();
  publish("farm/1", "x", Qos::AtLeastOnce);
  puback(1);
  publish("farm/1", "y", Qos::AtLeastOnce);
  pass(30s);
  EXPECT_EQ(state(), "backoff: no acknowledgement for 30s");
  EXPECT_LE(*snapshot().next_attempt - now, 3s);
}

TEST_F(WayUp, EndOfADrainIsALineInTheLog) {
  start();
  for (int i = 0; i < 5; ++i) publish("farm/1", "x", Qos::AtLeastOnce);
  pass(1s);
  online(Properties().number(PropertyId::ReceiveMaximum, 2));
  for (std::uint16_t id = 1; id <= 5; ++id) {
    pass(1s);
    EXPECT_THAT(log.lines, Not(testing::Contains(StartsWith("info bridge.drained"))));
    puback(id);
  }
  EXPECT_THAT(log.lines, testing::Contains("info bridge.drained name=region after=5s delivered=5"));
}

// --- answers that do not fit ---

// RabbitMQ does that, where it speaks 3.1.1.
TEST_F(WayUp, PubackForAMessageOfQos2MeansThatTheFarBrokerHasNoQos2) {
  bridge_options.version = bridge::VersionChoice::V3_1_1;
  start();
  online();
  publish("farm/1", "a", Qos::ExactlyOnce);
  publish("farm/1", "b", Qos::ExactlyOnce);
  EXPECT_THAT(said(), ElementsAre(HasSubstr("\"a\" qos=2 id=1"), HasSubstr("\"b\" qos=2 id=2")));
  puback(1);
  puback(2);
  EXPECT_THAT(said(), IsEmpty()) << "no PUBREL";
  EXPECT_EQ(snapshot().delivered, 2U);
  EXPECT_EQ(state(), "online: the far broker answers QoS 2 with PUBACK, so messages go at QoS 1: set qos: 1");
  EXPECT_THAT(log.lines, testing::Contains("warning bridge.odd_answer name=region answer=PUBACK for a message of QoS 2 "
                                           "then=counted as acknowledged; messages go at QoS 1: set qos: 1"));
  publish("farm/1", "c", Qos::ExactlyOnce);
  EXPECT_THAT(said(), ElementsAre(HasSubstr("\"c\" qos=1 id=3")));
  puback(3);
  EXPECT_EQ(snapshot().delivered, 3U);
  EXPECT_EQ(snapshot().inflight, 0U);
  pass(2s);
  crash_and_restart();
  accept(true);
  EXPECT_EQ(snapshot().delivered, 3U);
  publish("farm/1", "d", Qos::ExactlyOnce);
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT"), HasSubstr("\"d\" qos=2"))) << "it may have learned it";
}

TEST_F(WayUp, Qos2ThatWasUnderWayWhenTheFarBrokerTurnedOutToLackItIsNotRepeated) {
  start();
  online();
  publish("farm/1", "a", Qos::ExactlyOnce);
  cut();
  online({}, true);
  puback(1);
  EXPECT_EQ(snapshot().delivered, 1U);
  cut();
  redial();
  accept(true);
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT")));
}

TEST_F(WayUp, PubrecForAMessageOfQos1CountsAsItsPuback) {
  start();
  online();
  publish("farm/1", "a", Qos::AtLeastOnce);
  said();
  pubrec(1);
  EXPECT_THAT(said(), ElementsAre("PUBREL id=1 reason=00"));
  EXPECT_EQ(snapshot().delivered, 1U);
  pubcomp(1);
  EXPECT_EQ(state(), "online");
  EXPECT_THAT(log.lines, testing::Contains(StartsWith("warning bridge.odd_answer name=region answer=PUBREC for a "
                                                      "message of QoS 1")));
}

TEST_F(WayUp, PubcompBeforePubrelIsIgnoredAndNamedWhenNothingElseComes) {
  start();
  online();
  publish("farm/1", "a", Qos::ExactlyOnce);
  pubcomp(1);
  EXPECT_EQ(snapshot().inflight, 1U);
  pass(30s);
  EXPECT_EQ(state(), "backoff: no acknowledgement for 30s; its last odd answer was PUBCOMP before PUBREL");
}

TEST_F(WayUp, AnswersThatAnswerNothingAreIgnoredAndSaidOnce) {
  start();
  online();
  publish("farm/1", "a", Qos::AtLeastOnce);
  puback(1);
  puback(1);
  puback(77);
  pubcomp(78);
  publish("farm/1", "b", Qos::ExactlyOnce);
  pubrec(2);
  said();
  puback(2);
  far(mqtt::Pubrec{PacketId{2}, ReasonCode::QuotaExceeded, {}});
  EXPECT_THAT(said(), IsEmpty());
  EXPECT_EQ(snapshot().inflight, 1U);
  pubcomp(2);
  EXPECT_EQ(snapshot().delivered, 2U);
  EXPECT_EQ(state(), "online");
  EXPECT_EQ(
      std::ranges::count_if(log.lines, [](const std::string& line) { return line.find("odd_answer") < line.size(); }),
      3);
}

TEST_F(WayUp, WhatWeDoNotReadIsNoStall) {
  options.limits.commit_waiting_bytes = 1;
  start();
  online();
  store_answers = false;
  publish("farm/1", "x", Qos::AtLeastOnce);
  puback(1);
  publish("farm/1", "y", Qos::ExactlyOnce);
  EXPECT_TRUE(bridge().reading_paused());
  pass(10min);
  EXPECT_TRUE(linked());
  store_answers = true;
  turn();
  EXPECT_FALSE(bridge().reading_paused());
  said();
  pubrec(2);
  EXPECT_THAT(said(), ElementsAre("PUBREL id=2 reason=00"));
}

TEST_F(WayUp, ARulesExpiryAlsoCountsBehindTheWindow) {
  bridge_options.rules[0].expire_after = 30s;
  bridge_options.ack_timeout = 1h;
  start();
  online(Properties().number(PropertyId::ReceiveMaximum, 1).number(PropertyId::ServerKeepAlive, 0));
  publish("farm/1", "sent", Qos::AtLeastOnce);
  publish("farm/1", "old", Qos::AtLeastOnce);
  pass(40s);
  publish("farm/1", "new", Qos::AtLeastOnce);
  said();
  puback(1);
  EXPECT_THAT(said(), ElementsAre(HasSubstr("\"new\"")));
  EXPECT_EQ(snapshot().expired, 1U);
}

TEST_F(WayUp, AnUnknownPubrecIsAnsweredSoThatTheFarBrokerCanForgetIt) {
  start();
  online();
  pubrec(77);
  EXPECT_THAT(said(), ElementsAre("PUBREL id=77 reason=92"));
}

TEST_F(WayUp, AcceptedCountsOnceHoweverManyRulesMatch) {
  bridge_options.rules = {rule(Direction::Up, "farm/+"), rule(Direction::Up, "farm/#"), rule(Direction::Up, "#")};
  start();
  publish("farm/1", "x", Qos::AtLeastOnce);
  EXPECT_EQ(snapshot().accepted, 1U);
  EXPECT_EQ(snapshot().rules[0].up, 1U);
  EXPECT_EQ(snapshot().rules[1].up, 0U);
}

TEST_F(WayUp, TheBooksSurviveARestart) {
  start();
  online();
  publish("farm/1", "x", Qos::AtLeastOnce);
  puback(1);
  cut();
  publish("farm/1", "y", Qos::AtLeastOnce);
  publish("farm/1", "z", Qos::AtMostOnce);
  pass(1s);
  crash_and_restart();
  const bridge::Snapshot taken = snapshot();
  EXPECT_EQ(taken.accepted, 3U);
  EXPECT_EQ(taken.delivered, 1U);
  EXPECT_EQ(taken.backlog_messages, 1U);
  EXPECT_EQ(dropped(DropReason::Qos0Offline), 1U);
}

}  // namespace
}  // namespace furrow::test
