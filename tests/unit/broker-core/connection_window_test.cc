// Clients that send more than their window: all of it gets through, and nobody waits for somebody who waits for him.
#include "tests/support/broker_fixture.h"

namespace furrow::test {
namespace {

using mqtt::PacketType;
using mqtt::Qos;
using mqtt::Version;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

constexpr Version kVersions[] = {Version::V3_1_1, Version::V5};

class ConnectionWindowTest : public BrokerFixture {
 protected:
  // PUBLISH packets with the payloads "1", "2", … and those identifiers, in one piece.
  static ByteBuffer burst(Version version, int count, Qos qos, std::string_view topic = "farm/1") {
    ByteBuffer bytes;
    for (int i = 1; i <= count; ++i) {
      const std::string payload = std::to_string(i);
      mqtt::Publish packet;
      packet.topic = topic;
      packet.payload = as_bytes(payload);
      packet.packet_id = PacketId{static_cast<std::uint16_t>(i)};
      packet.qos = qos;
      encode(packet, version, bytes);
    }
    return bytes;
  }
  // What such a burst is answered with.
  static std::vector<std::string> answers(std::string_view type, int count) {
    std::vector<std::string> all;
    for (int i = 1; i <= count; ++i) all.push_back(std::string(type) + " id=" + std::to_string(i) + " reason=00");
    return all;
  }
  // A session that is away, so that the store must have each message before its publisher is answered.
  void keep_in_store() { leave_subscribed("away", "farm/#"); }
  Client& connect_reader() {
    Client& reader = connect({.client_id = "reader"});
    reader.subscribe("farm/#");
    reader.received();
    return reader;
  }
};

// MQTT.js and many others send what they have, whatever the CONNACK says.
TEST_F(ConnectionWindowTest, ClientThatIgnoresTheReceiveMaximumGetsThrough) {
  constexpr int kCount = 300;
  keep_in_store();
  for (const Version version : kVersions) {
    for (const Qos qos : {kQos1, kQos2}) {
      for (const bool durable : {false, true}) {
        SCOPED_TRACE(testing::Message() << "version " << static_cast<int>(version) << " qos " << static_cast<int>(qos)
                                        << (durable ? " durable" : ""));
        Client& reader = connect_reader();
        Client& sensor = durable ? connect_durable("kept", version) : connect({.client_id = "s", .version = version});
        sensor.send_bytes(burst(version, kCount, qos).view());
        advance(seconds(2));
        EXPECT_EQ(sensor.received(), answers(qos == kQos1 ? "PUBACK" : "PUBREC", kCount));
        for (std::uint16_t id = 1; qos == kQos2 && id <= kCount; ++id) sensor.acknowledge(PacketType::Pubrel, id);
        if (qos == kQos2) {
          EXPECT_EQ(sensor.received(), answers("PUBCOMP", kCount));
        }
        const std::vector<std::string> taken = reader.received();
        ASSERT_THAT(taken, SizeIs(kCount));
        for (int i = 1; i <= kCount; ++i) {
          ASSERT_THAT(taken[static_cast<std::size_t>(i - 1)], HasSubstr('"' + std::to_string(i) + '"'));
        }
        EXPECT_FALSE(sensor.closed());
        sensor.disconnect();
        reader.disconnect();
      }
    }
  }
}

TEST_F(ConnectionWindowTest, MoreThanTheWindowStaysUnreadUntilAnAnswerHasLeft) {
  options.limits.inflight = 2;
  keep_in_store();
  for (const Version version : kVersions) {
    Client& reader = connect_reader();
    Client& sensor = connect({.client_id = "sensor", .version = version});
    store_answers = false;
    sensor.send_bytes(burst(version, 3, kQos1).view());
    sensor.send(mqtt::Pingreq{});
    EXPECT_THAT(reader.received(), SizeIs(2));
    EXPECT_THAT(sensor.received(), IsEmpty());
    EXPECT_TRUE(broker().reading_paused(sensor.id()));
    persist();
    EXPECT_THAT(reader.received(), ElementsAre(HasSubstr("\"3\"")));
    EXPECT_THAT(sensor.received(), ElementsAre("PUBACK id=1 reason=00", "PUBACK id=2 reason=00", "PINGRESP"));
    EXPECT_FALSE(broker().reading_paused(sensor.id()));
    store_answers = true;
    advance(seconds(1));
    EXPECT_THAT(sensor.received(), ElementsAre("PUBACK id=3 reason=00"));
    sensor.disconnect();
    reader.disconnect();
  }
  EXPECT_EQ(stats().inflight_over_limit, 2U);
}

TEST_F(ConnectionWindowTest, ClientWithinItsWindowIsReadThoughTheWindowIsFull) {
  options.limits.inflight = 2;
  keep_in_store();
  Client& sensor = connect({.client_id = "sensor"});
  store_answers = false;
  sensor.send_bytes(burst(Version::V5, 2, kQos1).view());
  sensor.publish("farm/1", "QoS 0 has no window");
  sensor.send(mqtt::Pingreq{});
  EXPECT_THAT(sensor.received(), ElementsAre("PINGRESP"));
  EXPECT_FALSE(broker().reading_paused(sensor.id()));
}

TEST_F(ConnectionWindowTest, WhatWaitsUnreadIsASignOfLife) {
  options.limits.inflight = 2;
  keep_in_store();
  Client& sensor = connect({.client_id = "sensor", .keep_alive_s = 10});
  store_answers = false;
  sensor.send_bytes(burst(Version::V5, 3, kQos1).view());
  advance(seconds(100));
  EXPECT_FALSE(sensor.closed());
  store_answers = true;
  advance(seconds(2));
  EXPECT_THAT(sensor.received(), SizeIs(3));
  advance(seconds(20));
  EXPECT_TRUE(sensor.closed()) << "silent from then on";
}

TEST_F(ConnectionWindowTest, RepeatedMessageIsKnownThoughTheWindowIsFull) {
  options.limits.inflight = 1;
  keep_in_store();
  Client& sensor = connect({.client_id = "sensor", .version = Version::V3_1_1});
  store_answers = false;
  sensor.publish("farm/1", "1", kQos1, 1);
  sensor.publish("farm/1", "1", kQos1, 1, {.duplicate = true});
  EXPECT_FALSE(broker().reading_paused(sensor.id()));
  EXPECT_EQ(stats().messages_received, 1U);
}

TEST_F(ConnectionWindowTest, ATopicAliasThatWaitsUnreadIsKnownAfterwards) {
  options.limits.inflight = 1;
  keep_in_store();
  Client& reader = connect_reader();
  Client& sensor = connect({.client_id = "sensor"});
  const Properties alias = std::move(Properties().number(mqtt::PropertyId::TopicAlias, 1));
  store_answers = false;
  sensor.publish("farm/1", "1", kQos1, 1);
  sensor.publish("farm/2", "2", kQos1, 2, {.properties = alias});
  sensor.publish("", "3", kQos1, 3, {.properties = alias});
  store_answers = true;
  advance(seconds(2));
  EXPECT_THAT(reader.received(),
              ElementsAre(HasSubstr("farm/1"), HasSubstr("\"farm/2\" \"2\""), HasSubstr("\"farm/2\" \"3\"")));
}

// --- answers that wait for what lies behind ---

// A queue with room for one message, which refuses more; a window of two; a client that subscribes to what it
// publishes, cannot be told of a refusal, and answers what it gets behind all that it has to say.
class WaitingForItself : public ConnectionWindowTest {
 protected:
  WaitingForItself() {
    options.limits.inflight = 2;
    options.limits.session_queue = {
        .messages_max = 1, .bytes_max = 0, .age_max = {}, .when_full = broker::WhenFull::Refuse};
  }
  Client& connect_echo(std::string_view client_id = "echo", std::string_view topic = "echo") {
    Client& echo = connect({.client_id = client_id, .version = Version::V3_1_1});
    echo.subscribe(topic, kQos1);
    echo.received();
    return echo;
  }
};

TEST_F(WaitingForItself, AcknowledgementBehindMessagesThatWaitForItIsFound) {
  Client& echo = connect_echo();
  echo.send_bytes(burst(Version::V3_1_1, 10, kQos1, "echo").view());
  EXPECT_THAT(echo.received(), ElementsAre(HasSubstr("\"1\" qos=1 id=1"), "PUBACK id=1 reason=00"));
  for (std::uint16_t id = 1; id < 10; ++id) {
    echo.acknowledge(PacketType::Puback, id);
    const std::string number = std::to_string(id + 1);
    EXPECT_THAT(echo.received(),
                ElementsAre(HasSubstr('"' + number + "\" qos=1 id=" + number), "PUBACK id=" + number + " reason=00"));
  }
}

TEST_F(WaitingForItself, AlsoWhileMemoryIsShort) {
  Client& echo = connect_echo();
  echo.send_bytes(burst(Version::V3_1_1, 10, kQos1, "echo").view());
  broker().handle_memory(options.limits.memory_bytes + 1);
  settle();
  echo.received();
  echo.acknowledge(PacketType::Puback, 1);
  EXPECT_EQ(broker().session_books().delivered, 1U);
}

// Two that wait for each other; the first has nothing to acknowledge when it has to wait, and gets something then.
TEST_F(WaitingForItself, MessageForAClientThatWaitsHasItReadFurther) {
  Client& other = connect_echo("other", "other");
  Client& echo = connect_echo();
  echo.send_bytes(burst(Version::V3_1_1, 5, kQos1, "other").view());
  EXPECT_TRUE(broker().reading_paused(echo.id())) << "it has nothing that could make room";
  other.publish("echo", "for you", kQos1, 1);
  EXPECT_FALSE(broker().reading_paused(echo.id()));
  echo.acknowledge(PacketType::Puback, 1);
  EXPECT_EQ(broker().session_books().delivered, 1U);
  echo.received();
  other.acknowledge(PacketType::Puback, 1);
  EXPECT_THAT(echo.received(), ElementsAre("PUBACK id=2 reason=00"));
}

TEST_F(WaitingForItself, MoreThanIsKeptClosesTheConnection) {
  Client& echo = connect_echo();
  const std::string large(broker::kHeldBytesMax / 4, 'x');
  echo.publish("echo", large, kQos1, 1);
  for (std::uint16_t id = 2; id <= 5; ++id) echo.publish("echo", large, kQos1, id);
  EXPECT_TRUE(echo.closed());
  EXPECT_EQ(stats().inflight_over_limit, 1U);
  EXPECT_THAT(log.lines, Contains(HasSubstr("more unacknowledged messages than limits.inflight")));
}

// --- the store takes no writes ---

TEST_F(ConnectionWindowTest, WhatABrokenStoreHoldsUpDoesNotHoldUpWhatIsRefused) {
  options.limits.inflight = 2;
  keep_in_store();
  Client& sensor = connect({.client_id = "sensor"});
  store_answers = false;
  sensor.send_bytes(burst(Version::V5, 4, kQos1).view());
  sensor.send(mqtt::Pingreq{});
  EXPECT_THAT(sensor.received(), IsEmpty());
  broker().handle_store_failing(true);
  settle();
  EXPECT_THAT(sensor.received(), ElementsAre("PINGRESP"));
  EXPECT_FALSE(broker().reading_paused(sensor.id()));
  broker().handle_store_failing(false);
  store_answers = true;
  advance(seconds(2));
  EXPECT_THAT(sensor.received(), ElementsAre("PUBACK id=1 reason=00", "PUBACK id=2 reason=00",
                                             StartsWith("PUBACK id=3 reason=97"), StartsWith("PUBACK id=4 reason=97")));
}

TEST_F(ConnectionWindowTest, AcknowledgementBehindMessagesThatABrokenStoreRefusesIsFound) {
  options.limits.inflight = 2;
  keep_in_store();
  Client& echo = connect_durable("echo", Version::V3_1_1);
  echo.subscribe("echo", kQos1);
  echo.received();
  store_answers = false;
  echo.send_bytes(burst(Version::V3_1_1, 2, kQos1, "echo").view());
  echo.send_bytes(burst(Version::V3_1_1, 2, kQos1, "farm/1").view());
  EXPECT_TRUE(broker().reading_paused(echo.id()));
  echo.acknowledge(PacketType::Puback, 1);
  EXPECT_THAT(echo.received(), ElementsAre(StartsWith("PUBLISH"), StartsWith("PUBLISH")));
  broker().handle_store_failing(true);
  settle();
  EXPECT_THAT(echo.received(), ElementsAre("PUBACK id=1 reason=00"));
}

}  // namespace
}  // namespace furrow::test
