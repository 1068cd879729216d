// The life of a bridge's connection: addresses, versions, refusals, silence.
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

class BridgeConnection : public BridgeFixture {
 protected:
  std::size_t logged(std::string_view start) {
    return static_cast<std::size_t>(
        std::ranges::count_if(log.lines, [&](const std::string& line) { return line.starts_with(start); }));
  }
};

TEST_F(BridgeConnection, SaysConnectAndIsOnlineOnConnack) {
  bridge_options.username = "barn";
  start();
  EXPECT_THAT(dialed(), ElementsAre("mqtt://far:1883"));
  EXPECT_EQ(state(), "connecting");
  link();
  EXPECT_THAT(said(), ElementsAre("CONNECT level=5 keep_alive=30 {11=604800 21=100 27=1048576 22=64} client=\"gw\" "
                                  "username=\"barn\""));
  EXPECT_EQ(state(), "connecting");
  far(mqtt::Connack{});
  EXPECT_EQ(state(), "online");
  EXPECT_EQ(snapshot().connects, 1U);
  EXPECT_EQ(logged("info bridge.online name=region remote=mqtt://far:1883 mqtt_version=5 session=new queued=0"), 1U);
}

TEST_F(BridgeConnection, CountsChangesOfItsState) {
  start();
  link();
  const std::uint64_t before = bridge().status_changes();
  far(mqtt::Connack{});
  EXPECT_EQ(bridge().status_changes(), before + 1);
  far(mqtt::Pingresp{});
  EXPECT_EQ(bridge().status_changes(), before + 1);
}

TEST_F(BridgeConnection, TriesTheAddressesInOrderThenBacksOff) {
  bridge_options.addresses = {{"a", 1883}, {"2001:db8::1", 1884}};
  start();
  refuse("no route");
  EXPECT_THAT(dialed(), ElementsAre("mqtt://a:1883", "mqtt://[2001:db8::1]:1884"));
  EXPECT_EQ(state(), "connecting: no route");
  refuse("refused");
  EXPECT_EQ(state(), "backoff: refused");
  EXPECT_FALSE(dialing());
  const auto next = snapshot().next_attempt;
  ASSERT_TRUE(next.has_value());
  EXPECT_GE(*next - now, 1s);
  EXPECT_LE(*next - now, 3s);
  pass(*next - now);
  EXPECT_THAT(dialed(), ElementsAre("mqtt://a:1883"));
}

TEST_F(BridgeConnection, LogsOncePerChangeNotPerAttempt) {
  start();
  for (int attempt = 0; attempt < 5; ++attempt) {
    refuse("refused");
    redial();
  }
  EXPECT_EQ(logged("warning bridge.offline name=region reason=refused retry_in="), 1U);
  refuse("no such host");
  EXPECT_EQ(logged("warning bridge.offline name=region reason=no such host retry_in="), 1U);
}

TEST_F(BridgeConnection, AnAttemptThatHangsIsGivenUp) {
  start();
  pass(29s);
  EXPECT_TRUE(dialing());
  pass(1s);
  EXPECT_FALSE(dialing());
  EXPECT_EQ(state(), "backoff: no connection within 30s");
}

TEST_F(BridgeConnection, ReportsOfAConnectionGivenUpAreIgnored) {
  start();
  link();
  now += 10s;
  bridge().handle_timeout(now);  // no CONNACK: given up, and the caller has not yet been told
  bridge().handle_closed("reset", now);
  EXPECT_EQ(bridge().poll_command(), std::nullopt) << "it is gone already";
  EXPECT_EQ(state(), "backoff: no CONNACK within 10 s");
}

TEST_F(BridgeConnection, ANamedRefusalIsShown) {
  start();
  link();
  far(mqtt::Connack{false, ReasonCode::NotAuthorized, {}});
  EXPECT_EQ(state(), "backoff: the far broker refused CONNECT: not_authorized (0x87)");
  EXPECT_FALSE(linked());
}

TEST_F(BridgeConnection, SpeaksAsOldAsTheFarBrokerAndRemembersIt) {
  start();
  link();
  said();
  far(mqtt::Connack{false, ReasonCode::UnsupportedProtocolVersion, {}});
  link();
  EXPECT_THAT(said(), ElementsAre("CONNECT level=4 keep_alive=30 client=\"gw\""));
  far(mqtt::Connack{});
  EXPECT_EQ(state(), "online");
  cut();
  redial();
  link();
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT level=4")));
}

TEST_F(BridgeConnection, TwoSilentClosesMakeItTry311) {
  start();
  for (int i = 0; i < 2; ++i) {
    link();
    EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT level=5")));
    cut();
    if (i == 0) redial();
  }
  EXPECT_TRUE(dialing()) << "at once";
  link();
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT level=4")));
}

TEST_F(BridgeConnection, AsksAn311BrokerNotToEchoAndDoesWithoutWhereThatIsRefused) {
  bridge_options.version = bridge::VersionChoice::V3_1_1;
  bridge_options.rules = {rule(Direction::Both, "farm/#")};
  start();
  link();
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT level=4 bridge")));
  far(mqtt::Connack{false, ReasonCode::UnsupportedProtocolVersion, {}});
  link();
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT level=4 keep_alive")));
}

TEST_F(BridgeConnection, KeepsAnAssignedClientIdentifier) {
  start();
  accept(false, Properties().text(PropertyId::AssignedClientIdentifier, "gw-42"));
  cut();
  redial();
  link();
  EXPECT_THAT(said(), ElementsAre(HasSubstr("client=\"gw-42\"")));
}

TEST_F(BridgeConnection, PingsWhenNothingElseIsSent) {
  start();
  accept();
  said();
  pass(29s);
  EXPECT_THAT(said(), IsEmpty());
  pass(1s);
  EXPECT_THAT(said(), ElementsAre("PINGREQ"));
  far(mqtt::Pingresp{});
  pass(29s);
  EXPECT_THAT(said(), IsEmpty());
  EXPECT_EQ(state(), "online");
}

TEST_F(BridgeConnection, TheServersKeepAliveRules) {
  start();
  accept(false, Properties().number(PropertyId::ServerKeepAlive, 5));
  said();
  pass(5s);
  EXPECT_THAT(said(), ElementsAre("PINGREQ"));
}

TEST_F(BridgeConnection, SilenceAfterAPingEndsIt) {
  start();
  accept();
  pass(59s);
  EXPECT_TRUE(linked());
  pass(1s);
  EXPECT_FALSE(linked());
  EXPECT_EQ(state(), "backoff: no PINGRESP within 30 s");
}

TEST_F(BridgeConnection, GarbageEndsItWithTheReason) {
  start();
  accept();
  bridge().handle_bytes(bytes_from("00 00"), true, now);
  turn();
  EXPECT_FALSE(linked());
  EXPECT_THAT(state(), StartsWith("backoff: "));
}

TEST_F(BridgeConnection, WhatComesBeforeConnackEndsIt) {
  start();
  link();
  far(mqtt::Pingresp{});
  EXPECT_EQ(state(), "backoff: the first packet was not CONNACK");
}

TEST_F(BridgeConnection, TwoTakeoversInAMinuteNameTheCause) {
  start();
  accept();
  far(mqtt::Disconnect{ReasonCode::SessionTakenOver, {}});
  EXPECT_EQ(state(), "backoff: the far broker gave our session to another connection");
  redial();
  accept();
  far(mqtt::Disconnect{ReasonCode::SessionTakenOver, {}});
  EXPECT_EQ(state(), "backoff: another client uses client id gw");
}

TEST_F(BridgeConnection, AStableConnectionResetsTheBackoff) {
  start();
  for (int attempt = 0; attempt < 20; ++attempt) {
    refuse();
    redial();
  }
  accept();
  pass(10s);
  cut();
  ASSERT_TRUE(snapshot().next_attempt.has_value());
  EXPECT_LE(*snapshot().next_attempt - now, 3s);
}

TEST_F(BridgeConnection, ShutDownSaysDisconnectThenEnds) {
  start();
  accept();
  said();
  bridge().shut_down(now);
  turn();
  EXPECT_THAT(said(), ElementsAre("DISCONNECT reason=00"));
  EXPECT_FALSE(linked());
  EXPECT_EQ(state(), "disabled: shutting down");
  EXPECT_EQ(bridge().next_deadline(), kNever);
}

TEST_F(BridgeConnection, ShutDownWaitsForWhatTheSocketHasNotTaken) {
  start();
  accept();
  said();
  clog();
  publish("farm/1", "21", Qos::AtMostOnce);
  bridge().shut_down(now);
  turn();
  EXPECT_TRUE(linked());
  clog(false);
  EXPECT_THAT(said(), ElementsAre(HasSubstr("\"21\""), "DISCONNECT reason=00"));
  EXPECT_FALSE(linked());
  EXPECT_EQ(snapshot().delivered, 1U);
}

TEST_F(BridgeConnection, ShutDownDoesNotWaitForAFarBrokerThatDoesNotRead) {
  start();
  accept();
  block();
  bridge().shut_down(now);
  turn();
  EXPECT_TRUE(linked());
  pass(2s);
  EXPECT_FALSE(linked());
}

TEST_F(BridgeConnection, ADisabledBridgeDoesNothing) {
  bridge_options.enabled = false;
  start();
  publish("farm/1", "x", Qos::AtLeastOnce);
  EXPECT_THAT(dialed(), IsEmpty());
  EXPECT_EQ(state(), "disabled");
  EXPECT_EQ(snapshot().accepted, 0U);
  EXPECT_THAT(sensor().received(), ElementsAre("PUBACK id=1 reason=10"));
}

}  // namespace
}  // namespace furrow::test
