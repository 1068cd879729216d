// Rules that bring down what somebody here wants: what a bridge says to the far broker, and what it takes from it.
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

class Wanted : public BridgeFixture {
 protected:
  Wanted() {
    bridge_options.rules = {wanted("command/#")};
    bridge_options.rules[0].remote_prefix = "barn-7/";
    bridge_options.keep_alive = Duration::zero();  // the far broker here answers no PINGREQ
  }
  static bridge::Rule wanted(std::string filter) {
    bridge::Rule made = rule(Direction::Down, std::move(filter));
    made.wanted.only = true;
    return made;
  }
  void online(bool session_present = false) {
    if (!dialing()) redial();
    accept(session_present);
    answer();
    said();
  }
  // The far broker grants, and ends, all that it was asked for.
  void answer() {
    for (std::uint16_t id = 1; id <= 40; ++id) {
      far(mqtt::Suback{PacketId{id}, {ReasonCode::GrantedQos2}, {}});
      far(mqtt::Unsuback{PacketId{id}, {ReasonCode::Success}, {}});
    }
  }
  Client& subscriber(std::string_view client_id, std::string_view filter) {
    Client& client = connect({.client_id = client_id});
    client.subscribe(filter, Qos::ExactlyOnce);
    client.received();
    pass(0s);
    return client;
  }
  static Properties named(std::uint32_t id) {
    Properties properties;
    properties.number(PropertyId::SubscriptionIdentifier, id);
    return properties;
  }
};

TEST_F(Wanted, NothingIsSubscribedToBeforeSomebodyWantsIt) {
  start();
  accept();
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT")));
  subscriber("pump", "command/7/#");
  EXPECT_THAT(said(), ElementsAre("SUBSCRIBE id=1 {0b=1} \"barn-7/command/7/#\" qos=2 as_published handling=0"));
  EXPECT_EQ(snapshot().rules[0].wanted, 1U);
  subscriber("other", "farm/#");
  subscriber("valve", "command/7/valve");
  EXPECT_THAT(said(), IsEmpty()) << "it is covered";
}

TEST_F(Wanted, WhatWasWantedBeforeTheBridgeIsSubscribedToWithTheConnection) {
  connect({.client_id = "pump"}).subscribe("command/7/#");
  start();
  accept();
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT"), HasSubstr("\"barn-7/command/7/#\"")));
}

TEST_F(Wanted, LastOneThatGoesLeavesItSubscribedForAMinute) {
  start();
  online();
  subscriber("one", "command/7/#");
  Client& other = subscriber("other", "command/7/#");
  answer();
  said();
  other.unsubscribe("command/7/#");
  pass(5min);
  EXPECT_THAT(said(), Not(Contains(HasSubstr("SUBSCRIBE")))) << "another one wants it";
  connect({.client_id = "one"});
  pass(59s);
  EXPECT_THAT(said(), Not(Contains(HasSubstr("SUBSCRIBE"))));
  pass(1s);
  EXPECT_THAT(said(), Contains("UNSUBSCRIBE id=2 \"barn-7/command/7/#\""));
  EXPECT_EQ(snapshot().rules[0].wanted, 0U);
}

TEST_F(Wanted, ClientThatReconnectsCostsNothing) {
  start();
  online();
  Client& pump = subscriber("pump", "command/7/#");
  answer();
  said();
  pump.vanish();
  pass(20s);
  subscriber("pump", "command/7/#");
  pass(5min);
  EXPECT_THAT(said(), Not(Contains(HasSubstr("SUBSCRIBE"))));
}

TEST_F(Wanted, StoredSessionWantsItsMessagesWhileItsClientIsAway) {
  start();
  online();
  Client& pump = connect_durable("pump");
  pump.subscribe("command/7/#", Qos::AtLeastOnce);
  pump.vanish();
  pass(5min);
  EXPECT_THAT(said(), Contains(HasSubstr("SUBSCRIBE id=1 ")));
  answer();
  crash_and_restart();
  accept(true);
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT"), HasSubstr("\"barn-7/command/7/#\"")));
  EXPECT_TRUE(broker().forget("pump", now));
  pass(1min);
  EXPECT_THAT(said(), Contains(StartsWith("UNSUBSCRIBE")));
}

TEST_F(Wanted, SharedSubscriptionWantsItsFilter) {
  start();
  online();
  subscriber("pump", "$share/pumps/command/7/#");
  EXPECT_THAT(said(), ElementsAre(HasSubstr("\"barn-7/command/7/#\"")));
}

// A bridge passes on what comes down by another one, and not what comes by itself.
TEST_F(Wanted, AnotherBridgesRuleUpWantsAndTheBridgesOwnDoesNot) {
  bridge_options.rules.push_back(rule(Direction::Up, "command/own/#"));
  start();
  online();
  EXPECT_THAT(said(), IsEmpty());
  bridge::Buffer& other = buffers().of("other");
  other.set_rules({rule(Direction::Up, "command/8/#")}, false, now);
  other.set_taking(true);
  pass(0s);
  EXPECT_THAT(said(), ElementsAre(HasSubstr("\"barn-7/command/8/#\"")));
}

// The far session may outlive us: it must not keep a subscription that we have forgotten.
TEST_F(Wanted, SubscribeLeavesOnceTheStoreHasIt) {
  start();
  online();
  store_answers = false;
  subscriber("pump", "command/7/#");
  pass(1s);
  EXPECT_THAT(said(), IsEmpty());
  store_answers = true;
  pass(1s);
  EXPECT_THAT(said(), ElementsAre(HasSubstr("\"barn-7/command/7/#\"")));
  crash_and_restart();
  accept(true);
  pass(1min);
  EXPECT_THAT(said(), Contains("UNSUBSCRIBE id=2 \"barn-7/command/7/#\"")) << "its client has no session";
}

TEST_F(Wanted, WhatBecomesWantedWhileOthersWaitForTheStoreWaitsToo) {
  start();
  online();
  store_answers = false;
  subscriber("pump", "command/7/#");
  subscriber("valve", "command/8/#");
  persist();
  EXPECT_THAT(said(), IsEmpty());
  store_answers = true;
  turn();
  EXPECT_THAT(said(), ElementsAre(HasSubstr("\"barn-7/command/7/#\""), HasSubstr("\"barn-7/command/8/#\"")));
}

TEST_F(Wanted, ChangesWhileTheLinkIsAwayAreSaidWithTheNextConnection) {
  bridge_options.version = bridge::VersionChoice::V3_1_1;
  start();
  online();
  Client& pump = subscriber("pump", "command/7/#");
  subscriber("valve", "command/8/#");
  answer();
  cut();
  pump.unsubscribe("command/7/#");
  subscriber("lamp", "command/9/#");
  pass(2min);
  said();
  accept(true);
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT"), HasSubstr("SUBSCRIBE id=3 \"barn-7/command/9/#\""),
                                  "UNSUBSCRIBE id=4 \"barn-7/command/7/#\""));
}

TEST_F(Wanted, FarBrokerThatLostItsSessionIsAskedForWhatIsWantedNow) {
  start();
  online();
  subscriber("pump", "command/7/#");
  answer();
  cut();
  redial();
  accept(false);
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT"), StartsWith("SUBSCRIBE id=2 {0b=1} \"barn-7/command/7/#\"")));
}

TEST_F(Wanted, RetainedValuesOfWhatBecomesWantedComeDownInAResumedSession) {
  start();
  online(true);
  subscriber("pump", "command/7/#");
  EXPECT_THAT(said(), ElementsAre(HasSubstr("handling=0")));
}

TEST_F(Wanted, OverlappingWantsBecomeTheWholeFilterBeforeTheirOwnEnd) {
  start();
  online();
  subscriber("one", "command/7/+");
  answer();
  said();
  subscriber("other", "command/+/valve");
  EXPECT_THAT(said(), ElementsAre(StartsWith("SUBSCRIBE id=2 {0b=2} \"barn-7/command/#\""),
                                  "UNSUBSCRIBE id=3 \"barn-7/command/7/+\""));
}

// What waits at the far broker names the subscription that it came for.
TEST_F(Wanted, MessageThatWaitedForASubscriptionWhichHasGoneIsNotLost) {
  start();
  online();
  Client& one = subscriber("one", "command/7/+");
  answer();
  subscriber("other", "command/+/valve");
  answer();
  one.received();
  far_publishes("barn-7/command/7/pump", "on", Qos::ExactlyOnce, 9, named(1));
  EXPECT_THAT(one.received(), ElementsAre(HasSubstr("\"on\"")));
}

// In a session that goes on a copy by the second rule could have waited there without one by the first: not here, as
// the first rule was there.
TEST_F(Wanted, CopyByALaterRuleIsDroppedAtOnceWhereARuleBecomesWanted) {
  bridge_options.rules = {wanted("command/#"), wanted("#")};
  start();
  online();
  Client& all = subscriber("all", "#");
  answer();
  far_publishes("command/7", "on", Qos::ExactlyOnce, 7, named(2));
  far_publishes("command/7", "on", Qos::ExactlyOnce, 8, named(1));
  far_publishes("other", "x", Qos::ExactlyOnce, 9, named(2));
  EXPECT_THAT(all.received(), ElementsAre(HasSubstr("\"command/7\""), HasSubstr("\"other\"")));
  EXPECT_EQ(snapshot().received_dropped, 1U);
}

// Whether it is wanted changes what crosses, not who gets what: else a subscription to the one name would end the
// other.
TEST_F(Wanted, FirstRuleDecidesAlsoWhereNobodyWantsWhatItBrings) {
  bridge::Rule first = wanted("command/#");
  first.local_prefix = "first/";
  bridge::Rule second = rule(Direction::Down, "#");
  second.local_prefix = "second/";
  bridge_options.rules = {first, second};
  start();
  online();
  Client& client = subscriber("client", "second/#");
  far_publishes("command/7", "on", Qos::AtMostOnce, 0, named(1));
  far_publishes("other", "x", Qos::AtMostOnce, 0, named(1));
  EXPECT_THAT(client.received(), ElementsAre(HasSubstr("\"second/other\"")));
}

TEST_F(Wanted, RefusedFilterIsShownAndAskedForAgainWhenItIsWantedAnew) {
  start();
  online();
  Client& pump = subscriber("pump", "command/7/#");
  far(mqtt::Suback{PacketId{1}, {ReasonCode::NotAuthorized}, {}});
  EXPECT_EQ(state(), "online: subscription to barn-7/command/7/# refused: not_authorized");
  pump.vanish();
  pass(1min);
  said();
  subscriber("pump", "command/7/#");
  EXPECT_THAT(said(), ElementsAre(HasSubstr("\"barn-7/command/7/#\"")));
}

TEST_F(Wanted, ReloadGoesToAllThatTheRuleBringsAndBack) {
  start();
  online();
  subscriber("pump", "command/7/#");
  answer();
  said();
  std::vector<bridge::Rule> rules = bridge_options.rules;
  rules[0].wanted.only = false;
  set_rules(rules);
  EXPECT_THAT(said(), ElementsAre(StartsWith("SUBSCRIBE id=2 {0b=2} \"barn-7/command/#\""),
                                  "UNSUBSCRIBE id=3 \"barn-7/command/7/#\""));
  answer();
  rules[0].wanted.only = true;
  set_rules(rules);
  pass(59s);
  EXPECT_THAT(said(), Not(Contains(HasSubstr("SUBSCRIBE")))) << "what there is lingers";
  pass(1s);
  EXPECT_THAT(said(), Contains(HasSubstr("UNSUBSCRIBE id=5 \"barn-7/command/#\"")));
  EXPECT_EQ(snapshot().rules[0].wanted, 1U);
}

TEST_F(Wanted, PausedBridgeKeepsCountAndIsNotBusy) {
  start();
  online();
  buffer().set_pause(bridge::Pause{});
  bridge().handle_pause_changed(now);
  turn();
  subscriber("pump", "command/7/#");
  EXPECT_GT(bridge().next_deadline(), now);
  buffer().set_pause(std::nullopt);
  bridge().handle_pause_changed(now);
  turn();
  accept(true);
  EXPECT_THAT(said(), Contains(HasSubstr("\"barn-7/command/7/#\"")));
}

}  // namespace
}  // namespace furrow::test
