// Messages over one network connection: PUBLISH both ways and subscriptions, in MQTT 5 unless a case says otherwise.
#include "tests/support/broker_fixture.h"

namespace furrow::test {
namespace {

using mqtt::PacketType;
using mqtt::PropertyId;
using mqtt::Qos;
using mqtt::ReasonCode;
using mqtt::Version;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class ConnectionMessagesTest : public BrokerFixture {};

// --- PUBLISH from a client ---

TEST_F(ConnectionMessagesTest, Qos0ReachesEverySubscriberInItsVersion) {
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

TEST_F(ConnectionMessagesTest, Qos1IsAcknowledgedWithWhetherAnybodyListens) {
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("farm/1", "1", kQos1, 7);
  EXPECT_THAT(sensor.received(), ElementsAre("PUBACK id=7 reason=10"));
  sensor.subscribe("farm/#", Qos::AtMostOnce);
  sensor.publish("farm/1", "2", kQos1, 8);
  EXPECT_THAT(sensor.received(),
              ElementsAre("SUBACK id=1 reason=00", "PUBLISH \"farm/1\" \"2\" qos=0 id=0", "PUBACK id=8 reason=00"));
}

TEST_F(ConnectionMessagesTest, PubackWaitsForTheStoreWhenADurableSubscriberIsAway) {
  leave_subscribed("reader", "farm/#");
  Client& sensor = connect({.client_id = "sensor"});
  store_answers = false;
  sensor.publish("farm/1", "1", kQos1, 7);
  sensor.publish("elsewhere", "1", kQos1, 8);
  EXPECT_EQ(store.submitted().size(), 1U);
  EXPECT_THAT(sensor.received(), IsEmpty()) << "acknowledgements leave in order of receipt";
  persist();
  EXPECT_THAT(sensor.received(), ElementsAre("PUBACK id=7 reason=00", "PUBACK id=8 reason=10"));
}

TEST_F(ConnectionMessagesTest, PubackOfALostConnectionDoesNotReachTheNextOne) {
  leave_subscribed("reader", "farm/#");
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("farm/1", "1", kQos1, 7);
  sensor.vanish();
  Client& again = connect({.client_id = "sensor"});
  advance(seconds(1));
  EXPECT_THAT(again.received(), IsEmpty());
}

// ESP-IDF repeats what is not acknowledged after a second, on the same connection.
TEST_F(ConnectionMessagesTest, Qos1RepeatedBeforeItsPubackIsTheSameMessage) {
  leave_subscribed("away", "farm/#");
  for (const Version version : {kV3, Version::V5}) {
    Client& reader = connect({.client_id = "reader"});
    reader.subscribe("farm/#");
    reader.received();
    Client& sensor = connect({.client_id = "sensor", .version = version});
    store_answers = false;
    sensor.publish("farm/1", "1", kQos1, 7);
    sensor.publish("elsewhere", "2", kQos1, 8);  // answered already, behind the other
    sensor.publish("farm/1", "1", kQos1, 7, {.duplicate = true});
    sensor.publish("elsewhere", "2", kQos1, 8, {.duplicate = true});
    EXPECT_THAT(reader.received(), ElementsAre(HasSubstr("\"1\"")));
    persist();
    EXPECT_THAT(sensor.received(), ElementsAre(StartsWith("PUBACK id=7"), StartsWith("PUBACK id=8")));
    sensor.publish("farm/1", "3", kQos1, 7, {.duplicate = true});
    EXPECT_THAT(reader.received(), ElementsAre(HasSubstr("\"3\""))) << "after its PUBACK the identifier is free";
    persist();
    sensor.disconnect();
    reader.disconnect();
    store_answers = true;
    settle();
  }
}

TEST_F(ConnectionMessagesTest, Qos1WithoutDupIsANewMessage) {
  leave_subscribed("away", "farm/#");
  Client& sensor = connect({.client_id = "sensor", .version = kV3});
  store_answers = false;
  sensor.publish("farm/1", "1", kQos1, 7);
  sensor.publish("farm/1", "2", kQos1, 7);
  EXPECT_EQ(stats().messages_received, 2U);
  persist();
  persist();
  EXPECT_THAT(sensor.received(), ElementsAre("PUBACK id=7 reason=00", "PUBACK id=7 reason=00"));
}

TEST_F(ConnectionMessagesTest, RepeatedMessagesTakeNoPlaceInTheReceiveMaximum) {
  options.limits.inflight = 2;
  leave_subscribed("away", "farm/#");
  Client& sensor = connect({.client_id = "sensor"});
  store_answers = false;
  sensor.publish("farm/1", "1", kQos1, 1);
  for (int i = 0; i < 3; ++i) sensor.publish("farm/1", "1", kQos1, 1, {.duplicate = true});
  store_answers = true;
  advance(seconds(1));
  sensor.publish("farm/1", "2", kQos2, 2);
  for (int i = 0; i < 3; ++i) sensor.publish("farm/1", "2", kQos2, 2, {.duplicate = true});
  sensor.publish("farm/1", "3", kQos2, 3);
  EXPECT_FALSE(sensor.closed());
}

TEST_F(ConnectionMessagesTest, Qos2IsPublishedOnce) {
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

TEST_F(ConnectionMessagesTest, Qos2OfASessionThatIsKeptWaitsForTheStore) {
  Client& sensor = connect_durable("sensor");
  store_answers = false;
  sensor.publish("farm/1", "1", kQos2, 5);
  sensor.publish("farm/1", "1", kQos2, 5, {.duplicate = true});
  EXPECT_THAT(sensor.received(), IsEmpty());
  persist();
  EXPECT_THAT(sensor.received(), ElementsAre("PUBREC id=5 reason=10"));
  EXPECT_EQ(store.exchanges(), 1U);
  sensor.acknowledge(PacketType::Pubrel, 5);
  EXPECT_THAT(sensor.received(), IsEmpty());
  persist();
  EXPECT_THAT(sensor.received(), ElementsAre("PUBCOMP id=5 reason=00"));
  EXPECT_EQ(store.exchanges(), 0U);
}

TEST_F(ConnectionMessagesTest, Qos2OfASessionThatIsKeptIsPublishedOnceOverACrash) {
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

// PUBREL must wait for PUBREC, and some clients do not wait.
TEST_F(ConnectionMessagesTest, PubrelBeforePubrecLeavesNoIdentifierBehindOnAFullDisk) {
  open_durable("reader").subscribe("#", kQos1);
  Client& sensor = connect_durable("sensor");
  settle();
  store_answers = false;
  sensor.publish("farm/1", "1", kQos2, 5);
  settle();
  broker().handle_store_failing(true);
  broker().handle_not_persisted(store.fail_one(), now);
  sensor.acknowledge(PacketType::Pubrel, 5);
  settle();
  persist();  // rows alone
  broker().handle_store_failing(false);
  store_answers = true;
  advance(seconds(2));
  EXPECT_THAT(sensor.received(), ElementsAre("PUBREC id=5 reason=00", "PUBCOMP id=5 reason=00"));
  EXPECT_EQ(store.exchanges(), 0U);
}

TEST_F(ConnectionMessagesTest, RepeatedPubrelWaitsUntilTheIdentifierIsForgottenForGood) {
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

TEST_F(ConnectionMessagesTest, PubrelForAnUnknownIdentifier) {
  Client& young = connect({.client_id = "young"});
  young.acknowledge(PacketType::Pubrel, 9);
  EXPECT_THAT(young.received(), ElementsAre("PUBCOMP id=9 reason=92"));
  Client& old = connect({.client_id = "old", .version = kV3});
  old.acknowledge(PacketType::Pubrel, 9);
  EXPECT_THAT(old.received(), ElementsAre("PUBCOMP id=9 reason=00"));
}

TEST_F(ConnectionMessagesTest, TopicsThatBeginWithADollarAreNotForClients) {
  Client& young = connect({.client_id = "young"});
  young.publish("$SYS/furrow", "1");
  young.publish("$SYS/furrow", "1", kQos1, 1);
  young.publish("$SYS/furrow", "1", kQos2, 2);
  EXPECT_THAT(young.received(),
              ElementsAre("PUBACK id=1 reason=87 {1f=\"topics that begin with $ are the gateway's own\"}",
                          "PUBREC id=2 reason=87 {1f=\"topics that begin with $ are the gateway's own\"}"));
  Client& old = connect({.client_id = "old", .version = kV3});
  old.publish("$SYS/furrow", "1", kQos1, 1, {.retain = true});
  EXPECT_THAT(old.received(), ElementsAre("PUBACK id=1 reason=00"));
  EXPECT_EQ(stats().dropped_not_authorized, 4U);
  EXPECT_EQ(stats().messages_received, 0U);
}

// What Mosquitto's bridges do unless told not to.
TEST_F(ConnectionMessagesTest, BridgeSaysOnTheTopicOfItsWillThatItIsConnected) {
  constexpr std::string_view kNotice = "$SYS/broker/connection/region.barn/state";
  Client& reader = connect({.client_id = "reader"});
  reader.subscribe("$SYS/broker/connection/+/state", kQos1);
  reader.received();
  for (const Version version : {kV3, Version::V5}) {
    Client& bridge = connect({.client_id = "bridge",
                              .version = version,
                              .will = mqtt::Will{.topic = kNotice, .payload = as_bytes("0"), .retain = true}});
    bridge.publish(kNotice, "1", kQos1, 1, {.retain = true});
    persist();
    EXPECT_THAT(bridge.received(), ElementsAre("PUBACK id=1 reason=00"));
    EXPECT_THAT(reader.received(),
                ElementsAre(StartsWith("PUBLISH \"$SYS/broker/connection/region.barn/state\" \"1\"")));
    bridge.vanish();
    EXPECT_THAT(reader.received(),
                ElementsAre(StartsWith("PUBLISH \"$SYS/broker/connection/region.barn/state\" \"0\"")));
  }
  EXPECT_EQ(broker().retained().own_messages(), 0U) << "it is a client's, and counts against the limits of clients";
  EXPECT_EQ(stats().dropped_not_authorized, 0U);
}

TEST_F(ConnectionMessagesTest, BridgeMayPublishOnNoOtherReservedTopic) {
  Client& bridge = connect({.client_id = "bridge", .will = mqtt::Will{.topic = "$SYS/broker/connection/a/state"}});
  bridge.publish("$SYS/broker/connection/b/state", "1", kQos1, 1);
  bridge.publish("$SYS/broker/connection/a/states", "1", kQos1, 2);
  EXPECT_THAT(bridge.received(), ElementsAre(StartsWith("PUBACK id=1 reason=87"), StartsWith("PUBACK id=2 reason=87")));
  Client& other = connect({.client_id = "other"});
  other.publish("$SYS/broker/connection/a/state", "1", kQos1, 1);
  EXPECT_THAT(other.received(), ElementsAre(StartsWith("PUBACK id=1 reason=87")));
}

class OwnBridgeState : public ConnectionMessagesTest {
 protected:
  static constexpr std::string_view kTopic = "$SYS/broker/connection/barn-region/state";

  std::string state() { return std::string(as_text(broker().retained().find(kTopic)->payload())); }
  ConnectOptions forger() const {
    return {.client_id = "barn-region",
            .will = mqtt::Will{.topic = kTopic, .payload = as_bytes("will"), .qos = kQos1, .retain = true}};
  }
};

TEST_F(OwnBridgeState, IsNobodysWill) {
  broker().publish_status(kTopic, "1", now);
  EXPECT_THAT(open(forger()).received(), ElementsAre(StartsWith("CONNACK reason=87")));
}

TEST_F(OwnBridgeState, IsNotOverwrittenByAClientThatWasThereBefore) {
  Client& client = connect(forger());
  client.publish(kTopic, "forged", kQos1, 1, {.retain = true});
  broker().publish_status(kTopic, "1", now);
  for (const std::string_view payload : {"forged", ""}) client.publish(kTopic, payload, kQos2, 2, {.retain = true});
  EXPECT_EQ(state(), "1");
  client.vanish();
  EXPECT_EQ(state(), "1") << "nor by its will";
  EXPECT_EQ(stats().dropped_not_authorized, 3U);
}

TEST_F(ConnectionMessagesTest, TooDeepTopicsAreRefused) {
  options.limits.topic_levels = 3;
  Client& young = connect({.client_id = "young"});
  young.publish("a/b/c", "1", kQos1, 1);
  young.publish("a/b/c/d", "1", kQos1, 2);
  EXPECT_THAT(young.received(), ElementsAre("PUBACK id=1 reason=10",
                                            "PUBACK id=2 reason=90 {1f=\"over limits.topic_levels or limits.topic\"}"));
  young.publish("a/b/c/d", "1");
  EXPECT_THAT(young.received(), ElementsAre(StartsWith("DISCONNECT reason=90")));
  Client& old = connect({.client_id = "old", .version = kV3});
  old.publish("a/b/c/d", "1", kQos1, 1);
  EXPECT_THAT(old.received(), IsEmpty());
  EXPECT_TRUE(old.closed());
}

TEST_F(ConnectionMessagesTest, AFullQueueThatRefusesIsSaidToThePublisher) {
  options.limits.session_queue = {
      .messages_max = 1, .bytes_max = 0, .age_max = {}, .when_full = broker::WhenFull::Refuse};
  leave_subscribed("reader", "farm/#");
  Client& young = connect({.client_id = "young"});
  young.publish("farm/1", "1", kQos1, 1);
  young.publish("farm/1", "2", kQos1, 2);
  young.publish("farm/1", "3", kQos2, 3);
  young.publish("farm/1", "4", kQos2, 3);  // another message: the exchange has ended
  advance(seconds(1));
  EXPECT_THAT(
      young.received(),
      ElementsAre("PUBACK id=1 reason=00",
                  "PUBACK id=2 reason=97 {1f=\"over limits.user_properties, or no room in a queue or on the disk\"}",
                  "PUBREC id=3 reason=97 {1f=\"over limits.user_properties, or no room in a queue or on the disk\"}",
                  "PUBREC id=3 reason=97 {1f=\"over limits.user_properties, or no room in a queue or on the disk\"}"));
}

// --- the order in which outputs are written ---

class WriteOrder : public ConnectionMessagesTest {
 protected:
  // In the same turn as what came before.
  void publish(const Client& client, std::string_view topic) {
    mqtt::Publish packet;
    packet.topic = topic;
    packet.packet_id = PacketId{1};
    packet.qos = kQos1;
    ByteBuffer bytes;
    encode(packet, Version::V5, bytes);
    broker().handle_bytes(client.id(), bytes.view(), true, now);
  }
  Client& subscriber(std::string_view client_id, std::string_view topic) {
    Client& client = connect({.client_id = client_id});
    client.subscribe(topic, kQos1);
    return client;
  }
  std::vector<ConnectionId> order() {
    std::vector<ConnectionId> all;
    for (ConnectionId id; broker().poll_ready(id);) all.push_back(id);
    return all;
  }
};

TEST_F(WriteOrder, MessagesLeaveBeforeTheirPublishersAreAnswered) {
  const Client& first = subscriber("first", "a");
  const Client& second = subscriber("second", "b");
  const Client& sensor = connect({.client_id = "sensor"});
  const Client& other = connect({.client_id = "other"});
  publish(sensor, "a");
  publish(other, "b");
  publish(sensor, "a");
  broker().handle_turn_end(now);
  EXPECT_THAT(order(), ElementsAre(first.id(), second.id(), sensor.id(), other.id()));
}

TEST_F(WriteOrder, WhoIsAnsweredAndThenGetsAMessageIsGivenOnce) {
  const Client& reader = subscriber("reader", "a");
  const Client& both = subscriber("both", "b");
  const Client& sensor = connect({.client_id = "sensor"});
  publish(both, "a");
  publish(sensor, "b");
  broker().handle_turn_end(now);
  EXPECT_THAT(order(), ElementsAre(reader.id(), both.id(), sensor.id()));
  publish(both, "a");
  EXPECT_THAT(order(), ElementsAre(reader.id(), both.id()));
}

// --- PUBLISH to a client ---

TEST_F(ConnectionMessagesTest, SendsQos1UntilItIsAcknowledged) {
  Client& reader = connect_durable("reader");
  reader.subscribe("farm/#", kQos1);
  reader.received();
  connect({.client_id = "sensor"}).publish("farm/1", "1", kQos2, 1);
  EXPECT_THAT(reader.received(), ElementsAre("PUBLISH \"farm/1\" \"1\" qos=1 id=1"));
  reader.vanish();
  Client& again = open_durable("reader");
  EXPECT_THAT(again.received(),
              ElementsAre(StartsWith("CONNACK reason=00 session"), "PUBLISH \"farm/1\" \"1\" qos=1 id=1 dup"));
  again.acknowledge(PacketType::Puback, 1);
  again.vanish();
  EXPECT_THAT(open_durable("reader").received(), ElementsAre(StartsWith("CONNACK reason=00 session")));
  EXPECT_EQ(broker().session_books().delivered, 1U);
}

TEST_F(ConnectionMessagesTest, SendsQos2InFourPackets) {
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

TEST_F(ConnectionMessagesTest, TheBytesOfWhatWaitsForSessionsAreCounted) {
  Client& reader = connect_durable("reader");
  reader.subscribe("farm/#", kQos1);
  reader.vanish();
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("farm/1", std::string(100, 'x'), kQos1, 1);
  EXPECT_GT(broker().session_queue_bytes(), 100U);
  sensor.publish("elsewhere", std::string(1000, 'x'), kQos1, 2);
  EXPECT_LT(broker().session_queue_bytes(), 300U);
  open_durable("reader").acknowledge(PacketType::Puback, 1);
  EXPECT_EQ(broker().session_queue_bytes(), 0U);
}

TEST_F(ConnectionMessagesTest, Qos2IsDurableBeforeItLeavesToASessionThatIsKept) {
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

TEST_F(ConnectionMessagesTest, PubrecForAnUnknownIdentifier) {
  Client& young = connect({.client_id = "young"});
  young.acknowledge(PacketType::Pubrec, 9);
  young.acknowledge(PacketType::Pubrec, 9, ReasonCode::UnspecifiedError);
  EXPECT_THAT(young.received(), ElementsAre("PUBREL id=9 reason=92"));
  Client& old = connect({.client_id = "old", .version = kV3});
  old.acknowledge(PacketType::Pubrec, 9);
  EXPECT_THAT(old.received(), ElementsAre("PUBREL id=9 reason=00"));
}

TEST_F(ConnectionMessagesTest, AcknowledgementsOfNothingAreIgnored) {
  Client& client = connect({});
  client.acknowledge(PacketType::Puback, 3);
  client.acknowledge(PacketType::Pubcomp, 4);
  client.send(mqtt::Pingreq{});
  EXPECT_THAT(client.received(), ElementsAre("PINGRESP"));
}

TEST_F(ConnectionMessagesTest, SendsNoMoreThanTheReceiveMaximumOfTheClient) {
  Client& reader = connect({.client_id = "reader", .properties = Properties().number(PropertyId::ReceiveMaximum, 2)});
  reader.subscribe("#", kQos1);
  reader.received();
  Client& sensor = connect({.client_id = "sensor"});
  for (const char* payload : {"1", "2", "3"}) sensor.publish("a", payload, kQos1, 1);
  EXPECT_THAT(reader.received(), ElementsAre("PUBLISH \"a\" \"1\" qos=1 id=1", "PUBLISH \"a\" \"2\" qos=1 id=2"));
  reader.acknowledge(PacketType::Puback, 1);
  EXPECT_THAT(reader.received(), ElementsAre("PUBLISH \"a\" \"3\" qos=1 id=3"));
}

TEST_F(ConnectionMessagesTest, SendsNothingLargerThanTheMaximumPacketSizeOfTheClient) {
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

TEST_F(ConnectionMessagesTest, AnEmptyQueueTakesAMessageLargerThanItself) {
  options.limits.session_queue.bytes_max = 1000;
  const std::string large(2000, 'x');
  for (const auto policy : {broker::WhenFull::DropOldest, broker::WhenFull::DropNewest, broker::WhenFull::Refuse}) {
    options.limits.session_queue.when_full = policy;
    crash();
    Client& passing = connect({.client_id = "passing"});
    Client& kept = connect_durable("kept");
    for (Client* reader : {&passing, &kept}) {
      reader->subscribe("#", kQos1);
      reader->received();
    }
    connect({.client_id = "sensor"}).publish("a", large, kQos1, 1);
    EXPECT_THAT(passing.received(), ElementsAre(HasSubstr(large)));
    EXPECT_THAT(kept.received(), ElementsAre(HasSubstr(large)));
    kept.acknowledge(PacketType::Puback, 1);
  }
}

TEST_F(ConnectionMessagesTest, Qos0ToAClientThatDoesNotReadIsDropped) {
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

TEST_F(ConnectionMessagesTest, GrantsWhatIsValid) {
  options.limits.topic_levels = 3;
  mqtt::Subscribe packet;
  packet.packet_id = PacketId{3};
  packet.requests = {{"a/+", kQos2}, {"$share/g/a", kQos1}, {"a/b/c/d", kQos1}, {"b", Qos::AtMostOnce}};
  Client& young = connect({.client_id = "young"});
  young.send(packet);
  EXPECT_THAT(
      young.received(),
      ElementsAre(
          "SUBACK id=3 {1f=\"over limits.topic_levels or limits.topic\"} reason=02 reason=01 reason=8f reason=00"));
  Client& old = connect({.client_id = "old", .version = kV3});
  old.send(packet);
  EXPECT_THAT(old.received(), ElementsAre("SUBACK id=3 reason=02 reason=01 reason=80 reason=00"));
}

TEST_F(ConnectionMessagesTest, SubscriptionsBeyondTheLimitAreRefused) {
  options.limits.subscriptions = 1;
  Client& client = connect({});
  client.subscribe("a");
  client.subscribe("b");
  client.subscribe("a", kQos1);
  EXPECT_THAT(client.received(),
              ElementsAre("SUBACK id=1 reason=00", "SUBACK id=1 {1f=\"limits.subscriptions is reached\"} reason=97",
                          "SUBACK id=1 reason=01"));
  EXPECT_EQ(stats().subscriptions_over_limit, 1U);
}

TEST_F(ConnectionMessagesTest, SubackWaitsForTheStoreAndRetainedMessagesForTheSuback) {
  connect({.client_id = "sensor"}).publish("farm/1", "1", Qos::AtMostOnce, 0, {.retain = true});
  Client& reader = connect_durable("reader");
  store_answers = false;
  reader.subscribe("farm/#");
  EXPECT_THAT(reader.received(), IsEmpty());
  persist();
  EXPECT_THAT(reader.received(), ElementsAre("SUBACK id=1 reason=00", "PUBLISH \"farm/1\" \"1\" qos=0 id=0 retain"));
  reader.subscribe("farm/#");
  EXPECT_THAT(reader.received(), Contains("SUBACK id=1 reason=00")) << "nothing changed, so nothing is written";
}

// A full disk takes rows all the same; and acknowledgements behind the PUBCOMP are those of other messages.
TEST_F(ConnectionMessagesTest, APubrelIsAnsweredWhileMessagesAreHeldBack) {
  leave_subscribed("away", "farm/#");
  Client& meter = connect_durable("meter");
  meter.publish("other", "1", Qos::ExactlyOnce, 1);
  EXPECT_THAT(meter.received(), ElementsAre("PUBREC id=1 reason=10"));
  store_answers = false;
  connect({.client_id = "sensor"}).publish("farm/1", "1", kQos1, 1);
  advance(std::chrono::milliseconds(100));
  ASSERT_FALSE(store.submitted().front().segments.empty());
  broker().handle_not_persisted(store.fail_one(), now);
  meter.acknowledge(mqtt::PacketType::Pubrel, 1);
  meter.publish("other", "2", kQos1, 2);
  EXPECT_THAT(meter.received(), IsEmpty());
  ASSERT_TRUE(store.submitted().front().segments.empty());
  persist();
  EXPECT_THAT(meter.received(), ElementsAre("PUBCOMP id=1 reason=00", "PUBACK id=2 reason=10"));
}

// Whoever asks for it: while a crash would bring the value back, it is not gone.
TEST_F(ConnectionMessagesTest, ADeletionThatComesAgainIsAcknowledgedOnceTheFirstIsStored) {
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("farm/1", "1", kQos1, 1, {.retain = true});
  advance(std::chrono::seconds(2));
  sensor.received();
  store_answers = false;
  sensor.publish("farm/1", "", Qos::AtMostOnce, 0, {.retain = true});
  sensor.publish("farm/1", "", kQos1, 2, {.retain = true});
  EXPECT_THAT(sensor.received(), IsEmpty());
  advance(std::chrono::seconds(2));
  persist();
  EXPECT_THAT(sensor.received(), ElementsAre("PUBACK id=2 reason=10"));
  EXPECT_THAT(store.restored().retained, IsEmpty());
  sensor.publish("farm/1", "", kQos1, 3, {.retain = true});
  EXPECT_THAT(sensor.received(), ElementsAre("PUBACK id=3 reason=10")) << "nothing is left to store";
}

TEST_F(ConnectionMessagesTest, RetainHandlingSaysWhenRetainedMessagesAreSent) {
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

TEST_F(ConnectionMessagesTest, SubscribingWaitsForAClientThatDoesNotRead) {
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

TEST_F(ConnectionMessagesTest, NoLocalKeepsOwnMessagesAway) {
  Client& client = connect({});
  client.subscribe("a", Qos::AtMostOnce, {.no_local = true});
  client.subscribe("b");
  client.received();
  client.publish("a", "1");
  client.publish("b", "1");
  EXPECT_THAT(client.received(), ElementsAre("PUBLISH \"b\" \"1\" qos=0 id=0"));
}

TEST_F(ConnectionMessagesTest, OwnMessagesComeAsTheSubscriptionsWithoutNoLocalAsk) {
  Client& client = connect({});
  client.subscribe("a", Qos::ExactlyOnce, {.no_local = true, .retain_as_published = true});
  client.subscribe("a/#");
  client.received();
  client.publish("a", "1", Qos::AtLeastOnce, 1, {.retain = true});
  EXPECT_THAT(client.received(), testing::Contains("PUBLISH \"a\" \"1\" qos=0 id=0"));
}

TEST_F(ConnectionMessagesTest, TheBridgeBitKeepsOwnMessagesAwayAndRetainFlags) {
  Client& bridge = connect({.client_id = "bridge", .version = kV3, .bridge = true});
  bridge.subscribe("#");
  bridge.received();
  bridge.publish("a", "own");
  connect({.client_id = "sensor"}).publish("a", "other", Qos::AtMostOnce, 0, {.retain = true});
  EXPECT_THAT(bridge.received(), ElementsAre("PUBLISH \"a\" \"other\" qos=0 id=0 retain"));
}

TEST_F(ConnectionMessagesTest, SubscriptionIdentifiersComeWithMessages) {
  Client& client = connect({});
  client.subscribe("a", kQos1, {.subscription_id = 5});
  client.subscribe("#", Qos::AtMostOnce, {.subscription_id = 6});
  client.received();
  client.publish("a", "1");
  client.publish("b", "1");
  EXPECT_THAT(client.received(), ElementsAre(testing::AllOf(HasSubstr("0b=5"), HasSubstr("0b=6")),
                                             "PUBLISH \"b\" \"1\" qos=0 id=0 {0b=6}"));
}

TEST_F(ConnectionMessagesTest, AFilterThatIsNotWellFormedEndsTheConnection) {
  for (const char* filter : {"", "a#", "#/a", "a+", "$share/g"}) {
    Client& first = connect({.client_id = "first"});
    first.subscribe(filter);
    EXPECT_THAT(first.received(), ElementsAre(StartsWith("DISCONNECT reason=81"))) << filter;
    Client& second = connect({.client_id = "second"});
    second.unsubscribe(filter);
    EXPECT_THAT(second.received(), ElementsAre(StartsWith("DISCONNECT reason=81"))) << filter;
  }
}

TEST_F(ConnectionMessagesTest, AnAcknowledgementOfTheWrongKindEndsTheConnection) {
  for (const Qos qos : {kQos1, kQos2}) {
    Client& reader = connect({.client_id = "reader"});
    reader.subscribe("a", qos);
    connect({.client_id = "sensor"}).publish("a", "1", qos, 1);
    reader.received();
    reader.acknowledge(qos == kQos1 ? PacketType::Pubrec : PacketType::Puback, 1);
    EXPECT_THAT(reader.received(), ElementsAre(StartsWith("DISCONNECT reason=82")));
  }
}

TEST_F(ConnectionMessagesTest, UnsubscribeSaysWhatThereWas) {
  Client& young = connect({.client_id = "young"});
  young.subscribe("a");
  young.unsubscribe("a");
  young.unsubscribe("a");
  young.publish("a", "1");
  EXPECT_THAT(young.received(),
              ElementsAre("SUBACK id=1 reason=00", "UNSUBACK id=1 reason=00", "UNSUBACK id=1 reason=11"));
  Client& old = connect({.client_id = "old", .version = kV3});
  old.unsubscribe("a");
  EXPECT_THAT(old.received(), ElementsAre("UNSUBACK id=1"));
}

TEST_F(ConnectionMessagesTest, UnsubackWaitsForTheStore) {
  Client& client = connect_durable("a");
  client.subscribe("a");
  client.received();
  store_answers = false;
  client.unsubscribe("a");
  EXPECT_THAT(client.received(), IsEmpty());
  persist();
  EXPECT_THAT(client.received(), ElementsAre("UNSUBACK id=1 reason=00"));
}

}  // namespace
}  // namespace furrow::test
