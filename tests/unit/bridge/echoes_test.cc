// What a bridge sends and gets back: the echoes of a broker that knows no bridges, and circles.
#include "bridge/echoes.h"

#include <chrono>

#include "tests/unit/bridge/bridge_fixture.h"

namespace furrow::test {
namespace {

using namespace std::chrono_literals;
using bridge::Direction;
using bridge::Echoes;
using broker::DropReason;
using mqtt::Qos;
using mqtt::ReasonCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

// --- alone ---

class EchoesAlone : public testing::Test {
 protected:
  EchoesAlone() { echoes.set_echoing(true); }
  void send(std::string_view payload) { echoes.note_sent("farm/1", as_bytes(payload), now); }
  bool is_echo(std::string_view payload) { return echoes.is_echo("farm/1", as_bytes(payload), now); }

  Echoes echoes;
  Instant now = Instant(1h);
};

TEST_F(EchoesAlone, EachMessageThatLeftComesBackOnce) {
  send("21");
  send("21");
  EXPECT_FALSE(is_echo("22"));
  EXPECT_TRUE(is_echo("21"));
  EXPECT_TRUE(is_echo("21"));
  EXPECT_FALSE(is_echo("21")) << "somebody else's";
  EXPECT_FALSE(echoes.is_echo("farm/2", as_bytes("21"), now));
}

TEST_F(EchoesAlone, WhatComesAMinuteLaterIsNone) {
  send("21");
  now += 30s;
  send("21");
  now += 30s;
  EXPECT_TRUE(is_echo("21"));
  EXPECT_FALSE(is_echo("21")) << "the first has been forgotten";
  now += 30s;
  send("21");
  EXPECT_TRUE(is_echo("21")) << "what was taken before does not count for it";
}

TEST_F(EchoesAlone, WhatHasNoRoomIsTakenForNews) {
  for (std::size_t i = 0; i < Echoes::kSentMax; ++i) send(std::to_string(i));
  send("one more");
  EXPECT_FALSE(is_echo("one more"));
  EXPECT_TRUE(is_echo("0"));
  now += Echoes::kEchoTime;
  send("one more");
  EXPECT_TRUE(is_echo("one more"));
}

TEST_F(EchoesAlone, BrokerThatDoesNotEchoIsBelieved) {
  echoes.set_echoing(false);
  send("21");
  EXPECT_FALSE(is_echo("21"));
}

TEST_F(EchoesAlone, MessageThatCirclesIsStoppedForLongerEachTime) {
  echoes.set_echoing(false);
  bridge::TopicMap::Mapping topic;
  topic.rest = "farm/1";
  const auto circle = [&] {
    for (std::uint32_t i = 0; i <= Echoes::kReturnsMax; ++i) {
      send("21");
      EXPECT_FALSE(is_echo("21"));
      now += 10ms;
    }
  };
  for (const Duration time : {1min, 2min, 4min}) {
    EXPECT_FALSE(echoes.is_stopped(topic, as_bytes("21"), now));
    circle();
    EXPECT_TRUE(echoes.is_stopped(topic, as_bytes("21"), now));
    EXPECT_FALSE(echoes.is_stopped(topic, as_bytes("22"), now));
    EXPECT_THAT(echoes.reason(now), HasSubstr("loop: farm/1"));
    const auto stopped = echoes.poll_stopped();
    ASSERT_TRUE(stopped);
    EXPECT_EQ(stopped->time, time);
    now += time;
    EXPECT_THAT(echoes.reason(now), IsEmpty());
  }
  now += Echoes::kStoppedMost;
  circle();
  EXPECT_EQ(echoes.poll_stopped()->time, 1min) << "an hour of peace is enough";
}

TEST_F(EchoesAlone, WhatTheFarSideRepeatsByItselfDoesNotCircle) {
  echoes.set_echoing(false);
  send("21");
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(is_echo("21"));
  EXPECT_FALSE(echoes.poll_stopped());
}

TEST_F(EchoesAlone, WhatComesBackSlowlyDoesNotCircle) {
  echoes.set_echoing(false);
  for (int i = 0; i < 1000; ++i) {
    send("21");
    EXPECT_FALSE(is_echo("21"));
    now += 150ms;
  }
  EXPECT_FALSE(echoes.poll_stopped());
}

// --- in a bridge ---

class EchoesTest : public BridgeFixture {
 protected:
  EchoesTest() {
    bridge_options.version = bridge::VersionChoice::V3_1_1;
    bridge_options.rules = {rule(Direction::Both, "farm/#")};
  }
  void online_without_bridge_bit() {
    start();
    link();
    far(mqtt::Connack{false, ReasonCode::UnsupportedProtocolVersion, {}});
    accept();
    (void)said();
  }
};

TEST_F(EchoesTest, EchoOfABrokerWithoutTheBridgeBitGoesNoFurther) {
  online_without_bridge_bit();
  Client& reader = connect({.client_id = "reader"});
  reader.subscribe("farm/#", Qos::AtLeastOnce);
  publish("farm/1", "21", Qos::AtLeastOnce);
  (void)reader.received();
  far_publishes("farm/1", "21", Qos::AtLeastOnce, 7);
  EXPECT_THAT(reader.received(), IsEmpty());
  EXPECT_THAT(said(), ElementsAre(StartsWith("PUBLISH \"farm/1\""), StartsWith("PUBACK id=7")));
  EXPECT_EQ(snapshot().received_dropped, 1U);
  far_publishes("farm/1", "21", Qos::AtLeastOnce, 8);
  EXPECT_THAT(reader.received(), SizeIs(1)) << "somebody else's";
}

TEST_F(EchoesTest, EchoIsKnownWhereRulesLetItDownOnlyNow) {
  bridge_options.rules = {rule(Direction::Up, "farm/#"), rule(Direction::Down, "command/#")};
  online_without_bridge_bit();
  set_rules({rule(Direction::Both, "farm/#")});
  publish("farm/1", "21", Qos::AtMostOnce);
  far_publishes("farm/1", "21", Qos::AtMostOnce, 0);
  EXPECT_EQ(snapshot().received_dropped, 1U);
}

TEST_F(EchoesTest, EchoAtQosTwoIsAnsweredToItsEnd) {
  online_without_bridge_bit();
  publish("farm/1", "21", Qos::AtMostOnce);
  far_publishes("farm/1", "21", Qos::ExactlyOnce, 7);
  far_publishes("farm/1", "21", Qos::ExactlyOnce, 7, {}, true);
  far(mqtt::Pubrel{PacketId{7}, ReasonCode::Success, {}});
  pass(1s);
  EXPECT_THAT(said(), ElementsAre(StartsWith("PUBLISH \"farm/1\""), StartsWith("PUBREC id=7"),
                                  StartsWith("PUBREC id=7"), StartsWith("PUBCOMP id=7")));
  EXPECT_EQ(snapshot().received_dropped, 1U);
}

TEST_F(EchoesTest, BrokerWithTheBridgeBitMaySendWhatIsEqual) {
  start();
  accept();
  publish("farm/1", "21", Qos::AtMostOnce);
  far_publishes("farm/1", "21", Qos::AtMostOnce, 0);
  EXPECT_EQ(snapshot().received_dropped, 0U);
}

TEST_F(EchoesTest, MessageThatCirclesIsNotSentAnyMoreAndOthersAre) {
  start();
  accept();
  for (int i = 0; i < 200; ++i) {
    publish("farm/1", "21", Qos::AtMostOnce);
    far_publishes("farm/1", "21", Qos::AtMostOnce, 0);
  }
  EXPECT_GT(dropped(DropReason::Loop), 50U);
  EXPECT_EQ(state(), "stalled: loop: farm/1 comes back from the far side each time that it is sent");
  (void)said();
  publish("farm/1", "22", Qos::AtMostOnce);
  EXPECT_THAT(published(), ElementsAre("farm/1=22"));
  for (int i = 0; i < 3; ++i) {
    pass(20s);
    far(mqtt::Pingresp{});
  }
  EXPECT_EQ(state(), "online");
  publish("farm/1", "21", Qos::AtMostOnce);
  EXPECT_THAT(published(), ElementsAre("farm/1=21"));
}

}  // namespace
}  // namespace furrow::test
