// The way down: subscriptions at the far broker, and acknowledgements that say "safe".
#include "bridge/way_down.h"

#include <chrono>

#include "tests/unit/bridge/bridge_fixture.h"

namespace furrow::test {
namespace {

using namespace std::chrono_literals;
using bridge::Direction;
using mqtt::PropertyId;
using mqtt::Qos;
using mqtt::ReasonCode;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class WayDown : public BridgeFixture {
 protected:
  WayDown() {
    bridge_options.rules = {rule(Direction::Down, "command/#")};
    bridge_options.rules[0].remote_prefix = "barn-7/";
  }
  void online(bool session_present = false) {
    if (!dialing()) redial();
    accept(session_present);
    said();
  }
  // Online, with a QoS 2 message of identifier 5 whose PUBREC has left; and its PUBREL, while the store does not
  // answer.
  void release_with_a_slow_store() {
    start();
    online();
    far_publishes("barn-7/command/valve", "open", Qos::ExactlyOnce, 5);
    said();
    store_answers = false;
    far(mqtt::Pubrel{PacketId{5}, ReasonCode::Success, {}});
  }
  // The connection breaks, and the next one before its CONNACK.
  void connect_in_vain() {
    cut();
    redial();
    link();
    cut();
  }
  static bridge::Rule local_rule(std::string filter, std::string local_prefix) {
    bridge::Rule made = rule(Direction::Down, std::move(filter));
    made.local_prefix = std::move(local_prefix);
    return made;
  }
  // The far broker grants the first `count` subscriptions.
  void grant(std::uint16_t count) {
    for (std::uint16_t id = 1; id <= count; ++id) far(mqtt::Suback{PacketId{id}, {ReasonCode::GrantedQos2}, {}});
  }
  // The properties of a message that a subscription brings.
  static Properties named(std::uint32_t id) {
    Properties properties;
    properties.number(PropertyId::SubscriptionIdentifier, id);
    return properties;
  }
  // A local client that is here, and one whose messages are kept in the store.
  Client& listener(Qos qos = Qos::ExactlyOnce) {
    Client& client = connect({.client_id = "listener"});
    client.subscribe("#", qos);
    client.received();
    return client;
  }
  void durable_listener(std::string_view filter = "#") {
    Client& client = connect({.client_id = "durable",
                              .clean_start = false,
                              .properties = Properties().number(PropertyId::SessionExpiryInterval, 3600)});
    client.subscribe(filter, Qos::ExactlyOnce);
    client.vanish();
  }
};

TEST_F(WayDown, SubscribesToEachRuleWithItsIdentifier) {
  bridge_options.rules.push_back(rule(Direction::Up, "farm/#"));
  bridge_options.rules.push_back(rule(Direction::Both, "shared/#", Qos::AtLeastOnce));
  start();
  accept();
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT"),
                                  "SUBSCRIBE id=1 {0b=1} \"barn-7/command/#\" qos=2 as_published handling=0",
                                  "SUBSCRIBE id=2 {0b=2} \"shared/#\" qos=1 no_local as_published handling=0"));
}

TEST_F(WayDown, AResumedSessionIsNotSentItsRetainedMessagesAgain) {
  start();
  accept(true);
  EXPECT_THAT(said(), Contains(HasSubstr("handling=1")));
}

TEST_F(WayDown, An311SessionIsSubscribedToOnce) {
  bridge_options.version = bridge::VersionChoice::V3_1_1;
  start();
  accept();
  EXPECT_THAT(said(), Contains(StartsWith("SUBSCRIBE id=1 \"barn-7/command/#\" qos=2")));
  far(mqtt::Suback{PacketId{1}, {ReasonCode::GrantedQos2}, {}});
  cut();
  redial();
  accept(true);
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT")));
  cut();
  redial();
  accept(false);
  EXPECT_THAT(said(), Contains(StartsWith("SUBSCRIBE")));
}

TEST_F(WayDown, ARuleCanRaiseTheQosSoThatAnAbsentClientGetsTheMessage) {
  bridge_options.rules[0].qos_max = Qos::ExactlyOnce;
  bridge_options.rules[0].qos_min = Qos::AtLeastOnce;
  durable_listener();
  start();
  online();
  far_publishes("barn-7/command/valve", "open", Qos::AtMostOnce, 0);
  pass(1s);
  crash_and_restart();
  Client& client = open_durable("durable");
  EXPECT_THAT(client.received(), Contains(HasSubstr("\"open\" qos=1")));
}

TEST_F(WayDown, ARefusedSubscriptionIsShown) {
  start();
  online();
  far(mqtt::Suback{PacketId{1}, {ReasonCode::NotAuthorized}, {}});
  EXPECT_EQ(state(), "online: subscription to barn-7/command/# refused: not_authorized");
  EXPECT_THAT(log.lines, Contains(StartsWith("warning bridge.subscription_refused name=region")));
}

TEST_F(WayDown, RuleThatIsGoneAfterARestartIsUnsubscribed) {
  bridge_options.rules.push_back(rule(Direction::Down, "setting/#"));
  start();
  online();
  bridge_options.rules.pop_back();
  crash_and_restart();
  accept(true);
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT"), StartsWith("SUBSCRIBE id=1 {0b=1} \"barn-7/command/#\""),
                                  "UNSUBSCRIBE id=2 \"setting/#\""));
  far(mqtt::Unsuback{PacketId{2}, {ReasonCode::Success}, {}});
  pass(2s);
  crash_and_restart();
  accept(true);
  EXPECT_THAT(said(), Not(Contains(StartsWith("UNSUBSCRIBE"))));
}

TEST_F(WayDown, EndOfASubscriptionThatIsNotAnsweredIsSaidAgain) {
  bridge_options.version = bridge::VersionChoice::V3_1_1;
  start();
  online();
  bridge_options.rules = {rule(Direction::Up, "farm/#")};
  crash_and_restart();
  accept(true);
  EXPECT_THAT(said(), Contains("UNSUBSCRIBE id=1 \"barn-7/command/#\""));
  cut();
  redial();
  accept(true);
  EXPECT_THAT(said(), Contains("UNSUBSCRIBE id=2 \"barn-7/command/#\""));
  far(mqtt::Unsuback{PacketId{2}, {}, {}});
  cut();
  redial();
  accept(true);
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT")));
}

TEST_F(WayDown, FarBrokerThatRefusesTheEndOfASubscriptionIsNamedInTheLog) {
  start();
  online();
  bridge_options.rules.clear();
  crash_and_restart();
  accept(true);
  far(mqtt::Unsuback{PacketId{1}, {ReasonCode::NotAuthorized}, {}});
  EXPECT_THAT(log.lines,
              Contains("warning bridge.unsubscription_refused name=region reason=end of subscription to "
                       "barn-7/command/# refused: not_authorized then=tried again with the next connection"));
}

// --- which rule ---

// A real Mosquitto sends a message once for each subscription that it matches.
TEST_F(WayDown, OfSeveralCopiesOfAMessageTheFirstRuleInTheFileTakesItsOwnAndTheOthersAreDropped) {
  bridge_options.rules = {local_rule("a/#", "one/"), local_rule("+/x", "two/")};
  start();
  online();
  grant(2);
  Client& client = listener();
  far_publishes("a/x", "1", Qos::ExactlyOnce, 7, named(2));
  far_publishes("a/x", "1", Qos::ExactlyOnce, 8, named(1));
  EXPECT_THAT(said(), ElementsAre("PUBREC id=7 reason=00", "PUBREC id=8 reason=00"));
  EXPECT_THAT(client.received(), ElementsAre(HasSubstr("\"one/a/x\"")));
  EXPECT_EQ(snapshot().received, 2U);
  EXPECT_EQ(snapshot().received_dropped, 1U);
  far_publishes("b/x", "2", Qos::AtMostOnce, 0, named(2));
  EXPECT_THAT(client.received(), ElementsAre(HasSubstr("\"two/b/x\"")));
}

TEST_F(WayDown, OneCopyForAllSubscriptionsIsTakenByTheFirstRule) {
  bridge_options.rules = {local_rule("a/#", "one/"), local_rule("+/x", "two/")};
  start();
  online();
  grant(2);
  Client& client = listener();
  far_publishes(
      "a/x", "1", Qos::AtMostOnce, 0,
      Properties().number(PropertyId::SubscriptionIdentifier, 2).number(PropertyId::SubscriptionIdentifier, 1));
  EXPECT_THAT(client.received(), ElementsAre(HasSubstr("\"one/a/x\"")));
}

TEST_F(WayDown, OfTwoRulesWithOneRemoteFilterTheFirstTakesEverything) {
  bridge_options.rules = {local_rule("a/#", "one/"), local_rule("a/#", "two/")};
  bridge_options.rules[0].except = {"a/not"};
  start();
  online();
  grant(1);
  Client& client = listener();
  far_publishes("a/x", "1", Qos::AtMostOnce, 0, named(1));
  far_publishes("a/not", "2", Qos::AtMostOnce, 0, named(1));
  EXPECT_THAT(client.received(), ElementsAre(HasSubstr("\"one/a/x\""), HasSubstr("\"two/a/not\"")));
}

TEST_F(WayDown, RuleWhoseSubscriptionIsRefusedLeavesItsMessagesToTheNext) {
  bridge_options.rules = {local_rule("#", "one/"), local_rule("a/#", "two/")};
  start();
  online();
  far(mqtt::Suback{PacketId{1}, {ReasonCode::NotAuthorized}, {}});
  far(mqtt::Suback{PacketId{2}, {ReasonCode::GrantedQos2}, {}});
  Client& client = listener();
  far_publishes("a/x", "1", Qos::AtMostOnce, 0, named(2));
  EXPECT_THAT(client.received(), ElementsAre(HasSubstr("\"two/a/x\"")));
}

TEST_F(WayDown, MessagesThatWaitedBeforeARuleWasAddedAreNotTakenForCopies) {
  bridge_options.rules = {local_rule("a/#", "one/")};
  start();
  online();
  grant(1);
  bridge_options.rules.insert(bridge_options.rules.begin(), local_rule("+/x", "two/"));
  crash_and_restart();
  accept(true);
  Client& client = listener();
  far_publishes("a/x", "waited", Qos::AtMostOnce, 0, named(1));
  far(mqtt::Suback{PacketId{1}, {ReasonCode::GrantedQos2}, {}});
  far(mqtt::Suback{PacketId{2}, {ReasonCode::GrantedQos2}, {}});
  far_publishes("a/x", "waited, too", Qos::AtMostOnce, 0, named(1));
  EXPECT_THAT(client.received(), ElementsAre(HasSubstr("\"one/a/x\""), HasSubstr("\"one/a/x\"")));
}

TEST_F(WayDown, SubscriptionsNameTheirRulesAlsoWhenThoseHaveChangedPlaces) {
  bridge_options.rules = {local_rule("a/#", "one/"), local_rule("#", "two/")};
  start();
  online();
  grant(2);
  std::swap(bridge_options.rules[0], bridge_options.rules[1]);
  crash_and_restart();
  online(true);
  Client& client = listener();
  far_publishes("a/b", "x", Qos::AtMostOnce, 0, named(1));
  far_publishes("a/b", "x", Qos::AtMostOnce, 0, named(2));
  EXPECT_THAT(client.received(), ElementsAre(HasSubstr("\"two/a/b\"")));
}

TEST_F(WayDown, RulesQosIsTheHighestOnTheWayDownToo) {
  bridge_options.rules[0].qos_max = Qos::AtLeastOnce;
  start();
  online();
  Client& client = listener();
  far_publishes("barn-7/command/valve", "open", Qos::ExactlyOnce, 5);
  EXPECT_THAT(client.received(), ElementsAre(HasSubstr("qos=1")));
  EXPECT_THAT(said(), ElementsAre("PUBREC id=5 reason=00"));
  far_publishes("barn-7/command/valve", "open", Qos::ExactlyOnce, 5, {}, true);
  EXPECT_THAT(client.received(), IsEmpty()) << "towards the far broker it is still one of QoS 2";
  bridge_options.rules[0].qos_max = Qos::AtMostOnce;
  set_rules(bridge_options.rules);
  far_publishes("barn-7/command/valve", "shut", Qos::ExactlyOnce, 6);
  EXPECT_THAT(client.received(), ElementsAre(HasSubstr("qos=0")));
}

TEST_F(WayDown, SubackWithMoreReasonsThanWereAskedForCountsByItsFirst) {
  start();
  online();
  far(mqtt::Suback{PacketId{1}, {ReasonCode::GrantedQos2, ReasonCode::NotAuthorized}, {}});
  EXPECT_EQ(state(), "online");
  EXPECT_THAT(log.lines, Contains(StartsWith("warning bridge.odd_answer name=region answer=SUBACK with more reasons")));
  far(mqtt::Suback{PacketId{99}, {ReasonCode::NotAuthorized}, {}});
  EXPECT_EQ(state(), "online") << "of an identifier that we do not know";
}

TEST_F(WayDown, IdentifiersAreLeftOutWhereTheFarBrokerHasNone) {
  start();
  accept(false, Properties().number(PropertyId::SubscriptionIdentifierAvailable, 0));
  EXPECT_THAT(said(), Contains(StartsWith("SUBSCRIBE id=1 \"barn-7/command/#\"")));
}

TEST_F(WayDown, Qos0IsRoutedUnderItsLocalName) {
  start();
  online();
  Client& client = listener();
  far_publishes("barn-7/command/valve", "open", Qos::AtMostOnce, 0);
  EXPECT_THAT(client.received(), ElementsAre("PUBLISH \"command/valve\" \"open\" qos=0 id=0"));
  EXPECT_EQ(snapshot().received, 1U);
  EXPECT_EQ(snapshot().rules[0].down, 1U);
}

TEST_F(WayDown, Qos1IsAcknowledgedOnceItIsSafeHere) {
  durable_listener();
  start();
  online();
  store_answers = false;
  far_publishes("barn-7/command/valve", "open", Qos::AtLeastOnce, 9);
  pass(1s);
  EXPECT_THAT(said(), IsEmpty());
  store_answers = true;
  turn();
  EXPECT_THAT(said(), ElementsAre("PUBACK id=9 reason=00"));
}

TEST_F(WayDown, Qos1RepeatedBeforeItsPubackIsTheSameMessage) {
  bridge_options.version = bridge::VersionChoice::V3_1_1;
  durable_listener();
  start();
  online();
  Client& client = listener(Qos::AtMostOnce);
  store_answers = false;
  far_publishes("barn-7/command/valve", "open", Qos::AtLeastOnce, 9);
  far_publishes("barn-7/command/valve", "open", Qos::AtLeastOnce, 9, {}, true);
  EXPECT_THAT(client.received(), ElementsAre(HasSubstr("\"open\"")));
  store_answers = true;
  pass(1s);
  EXPECT_THAT(said(), ElementsAre("PUBACK id=9 reason=00"));
  EXPECT_EQ(snapshot().received, 1U);
}

TEST_F(WayDown, Qos1ThatNobodyWantsIsAcknowledgedWithAClientsCode) {
  start();
  online();
  far_publishes("barn-7/command/valve", "open", Qos::AtLeastOnce, 9);
  EXPECT_THAT(said(), ElementsAre("PUBACK id=9 reason=00"));
}

TEST_F(WayDown, Qos2IsTakenOnce) {
  start();
  online();
  Client& client = listener(Qos::AtMostOnce);
  far_publishes("barn-7/command/valve", "open", Qos::ExactlyOnce, 5);
  EXPECT_THAT(said(), ElementsAre("PUBREC id=5 reason=00"));
  far_publishes("barn-7/command/valve", "open", Qos::ExactlyOnce, 5, {}, true);
  EXPECT_THAT(said(), ElementsAre("PUBREC id=5 reason=00"));
  far(mqtt::Pubrel{PacketId{5}, ReasonCode::Success, {}});
  EXPECT_THAT(said(), ElementsAre("PUBCOMP id=5 reason=00"));
  EXPECT_THAT(client.received(), ElementsAre(HasSubstr("\"open\"")));
  far_publishes("barn-7/command/valve", "shut", Qos::ExactlyOnce, 5);
  EXPECT_THAT(client.received(), ElementsAre(HasSubstr("\"shut\"")));
}

TEST_F(WayDown, PubrecWaitsForTheStoreAlsoWhenTheMessageComesAgainOnANewConnection) {
  start();
  online();
  store_answers = false;
  far_publishes("barn-7/command/valve", "open", Qos::ExactlyOnce, 5);
  EXPECT_THAT(said(), IsEmpty());
  cut();
  redial();
  accept(true);
  said();
  far_publishes("barn-7/command/valve", "open", Qos::ExactlyOnce, 5, {}, true);
  EXPECT_THAT(said(), IsEmpty());
  store_answers = true;
  turn();
  EXPECT_THAT(said(), ElementsAre("PUBREC id=5 reason=00"));
  EXPECT_EQ(snapshot().received, 1U);
}

TEST_F(WayDown, Qos2IsTakenOnceOverAPowerCut) {
  durable_listener();
  start();
  online();
  far_publishes("barn-7/command/valve", "open", Qos::ExactlyOnce, 5);
  EXPECT_THAT(said(), ElementsAre("PUBREC id=5 reason=00"));
  crash_and_restart();
  online(true);
  far_publishes("barn-7/command/valve", "open", Qos::ExactlyOnce, 5, {}, true);
  EXPECT_THAT(said(), ElementsAre("PUBREC id=5 reason=00"));
  EXPECT_EQ(snapshot().received, 0U) << "since the restart";
  far(mqtt::Pubrel{PacketId{5}, ReasonCode::Success, {}});
  EXPECT_THAT(said(), ElementsAre("PUBCOMP id=5 reason=00"));
  EXPECT_EQ(store.exchanges(), 0U);
}

TEST_F(WayDown, PubcompWaitsUntilTheIdentifierIsForgottenOnDisk) {
  release_with_a_slow_store();
  EXPECT_THAT(said(), IsEmpty());
  store_answers = true;
  turn();
  EXPECT_THAT(said(), ElementsAre("PUBCOMP id=5 reason=00"));
}

TEST_F(WayDown, PubcompWaitsAlsoWhenThePubrelComesAgainOnANewConnection) {
  release_with_a_slow_store();
  cut();
  redial();
  accept(true);
  said();
  far(mqtt::Pubrel{PacketId{5}, ReasonCode::Success, {}});
  EXPECT_THAT(said(), IsEmpty());
  store_answers = true;
  turn();
  EXPECT_THAT(said(), ElementsAre(StartsWith("SUBSCRIBE"), "PUBCOMP id=5 reason=00"));
}

TEST_F(WayDown, AFarBrokerThatLostItsSessionMayUseTheIdentifierAnew) {
  start();
  online();
  Client& client = listener(Qos::AtMostOnce);
  far_publishes("barn-7/command/valve", "open", Qos::ExactlyOnce, 5);
  cut();
  online(false);
  client.received();
  far_publishes("barn-7/command/valve", "shut", Qos::ExactlyOnce, 5);
  EXPECT_THAT(client.received(), ElementsAre(HasSubstr("\"shut\"")));
}

TEST_F(WayDown, IdentifiersOfALostSessionAreOffTheDiskBeforeSubscribeLeaves) {
  durable_listener();
  start();
  online();
  far_publishes("barn-7/command/valve", "open", Qos::ExactlyOnce, 5);
  cut();
  redial();
  store_answers = false;
  accept(false);
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT")));
  EXPECT_EQ(store.exchanges(), 1U);
  persist();
  turn();
  EXPECT_THAT(said(), ElementsAre(StartsWith("SUBSCRIBE")));
  EXPECT_EQ(store.exchanges(), 0U);
}

TEST_F(WayDown, AMessageUnderAnIdentifierOfALostSessionSurvivesACrash) {
  durable_listener();
  start();
  online();
  far_publishes("barn-7/command/valve", "open", Qos::ExactlyOnce, 5);
  cut();
  online(false);
  store_answers = false;
  far_publishes("barn-7/command/valve", "shut", Qos::ExactlyOnce, 5);
  EXPECT_THAT(said(), IsEmpty());
  store_answers = true;
  crash_and_restart();
  online(true);
  far_publishes("barn-7/command/valve", "shut", Qos::ExactlyOnce, 5, {}, true);
  EXPECT_THAT(said(), ElementsAre("PUBREC id=5 reason=00"));
  EXPECT_EQ(snapshot().routed, 1U);
}

TEST_F(WayDown, SubscribeWaitsAlsoForAnIdentifierThatWasReleasedJustBefore) {
  release_with_a_slow_store();
  cut();
  redial();
  accept(false);
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT")));
  cut();
  redial();
  accept(true);
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT"))) << "a session that was made a moment ago";
  store_answers = true;
  turn();
  EXPECT_THAT(said(), ElementsAre(StartsWith("SUBSCRIBE")));
}

// A message that has to be written is refused, and its batch is taken back; the rows go on without it.
TEST_F(WayDown, SubscribeDoesNotWaitForMessagesThatAFullDiskHoldsBack) {
  durable_listener();
  start();
  online();
  far_publishes("barn-7/command/valve", "open", Qos::ExactlyOnce, 5);
  cut();
  redial();
  store_answers = false;
  publish("a", "for the listener, who is away", Qos::AtLeastOnce);
  pass(200ms);
  accept(false);
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT")));
  broker().handle_store_failing(true);
  broker().handle_not_persisted(store.fail_one(), now);
  turn();
  persist();
  turn();
  EXPECT_THAT(said(), ElementsAre(StartsWith("SUBSCRIBE")));
  EXPECT_THAT(sensor().received(), IsEmpty());
}

// The message of the lost session is written later than the row that erases its identifier.
TEST_F(WayDown, AnIdentifierOfALostSessionDoesNotComeBackWithAMessageThatAFullDiskHeldBack) {
  durable_listener();
  start();
  online();
  store_answers = false;
  far_publishes("barn-7/command/valve", "open", Qos::ExactlyOnce, 5);
  turn();
  broker().handle_store_failing(true);
  broker().handle_not_persisted(store.fail_one(), now);
  cut();
  redial();
  broker().handle_not_persisted(store.fail_one(), now);  // tried again, in vain
  accept(false);
  for (int batches = 0; batches < 2; ++batches) {
    turn();
    persist();
  }
  turn();
  ASSERT_THAT(said(), Contains(StartsWith("SUBSCRIBE")));
  broker().handle_store_failing(false);
  store_answers = true;
  pass(2s);
  EXPECT_EQ(store.exchanges(), 0U);
  crash_and_restart();
  online(true);
  far_publishes("barn-7/command/valve", "shut", Qos::ExactlyOnce, 5, {}, true);
  EXPECT_EQ(snapshot().routed, 1U);
}

TEST_F(WayDown, AnUnansweredConnectMayHaveMadeASessionThatIsNotTheOneBefore) {
  start();
  online();
  Client& client = listener(Qos::AtMostOnce);
  far_publishes("barn-7/command/valve", "open", Qos::ExactlyOnce, 5);
  far_publishes("barn-7/command/valve", "open", Qos::ExactlyOnce, 6);
  client.received();
  connect_in_vain();
  online(true);
  far_publishes("barn-7/command/valve", "shut", Qos::ExactlyOnce, 5);
  far_publishes("barn-7/command/pump", "on", Qos::ExactlyOnce, 6);
  EXPECT_THAT(client.received(), ElementsAre(HasSubstr("\"shut\""), HasSubstr("\"on\"")));
}

TEST_F(WayDown, DupSaysThatTheSessionAfterAnUnansweredConnectIsTheOneBefore) {
  start();
  online();
  Client& client = listener(Qos::AtMostOnce);
  far_publishes("barn-7/command/valve", "open", Qos::ExactlyOnce, 5);
  far_publishes("barn-7/command/valve", "open", Qos::ExactlyOnce, 6);
  client.received();
  connect_in_vain();
  online(true);
  far_publishes("barn-7/command/valve", "open", Qos::ExactlyOnce, 5, {}, true);
  far_publishes("barn-7/command/valve", "open", Qos::ExactlyOnce, 6);
  EXPECT_THAT(said(), ElementsAre("PUBREC id=5 reason=00", "PUBREC id=6 reason=00"));
  EXPECT_THAT(client.received(), IsEmpty());
}

TEST_F(WayDown, An311SessionIsSubscribedToAgainAfterAnUnansweredConnect) {
  bridge_options.version = bridge::VersionChoice::V3_1_1;
  start();
  online();
  far(mqtt::Suback{PacketId{1}, {ReasonCode::GrantedQos2}, {}});
  connect_in_vain();
  redial();
  accept(true);
  EXPECT_THAT(said(), Contains(StartsWith("SUBSCRIBE")));
}

TEST_F(WayDown, AnUnknownPubrelIsAnswered) {
  start();
  online();
  far(mqtt::Pubrel{PacketId{6}, ReasonCode::Success, {}});
  EXPECT_THAT(said(), ElementsAre("PUBCOMP id=6 reason=92"));
}

TEST_F(WayDown, WhatNoRuleTakesIsCountedAndAcknowledged) {
  start();
  online();
  far_publishes("elsewhere", "x", Qos::AtLeastOnce, 1);
  far_publishes("elsewhere", "x", Qos::ExactlyOnce, 2);
  EXPECT_THAT(said(), ElementsAre("PUBACK id=1 reason=00", "PUBREC id=2 reason=00"));
  EXPECT_EQ(snapshot().received, 2U);
  EXPECT_EQ(snapshot().received_dropped, 2U);
}

TEST_F(WayDown, TheNamedSubscriptionDecidesWhichRuleMaps) {
  bridge_options.rules = {rule(Direction::Down, "a/#"), rule(Direction::Down, "#")};
  bridge_options.rules[0].local_prefix = "one/";
  bridge_options.rules[1].local_prefix = "two/";
  start();
  online();
  Client& client = listener();
  far_publishes("a/b", "x", Qos::AtMostOnce, 0, Properties().number(PropertyId::SubscriptionIdentifier, 2));
  far_publishes("a/b", "x", Qos::AtMostOnce, 0);
  far_publishes(
      "a/b", "x", Qos::AtMostOnce, 0,
      Properties().number(PropertyId::SubscriptionIdentifier, 2).number(PropertyId::SubscriptionIdentifier, 1));
  EXPECT_THAT(client.received(),
              ElementsAre(HasSubstr("\"two/a/b\""), HasSubstr("\"one/a/b\""), HasSubstr("\"one/a/b\"")));
}

TEST_F(WayDown, PropertiesTravelWithoutThoseOfTheTransport) {
  bridge_options.rules.push_back(rule(Direction::Up, "answer/#"));
  bridge_options.rules[1].remote_prefix = "barn-7/";
  start();
  online();
  Client& client = listener();
  far_publishes("barn-7/command/valve", "x", Qos::AtMostOnce, 0,
                Properties()
                    .number(PropertyId::SubscriptionIdentifier, 1)
                    .text(PropertyId::ResponseTopic, "barn-7/answer/1")
                    .user("k", "v"));
  EXPECT_THAT(client.received(), ElementsAre(HasSubstr("qos=0 id=0 {08=\"answer/1\" 26=\"k\":\"v\"}")));
}

TEST_F(WayDown, RetainIsKeptOrCleared) {
  start();
  online();
  mqtt::Publish packet;
  packet.topic = "barn-7/command/valve";
  packet.retain = true;
  packet.payload = as_bytes("open");
  far(packet);
  EXPECT_TRUE(static_cast<bool>(broker().retained().find("command/valve")));
  bridge_options.rules[0].retain_keep = false;
  crash_and_restart();
  online();
  packet.topic = "barn-7/command/pump";
  far(packet);
  EXPECT_FALSE(static_cast<bool>(broker().retained().find("command/pump")));
}

TEST_F(WayDown, FarBrokerWithAFullWindowIsNotHeldBackByThePaceOfRetainedValues) {
  start();
  online();
  mqtt::Publish packet;
  packet.topic = "barn-7/command/valve";
  packet.retain = true;
  packet.qos = Qos::AtLeastOnce;
  const auto renew = [&](std::uint16_t packet_id) {
    const std::string payload = std::to_string(packet_id);
    packet.payload = as_bytes(payload);
    packet.packet_id = PacketId{packet_id};
    far(packet);
  };
  std::uint16_t id = 1;
  for (; id <= broker::RetainedPace::kCommitsMax + 1; ++id) renew(id);
  said();
  for (std::size_t i = 1; i < broker::kUsualWindowMin; ++i) renew(id++);
  EXPECT_THAT(said(), IsEmpty());
  renew(id);
  EXPECT_THAT(said(), testing::SizeIs(broker::kUsualWindowMin));
}

TEST_F(WayDown, WhatCameDownDoesNotGoUpAgain) {
  bridge_options.rules = {rule(Direction::Both, "#")};
  start();
  online();
  far_publishes("a", "x", Qos::AtLeastOnce, 1);
  EXPECT_THAT(said(), ElementsAre("PUBACK id=1 reason=00"));
  EXPECT_EQ(snapshot().accepted, 0U);
}

TEST_F(WayDown, ATopicAliasStandsForItsTopic) {
  start();
  online();
  Client& client = listener();
  far_publishes("barn-7/command/a", "1", Qos::AtMostOnce, 0, Properties().number(PropertyId::TopicAlias, 64));
  far_publishes("", "2", Qos::AtMostOnce, 0, Properties().number(PropertyId::TopicAlias, 64));
  EXPECT_THAT(client.received(),
              ElementsAre("PUBLISH \"command/a\" \"1\" qos=0 id=0", "PUBLISH \"command/a\" \"2\" qos=0 id=0"));
}

TEST_F(WayDown, ATopicAliasThatWasNotAssignedEndsTheConnection) {
  start();
  online();
  far_publishes("", "x", Qos::AtMostOnce, 0, Properties().number(PropertyId::TopicAlias, 1));
  EXPECT_FALSE(linked());
}

TEST_F(WayDown, ATopicAliasThatWasNotAllowedEndsTheConnection) {
  start();
  online();
  far_publishes("barn-7/command/a", "x", Qos::AtMostOnce, 0, Properties().number(PropertyId::TopicAlias, 65));
  EXPECT_FALSE(linked());
}

class RefusingListener : public WayDown {
 protected:
  RefusingListener() {
    options.limits.session_queue = {
        .messages_max = 1, .bytes_max = 0, .age_max = {}, .when_full = broker::WhenFull::Refuse};
  }
};

TEST_F(RefusingListener, WhatALocalQueueRefusesWaitsUntilThereIsRoom) {
  durable_listener();
  start();
  online();
  far_publishes("barn-7/command/a", "x", Qos::AtLeastOnce, 1);
  far_publishes("barn-7/command/b", "y", Qos::AtLeastOnce, 2);
  far_publishes("barn-7/command/c", "z", Qos::ExactlyOnce, 3);
  pass(1s);
  EXPECT_THAT(said(), ElementsAre("PUBACK id=1 reason=00"));
  EXPECT_EQ(snapshot().received, 1U) << "what is held is not decided";

  Client& reader = connect({.client_id = "durable",
                            .clean_start = false,
                            .properties = Properties().number(PropertyId::SessionExpiryInterval, 3600)});
  reader.acknowledge(mqtt::PacketType::Puback, 1);
  pass(1s);
  EXPECT_THAT(said(), ElementsAre("PUBACK id=2 reason=00"));
  reader.acknowledge(mqtt::PacketType::Puback, 2);
  pass(1s);
  EXPECT_THAT(said(), ElementsAre("PUBREC id=3 reason=00"));
  EXPECT_EQ(snapshot().received, 3U);
  EXPECT_EQ(snapshot().routed, 3U);
}

TEST_F(RefusingListener, RepeatedMessageIsHeldOnce) {
  bridge_options.version = bridge::VersionChoice::V3_1_1;
  durable_listener();
  start();
  online();
  far_publishes("barn-7/command/a", "x", Qos::AtLeastOnce, 1);
  far_publishes("barn-7/command/b", "y", Qos::AtLeastOnce, 2);
  far_publishes("barn-7/command/c", "z", Qos::ExactlyOnce, 3);
  pass(1s);
  far_publishes("barn-7/command/b", "y", Qos::AtLeastOnce, 2, {}, true);
  far_publishes("barn-7/command/c", "z", Qos::ExactlyOnce, 3, {}, true);
  said();
  Client& reader = connect({.client_id = "durable",
                            .clean_start = false,
                            .properties = Properties().number(PropertyId::SessionExpiryInterval, 3600)});
  for (const std::uint16_t id : std::initializer_list<std::uint16_t>{1, 2}) {
    reader.acknowledge(mqtt::PacketType::Puback, id);
    pass(1s);
  }
  EXPECT_THAT(said(), ElementsAre("PUBACK id=2 reason=00", "PUBREC id=3 reason=00"));
  for (const auto type : {mqtt::PacketType::Pubrec, mqtt::PacketType::Pubcomp}) {
    reader.acknowledge(type, 3);
    pass(1s);
  }
  EXPECT_THAT(said(), IsEmpty());
  EXPECT_EQ(snapshot().routed, 3U);
}

TEST_F(RefusingListener, AWindowFullOfHeldMessagesDoesNotHoldUpTheWayUp) {
  options.limits.inflight = 2;
  bridge_options.rules.push_back(rule(Direction::Up, "farm/#"));
  durable_listener("command/#");
  start();
  online();
  for (std::uint16_t id = 1; id <= 3; ++id) far_publishes("barn-7/command/a", "x", Qos::AtLeastOnce, id);
  pass(1s);
  store_answers = false;
  publish("farm/1", "21.5", Qos::AtLeastOnce);
  EXPECT_THAT(said(), ElementsAre("PUBACK id=1 reason=00", HasSubstr("21.5")));
  far(mqtt::Puback{PacketId{2}, ReasonCode::Success, {}});
  EXPECT_THAT(sensor().received(), ElementsAre("PUBACK id=1 reason=00"));
}

TEST_F(RefusingListener, WhatIsHeldIsForgottenWithTheConnection) {
  bridge_options.version = bridge::VersionChoice::V3_1_1;
  durable_listener("command/+");
  start();
  online();
  far_publishes("barn-7/command/a", "x", Qos::AtLeastOnce, 1);
  far_publishes("barn-7/command/b", "y", Qos::ExactlyOnce, 2);
  far_publishes("barn-7/command/deep/c", "behind it, for nobody", Qos::AtLeastOnce, 3);
  pass(1s);
  EXPECT_THAT(said(), ElementsAre("PUBACK id=1 reason=00"));
  cut();
  Client& reader = connect({.client_id = "durable",
                            .clean_start = false,
                            .properties = Properties().number(PropertyId::SessionExpiryInterval, 3600)});
  reader.received();
  reader.acknowledge(mqtt::PacketType::Puback, 1);
  online(true);
  far_publishes("barn-7/command/b", "y", Qos::ExactlyOnce, 2);
  pass(1s);
  EXPECT_THAT(said(), ElementsAre("PUBREC id=2 reason=00"));
  EXPECT_THAT(reader.received(), ElementsAre(HasSubstr("\"y\" qos=2"))) << "taken once, when it came again";
}

}  // namespace
}  // namespace furrow::test
