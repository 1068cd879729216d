// How a network connection begins and ends, and what a session makes of it, in MQTT 5 unless a case says otherwise.
#include "broker-core/connection.h"

#include "tests/support/broker_fixture.h"

namespace furrow::test {
namespace {

using mqtt::PropertyId;
using mqtt::Qos;
using mqtt::ReasonCode;
using mqtt::Version;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

mqtt::Will will(std::string_view topic, std::string_view payload, mqtt::PropertyView properties = {}) {
  mqtt::Will will;
  will.topic = topic;
  will.payload = as_bytes(payload);
  will.properties = properties;
  return will;
}

class ConnectionTest : public BrokerFixture {};

// --- CONNECT ---

TEST_F(ConnectionTest, ConnackTellsOurLimits) {
  EXPECT_THAT(open(ConnectOptions{}).received(), ElementsAre("CONNACK reason=00 {21=100 27=1048576 22=16}"));
  EXPECT_EQ(broker().clients(), 1U);
  EXPECT_EQ(stats().connects_accepted, 1U);
}

TEST_F(ConnectionTest, ConnackOfMqtt3HasNoProperties) {
  EXPECT_THAT(open({.version = kV3}).received(), ElementsAre("CONNACK reason=00"));
}

TEST_F(ConnectionTest, AssignsAClientIdentifierAndTellsIt) {
  EXPECT_THAT(open({.client_id = ""}).received(), ElementsAre(HasSubstr(" 12=\"furrow-")));
}

TEST_F(ConnectionTest, AssignsAClientIdentifierSilentlyInMqtt3) {
  Client& first = connect({.client_id = "", .version = kV3});
  Client& second = connect({.client_id = "", .version = kV3});
  EXPECT_EQ(broker().clients(), 2U);
  EXPECT_FALSE(first.closed() || second.closed());
}

TEST_F(ConnectionTest, RefusesToKeepASessionWithoutClientIdentifierInMqtt3) {
  Client& client = open({.client_id = "", .version = kV3, .clean_start = false});
  EXPECT_THAT(client.received(), ElementsAre("CONNACK reason=85"));
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(stats().connects_refused, 1U);
}

TEST_F(ConnectionTest, Mqtt31NeedsAClientIdentifierThatMayBeLong) {
  EXPECT_THAT(open({.client_id = "", .version = Version::V3_1}).received(), ElementsAre("CONNACK reason=85"));
  EXPECT_THAT(open({.client_id = "longer than twenty-three", .version = Version::V3_1}).received(),
              ElementsAre("CONNACK reason=00"));
}

TEST_F(ConnectionTest, RefusesATooLongClientIdentifier) {
  const std::string longest(broker().limits().client_id_bytes, 'x');
  EXPECT_THAT(open({.client_id = longest}).received(), ElementsAre(StartsWith("CONNACK reason=00")));
  EXPECT_THAT(open({.client_id = longest + "x"}).received(), ElementsAre(StartsWith("CONNACK reason=85")));
}

TEST_F(ConnectionTest, AnswersAnUnknownLevelInTheFormOfMqtt3) {
  Client& client = open(kV3);
  client.send_raw("10 10 00 04 'MQTT' 06 02 00 00 00 04 'abcd'");
  EXPECT_THAT(client.received(), ElementsAre("CONNACK reason=84"));
  EXPECT_TRUE(client.closed());
}

TEST_F(ConnectionTest, RefusesEnhancedAuthentication) {
  Client& client = open({.properties = Properties().text(PropertyId::AuthenticationMethod, "SCRAM")});
  EXPECT_THAT(client.received(), ElementsAre(StartsWith("CONNACK reason=8c")));
  EXPECT_TRUE(client.closed());
}

TEST_F(ConnectionTest, AnswersAMalformedConnect) {
  Client& client = open();
  client.send_raw("10 0d 00 04 'MQTT' 05 03 00 00 00 00 00");
  EXPECT_THAT(client.received(), ElementsAre(StartsWith("CONNACK reason=81")));
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(stats().protocol_errors, 1U);
}

TEST_F(ConnectionTest, ClosesOnAMalformedConnectOfMqtt3) {
  Client& client = open(kV3);
  client.send_raw("10 0c 00 04 'MQTT' 04 03 00 00 00 00");
  EXPECT_THAT(client.received(), IsEmpty());
  EXPECT_TRUE(client.closed());
}

TEST_F(ConnectionTest, ZeroReceiveMaximumIsAnError) {
  Client& client = open();
  client.send_raw("10 10 00 04 'MQTT' 05 02 00 00 03 21 00 00 00 00");
  EXPECT_THAT(client.received(), ElementsAre(StartsWith("CONNACK reason=82")));
}

TEST_F(ConnectionTest, ClosesWithoutAWordOnWhatIsNotMqtt) {
  Client& client = open();
  client.send_raw("'GET / HTTP/1.1' 0d0a 0d0a");
  EXPECT_THAT(client.received(), IsEmpty());
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(stats().protocol_errors, 1U);
}

TEST_F(ConnectionTest, FirstPacketMustBeConnect) {
  Client& client = open();
  client.send(mqtt::Pingreq{});
  EXPECT_THAT(client.received(), IsEmpty());
  EXPECT_TRUE(client.closed());
}

TEST_F(ConnectionTest, SecondConnectIsAnError) {
  Client& client = connect({});
  mqtt::Connect again;
  again.version = Version::V5;
  again.client_id = "other";
  client.send(again);
  EXPECT_THAT(client.received(), ElementsAre("DISCONNECT reason=82 {1f=\"a second CONNECT\"}"));
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(broker().clients(), 0U);
}

TEST_F(ConnectionTest, AuthIsAnError) {
  Client& client = connect({});
  client.send(mqtt::Auth{ReasonCode::ReAuthenticate, Properties().text(PropertyId::AuthenticationMethod, "SCRAM")});
  EXPECT_THAT(client.received(), ElementsAre(StartsWith("DISCONNECT reason=82")));
}

TEST_F(ConnectionTest, ConnectMustCompleteInTime) {
  Client& client = open();
  advance(seconds(9));
  client.send_raw("10");  // a byte now and then is not enough
  EXPECT_FALSE(client.closed());
  advance(seconds(1));
  EXPECT_TRUE(client.closed());
  EXPECT_THAT(client.received(), IsEmpty());
  EXPECT_EQ(stats().connect_timeouts, 1U);
}

TEST_F(ConnectionTest, PacketsMayComeByteByByte) {
  Client& client = open();
  for (const std::uint8_t byte : bytes_from("10 0e 00 04 'MQTT' 05 02 00 00 00 00 01 'a' c0 00")) {
    client.send_bytes({&byte, 1});
  }
  EXPECT_THAT(client.received(), ElementsAre(StartsWith("CONNACK reason=00"), "PINGRESP"));
}

TEST_F(ConnectionTest, CutsTheSessionExpiryAndTellsIt) {
  options.limits.session_expiry_max = seconds(60);
  Client& client = open_durable("a");
  EXPECT_THAT(client.received(), ElementsAre("CONNACK reason=00 {11=60 21=100 27=1048576 22=16}"));
  client.vanish();
  advance(seconds(59));
  EXPECT_EQ(broker().sessions(), 1U);
  advance(seconds(1));
  EXPECT_EQ(broker().sessions(), 0U);
}

TEST_F(ConnectionTest, ReasonStringsDoNotExceedTheMaximumPacketSize) {
  const Properties small = std::move(Properties().number(PropertyId::MaximumPacketSize, 20));
  EXPECT_THAT(open({.will = will("$SYS/x", ""), .properties = small}).received(), ElementsAre("CONNACK reason=87"));
  Client& client = open({.properties = Properties().number(PropertyId::MaximumPacketSize, 20)});
  client.received();
  client.send_raw("00 00");
  EXPECT_THAT(client.received(), ElementsAre("DISCONNECT reason=81"));
}

// --- sessions ---

TEST_F(ConnectionTest, ConnackOfASessionThatIsKeptWaitsForTheStore) {
  store_answers = false;
  Client& client = open_durable("a");
  EXPECT_THAT(client.received(), IsEmpty());
  EXPECT_TRUE(broker().reading_paused(client.id()));
  persist();
  EXPECT_THAT(client.received(), ElementsAre(StartsWith("CONNACK reason=00")));
  EXPECT_FALSE(broker().reading_paused(client.id()));
}

TEST_F(ConnectionTest, ResumingASessionWaitsForTheStoreAsBeginningItDid) {
  store_answers = false;
  open_durable("a").vanish();
  Client& again = open_durable("a");
  EXPECT_THAT(again.received(), IsEmpty());
  persist();
  EXPECT_THAT(again.received(), ElementsAre(StartsWith("CONNACK reason=00 session")));
}

TEST_F(ConnectionTest, ASubscriptionThatIsRepeatedWaitsForTheStoreAsTheFirstDid) {
  Client& client = connect_durable("a");
  store_answers = false;
  client.subscribe("x");
  client.vanish();
  Client& again = open_durable("a");
  again.subscribe("x");
  EXPECT_THAT(again.received(), IsEmpty());
  persist();
  EXPECT_THAT(again.received(), ElementsAre(StartsWith("CONNACK reason=00 session"), "SUBACK id=1 reason=00"));
}

TEST_F(ConnectionTest, WhatComesWithAWaitingConnectIsHandledAfterwards) {
  store_answers = false;
  Client& client = open(kV3);
  client.send_raw("10 0d 00 04 'MQTT' 04 00 00 00 00 01 'a'  82 06 00 01 00 01 'x' 01  30 04 00 01 'x' '1'  c0 00");
  EXPECT_THAT(client.received(), IsEmpty());
  persist();
  EXPECT_THAT(client.received(), ElementsAre("CONNACK reason=00"));
  persist();
  EXPECT_THAT(client.received(), ElementsAre("SUBACK id=1 reason=01", "PUBLISH \"x\" \"1\" qos=0 id=0", "PINGRESP"));
}

TEST_F(ConnectionTest, ASilentStoreIsNoReasonForAKeepAliveTimeout) {
  store_answers = false;
  Client& client = open({.clean_start = false, .keep_alive_s = 1, .properties = an_hour});
  advance(seconds(60));
  persist();
  EXPECT_THAT(client.received(), ElementsAre(StartsWith("CONNACK reason=00")));
  advance(seconds(1));
  EXPECT_FALSE(client.closed());
  advance(seconds(1));
  EXPECT_TRUE(client.closed());
}

TEST_F(ConnectionTest, SessionIsPresentWhenItWasKept) {
  connect_durable("a").disconnect();
  Client& again = open_durable("a");
  EXPECT_THAT(again.received(), ElementsAre(StartsWith("CONNACK reason=00 session")));
  again.disconnect();
  EXPECT_THAT(open_durable("a", Version::V5, true).received(), ElementsAre(Not(HasSubstr("session"))));
}

TEST_F(ConnectionTest, SessionEndsWithItsConnectionByDefault) {
  connect({}).vanish();
  EXPECT_EQ(broker().sessions(), 0U);
  EXPECT_THAT(open({.clean_start = false}).received(), ElementsAre(Not(HasSubstr("session"))));
}

TEST_F(ConnectionTest, SessionOfMqtt3IsKeptUnlessItIsClean) {
  connect({.client_id = "a", .version = kV3}).vanish();
  EXPECT_EQ(broker().sessions(), 0U);
  connect_durable("a", kV3).vanish();
  EXPECT_THAT(open_durable("a", kV3).received(), ElementsAre("CONNACK reason=00 session"));
}

TEST_F(ConnectionTest, AnotherConnectionTakesOver) {
  Client& first = connect({.client_id = "a"});
  Client& second = connect({.client_id = "a"});
  EXPECT_THAT(first.received(), ElementsAre(StartsWith("DISCONNECT reason=8e")));
  EXPECT_TRUE(first.closed());
  EXPECT_FALSE(second.closed());
  EXPECT_EQ(broker().clients(), 1U);
  EXPECT_EQ(stats().takeovers, 1U);
}

TEST_F(ConnectionTest, AnotherConnectionTakesOverSilentlyInMqtt3) {
  Client& first = connect_durable("a", kV3);
  connect_durable("a", kV3);
  EXPECT_THAT(first.received(), IsEmpty());
  EXPECT_TRUE(first.closed());
}

TEST_F(ConnectionTest, AnotherConnectionTakesOverWhileTheFirstWaitsForItsConnack) {
  for (const bool clean_start : {false, true}) {
    store_answers = false;
    Client& first = open_durable("a");
    Client& second = open_durable("a", Version::V5, clean_start);
    EXPECT_TRUE(first.closed());
    for (int i = 0; i < 3; ++i) persist();
    EXPECT_THAT(first.received(), IsEmpty());
    EXPECT_THAT(second.received(), ElementsAre(StartsWith("CONNACK reason=00")));
    EXPECT_EQ(broker().clients(), 1U);
    store_answers = true;
    second.disconnect(ReasonCode::NormalDisconnection, Properties().number(PropertyId::SessionExpiryInterval, 0));
    EXPECT_EQ(broker().sessions(), 0U);
  }
}

TEST_F(ConnectionTest, SubscriptionsAndMessagesSurviveACrash) {
  leave_subscribed("reader", "farm/#");
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("farm/1", "21.5", kQos1, 7);
  advance(seconds(1));
  EXPECT_THAT(sensor.received(), ElementsAre("PUBACK id=7 reason=00"));
  crash();
  EXPECT_THAT(open_durable("reader").received(),
              ElementsAre(StartsWith("CONNACK reason=00 session"), "PUBLISH \"farm/1\" \"21.5\" qos=1 id=1"));
}

// It publishes under the same packet identifier again: after a crash that would be taken for the first message.
TEST_F(ConnectionTest, ConnackOfACleanStartWaitsUntilTheStoredSessionIsGone) {
  Client& first = connect_durable("a", kV3);
  first.publish("farm/1", "old", kQos2, 1);
  EXPECT_THAT(first.received(), ElementsAre("PUBREC id=1 reason=00"));
  first.vanish();
  store_answers = false;
  Client& clean = open(ConnectOptions{.client_id = "a", .version = kV3});
  EXPECT_THAT(clean.received(), IsEmpty());
  persist();
  EXPECT_THAT(clean.received(), ElementsAre("CONNACK reason=00"));
  store_answers = true;
  crash();

  Client& reader = connect({.client_id = "reader"});
  reader.subscribe("farm/#");
  reader.received();
  Client& back = open_durable("a", kV3);
  back.publish("farm/1", "new", kQos2, 1);
  EXPECT_THAT(back.received(), ElementsAre("CONNACK reason=00", "PUBREC id=1 reason=00"));
  EXPECT_THAT(reader.received(), ElementsAre("PUBLISH \"farm/1\" \"new\" qos=0 id=0"));
}

TEST_F(ConnectionTest, CleanStartWithoutAStoredSessionDoesNotWaitForTheStore) {
  store_answers = false;
  EXPECT_THAT(open({.client_id = "a"}).received(), ElementsAre(StartsWith("CONNACK reason=00")));
}

TEST_F(ConnectionTest, TimePoweredOffCountsOnceTheClockIsTrusted) {
  leave_subscribed("reader", "farm/#");  // for an hour
  connect({.client_id = "sensor"})
      .publish("farm/1", "on", kQos1, 7,
               {.retain = true, .properties = Properties().number(PropertyId::MessageExpiryInterval, 3'600)});
  advance(seconds(100));  // that the reader has left is stored
  power_off(hours(2));
  EXPECT_EQ(broker().sessions(), 1U);
  EXPECT_TRUE(broker().retained().contains("farm/1"));
  trust_clock();
  EXPECT_EQ(broker().sessions(), 0U);
  Client& late = connect({.client_id = "late"});
  late.subscribe("farm/#");
  EXPECT_THAT(late.received(), ElementsAre(StartsWith("SUBACK")));
}

// --- keep-alive ---

TEST_F(ConnectionTest, ClosesAfterOneAndAHalfKeepAlives) {
  Client& client = connect({.keep_alive_s = 10});
  advance(seconds(10));
  client.send(mqtt::Pingreq{});
  EXPECT_THAT(client.received(), ElementsAre("PINGRESP"));
  advance(milliseconds(14'999));
  EXPECT_FALSE(client.closed());
  advance(milliseconds(1));
  EXPECT_THAT(client.received(), ElementsAre(StartsWith("DISCONNECT reason=8d")));
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(stats().keep_alive_timeouts, 1U);
  EXPECT_EQ(stats().protocol_errors, 0U);
}

TEST_F(ConnectionTest, KeepAliveMayBeShorterThanTheConnectTimeout) {
  Client& client = connect({.version = kV3, .keep_alive_s = 1});
  for (int i = 0; i < 20; ++i) {
    advance(seconds(1));
    client.send(mqtt::Pingreq{});
  }
  EXPECT_FALSE(client.closed());
  advance(milliseconds(1'500));
  EXPECT_TRUE(client.closed());
}

TEST_F(ConnectionTest, KeepAliveZeroNeverEnds) {
  Client& client = connect({});
  advance(std::chrono::hours(100));
  EXPECT_FALSE(client.closed());
}

TEST_F(ConnectionTest, ClosesAtLastWhenTheClientDoesNotTakeOurLastWords) {
  Client& client = connect({});
  client.stop_reading();
  client.send_raw("00 00");
  EXPECT_FALSE(client.closed());
  advance(seconds(10));
  EXPECT_TRUE(client.closed());
}

// --- wills ---

TEST_F(ConnectionTest, WillIsPublishedWhenTheConnectionIsLost) {
  Client& reader = connect({.client_id = "reader"});
  reader.subscribe("#");
  const Properties properties = std::move(Properties()
                                              .number(PropertyId::WillDelayInterval, 0)
                                              .user("a", "b")
                                              .number(PropertyId::MessageExpiryInterval, 60)
                                              .text(PropertyId::ContentType, "text"));
  connect({.client_id = "sensor", .will = will("gone", "sensor", properties)}).vanish();
  EXPECT_THAT(reader.received(),
              ElementsAre("SUBACK id=1 reason=00",
                          "PUBLISH \"gone\" \"sensor\" qos=0 id=0 {02=60 26=\"a\":\"b\" 03=\"text\"}"));
}

TEST_F(ConnectionTest, WillIsPublishedOnAKeepAliveTimeout) {
  Client& reader = connect({.client_id = "reader", .version = kV3});
  reader.subscribe("#");
  connect({.client_id = "sensor", .version = kV3, .keep_alive_s = 10, .will = will("gone", "sensor")});
  advance(seconds(15));
  EXPECT_THAT(reader.received(), Contains("PUBLISH \"gone\" \"sensor\" qos=0 id=0"));
}

TEST_F(ConnectionTest, DisconnectTakesTheWillAwayUnlessItSaysOtherwise) {
  Client& reader = connect({.client_id = "reader"});
  reader.subscribe("#");
  reader.received();
  connect({.client_id = "sensor", .will = will("gone", "1")}).disconnect();
  connect({.client_id = "sensor", .version = kV3, .will = will("gone", "2")}).disconnect();
  EXPECT_THAT(reader.received(), IsEmpty());
  connect({.client_id = "sensor", .will = will("gone", "3")}).disconnect(ReasonCode::DisconnectWithWillMessage);
  EXPECT_THAT(reader.received(), ElementsAre("PUBLISH \"gone\" \"3\" qos=0 id=0"));
}

TEST_F(ConnectionTest, DelayedWillIsForgottenWhenTheClientIsBackInTime) {
  Client& reader = connect({.client_id = "reader"});
  reader.subscribe("#");
  reader.received();
  const Properties delay = std::move(Properties().number(PropertyId::WillDelayInterval, 30));
  const ConnectOptions sensor{
      .client_id = "sensor", .clean_start = false, .will = will("gone", "1", delay), .properties = an_hour};
  connect(sensor).vanish();
  advance(seconds(29));
  connect(sensor).vanish();
  advance(seconds(29));
  EXPECT_THAT(reader.received(), IsEmpty());
  advance(seconds(1));
  EXPECT_THAT(reader.received(), ElementsAre("PUBLISH \"gone\" \"1\" qos=0 id=0"));
}

// Wills of clients whose sessions outlive them, with a reader that takes its time.
class StoredWillTest : public ConnectionTest {
 protected:
  StoredWillTest() {
    mqtt::Will asked = will("gone", "1");
    asked.qos = Qos::AtLeastOnce;
    sensor_.will = asked;
  }
  // The reader gets the will, and rows of others are written.
  Client& mourn(Client& sensor) {
    Client& reader = connect_durable("reader");
    reader.subscribe("gone", Qos::AtLeastOnce);
    reader.received();
    sensor.vanish();
    EXPECT_THAT(reader.received(), ElementsAre("PUBLISH \"gone\" \"1\" qos=1 id=1"));
    connect_durable("another");
    return reader;
  }
  // What the reader gets once the gateway has crashed and nobody else comes back.
  std::vector<std::string> after_crash() {
    crash();
    Client& reader = connect_durable("reader");
    advance(seconds(61));
    return reader.received();
  }

  ConnectOptions sensor_{.client_id = "sensor", .clean_start = false, .properties = an_hour};
};

TEST_F(StoredWillTest, SurvivesACrashBeforeItIsSafe) {
  mourn(connect(sensor_));
  EXPECT_THAT(after_crash(), Contains(StartsWith("PUBLISH \"gone\" \"1\"")));
}

TEST_F(StoredWillTest, SurvivesACrashWhenItsSessionEndsWithIt) {
  const Properties a_moment = std::move(Properties().number(PropertyId::WillDelayInterval, 60));
  mqtt::Will delayed = *sensor_.will;
  delayed.properties = a_moment;
  sensor_.will = delayed;
  Client& sensor = connect(sensor_);
  Client& reader = connect_durable("reader");
  reader.subscribe("gone", Qos::AtLeastOnce);
  sensor.vanish();
  reader.received();
  connect({.client_id = "sensor", .clean_start = true}).disconnect();
  EXPECT_THAT(reader.received(), ElementsAre("PUBLISH \"gone\" \"1\" qos=1 id=1"));
  connect_durable("another");
  EXPECT_THAT(after_crash(), Contains(StartsWith("PUBLISH \"gone\" \"1\"")));
}

TEST_F(StoredWillTest, IsNotPublishedAgainOnceItIsSafe) {
  mourn(connect(sensor_)).acknowledge(mqtt::PacketType::Puback, 1);
  advance(seconds(2));
  EXPECT_THAT(after_crash(), IsEmpty());
}

TEST_F(StoredWillTest, OfAClientThatIsBackIsTheNewOne) {
  Client& reader = mourn(connect(sensor_));
  sensor_.will->payload = as_bytes("2");
  connect(sensor_);
  reader.acknowledge(mqtt::PacketType::Puback, 1);
  advance(seconds(2));
  EXPECT_THAT(after_crash(), ElementsAre(StartsWith("PUBLISH \"gone\" \"2\"")));
}

TEST_F(ConnectionTest, WillToAReservedTopicIsRefused) {
  EXPECT_THAT(open({.will = will("$SYS/furrow", "1")}).received(), ElementsAre(StartsWith("CONNACK reason=87")));
  EXPECT_THAT(open({.version = kV3, .will = will("$SYS/furrow", "1")}).received(), ElementsAre("CONNACK reason=87"));
  for (const std::string_view topic : {"$SYS/broker/connection//state", "$SYS/broker/connection/state",
                                       "$SYS/broker/connection/a/status", "$sys/broker/connection/a/state"}) {
    EXPECT_THAT(open({.will = will(topic, "1")}).received(), ElementsAre(StartsWith("CONNACK reason=87"))) << topic;
  }
}

TEST_F(ConnectionTest, CleanStopPublishesNoWill) {
  Client& reader = connect({.client_id = "reader"});
  reader.subscribe("#");
  reader.received();
  Client& sensor = connect({.client_id = "sensor", .will = will("gone", "1")});
  broker().shut_down(now);
  settle();
  EXPECT_THAT(sensor.received(), ElementsAre(StartsWith("DISCONNECT reason=8b")));
  EXPECT_THAT(reader.received(), ElementsAre(StartsWith("DISCONNECT reason=8b")));
  EXPECT_TRUE(sensor.closed() && reader.closed());
}

// --- the end ---

TEST_F(ConnectionTest, MalformedPacketsCloseWithTheirReason) {
  Client& young = connect({.client_id = "young"});
  young.send_raw("36 00");
  EXPECT_THAT(young.received(), ElementsAre("DISCONNECT reason=81 {1f=\"PUBLISH with QoS 3\"}"));
  EXPECT_TRUE(young.closed());
  Client& old = connect({.client_id = "old", .version = kV3});
  old.send_raw("36 00");
  EXPECT_THAT(old.received(), IsEmpty());
  EXPECT_TRUE(old.closed());
  EXPECT_EQ(stats().protocol_errors, 2U);
  EXPECT_THAT(log.lines, Contains("warning connection.closed client=young peer=192.0.2.1:1024 "
                                  "reason=malformed_packet why=PUBLISH with QoS 3"));
}

TEST_F(ConnectionTest, LogHearsOfAClientOnceItHasStayedForASecond) {
  connect({.client_id = "brief"}).disconnect();
  EXPECT_THAT(log.lines, Contains("debug connection.closed client=brief peer=192.0.2.1:1024 reason=success "
                                  "why=the client sent DISCONNECT"));
  EXPECT_THAT(log.lines, Not(Contains(HasSubstr("connection.opened"))));
  Client& sensor = connect({.client_id = "sensor"});
  advance(std::chrono::seconds(1));
  EXPECT_THAT(log.lines, Contains("info connection.opened client=sensor peer=192.0.2.1:1024 version=5 "
                                  "session_present=false"));
  sensor.disconnect();
  EXPECT_THAT(log.lines, Contains(StartsWith("info connection.closed client=sensor")));
}

TEST_F(ConnectionTest, TooLargePacketsClose) {
  options.limits.packet_bytes = 100;
  Client& client = connect({});
  client.publish("a", std::string(100, 'x'));
  EXPECT_THAT(client.received(),
              ElementsAre("DISCONNECT reason=95 {1f=\"the packet is larger than limits.packet, 100 bytes\"}"));
}

TEST_F(ConnectionTest, NothingIsHandledAfterDisconnect) {
  Client& client = connect({.version = kV3});
  client.send_raw("e0 00  c0 00  00 00");
  EXPECT_THAT(client.received(), IsEmpty());
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(stats().protocol_errors, 0U);
}

TEST_F(ConnectionTest, DisconnectMayChangeTheSessionExpiry) {
  Client& client = connect_durable("a");
  client.disconnect(ReasonCode::NormalDisconnection, Properties().number(PropertyId::SessionExpiryInterval, 10));
  advance(seconds(9));
  EXPECT_EQ(broker().sessions(), 1U);
  advance(seconds(1));
  EXPECT_EQ(broker().sessions(), 0U);
  EXPECT_EQ(stats().sessions_expired, 1U);
}

// What the broker keeps of a sensor that sleeps does not grow with the number of its visits.
TEST_F(ConnectionTest, ASessionHasOneDeadlineHoweverOftenItsClientComesAndGoes) {
  for (int visit = 0; visit < 30; ++visit) {
    Client& client = open_durable("a");
    client.disconnect();
    advance(seconds(70));
  }
  std::size_t looks = 0;
  for (const Instant end = now + std::chrono::hours(2); broker().next_deadline() <= end; ++looks) {
    now = std::max(now, broker().next_deadline());
    broker().handle_timeout(now);
    settle();
  }
  EXPECT_EQ(stats().sessions_expired, 1U);
  EXPECT_LE(looks, 2U) << "its expiry, and the commit of its end";
}

TEST_F(ConnectionTest, DisconnectMayNotKeepASessionThatConnectDidNotKeep) {
  Client& client = connect({});
  client.disconnect(ReasonCode::NormalDisconnection, Properties().number(PropertyId::SessionExpiryInterval, 10));
  EXPECT_THAT(client.received(), ElementsAre(StartsWith("DISCONNECT reason=82")));
  EXPECT_EQ(broker().sessions(), 0U);
}

TEST_F(ConnectionTest, ABrokerMayEndWhileEverythingWaits) {
  leave_subscribed("reader", "farm/#");
  Client& sensor = connect_durable("sensor");
  store_answers = false;
  sensor.publish("farm/1", "1", kQos1, 1);
  sensor.publish("farm/1", "2", kQos2, 2);
  sensor.subscribe("farm/#");
  open_durable("other");
  crash();
  EXPECT_EQ(broker().connections(), 0U);
  EXPECT_EQ(broker().sessions(), 2U);
}

}  // namespace
}  // namespace furrow::test
