// Each limit of the broker: what happens when it is reached, and the counter that says so.
#include "tests/support/broker_fixture.h"

namespace furrow::test {
namespace {

using mqtt::PropertyId;
using mqtt::Qos;
using mqtt::Version;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class LimitsTest : public BrokerFixture {
 protected:
  std::uint64_t accept(std::string_view address, std::uint16_t port) {
    return broker().handle_accept(from(address, port), now).value;
  }
};

TEST_F(LimitsTest, OneMoreConnectionThanAllowedIsNotTaken) {
  options.limits.connections = 1;
  const auto first = broker().handle_accept(from("192.0.2.1", 1), now);
  EXPECT_EQ(accept("192.0.2.2", 1), 0U);
  EXPECT_EQ(stats().connections_over_limit, 1U);
  broker().handle_closed(first, now);
  EXPECT_NE(accept("192.0.2.2", 1), 0U);
}

TEST_F(LimitsTest, ConnectionsOfOneAddressAreCountedApart) {
  options.limits.connections_per_address = 2;
  const auto first = broker().handle_accept(from("2001:db8::1", 1), now);
  EXPECT_NE(accept("2001:db8::1", 2), 0U);
  EXPECT_EQ(accept("2001:db8::1", 3), 0U);
  EXPECT_NE(accept("192.0.2.1", 1), 0U) << "another one has its own";
  EXPECT_EQ(stats().connections_over_address_limit, 1U);
  broker().handle_closed(first, now);
  EXPECT_NE(accept("2001:db8::1", 4), 0U);
}

TEST_F(LimitsTest, AMessageWithTooManyUserPropertiesIsRefused) {
  options.limits.user_properties = 1;
  Client& reader = connect({.client_id = "reader"});
  reader.subscribe("#");
  reader.received();
  Client& sensor = connect({.client_id = "sensor"});
  Properties two;
  two.user("a", "1").user("a", "2");
  sensor.publish("t", "1", Qos::AtMostOnce, 0, {.properties = two});
  sensor.publish("t", "2", kQos1, 7, {.properties = two});
  sensor.publish("t", "3", Qos::ExactlyOnce, 8, {.properties = two});
  EXPECT_THAT(
      sensor.received(),
      ElementsAre("PUBACK id=7 reason=97 {1f=\"over limits.user_properties, or no room in a queue or on the disk\"}",
                  "PUBREC id=8 reason=97 {1f=\"over limits.user_properties, or no room in a queue or on the disk\"}"));
  EXPECT_THAT(reader.received(), IsEmpty());
  EXPECT_EQ(stats().user_properties_over_limit, 3U);
  EXPECT_EQ(stats().dropped_over_limit, 1U) << "of QoS 0 nobody else would hear";
  sensor.publish("t", "4", kQos1, 9, {.properties = Properties().user("a", "1")});
  EXPECT_THAT(sensor.received(), ElementsAre("PUBACK id=9 reason=00"));
}

TEST_F(LimitsTest, AWillWithTooManyUserPropertiesIsRefused) {
  options.limits.user_properties = 1;
  Properties two;
  two.user("a", "1").user("a", "2");
  Client& client = open(ConnectOptions{.will = mqtt::Will{.topic = "gone", .payload = {}, .properties = two}});
  EXPECT_THAT(client.received(), ElementsAre(StartsWith("CONNACK reason=97")));
  EXPECT_TRUE(client.closed());
}

TEST_F(LimitsTest, ALongerKeepAliveIsCutAndTold) {
  options.limits.keep_alive_max = seconds(60);
  EXPECT_THAT(open(ConnectOptions{.client_id = "none", .keep_alive_s = 0}).received(), Contains(HasSubstr("13=60")));
  EXPECT_THAT(open(ConnectOptions{.client_id = "short", .keep_alive_s = 10}).received(),
              Not(Contains(HasSubstr("13="))));
  Client& longer = open(ConnectOptions{.client_id = "longer", .keep_alive_s = 300});
  EXPECT_THAT(longer.received(), Contains(HasSubstr("13=60")));
  Client& old = open(ConnectOptions{.client_id = "old", .version = Version::V3_1_1, .keep_alive_s = 300});
  advance(seconds(91));
  EXPECT_TRUE(longer.closed());
  EXPECT_FALSE(old.closed()) << "it cannot be told";
}

// --- what the log says ---

class LimitsSaid : public LimitsTest {
 protected:
  // The lines about limits since the last call: "KEY CLIENT".
  std::vector<std::string> said() {
    std::vector<std::string> keys;
    for (const std::string& line : std::exchange(log.lines, {})) {
      constexpr std::string_view kBegin = "warning limit.reached limit=";
      if (line.starts_with(kBegin)) keys.push_back(line.substr(kBegin.size()));
    }
    return keys;
  }
};

TEST_F(LimitsSaid, ByKeyAndClientOnceAnHour) {
  options.limits.subscriptions = 1;
  Client& client = connect({.client_id = "home", .keep_alive_s = 0});
  for (const std::string_view filter : {"a", "b", "c"}) client.subscribe(filter);
  Client& other = connect({.client_id = "other", .keep_alive_s = 0});
  for (const std::string_view filter : {"a", "b"}) other.subscribe(filter);
  EXPECT_THAT(said(), ElementsAre("limits.subscriptions client=home what=SUBSCRIBE refused",
                                  "limits.subscriptions client=other what=SUBSCRIBE refused"));
  advance(std::chrono::minutes(59));
  client.subscribe("d");
  EXPECT_THAT(said(), ElementsAre());
  advance(std::chrono::minutes(1));
  client.subscribe("d");
  EXPECT_THAT(said(), ElementsAre("limits.subscriptions client=home what=SUBSCRIBE refused"));
}

TEST_F(LimitsSaid, ForEachKindOfRefusal) {
  options.limits.topic_levels = 2;
  options.limits.user_properties = 1;
  options.limits.retained_messages = 1;
  Client& client = connect({.client_id = "a"});
  client.subscribe("a/b/c");
  client.publish("a/b", "1", Qos::AtMostOnce, 0, {.properties = Properties().user("x", "1").user("y", "2")});
  client.publish("a/1", "1", Qos::AtMostOnce, 0, {.retain = true});
  client.publish("a/2", "1", kQos1, 1, {.retain = true});
  EXPECT_THAT(said(), ElementsAre("limits.topic_levels client=a what=SUBSCRIBE refused",
                                  "limits.user_properties client=a what=PUBLISH refused",
                                  "limits.retained client=a what=value not retained"));
}

TEST_F(LimitsSaid, OfConnectionsByAddress) {
  options.limits.connections = 2;
  options.limits.connections_per_address = 1;
  accept("192.0.2.1", 1);
  for (int i = 0; i < 3; ++i) accept("192.0.2.1", 2);
  accept("192.0.2.2", 1);
  accept("192.0.2.3", 1);
  EXPECT_THAT(said(), ElementsAre("limits.connections_per_address client=192.0.2.1 what=connection not taken",
                                  "limits.connections client=192.0.2.3 what=connection not taken"));
}

// --- sessions, topics and what comes before CONNECT ---

TEST_F(LimitsSaid, OfSessions) {
  options.limits.sessions = 1;
  (void)connect_durable("a");
  EXPECT_THAT(open({.client_id = "b"}).received(),
              ElementsAre("CONNACK reason=97 {1f=\"limits.sessions is reached\"}"));
  Client& again = open_durable("a");
  EXPECT_THAT(again.received(), ElementsAre(testing::StartsWith("CONNACK reason=00"))) << "has one";
  EXPECT_EQ(stats().sessions_over_limit, 1U);
  EXPECT_THAT(said(), ElementsAre("limits.sessions client=b what=CONNECT refused"));
  options.limits.sessions = 0;
  broker().apply(options, now);
  (void)connect({.client_id = "b"});
}

TEST_F(LimitsSaid, OfTopicsThatAreTooLong) {
  options.limits.topic_bytes = 8;
  Client& client = connect({.client_id = "a"});
  client.publish("farm/123", "x", Qos::AtLeastOnce, 1);
  client.publish("farm/1234", "x", Qos::AtLeastOnce, 2);
  client.subscribe("farm/123");
  client.subscribe("farm/1234");
  EXPECT_THAT(client.received(),
              ElementsAre(testing::StartsWith("PUBACK id=1 reason=10"), testing::StartsWith("PUBACK id=2 reason=90"),
                          testing::HasSubstr("reason=00"), testing::HasSubstr("reason=8f")));
  mqtt::Will will;
  will.topic = "farm/1234";
  EXPECT_THAT(open({.client_id = "b", .will = will}).received(), ElementsAre(testing::StartsWith("CONNACK reason=90")));
  client.publish("farm/1234", "x");
  EXPECT_TRUE(client.closed()) << "QoS 0 has no answer";
  EXPECT_EQ(stats().topics_over_limit, 4U);
  EXPECT_THAT(said(), testing::Contains("limits.topic client=a what=PUBLISH refused"));
}

TEST_F(LimitsTest, BeforeConnectALargeLengthTakesNoMemoryAndNoPatience) {
  // 256 MiB are announced, of a CONNECT, and of a PUBLISH, which may not come first.
  for (const std::string_view first : {"10 ff ff ff 7f", "30 ff ff ff 7f"}) {
    Client& client = open(mqtt::Version::V5);
    client.send_raw(first);
    EXPECT_TRUE(client.closed()) << first;
  }
  // A CONNECT that is larger than one may be, though limits.packet has room for it.
  Client& client = open(mqtt::Version::V5);
  client.send_raw("10 81 80 01");  // 16,385 bytes
  EXPECT_TRUE(client.closed());
  EXPECT_GE(stats().packets_over_limit, 2U);
}

TEST_F(LimitsTest, AfterConnectPacketsMayBeAsLargeAsTheLimit) {
  Client& client = connect({});
  client.publish("farm/1", std::string(500'000, 'x'), Qos::AtLeastOnce, 1);
  EXPECT_THAT(client.received(), ElementsAre(testing::StartsWith("PUBACK id=1")));
}

TEST_F(LimitsTest, TheTimeForConnectIsOneForAllOfIt) {
  options.limits.connect_timeout = std::chrono::seconds(3);
  Client& client = open(mqtt::Version::V5);
  for (const std::string_view byte : {"10", "20", "00", "04"}) {
    client.send_raw(byte);  // one byte a second
    EXPECT_FALSE(client.closed());
    advance(std::chrono::milliseconds(990));
  }
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(stats().connect_timeouts, 1U);
}

TEST(LimitLog, IsBoundedAndTakesOthersAfterAnHour) {
  LineLog log;
  broker::LimitLog limits(log);
  Instant now{};
  for (std::size_t i = 0; i < 2 * broker::LimitLog::kPairsMax; ++i) {
    limits.write("limits.memory", std::to_string(i), "x", now);
  }
  EXPECT_EQ(log.lines.size(), broker::LimitLog::kPairsMax);
  now += broker::LimitLog::kApart;
  limits.write("limits.memory", "another", "x", now);
  EXPECT_EQ(log.lines.size(), broker::LimitLog::kPairsMax + 1);
}

// --- how fast a client publishes ---

class PublishLimit : public LimitsSaid {
 protected:
  PublishLimit() { options.limits.publish = {.messages_per_second = 2, .burst = seconds(2)}; }
  std::vector<std::string> delivered() { return reader().received(); }
  Client& reader() {
    if (reader_ == nullptr) {
      reader_ = &connect({.client_id = "reader"});
      reader_->subscribe("#");
      reader_->received();
    }
    return *reader_;
  }

 private:
  Client* reader_ = nullptr;
};

TEST_F(PublishLimit, HoldsBackWhatIsTooFastAndLosesNothing) {
  reader();
  Client& sensor = connect({.client_id = "sensor"});
  for (int i = 0; i < 10; ++i) sensor.publish("t", std::to_string(i));
  EXPECT_EQ(delivered().size(), 5U) << "the burst, and the one that ends it";
  EXPECT_TRUE(broker().reading_paused(sensor.id()));
  advance(std::chrono::milliseconds(499));
  EXPECT_EQ(delivered().size(), 0U);
  advance(std::chrono::milliseconds(1));
  EXPECT_EQ(delivered().size(), 1U);
  advance(seconds(2));
  EXPECT_EQ(delivered().size(), 4U);
  EXPECT_GE(stats().publishes_paced, 5U);
  EXPECT_THAT(said(), ElementsAre("limits.publish client=sensor what=reading pauses")) << "once an hour";
}

TEST_F(PublishLimit, CountsBytesToo) {
  options.limits.publish = {.bytes_per_second = 100, .burst = seconds(1)};
  reader();
  Client& camera = connect({.client_id = "camera"});
  for (int i = 0; i < 3; ++i) camera.publish("t", std::string(499, 'x'));
  EXPECT_EQ(delivered().size(), 1U);
  advance(seconds(4));
  EXPECT_EQ(delivered().size(), 1U);
}

TEST_F(PublishLimit, IsOfEachClientAlone) {
  Client& fast = connect({.client_id = "fast"});
  Client& slow = connect({.client_id = "slow"});
  for (int i = 0; i < 10; ++i) fast.publish("t", "x");
  slow.publish("t", "y", kQos1, 1);
  EXPECT_THAT(slow.received(), ElementsAre(StartsWith("PUBACK id=1")));
}

// The PINGREQ that waits behind what is too fast is a sign of life.
TEST_F(PublishLimit, APausedClientIsNotTakenForDead) {
  options.limits.publish = {.bytes_per_second = 10, .burst = {}};
  Client& client = connect({.client_id = "a", .keep_alive_s = 10});
  client.publish("t", std::string(999, 'x'));
  advance(seconds(60));
  EXPECT_FALSE(client.closed());
  advance(seconds(40));
  EXPECT_FALSE(broker().reading_paused(client.id()));
  advance(seconds(16));
  EXPECT_TRUE(client.closed()) << "it was silent after the pause";
}

TEST_F(PublishLimit, EndsWithTheLimit) {
  Client& client = connect({.client_id = "a"});
  for (int i = 0; i < 10; ++i) client.publish("t", "x", kQos1, static_cast<std::uint16_t>(i + 1));
  client.received();
  options.limits.publish = {};
  broker().apply(options, now);
  advance(Duration::zero());
  EXPECT_EQ(client.received().size(), 5U);
}

// --- all queues together ---

TEST_F(LimitsSaid, OfAllQueuesTogetherNoneGrows) {
  options.limits.session_queue.bytes_max_together = 3'000;
  for (const std::string_view id : {"one", "two"}) {
    Client& client = connect_durable(id);
    client.subscribe(id, kQos1);
    client.vanish();
  }
  Client& sensor = connect({.client_id = "sensor"});
  const std::string payload(500, 'x');
  for (std::uint16_t i = 1; i <= 10; ++i) sensor.publish("one", payload + std::to_string(i), kQos1, i);
  const std::uint64_t waiting = broker().session_queue_bytes();
  EXPECT_LE(waiting, 3'000U);
  sensor.publish("two", payload, kQos1, 11);
  sensor.publish("two", payload + "2", kQos1, 12);
  EXPECT_GT(broker().session_queue_bytes(), waiting) << "an empty queue takes a message";
  EXPECT_LT(broker().session_queue_bytes(), waiting + 2 * payload.size()) << "and then changes it for another";
  Client& two = open_durable("two");
  EXPECT_THAT(two.received(), Contains(HasSubstr("x2")));
  EXPECT_GT(broker().session_books().drops(broker::DropReason::QueueFull), 0U);
  EXPECT_THAT(said(), Contains("limits.queued client=all what=queues do not grow"));
}

// --- retained values ---

TEST_F(LimitsTest, ARetainedValueThatIsTooOldIsGone) {
  options.limits.retained_age = seconds(100);
  Client& sensor = connect({.client_id = "sensor", .keep_alive_s = 0});
  sensor.publish("old", "1", kQos1, 1, {.retain = true});
  sensor.publish("renewed", "1", kQos1, 2, {.retain = true});
  advance(seconds(60));
  sensor.publish("renewed", "1", kQos1, 3, {.retain = true});
  advance(seconds(40));
  Client& reader = connect({.client_id = "reader"});
  reader.subscribe("#");
  EXPECT_THAT(reader.received(), ElementsAre(StartsWith("SUBACK"), StartsWith("PUBLISH \"renewed\"")));
  EXPECT_EQ(broker().retained().messages(), 1U);
  crash();
  advance(seconds(60));
  EXPECT_FALSE(broker().retained().contains("old"));
}

TEST_F(LimitsTest, StatusTopicsDoNotCountAgainstRetainedValues) {
  options.limits.retained_messages = 2;
  for (const std::string_view topic : {"$SYS/furrow/gateway", "$SYS/broker/version", "$SYS/broker/uptime"}) {
    broker().publish_status(topic, "x", now);
  }
  Client& sensor = connect({});
  for (const std::string_view topic : {"farm/1", "farm/2", "farm/3"}) {
    sensor.publish(topic, "x", Qos::AtMostOnce, 0, {.retain = true});
  }
  EXPECT_TRUE(broker().retained().contains("farm/1"));
  EXPECT_TRUE(broker().retained().contains("farm/2"));
  EXPECT_FALSE(broker().retained().contains("farm/3"));
  EXPECT_EQ(stats().retained_over_limit, 1U);
  broker().publish_status("$SYS/furrow/bridge/region", "x", now);
  EXPECT_TRUE(broker().retained().contains("$SYS/furrow/bridge/region"));
}

// --- memory ---

class ShortOfMemory : public LimitsTest {
 protected:
  void run_short() { broker().handle_memory(options.limits.memory_bytes + 1); }
  void recover() { broker().handle_memory(options.limits.memory_bytes); }
};

TEST_F(ShortOfMemory, NewConnectionsAreNotTaken) {
  run_short();
  EXPECT_EQ(accept("192.0.2.1", 1), 0U);
  EXPECT_EQ(stats().memory_over_limit, 1U);
  recover();
  EXPECT_NE(accept("192.0.2.1", 1), 0U);
}

TEST_F(ShortOfMemory, NewSubscriptionsAreRefusedAndOldOnesReplaced) {
  Client& client = connect({});
  client.subscribe("old");
  run_short();
  client.subscribe("new");
  client.subscribe("old", kQos1);
  EXPECT_THAT(client.received(),
              ElementsAre("SUBACK id=1 reason=00", "SUBACK id=1 {1f=\"limits.memory is reached\"} reason=97",
                          "SUBACK id=1 reason=01"));
  EXPECT_EQ(stats().memory_over_limit, 1U);
}

TEST_F(ShortOfMemory, NewTopicsAreNotRetainedAndOldOnesReplaced) {
  Client& client = connect({});
  client.publish("old", "1", Qos::AtMostOnce, 0, {.retain = true});
  run_short();
  client.publish("new", "1", Qos::AtMostOnce, 0, {.retain = true});
  client.publish("old", "2", Qos::AtMostOnce, 0, {.retain = true});
  client.subscribe("#");
  recover();
  client.subscribe("#");
  EXPECT_THAT(client.received(), Contains(HasSubstr("\"old\" \"2\"")));
  EXPECT_EQ(broker().retained().messages(), 1U);
}

TEST_F(ShortOfMemory, WhatWaitsInMemoryForAClientIsNotAddedTo) {
  Client& reader = connect({.client_id = "reader", .properties = Properties().number(PropertyId::ReceiveMaximum, 1)});
  reader.subscribe("#", kQos1);
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("t", "in flight", kQos1, 1);
  sensor.publish("t", "waits", kQos1, 2);
  run_short();
  sensor.publish("t", "is dropped", kQos1, 3);
  EXPECT_EQ(broker().session_books().drops(broker::DropReason::QueueFull), 1U);
}

TEST_F(ShortOfMemory, NothingHappensWithoutALimit) {
  options.limits.memory_bytes = 0;
  broker().handle_memory(UINT64_MAX);
  EXPECT_NE(accept("192.0.2.1", 1), 0U);
}

TEST_F(ShortOfMemory, WhoWaitsIsReadFromAgainHoweverOftenItWasPolled) {
  leave_subscribed("away", "farm/#");
  Client& other = connect({.client_id = "other"});
  Client& both = connect({.client_id = "both"});
  both.subscribe("news");
  store_answers = false;
  both.publish("farm/1", "1", kQos1, 1);
  run_short();
  for (int i = 0; i < 100; ++i) other.publish("news", "x");
  EXPECT_TRUE(broker().reading_paused(both.id()));
  recover();
  settle();
  EXPECT_FALSE(broker().reading_paused(both.id()));
}

// --- answers ---

class UnreadAnswers : public LimitsTest {
 protected:
  // Sends PINGREQ packets until it is no longer read from, at most so much that 8 MiB of answers would wait.
  void flood(Client& client) {
    const Bytes pings = [] {
      Bytes bytes;
      for (int i = 0; i < 64 * 1024; ++i) bytes.insert(bytes.end(), {0xC0, 0x00});
      return bytes;
    }();
    client.stop_reading();
    for (int i = 0; i < 64 && !broker().reading_paused(client.id()); ++i) client.send_bytes(pings);
  }
};

TEST_F(UnreadAnswers, ClientThatReadsNoneOfThemIsNotReadFromForever) {
  Client& client = connect({.keep_alive_s = 10});
  flood(client);
  EXPECT_TRUE(broker().reading_paused(client.id()));
  EXPECT_LE(broker().output(client.id()).size(), 5 * MiB);
  client.start_reading();
  EXPECT_FALSE(broker().reading_paused(client.id()));
  flood(client);
  advance(seconds(16));
  client.start_reading();
  EXPECT_TRUE(client.closed()) << "it has not read for longer than it may be silent";
}

TEST_F(UnreadAnswers, FewerMayWaitWhileMemoryIsShort) {
  Client& client = connect({});
  broker().handle_memory(options.limits.memory_bytes + 1);
  flood(client);
  EXPECT_TRUE(broker().reading_paused(client.id()));
  EXPECT_LE(broker().output(client.id()).size(), 1 * MiB);
}

// --- lists that a connection is in ---

class ListsOfConnections : public LimitsTest {};

TEST_F(ListsOfConnections, DeadlinesGoWithTheirConnections) {
  Client& stays = connect({.client_id = "stays", .keep_alive_s = 60});
  for (int i = 0; i < 300; ++i) {
    Client& client = connect({.client_id = "comes and goes", .keep_alive_s = 65'535});
    advance(seconds(11));  // its keep-alive is set
    if (i % 2 == 0) stays.send(mqtt::Pingreq{});
    client.vanish();
  }
  EXPECT_LE(broker().list_sizes_for_test().deadlines, 100U);
  advance(seconds(100));
  EXPECT_TRUE(stays.closed()) << "and what is left of them still comes";
}

TEST_F(ListsOfConnections, ConnectionIsHeldOnceHoweverOftenItWaits) {
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("a", std::string(broker::kOutputBytesMax, 'x'), Qos::AtMostOnce, 0, {.retain = true});
  Client& reader = connect({.client_id = "reader"});
  for (int i = 0; i < 10; ++i) {
    reader.stop_reading();
    for (int k = 0; k < 3; ++k) reader.subscribe("a");
    reader.start_reading();  // no commit comes in between: nothing is stored
  }
  EXPECT_LE(broker().list_sizes_for_test().held, 1U);
}

TEST_F(ListsOfConnections, CommitLooksAtEachConnectionThatIsHeldOnce) {
  store_answers = false;
  for (int i = 0; i < 100; ++i) open_durable("client " + std::to_string(i));
  EXPECT_EQ(broker().list_sizes_for_test().held, 100U);
  for (int i = 0; i < 10; ++i) broker().handle_persisted(broker().journal().durable(), now);
  EXPECT_EQ(broker().list_sizes_for_test().held, 100U);
  persist();
  persist();
  EXPECT_EQ(broker().list_sizes_for_test().held, 0U);
}

}  // namespace
}  // namespace furrow::test
