// What is retained here and at the far broker becomes the same, each change once.
#include "bridge/retained_sync.h"

#include "tests/unit/bridge/bridge_fixture.h"

namespace furrow::test {
namespace {

using bridge::Direction;
using mqtt::Qos;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using testing::UnorderedElementsAre;

class RetainedSyncTest : public BridgeFixture {
 protected:
  RetainedSyncTest() { bridge_options.retain_sync = true; }

  void retain(std::string_view topic, std::string_view payload, Qos qos = kQos1) {
    publish(topic, payload, qos, {.retain = true});
  }
  // What the bridge published since the last call, acknowledged.
  std::vector<std::string> published() {
    std::vector<std::string> all;
    for (std::vector<std::string> some = said(); !some.empty(); some = said()) {
      for (const std::string& one : some) {
        if (!one.starts_with("PUBLISH")) continue;
        all.push_back(one.substr(0, one.find(" qos=")));
        acknowledge(one);
      }
    }
    return all;
  }
  // The far broker shows a value, as it does after SUBSCRIBE.
  void far_retains(std::string_view topic, std::string_view payload) {
    mqtt::Publish packet;
    packet.topic = topic;
    packet.payload = as_bytes(payload);
    packet.retain = true;
    far(packet);
  }
  void grant() {
    for (const std::string& one : said()) {
      if (!one.starts_with("SUBSCRIBE")) continue;
      far(mqtt::Suback{id_in(one), {mqtt::ReasonCode::GrantedQos1}, {}});
    }
  }
  // Time passes, and the far broker answers PINGREQ.
  void stay_connected(Duration duration) {
    for (const Instant end = now + duration; now < end;) {
      pass(seconds(20));
      far(mqtt::Pingresp{});
    }
  }
  void lose_link_and_come_back(bool session_present) {
    cut();
    redial();
    accept(session_present);
  }

 private:
  static PacketId id_in(const std::string& text) {
    return PacketId{static_cast<std::uint16_t>(std::stoi(text.substr(text.find("id=") + 3)))};
  }
  void acknowledge(const std::string& text) {
    if (text.find("qos=1") != std::string::npos) far(mqtt::Puback{id_in(text), mqtt::ReasonCode::Success, {}});
  }
};

TEST_F(RetainedSyncTest, ValuesOlderThanTheRuleGoUpOnceInAFarSession) {
  bridge_options.rules = {rule(Direction::Up, "farm/#", kQos1)};
  retain("farm/1", "old");
  retain("elsewhere/1", "not taken");
  publish("farm/2", "not retained", kQos1);
  advance(seconds(1));
  start();
  accept();
  EXPECT_THAT(published(), ElementsAre("PUBLISH \"farm/1\" \"old\""));
  pass(seconds(2));
  lose_link_and_come_back(true);
  EXPECT_THAT(published(), IsEmpty());
  pass(seconds(2));
  lose_link_and_come_back(false);
  EXPECT_THAT(published(), ElementsAre("PUBLISH \"farm/1\" \"old\"")) << "the far broker may have lost it, too";
  pass(seconds(2));
  crash_and_restart();
  accept(true);
  EXPECT_THAT(published(), IsEmpty());
}

TEST_F(RetainedSyncTest, ARuleThatIsAddedBringsItsOldValues) {
  bridge_options.rules = {rule(Direction::Up, "farm/#", kQos1)};
  retain("house/1", "old");
  advance(seconds(1));
  start();
  accept();
  EXPECT_THAT(published(), IsEmpty());
  pass(seconds(2));
  set_rules({rule(Direction::Up, "farm/#", kQos1), rule(Direction::Up, "house/#", kQos1)});
  pass(seconds(1));
  EXPECT_THAT(published(), ElementsAre("PUBLISH \"house/1\" \"old\""));
}

TEST_F(RetainedSyncTest, WhatWaitsInTheQueueGoesUpOnce) {
  bridge_options.rules = {rule(Direction::Up, "farm/#", kQos1)};
  start();
  refuse();
  retain("farm/1", "a");
  retain("farm/1", "b");
  redial();
  accept();
  EXPECT_THAT(published(), ElementsAre("PUBLISH \"farm/1\" \"a\"", "PUBLISH \"farm/1\" \"b\""));
  pass(seconds(2));
  EXPECT_THAT(published(), IsEmpty());
}

TEST_F(RetainedSyncTest, WhatChangedAtQos0WhileTheLinkWasAwayGoesUpAfterIt) {
  start();
  accept();
  retain("farm/1", "stays", kQos0);
  retain("farm/2", "goes", kQos0);
  retain("farm/3", "first", kQos0);
  EXPECT_EQ(published().size(), 3U);
  stay_connected(minutes(2));
  cut();
  retain("farm/2", "", kQos0);
  retain("farm/3", "second", kQos0);
  EXPECT_EQ(dropped(broker::DropReason::Qos0Offline), 2U);
  redial();
  accept(true);
  EXPECT_THAT(published(), UnorderedElementsAre("PUBLISH \"farm/2\" \"\"", "PUBLISH \"farm/3\" \"second\""));
}

TEST_F(RetainedSyncTest, MoreValuesThanTheWindowHoldsGoUpAsItHasRoom) {
  bridge_options.rules = {rule(Direction::Up, "farm/#", kQos1)};
  bridge_options.inflight_max = 2;
  for (int i = 0; i < 7; ++i) retain("farm/" + std::to_string(i), "x");
  advance(seconds(1));
  start();
  accept();
  EXPECT_EQ(snapshot().inflight, 2U);
  EXPECT_EQ(snapshot().backlog_messages, 0U);
  EXPECT_EQ(published().size(), 7U);
}

TEST_F(RetainedSyncTest, WhatTheFarBrokerShowsAgainGoesNoFurther) {
  bridge_options.rules = {rule(Direction::Both, "farm/#", kQos1)};
  retain("farm/same", "1");
  retain("farm/other", "2");
  retain("farm/ours", "3");
  advance(seconds(1));
  start();
  Client& reader = connect({.client_id = "reader"});
  reader.subscribe("farm/#", kQos0, {.retain_handling = mqtt::RetainHandling::DoNotSend});
  (void)reader.received();
  accept();
  grant();
  far_retains("farm/same", "1");
  far_retains("farm/other", "new");
  EXPECT_THAT(reader.received(), ElementsAre(StartsWith("PUBLISH \"farm/other\" \"new\"")));
  EXPECT_THAT(published(), IsEmpty()) << "the far broker is still showing what it has";
  pass(seconds(10));
  EXPECT_THAT(published(), ElementsAre("PUBLISH \"farm/ours\" \"3\""));
}

TEST_F(RetainedSyncTest, AValueThatChangedHereMeanwhileIsNotTurnedBack) {
  bridge_options.rules = {rule(Direction::Both, "farm/#", kQos1)};
  start();
  accept();
  grant();
  stay_connected(minutes(11));
  cut();
  retain("farm/1", "ours");
  redial();
  accept(true);
  EXPECT_THAT(published(), ElementsAre("PUBLISH \"farm/1\" \"ours\""));
  far_retains("farm/1", "theirs, older");
  EXPECT_EQ(as_text(broker().retained().find("farm/1")->payload()), "ours");
}

TEST_F(RetainedSyncTest, AFarBrokerThatKeptTheSessionIsAskedNowAndThen) {
  bridge_options.rules = {rule(Direction::Down, "command/#", kQos1)};
  start();
  accept();
  EXPECT_THAT(said(), Contains(AllOf(StartsWith("SUBSCRIBE"), HasSubstr("command/#"), HasSubstr("handling=0"))));
  stay_connected(minutes(11));
  lose_link_and_come_back(true);
  EXPECT_THAT(said(), Contains(AllOf(StartsWith("SUBSCRIBE"), HasSubstr("handling=0"))));
  lose_link_and_come_back(true);
  EXPECT_THAT(said(), Contains(AllOf(StartsWith("SUBSCRIBE"), HasSubstr("handling=1")))) << "not again at once";
  stay_connected(minutes(11));
  EXPECT_THAT(said(), Contains(AllOf(StartsWith("SUBSCRIBE"), HasSubstr("handling=0")))) << "but when it is time";
}

}  // namespace
}  // namespace furrow::test
