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

TEST_F(BridgeConnection, AttemptsDoNotChangeSinceWhenTheRegionIsAway) {
  bridge_options.keep_alive = Duration::zero();
  start();
  accept();
  pass(1h);
  cut();
  const Instant lost = now;
  for (int attempt = 0; attempt < 3; ++attempt) {
    redial();
    EXPECT_EQ(snapshot().since, lost) << "connecting";
    refuse();
    EXPECT_EQ(snapshot().since, lost) << "waiting";
  }
  redial();
  accept();
  EXPECT_EQ(state(), "online");
  EXPECT_EQ(snapshot().since, now);
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
  bridge_options.version = bridge::VersionChoice::V5;
  start();
  link();
  now += 10s;
  bridge().handle_timeout(now);  // no CONNACK: given up, and the caller has not yet been told
  bridge().handle_closed({Errc::Io, "reset"}, now);
  EXPECT_EQ(bridge().poll_command(), std::nullopt) << "it is gone already";
  EXPECT_EQ(state(),
            "backoff: far:1883 says nothing to CONNECT: no CONNACK within 10 s; if it wants TLS, use mqtts://far:1883");
}

TEST_F(BridgeConnection, RefusalNamesTheKeysToLookAt) {
  start();
  link();
  far(mqtt::Connack{false, ReasonCode::NotAuthorized, {}});
  EXPECT_EQ(state(),
            "backoff: the far broker refused CONNECT: not_authorized (0x87); it may want a username and "
            "password_from, which are not set");
  EXPECT_FALSE(linked());
}

TEST_F(BridgeConnection, RefusalOfAUsernameNamesWhatWasSent) {
  bridge_options.username = "barn";
  start();
  link();
  far(mqtt::Connack{false, ReasonCode::BadUserNameOrPassword, Properties().text(PropertyId::ReasonString, "who?\n")});
  EXPECT_EQ(state(),
            "backoff: the far broker refused CONNECT: bad_user_name_or_password (0x86): \"who??\"; look at "
            "username and password_from, and at what it allows client_id \"gw\"");
  redial();
  link();
  far(mqtt::Connack{false, ReasonCode::ClientIdentifierNotValid, {}});
  EXPECT_THAT(state(), HasSubstr("look at client_id, which is \"gw\""));
  redial();
  link();
  far(mqtt::Connack{false, ReasonCode::ServerMoved, Properties().text(PropertyId::ServerReference, "b.example/x")});
  EXPECT_THAT(state(), HasSubstr("it names another server for connect: \"b.example/x\""));
}

TEST_F(BridgeConnection, WebServerIsNamedAsOne) {
  start();
  link();
  far_bytes("HTTP/1.1 400 Bad Request\r\n\r\n");
  EXPECT_EQ(state(), "backoff: far:1883 answers HTTP: it is a web server, not an MQTT broker");
  EXPECT_FALSE(linked());
}

TEST_F(BridgeConnection, WebServerThatSendsAPageAloneIsNamedAsOne) {
  start();
  link();
  far_bytes("<!DOCTYPE HTML>\n<html lang=\"en\">\n");
  if (linked()) pass(10s);
  EXPECT_THAT(state(), HasSubstr("far:1883 answers HTTP"));
}

TEST_F(BridgeConnection, TlsPortIsNamedAsOne) {
  start();
  link();
  far_bytes(std::string_view("\x15\x03\x01\0\x02\x02\x16", 7));
  EXPECT_EQ(state(), "backoff: far:1883 speaks TLS: use mqtts://far:1883");
}

// As OpenSSL does it.
TEST_F(BridgeConnection, TlsPortThatClosesWithoutAWordIsGuessedOnceNoDialectHelps) {
  start();
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(state(), testing::Not(HasSubstr("TLS")));
    link();
    cut();
    if (i == 0) redial();
  }
  EXPECT_EQ(state(),
            "backoff: the far side ended the connection without CONNACK (connection reset); if it wants TLS, "
            "use mqtts://far:1883");
  for (int i = 0; i < 30; ++i) {
    if (!dialing()) redial();
    link();
    cut();
  }
  EXPECT_LE(logged("warning bridge.offline"), 3U) << "reasons that take turns are said once each";
}

TEST_F(BridgeConnection, UsualTlsPortIsGuessedAtOnce) {
  bridge_options.addresses = {{"far", 8883}};
  start();
  link();
  cut();
  EXPECT_THAT(state(), HasSubstr("if it wants TLS, use mqtts://far:8883"));
}

TEST_F(BridgeConnection, OtherStrangersAreNamedToo) {
  start();
  link();
  far_bytes("SSH-2.0-OpenSSH_9.2\r\n");
  EXPECT_THAT(state(), HasSubstr("far:1883 answers SSH"));
  redial();
  link();
  far_bytes("220 mail.example.org\r\n");  // begins like a PUBLISH that is longer
  pass(10s);
  EXPECT_EQ(state(), "backoff: far:1883 answers CONNECT with something that is not MQTT");
}

TEST_F(BridgeConnection, DisconnectOfTheFarBrokerSaysItsReason) {
  start();
  accept();
  far(mqtt::Disconnect{ReasonCode::ServerShuttingDown, Properties().text(PropertyId::ReasonString, "maintenance")});
  EXPECT_THAT(state(), HasSubstr("the far broker sent DISCONNECT: server_shutting_down: \"maintenance\""));
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
    if (i == 0) {
      EXPECT_EQ(state(),
                "backoff: the far side ended the connection without CONNACK (connection reset); trying MQTT 5 "
                "again");
      redial();
    }
  }
  EXPECT_TRUE(dialing()) << "at once";
  EXPECT_EQ(state(),
            "connecting: the far side ended the connection without CONNACK (connection reset); trying MQTT "
            "3.1.1");
  link();
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT level=4")));
}

TEST_F(BridgeConnection, FarBrokerThatSaysNothingToVersion5IsAskedIn311) {
  start();
  link();
  const std::uint64_t before = bridge().status_changes();
  pass(10s);
  EXPECT_GT(bridge().status_changes(), before);
  EXPECT_TRUE(dialing()) << "at once";
  EXPECT_EQ(state(), "connecting: far:1883 says nothing to CONNECT: no CONNACK within 10 s; trying MQTT 3.1.1");
  link();
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT level=4")));
}

// Its publishers fill the buffer meanwhile.
TEST_F(BridgeConnection, FindingTheDialectDoesNotMakeLaterWaitsLonger) {
  bridge_options.version = bridge::VersionChoice::V3_1_1;
  bridge_options.rules = {rule(Direction::Both, "farm/#")};
  start();
  for (int i = 0; i < 4; ++i) {
    link();
    cut();
    EXPECT_LE(*snapshot().next_attempt - now, 3s);
    redial();
  }
  link();
  cut();
  EXPECT_TRUE(dialing()) << "without the bridge bit";
}

TEST_F(BridgeConnection, DialectIsRememberedOverARestart) {
  start();
  link();
  far(mqtt::Connack{false, ReasonCode::UnsupportedProtocolVersion, {}});
  accept();
  pass(5s);
  crash_and_restart();
  link();
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT level=4")));
}

TEST_F(BridgeConnection, DialectOfAnotherBrokerIsNotRemembered) {
  start();
  link();
  far(mqtt::Connack{false, ReasonCode::UnsupportedProtocolVersion, {}});
  accept();
  pass(5s);
  bridge_options.addresses = {{"new", 1883}};
  crash_and_restart();
  link();
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT level=5")));
  far(mqtt::Connack{});
  pass(5s);
  bridge_options.addresses = {{"far", 1883}};
  crash_and_restart();
  link();
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT level=5"))) << "nothing is stored of the old one any more";
}

TEST_F(BridgeConnection, RememberedDialectStandsBesideTheSubscriptions) {
  bridge_options.rules.push_back(rule(Direction::Down, "command/#"));
  start();
  link();
  far(mqtt::Connack{false, ReasonCode::UnsupportedProtocolVersion, {}});
  accept();
  pass(5s);
  bridge_options.rules.pop_back();
  crash_and_restart();
  accept(true);
  EXPECT_THAT(said(), ElementsAre(StartsWith("CONNECT level=4"), "UNSUBSCRIBE id=1 \"command/#\""));
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

TEST_F(BridgeConnection, ServerKeepAliveMakesItPingMoreOften) {
  start();
  accept(false, Properties().number(PropertyId::ServerKeepAlive, 5));
  said();
  pass(5s);
  EXPECT_THAT(said(), ElementsAre("PINGREQ"));
}

// A link that is half open would be online for good.
TEST_F(BridgeConnection, ServerKeepAliveDoesNotSwitchOffOurOwn) {
  for (const std::uint32_t servers : {0U, 600U}) {
    start();
    accept(false, Properties().number(PropertyId::ServerKeepAlive, servers));
    said();
    pass(30s);
    EXPECT_THAT(said(), ElementsAre("PINGREQ"));
    pass(30s);
    EXPECT_EQ(state(), "backoff: no PINGRESP within 30 s");
    end_of_the_gateway();
  }
}

TEST_F(BridgeConnection, ServerKeepAliveIsTakenWhereWeHaveNone) {
  bridge_options.keep_alive = 0s;
  start();
  accept(false, Properties().number(PropertyId::ServerKeepAlive, 20));
  said();
  pass(20s);
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
  EXPECT_FALSE(snapshot().contested);
  redial();
  accept();
  far(mqtt::Disconnect{ReasonCode::SessionTakenOver, {}});
  EXPECT_EQ(state(), "backoff: another client uses client id gw");
  EXPECT_EQ(snapshot().contested, now);
}

// One of two that push each other out, at a far broker that does not say so.
TEST_F(BridgeConnection, ThirdLossSoonAfterBeingOnlineAsksForAnotherClient) {
  start();
  Duration longest{};
  for (int i = 1; i <= 10; ++i) {
    accept();
    EXPECT_EQ(state(), "online");
    pass(20s);
    cut({Errc::Closed, "closed by the peer"});
    EXPECT_EQ(state(), i < 3 ? "backoff: closed by the peer"
                             : "backoff: closed by the peer, again and again soon after it was online: does another "
                               "client use client id gw?");
    if (i < 3) {
      EXPECT_LE(*snapshot().next_attempt - now, 3s);
    }
    longest = std::max(longest, *snapshot().next_attempt - now);
    redial();
  }
  EXPECT_GT(longest, 5s);
  accept();
  for (int i = 0; i < 6; ++i) {
    pass(20s);
    far(mqtt::Pingresp{});
  }
  cut({Errc::Closed, "closed by the peer"});
  EXPECT_EQ(state(), "backoff: closed by the peer") << "it has lasted";
}

TEST_F(BridgeConnection, LossesThatTheFarBrokerExplainsAreNoHintOfAnotherClient) {
  start();
  for (int i = 0; i < 5; ++i) {
    accept();
    far(mqtt::Disconnect{ReasonCode::ServerShuttingDown, {}});
    EXPECT_EQ(state(), "backoff: the far broker sent DISCONNECT: server_shutting_down");
    redial();
  }
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

TEST_F(BridgeConnection, OneAcknowledgedMessageResetsTheBackoff) {
  start();
  for (int attempt = 0; attempt < 20; ++attempt) {
    refuse();
    redial();
  }
  std::uint16_t id = 0;
  for (int i = 0; i < 10; ++i) {
    accept(i > 0);
    publish("farm/1", "x", Qos::AtLeastOnce);
    far(mqtt::Puback{PacketId{++id}, ReasonCode::Success, {}});
    pass(4s);
    cut();
    EXPECT_LE(*snapshot().next_attempt - now, 3s);
    redial();
  }
}

TEST_F(BridgeConnection, CommandThatCameDownMakesAConnectionGood) {
  bridge_options.rules = {rule(Direction::Down, "command/#")};
  start();
  for (int i = 0; i < 10; ++i) {
    accept();
    far_publishes("command/valve", "open", Qos::AtMostOnce, 0);
    cut();
    EXPECT_LE(*snapshot().next_attempt - now, 3s);
    redial();
  }
}

TEST_F(BridgeConnection, ConnectionsThatAcknowledgeNothingMakeTheWaitsLonger) {
  start();
  publish("farm/1", "x", Qos::AtLeastOnce);
  Duration longest{};
  for (int i = 0; i < 10; ++i) {
    accept(i > 0);
    EXPECT_EQ(state(), i < 2 ? "online" : "stalled: nothing was acknowledged on the last two connections");
    pass(2s);
    cut();
    longest = std::max(longest, *snapshot().next_attempt - now);
    redial();
  }
  EXPECT_GT(longest, 5s);
}

TEST_F(BridgeConnection, WhatWorkedLastGoesFirst) {
  bridge_options.addresses = {{"a", 1}, {"b", 2}, {"c", 3}, {"good", 4}};
  start();
  for (int silent = 0; silent < 3; ++silent) pass(15s);
  EXPECT_THAT(dialed(), ElementsAre("mqtt://a:1", "mqtt://b:2", "mqtt://c:3", "mqtt://good:4"));
  accept();
  pass(20s);
  cut();
  redial();
  EXPECT_THAT(dialed(), ElementsAre("mqtt://good:4"));
  refuse();
  EXPECT_THAT(dialed(), ElementsAre("mqtt://a:1"));
}

TEST_F(BridgeConnection, ConnectionThatIsLostAtOnceIsTriedElsewhere) {
  bridge_options.addresses = {{"a", 1}, {"b", 2}};
  start();
  accept();
  cut();
  EXPECT_THAT(dialed(), ElementsAre("mqtt://a:1", "mqtt://b:2"));
  EXPECT_EQ(logged("warning bridge.offline name=region reason=connection reset retry_in=0s"), 1U);
}

TEST_F(BridgeConnection, TheLogSaysTheWaitThatFollows) {
  start();
  accept();
  cut();
  const auto wait = std::chrono::ceil<std::chrono::seconds>(*snapshot().next_attempt - now);
  EXPECT_GE(wait, 1s);
  EXPECT_EQ(logged("warning bridge.offline name=region reason=connection reset retry_in=" +
                   std::to_string(wait.count()) + "s"),
            1U);
}

TEST_F(BridgeConnection, TroubleThatLastsIsSaidAgainEachHourWithItsBacklog) {
  start();
  publish("farm/1", "x", Qos::AtLeastOnce);
  const Instant begin = now;
  while (now - begin < 150min) {
    refuse("no route");
    redial();
  }
  EXPECT_EQ(logged("warning bridge.offline name=region reason=no route"), 3U);
  EXPECT_THAT(log.lines, Contains(testing::AllOf(HasSubstr("reason=no route for=3"), HasSubstr("queued=1 oldest=3"))));
}

TEST_F(BridgeConnection, AttemptsShowAtLevelDebug) {
  start();
  refuse("no route");
  EXPECT_EQ(logged("debug bridge.connecting name=region remote=mqtt://far:1883 as=MQTT 5"), 1U);
  EXPECT_EQ(logged("debug bridge.attempt_failed name=region remote=mqtt://far:1883 reason=no route"), 1U);
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

// A bridge that tells its region whether this gateway is there.
class BridgePresence : public BridgeConnection {
 protected:
  BridgePresence() { bridge_options.presence = {.topic = "fleet/barn", .lost = "lost", .left = "left"}; }
  void say(std::string_view news) {
    bridge().publish_presence(news, now);
    turn();
  }
};

TEST_F(BridgePresence, WillAnnouncesThatTheGatewayIsGone) {
  for (const auto version : {bridge::VersionChoice::V5, bridge::VersionChoice::V3_1_1}) {
    bridge_options.version = version;
    start();
    link();
    EXPECT_THAT(said(), ElementsAre(HasSubstr("will(\"fleet/barn\" \"lost\"")));
    end_of_the_gateway();
  }
}

TEST_F(BridgePresence, NewsAreWantedOnceAConnectionStandsAndPassTheBuffer) {
  start();
  EXPECT_FALSE(bridge().takes_presence());
  publish("farm/1", "21", Qos::AtLeastOnce);
  accept();
  EXPECT_TRUE(bridge().wants_presence());
  block();
  said();
  say("here");
  EXPECT_FALSE(bridge().wants_presence());
  EXPECT_FALSE(bridge().takes_presence()) << "until it is acknowledged";
  block(false);
  const std::vector<std::string> all = said();
  ASSERT_FALSE(all.empty());
  EXPECT_THAT(all.back(), AllOf(HasSubstr("\"fleet/barn\" \"here\""), HasSubstr("qos=1"), HasSubstr("retain")));
  EXPECT_EQ(snapshot().accepted, 1U) << "what is said of ourselves is in no book";
  far(mqtt::Puback{PacketId{2}});
  EXPECT_TRUE(bridge().takes_presence());
  EXPECT_FALSE(bridge().wants_presence());
  EXPECT_EQ(snapshot().delivered, 0U) << "nor is its acknowledgement that of a message";
}

TEST_F(BridgePresence, EachConnectionWantsNewsAgain) {
  start();
  accept();
  say("here");
  cut();
  redial();
  accept();
  EXPECT_TRUE(bridge().wants_presence());
}

TEST_F(BridgePresence, ABridgeThatLeavesSaysSoBeforeDisconnect) {
  start();
  accept();
  said();
  bridge().shut_down(now);
  turn();
  EXPECT_THAT(said(), ElementsAre(HasSubstr("\"fleet/barn\" \"left\""), "DISCONNECT reason=00"));
}

TEST_F(BridgePresence, RoomForOneMessageIsLeftInTheWindowOfTheFarBroker) {
  start();
  accept(false, Properties().number(mqtt::PropertyId::ReceiveMaximum, 2));
  for (int i = 0; i < 2; ++i) publish("farm/1", "21", Qos::AtLeastOnce);
  EXPECT_EQ(snapshot().inflight, 1U);
  EXPECT_EQ(snapshot().backlog_messages, 1U);
}

TEST_F(BridgePresence, AFarBrokerWithRoomForOneMessageGetsItAtQos0) {
  start();
  accept(false, Properties().number(mqtt::PropertyId::ReceiveMaximum, 1));
  said();
  say("here");
  EXPECT_THAT(said(), ElementsAre(Not(HasSubstr("qos=1"))));
  EXPECT_TRUE(bridge().takes_presence());
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

// --- back to an earlier address ---

class Failback : public BridgeConnection {
 protected:
  // Online at the third of three addresses.
  Failback() {
    bridge_options.addresses = {{"a", 1}, {"b", 2}, {"c", 3}};
    bridge_options.failback = 60s;
    // The far brokers of these stories are there, and silent.
    bridge_options.keep_alive = {};
    bridge_options.ack_timeout = std::chrono::hours(1);
  }
  void fall_back_to_the_third() {
    start();
    refuse();
    refuse();
    accept();
    (void)dialed();
  }
};

TEST_F(Failback, TheFirstThatIsWellAgainIsGoneBackTo) {
  fall_back_to_the_third();
  pass(59s);
  EXPECT_THAT(asked(), IsEmpty());
  pass(1s);
  EXPECT_THAT(asked(), ElementsAre("mqtt://a:1"));
  EXPECT_TRUE(linked()) << "the connection goes on meanwhile";
  probed(false);
  EXPECT_THAT(asked(), ElementsAre("mqtt://b:2"));
  probed(true);
  EXPECT_EQ(state(), "connecting: an earlier address is well again");
  EXPECT_THAT(dialed(), ElementsAre("mqtt://b:2"));
  accept();
  pass(60s);
  EXPECT_THAT(asked(), ElementsAre("mqtt://a:1")) << "the first is better still";
}

TEST_F(Failback, NothingIsLostOnTheWay) {
  fall_back_to_the_third();
  publish("farm/1", "x", Qos::AtLeastOnce);
  pass(60s);
  probed(true);
  accept();
  EXPECT_THAT(said(), Contains(HasSubstr("\"x\" qos=1")));
  for (const std::uint16_t id : {std::uint16_t{1}, std::uint16_t{2}}) {
    far(mqtt::Puback{PacketId{id}, ReasonCode::Success, {}});
  }
  EXPECT_EQ(snapshot().delivered, 1U);
  EXPECT_EQ(snapshot().inflight, 0U);
}

TEST_F(Failback, WhileNoneIsWellTheyAreAskedAgainAndAgain) {
  fall_back_to_the_third();
  for (int i = 0; i < 3; ++i) {
    pass(60s);
    probed(false);
    probed(false);
  }
  EXPECT_EQ(asked().size(), 6U);
  EXPECT_EQ(state(), "online");
}

// A port that is open, with nothing behind it that lets us in, must not cost the connection each minute.
TEST_F(Failback, AnAddressThatTakesConnectionsAndNotUsIsAskedLessAndLessOften) {
  fall_back_to_the_third();
  pass(60s);
  probed(true);
  refuse("TLS: no");
  refuse();
  accept();
  (void)asked();
  pass(119s);
  EXPECT_THAT(asked(), IsEmpty());
  pass(1s);
  EXPECT_THAT(asked(), ElementsAre("mqtt://a:1"));
}

TEST_F(Failback, AnAnswerThatComesTooLateChangesNothing) {
  fall_back_to_the_third();
  pass(60s);
  cut();
  probed(true);
  EXPECT_THAT(dialed(), IsEmpty());
  EXPECT_THAT(state(), StartsWith("backoff"));
}

TEST_F(Failback, ZeroIsNever) {
  bridge_options.failback = {};
  fall_back_to_the_third();
  pass(std::chrono::hours(24));
  EXPECT_THAT(asked(), IsEmpty());
}

TEST_F(BridgeConnection, ADisabledBridgeDoesNothing) {
  bridge_options.enabled = false;
  start();
  publish("farm/1", "x", Qos::AtLeastOnce);
  EXPECT_THAT(dialed(), IsEmpty());
  EXPECT_EQ(state(), "disabled: enabled: false in the configuration");
  EXPECT_EQ(snapshot().accepted, 0U);
  EXPECT_THAT(sensor().received(), ElementsAre("PUBACK id=1 reason=10"));
}

}  // namespace
}  // namespace furrow::test
