// What a client and the broker say to each other on one network connection, in MQTT 5 unless a case says otherwise.
#include "broker-core/connection.h"

#include "tests/support/broker_fixture.h"

namespace furrow::test {
namespace {

using mqtt::PacketType;
using mqtt::PropertyId;
using mqtt::Qos;
using mqtt::ReasonCode;
using mqtt::Version;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr auto kQos1 = Qos::AtLeastOnce;
constexpr auto kQos2 = Qos::ExactlyOnce;
constexpr auto kV3 = Version::V3_1_1;

mqtt::Will will(std::string_view topic, std::string_view payload, mqtt::PropertyView properties = {}) {
  mqtt::Will will;
  will.topic = topic;
  will.payload = as_bytes(payload);
  will.properties = properties;
  return will;
}

class ConnectionTest : public BrokerFixture {
 protected:
  // A client whose session outlives its connection by an hour (MQTT 5) or for good (before).
  Client& connect_durable(std::string_view client_id, Version version = Version::V5) {
    Client& client = open_durable(client_id, version);
    EXPECT_THAT(client.received(), ElementsAre(StartsWith("CONNACK reason=00")));
    return client;
  }
  Client& open_durable(std::string_view client_id, Version version = Version::V5, bool clean_start = false) {
    return open(ConnectOptions{.client_id = client_id,
                               .version = version,
                               .clean_start = clean_start,
                               .properties = version == Version::V5 ? mqtt::PropertyView(an_hour_) : mqtt::PropertyView()});
  }
  // A session that is subscribed with QoS 2 and away.
  void leave_subscribed(std::string_view client_id, std::string_view filter) {
    Client& client = connect_durable(client_id);
    client.subscribe(filter, kQos2);
    client.disconnect();
    advance(seconds(2));  // what is written without haste is written
  }

  const Properties an_hour_ = std::move(Properties().number(PropertyId::SessionExpiryInterval, 3600));
};

// --- CONNECT ---

TEST_F(ConnectionTest, ConnackTellsOurLimits) {
  EXPECT_THAT(open(ConnectOptions{}).received(), ElementsAre("CONNACK reason=00 {21=100 27=1048576 2a=0}"));
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
  const std::string longest(broker::kClientIdBytesMax, 'x');
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
  EXPECT_THAT(client.received(), ElementsAre("CONNACK reason=00 {11=60 21=100 27=1048576 2a=0}"));
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

TEST_F(ConnectionTest, WhatComesWithAWaitingConnectIsHandledAfterwards) {
  store_answers = false;
  Client& client = open(kV3);
  client.send_raw("10 0d 00 04 'MQTT' 04 00 00 00 00 01 'a'  82 06 00 01 00 01 'x' 01  30 04 00 01 'x' '1'  c0 00");
  EXPECT_THAT(client.received(), IsEmpty());
  persist();
  EXPECT_THAT(client.received(), ElementsAre("CONNACK reason=00"));
  persist();
  EXPECT_THAT(client.received(),
              ElementsAre("SUBACK id=1 reason=01", "PUBLISH \"x\" \"1\" qos=0 id=0", "PINGRESP"));
}

TEST_F(ConnectionTest, ASilentStoreIsNoReasonForAKeepAliveTimeout) {
  store_answers = false;
  Client& client = open({.clean_start = false, .keep_alive_s = 1, .properties = an_hour_});
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
  EXPECT_THAT(reader.received(), ElementsAre("SUBACK id=1 reason=00",
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
      .client_id = "sensor", .clean_start = false, .will = will("gone", "1", delay), .properties = an_hour_};
  connect(sensor).vanish();
  advance(seconds(29));
  connect(sensor).vanish();
  advance(seconds(29));
  EXPECT_THAT(reader.received(), IsEmpty());
  advance(seconds(1));
  EXPECT_THAT(reader.received(), ElementsAre("PUBLISH \"gone\" \"1\" qos=0 id=0"));
}

TEST_F(ConnectionTest, WillToAReservedTopicIsRefused) {
  EXPECT_THAT(open({.will = will("$SYS/furrow", "1")}).received(), ElementsAre(StartsWith("CONNACK reason=87")));
  EXPECT_THAT(open({.version = kV3, .will = will("$SYS/furrow", "1")}).received(), ElementsAre("CONNACK reason=87"));
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

// --- PUBLISH from a client ---

TEST_F(ConnectionTest, Qos0ReachesEverySubscriberInItsVersion) {
  Client& old = connect({.client_id = "old", .version = kV3});
  Client& young = connect({.client_id = "young"});
  for (Client* client : {&old, &young}) {
    client->subscribe("farm/+", kQos1);
    client->received();
  }
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("farm/1", "21.5", Qos::AtMostOnce, 0,
                 {.properties = Properties().number(PropertyId::MessageExpiryInterval, 9).user("unit", "C")});
  EXPECT_THAT(old.received(), ElementsAre("PUBLISH \"farm/1\" \"21.5\" qos=0 id=0"));
  EXPECT_THAT(young.received(), ElementsAre("PUBLISH \"farm/1\" \"21.5\" qos=0 id=0 {02=9 26=\"unit\":\"C\"}"));
  EXPECT_THAT(sensor.received(), IsEmpty());
}

TEST_F(ConnectionTest, Qos1IsAcknowledgedWithWhetherAnybodyListens) {
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("farm/1", "1", kQos1, 7);
  EXPECT_THAT(sensor.received(), ElementsAre("PUBACK id=7 reason=10"));
  sensor.subscribe("farm/#", Qos::AtMostOnce);
  sensor.publish("farm/1", "2", kQos1, 8);
  EXPECT_THAT(sensor.received(),
              ElementsAre("SUBACK id=1 reason=00", "PUBLISH \"farm/1\" \"2\" qos=0 id=0", "PUBACK id=8 reason=00"));
}

TEST_F(ConnectionTest, PubackWaitsForTheStoreWhenADurableSubscriberIsAway) {
  leave_subscribed("reader", "farm/#");
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("farm/1", "1", kQos1, 7);
  sensor.publish("elsewhere", "1", kQos1, 8);
  EXPECT_THAT(sensor.received(), IsEmpty()) << "acknowledgements leave in order of receipt";
  store_answers = false;
  advance(seconds(1));
  EXPECT_THAT(sensor.received(), IsEmpty());
  persist();
  EXPECT_THAT(sensor.received(), ElementsAre("PUBACK id=7 reason=00", "PUBACK id=8 reason=10"));
}

TEST_F(ConnectionTest, PubackOfALostConnectionDoesNotReachTheNextOne) {
  leave_subscribed("reader", "farm/#");
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("farm/1", "1", kQos1, 7);
  sensor.vanish();
  Client& again = connect({.client_id = "sensor"});
  advance(seconds(1));
  EXPECT_THAT(again.received(), IsEmpty());
}

TEST_F(ConnectionTest, Qos2IsPublishedOnce) {
  Client& reader = connect({.client_id = "reader"});
  reader.subscribe("farm/#");
  reader.received();
  Client& sensor = connect({.client_id = "sensor", .version = kV3});
  sensor.publish("farm/1", "1", kQos2, 5);
  sensor.publish("farm/1", "1", kQos2, 5, {.duplicate = true});
  sensor.acknowledge(PacketType::Pubrel, 5);
  sensor.publish("farm/1", "2", kQos2, 5);
  EXPECT_THAT(sensor.received(), ElementsAre("PUBREC id=5 reason=00", "PUBREC id=5 reason=00", "PUBCOMP id=5 reason=00",
                                             "PUBREC id=5 reason=00"));
  EXPECT_THAT(reader.received(),
              ElementsAre("PUBLISH \"farm/1\" \"1\" qos=0 id=0", "PUBLISH \"farm/1\" \"2\" qos=0 id=0"));
}

TEST_F(ConnectionTest, Qos2OfASessionThatIsKeptWaitsForTheStore) {
  Client& sensor = connect_durable("sensor");
  store_answers = false;
  sensor.publish("farm/1", "1", kQos2, 5);
  sensor.publish("farm/1", "1", kQos2, 5, {.duplicate = true});
  EXPECT_THAT(sensor.received(), IsEmpty());
  persist();
  persist();
  EXPECT_THAT(sensor.received(), ElementsAre("PUBREC id=5 reason=10", "PUBREC id=5 reason=00"));
  EXPECT_EQ(store.exchanges(), 1U);
  sensor.acknowledge(PacketType::Pubrel, 5);
  EXPECT_THAT(sensor.received(), IsEmpty());
  persist();
  EXPECT_THAT(sensor.received(), ElementsAre("PUBCOMP id=5 reason=00"));
  EXPECT_EQ(store.exchanges(), 0U);
}

TEST_F(ConnectionTest, Qos2OfASessionThatIsKeptIsPublishedOnceOverACrash) {
  Client& sensor = connect_durable("sensor");
  sensor.publish("farm/1", "1", kQos2, 5);
  EXPECT_THAT(sensor.received(), ElementsAre("PUBREC id=5 reason=10"));
  crash();
  Client& reader = connect({.client_id = "reader"});
  reader.subscribe("#");
  reader.received();
  Client& again = connect_durable("sensor");
  again.publish("farm/1", "1", kQos2, 5, {.duplicate = true});
  again.acknowledge(PacketType::Pubrel, 5);
  EXPECT_THAT(again.received(), ElementsAre("PUBREC id=5 reason=00", "PUBCOMP id=5 reason=00"));
  EXPECT_THAT(reader.received(), IsEmpty());
}

TEST_F(ConnectionTest, RepeatedPubrelWaitsUntilTheIdentifierIsForgottenForGood) {
  Client& sensor = connect_durable("sensor");
  sensor.publish("farm/1", "1", kQos2, 5);
  sensor.received();
  store_answers = false;
  sensor.acknowledge(PacketType::Pubrel, 5);
  sensor.acknowledge(PacketType::Pubrel, 5);
  EXPECT_THAT(sensor.received(), IsEmpty());
  persist();
  persist();
  EXPECT_THAT(sensor.received(), ElementsAre("PUBCOMP id=5 reason=00", "PUBCOMP id=5 reason=00"));
}

TEST_F(ConnectionTest, PubrelForAnUnknownIdentifier) {
  Client& young = connect({.client_id = "young"});
  young.acknowledge(PacketType::Pubrel, 9);
  EXPECT_THAT(young.received(), ElementsAre("PUBCOMP id=9 reason=92"));
  Client& old = connect({.client_id = "old", .version = kV3});
  old.acknowledge(PacketType::Pubrel, 9);
  EXPECT_THAT(old.received(), ElementsAre("PUBCOMP id=9 reason=00"));
}

TEST_F(ConnectionTest, ClosesWhenTheClientExceedsOurReceiveMaximum) {
  options.limits.inflight = 2;
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("farm/1", "1", kQos2, 1);
  sensor.publish("farm/1", "2", kQos2, 2);
  sensor.acknowledge(PacketType::Pubrel, 1);  // makes room
  sensor.publish("farm/1", "3", kQos2, 3);
  sensor.received();
  EXPECT_FALSE(sensor.closed());
  sensor.publish("farm/1", "4", kQos1, 4);
  EXPECT_THAT(sensor.received(), ElementsAre(StartsWith("DISCONNECT reason=93")));
  EXPECT_TRUE(sensor.closed());
}

TEST_F(ConnectionTest, TopicsThatBeginWithADollarAreNotForClients) {
  Client& young = connect({.client_id = "young"});
  young.publish("$SYS/furrow", "1");
  young.publish("$SYS/furrow", "1", kQos1, 1);
  young.publish("$SYS/furrow", "1", kQos2, 2);
  EXPECT_THAT(young.received(), ElementsAre("PUBACK id=1 reason=87", "PUBREC id=2 reason=87"));
  Client& old = connect({.client_id = "old", .version = kV3});
  old.publish("$SYS/furrow", "1", kQos1, 1, {.retain = true});
  EXPECT_THAT(old.received(), ElementsAre("PUBACK id=1 reason=00"));
  EXPECT_EQ(stats().dropped_not_authorized, 4U);
  EXPECT_EQ(stats().messages_received, 0U);
}

TEST_F(ConnectionTest, TooDeepTopicsAreRefused) {
  options.limits.topic_levels = 3;
  Client& young = connect({.client_id = "young"});
  young.publish("a/b/c", "1", kQos1, 1);
  young.publish("a/b/c/d", "1", kQos1, 2);
  EXPECT_THAT(young.received(), ElementsAre("PUBACK id=1 reason=10", "PUBACK id=2 reason=90"));
  young.publish("a/b/c/d", "1");
  EXPECT_THAT(young.received(), ElementsAre(StartsWith("DISCONNECT reason=90")));
  Client& old = connect({.client_id = "old", .version = kV3});
  old.publish("a/b/c/d", "1", kQos1, 1);
  EXPECT_THAT(old.received(), IsEmpty());
  EXPECT_TRUE(old.closed());
}

TEST_F(ConnectionTest, TopicAliasesWereNotAllowed) {
  Client& client = connect({});
  client.publish("a", "1", Qos::AtMostOnce, 0, {.properties = Properties().number(PropertyId::TopicAlias, 1)});
  EXPECT_THAT(client.received(), ElementsAre(StartsWith("DISCONNECT reason=94")));
}

TEST_F(ConnectionTest, AFullQueueThatRefusesIsSaidToThePublisher) {
  options.limits.session_queue = {.messages_max = 1, .bytes_max = 0, .age_max = {}, .when_full = broker::WhenFull::Refuse};
  leave_subscribed("reader", "farm/#");
  Client& young = connect({.client_id = "young"});
  young.publish("farm/1", "1", kQos1, 1);
  young.publish("farm/1", "2", kQos1, 2);
  young.publish("farm/1", "3", kQos2, 3);
  advance(seconds(1));
  EXPECT_THAT(young.received(),
              ElementsAre("PUBACK id=1 reason=00", "PUBACK id=2 reason=97", "PUBREC id=3 reason=97"));
  Client& old = connect({.client_id = "old", .version = kV3});
  old.publish("farm/1", "4", kQos1, 4);
  advance(seconds(1));
  EXPECT_THAT(old.received(), IsEmpty()) << "before MQTT 5 only silence says no";
  EXPECT_FALSE(old.closed());
}

// --- PUBLISH to a client ---

TEST_F(ConnectionTest, SendsQos1UntilItIsAcknowledged) {
  Client& reader = connect_durable("reader");
  reader.subscribe("farm/#", kQos1);
  reader.received();
  connect({.client_id = "sensor"}).publish("farm/1", "1", kQos2, 1);
  EXPECT_THAT(reader.received(), ElementsAre("PUBLISH \"farm/1\" \"1\" qos=1 id=1"));
  reader.vanish();
  Client& again = open_durable("reader");
  EXPECT_THAT(again.received(), ElementsAre(StartsWith("CONNACK reason=00 session"),
                                            "PUBLISH \"farm/1\" \"1\" qos=1 id=1 dup"));
  again.acknowledge(PacketType::Puback, 1);
  again.vanish();
  EXPECT_THAT(open_durable("reader").received(), ElementsAre(StartsWith("CONNACK reason=00 session")));
  EXPECT_EQ(broker().session_books().delivered, 1U);
}

TEST_F(ConnectionTest, SendsQos2InFourPackets) {
  Client& reader = connect({.client_id = "reader", .version = kV3});
  reader.subscribe("farm/#", kQos2);
  reader.received();
  connect({.client_id = "sensor"}).publish("farm/1", "1", kQos2, 1);
  EXPECT_THAT(reader.received(), ElementsAre("PUBLISH \"farm/1\" \"1\" qos=2 id=1"));
  reader.acknowledge(PacketType::Pubrec, 1);
  EXPECT_THAT(reader.received(), ElementsAre("PUBREL id=1 reason=00"));
  reader.acknowledge(PacketType::Pubcomp, 1);
  EXPECT_EQ(broker().session_books().delivered, 1U);
}

TEST_F(ConnectionTest, Qos2IsDurableBeforeItLeavesToASessionThatIsKept) {
  Client& reader = connect_durable("reader");
  reader.subscribe("farm/#", kQos2);
  reader.received();
  store_answers = false;
  connect({.client_id = "sensor"}).publish("farm/1", "1", kQos2, 1);
  EXPECT_THAT(reader.received(), IsEmpty());
  persist();
  EXPECT_THAT(reader.received(), ElementsAre("PUBLISH \"farm/1\" \"1\" qos=2 id=1"));
  reader.acknowledge(PacketType::Pubrec, 1);
  EXPECT_THAT(reader.received(), IsEmpty());
  persist();
  EXPECT_THAT(reader.received(), ElementsAre("PUBREL id=1 reason=00"));
}

TEST_F(ConnectionTest, PubrecForAnUnknownIdentifier) {
  Client& young = connect({.client_id = "young"});
  young.acknowledge(PacketType::Pubrec, 9);
  young.acknowledge(PacketType::Pubrec, 9, ReasonCode::UnspecifiedError);
  EXPECT_THAT(young.received(), ElementsAre("PUBREL id=9 reason=92"));
  Client& old = connect({.client_id = "old", .version = kV3});
  old.acknowledge(PacketType::Pubrec, 9);
  EXPECT_THAT(old.received(), ElementsAre("PUBREL id=9 reason=00"));
}

TEST_F(ConnectionTest, AcknowledgementsOfNothingAreIgnored) {
  Client& client = connect({});
  client.acknowledge(PacketType::Puback, 3);
  client.acknowledge(PacketType::Pubcomp, 4);
  client.send(mqtt::Pingreq{});
  EXPECT_THAT(client.received(), ElementsAre("PINGRESP"));
}

TEST_F(ConnectionTest, SendsNoMoreThanTheReceiveMaximumOfTheClient) {
  Client& reader =
      connect({.client_id = "reader", .properties = Properties().number(PropertyId::ReceiveMaximum, 2)});
  reader.subscribe("#", kQos1);
  reader.received();
  Client& sensor = connect({.client_id = "sensor"});
  for (const char* payload : {"1", "2", "3"}) sensor.publish("a", payload, kQos1, 1);
  EXPECT_THAT(reader.received(), ElementsAre("PUBLISH \"a\" \"1\" qos=1 id=1", "PUBLISH \"a\" \"2\" qos=1 id=2"));
  reader.acknowledge(PacketType::Puback, 1);
  EXPECT_THAT(reader.received(), ElementsAre("PUBLISH \"a\" \"3\" qos=1 id=3"));
}

TEST_F(ConnectionTest, SendsNothingLargerThanTheMaximumPacketSizeOfTheClient) {
  Client& reader =
      connect({.client_id = "reader", .properties = Properties().number(PropertyId::MaximumPacketSize, 20)});
  reader.subscribe("#", kQos1, {.subscription_id = 1});
  reader.subscribe("plain", kQos1);
  reader.received();
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("a", "longer than twenty bytes");
  sensor.publish("plain", "longer than twenty bytes");
  sensor.publish("a", "longer than twenty bytes", kQos1, 1);
  sensor.publish("a", "short", kQos1, 2);
  EXPECT_THAT(reader.received(), ElementsAre(HasSubstr("short")));
  EXPECT_EQ(stats().dropped_too_large, 2U);
  EXPECT_EQ(broker().session_books().drops(broker::DropReason::TooLarge), 1U);
}

TEST_F(ConnectionTest, Qos0ToAClientThatDoesNotReadIsDropped) {
  Client& reader = connect({.client_id = "reader"});
  reader.subscribe("#", kQos1);
  reader.received();
  reader.stop_reading();
  Client& sensor = connect({.client_id = "sensor"});
  const std::string large(broker::kOutputBytesMax, 'x');
  sensor.publish("a", large);
  sensor.publish("b", "dropped");
  sensor.publish("c", "kept", kQos1, 1);
  EXPECT_EQ(stats().dropped_qos0_slow, 1U);
  reader.start_reading();
  EXPECT_THAT(reader.received(), ElementsAre(StartsWith("PUBLISH \"a\""), "PUBLISH \"c\" \"kept\" qos=1 id=1"));
}

// --- SUBSCRIBE and UNSUBSCRIBE ---

TEST_F(ConnectionTest, GrantsWhatIsValid) {
  options.limits.topic_levels = 3;
  mqtt::Subscribe packet;
  packet.packet_id = PacketId{3};
  packet.requests = {{"a/+", kQos2}, {"a#", kQos1}, {"$share/g/a", kQos1}, {"a/b/c/d", kQos1}, {"b", Qos::AtMostOnce}};
  Client& young = connect({.client_id = "young"});
  young.send(packet);
  EXPECT_THAT(young.received(), ElementsAre("SUBACK id=3 reason=02 reason=8f reason=9e reason=8f reason=00"));
  Client& old = connect({.client_id = "old", .version = kV3});
  old.send(packet);
  EXPECT_THAT(old.received(), ElementsAre("SUBACK id=3 reason=02 reason=80 reason=80 reason=80 reason=00"));
}

TEST_F(ConnectionTest, SubscriptionsBeyondTheLimitAreRefused) {
  options.limits.subscriptions = 1;
  Client& client = connect({});
  client.subscribe("a");
  client.subscribe("b");
  client.subscribe("a", kQos1);
  EXPECT_THAT(client.received(),
              ElementsAre("SUBACK id=1 reason=00", "SUBACK id=1 reason=97", "SUBACK id=1 reason=01"));
  EXPECT_EQ(stats().subscriptions_over_limit, 1U);
}

TEST_F(ConnectionTest, SubackWaitsForTheStoreAndRetainedMessagesForTheSuback) {
  connect({.client_id = "sensor"}).publish("farm/1", "1", Qos::AtMostOnce, 0, {.retain = true});
  Client& reader = connect_durable("reader");
  store_answers = false;
  reader.subscribe("farm/#");
  EXPECT_THAT(reader.received(), IsEmpty());
  persist();
  EXPECT_THAT(reader.received(),
              ElementsAre("SUBACK id=1 reason=00", "PUBLISH \"farm/1\" \"1\" qos=0 id=0 retain"));
  reader.subscribe("farm/#");
  EXPECT_THAT(reader.received(), Contains("SUBACK id=1 reason=00")) << "nothing changed, so nothing is written";
}

TEST_F(ConnectionTest, RetainHandlingSaysWhenRetainedMessagesAreSent) {
  connect({.client_id = "sensor"}).publish("a", "1", Qos::AtMostOnce, 0, {.retain = true});
  Client& client = connect({.client_id = "reader"});
  const auto retained_with = [&](mqtt::RetainHandling handling) {
    client.subscribe("a", Qos::AtMostOnce, {.retain_handling = handling});
    return client.received().size() == 2;
  };
  EXPECT_FALSE(retained_with(mqtt::RetainHandling::DoNotSend));
  EXPECT_FALSE(retained_with(mqtt::RetainHandling::SendIfNew)) << "it is not new any more";
  EXPECT_TRUE(retained_with(mqtt::RetainHandling::Send));
  client.unsubscribe("a");
  client.received();
  EXPECT_TRUE(retained_with(mqtt::RetainHandling::SendIfNew));
}

TEST_F(ConnectionTest, SubscribingWaitsForAClientThatDoesNotRead) {
  Client& sensor = connect({.client_id = "sensor"});
  const std::string large(broker::kOutputBytesMax, 'x');
  sensor.publish("a", large, Qos::AtMostOnce, 0, {.retain = true});
  Client& reader = connect({.client_id = "reader"});
  reader.stop_reading();
  for (int i = 0; i < 3; ++i) reader.subscribe("a");
  EXPECT_LT(broker().output(reader.id()).size(), 2 * broker::kOutputBytesMax);
  EXPECT_TRUE(broker().reading_paused(reader.id()));
  reader.start_reading();
  EXPECT_THAT(reader.received(), testing::SizeIs(6));
  EXPECT_FALSE(broker().reading_paused(reader.id()));
}

TEST_F(ConnectionTest, NoLocalKeepsOwnMessagesAway) {
  Client& client = connect({});
  client.subscribe("a", Qos::AtMostOnce, {.no_local = true});
  client.subscribe("b");
  client.received();
  client.publish("a", "1");
  client.publish("b", "1");
  EXPECT_THAT(client.received(), ElementsAre("PUBLISH \"b\" \"1\" qos=0 id=0"));
}

TEST_F(ConnectionTest, TheBridgeBitKeepsOwnMessagesAwayAndRetainFlags) {
  Client& bridge = connect({.client_id = "bridge", .version = kV3, .bridge = true});
  bridge.subscribe("#");
  bridge.received();
  bridge.publish("a", "own");
  connect({.client_id = "sensor"}).publish("a", "other", Qos::AtMostOnce, 0, {.retain = true});
  EXPECT_THAT(bridge.received(), ElementsAre("PUBLISH \"a\" \"other\" qos=0 id=0 retain"));
}

TEST_F(ConnectionTest, SubscriptionIdentifiersComeWithMessages) {
  Client& client = connect({});
  client.subscribe("a", kQos1, {.subscription_id = 5});
  client.subscribe("#", Qos::AtMostOnce, {.subscription_id = 6});
  client.received();
  client.publish("a", "1");
  client.publish("b", "1");
  EXPECT_THAT(client.received(), ElementsAre(testing::AllOf(HasSubstr("0b=5"), HasSubstr("0b=6")),
                                             "PUBLISH \"b\" \"1\" qos=0 id=0 {0b=6}"));
}

TEST_F(ConnectionTest, UnsubscribeSaysWhatThereWas) {
  Client& young = connect({.client_id = "young"});
  young.subscribe("a");
  young.unsubscribe("a");
  young.unsubscribe("a");
  young.unsubscribe("a#");
  young.publish("a", "1");
  EXPECT_THAT(young.received(), ElementsAre("SUBACK id=1 reason=00", "UNSUBACK id=1 reason=00",
                                            "UNSUBACK id=1 reason=11", "UNSUBACK id=1 reason=8f"));
  Client& old = connect({.client_id = "old", .version = kV3});
  old.unsubscribe("a");
  EXPECT_THAT(old.received(), ElementsAre("UNSUBACK id=1"));
}

TEST_F(ConnectionTest, UnsubackWaitsForTheStore) {
  Client& client = connect_durable("a");
  client.subscribe("a");
  client.received();
  store_answers = false;
  client.unsubscribe("a");
  EXPECT_THAT(client.received(), IsEmpty());
  persist();
  EXPECT_THAT(client.received(), ElementsAre("UNSUBACK id=1 reason=00"));
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

TEST_F(ConnectionTest, TooLargePacketsClose) {
  options.limits.packet_bytes = 100;
  Client& client = connect({});
  client.publish("a", std::string(100, 'x'));
  EXPECT_THAT(client.received(), ElementsAre(StartsWith("DISCONNECT reason=95")));
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
