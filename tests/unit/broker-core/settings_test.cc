// Each setting that may change while the broker runs: what a new value does at once, and what it leaves as it is.
#include "broker-core/settings.h"

#include "tests/support/broker_fixture.h"

namespace furrow::test {
namespace {

using broker::DropReason;
using broker::WhenFull;
using mqtt::PropertyId;
using mqtt::Qos;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

class SettingsTest : public BrokerFixture {
 protected:
  // `change` takes the settings as they are, and changes them while the broker runs.
  template <typename Change>
  void apply(Change change) {
    broker();
    change(options);
    broker().apply(options, now);
    settle();
  }

  bool is_accepted(std::string_view address, std::uint16_t port) {
    return static_cast<bool>(broker().handle_accept(from(address, port), now));
  }

  static std::string bytes(std::size_t count) { return std::string(count, 'x'); }
};

// --- connections ---

TEST_F(SettingsTest, FewerConnectionsCloseNone) {
  Client& first = connect({.client_id = "first"});
  Client& second = connect({.client_id = "second"});
  apply([](auto& settings) { settings.limits.connections = 1; });
  EXPECT_FALSE(is_accepted("192.0.2.1", 1));
  first.vanish();
  EXPECT_FALSE(is_accepted("192.0.2.1", 1));
  EXPECT_FALSE(second.closed());
  second.vanish();
  EXPECT_TRUE(is_accepted("192.0.2.1", 1));
}

TEST_F(SettingsTest, MoreConnectionsAreTakenAtOnce) {
  options.limits.connections = 1;
  connect({});
  EXPECT_FALSE(is_accepted("192.0.2.1", 1));
  apply([](auto& settings) { settings.limits.connections = 2; });
  EXPECT_TRUE(is_accepted("192.0.2.1", 1));
}

TEST_F(SettingsTest, LimitPerAddressCountsConnectionsThatAreThereAlready) {
  const ConnectionId first = broker().handle_accept(from("192.0.2.7", 1), now);
  const ConnectionId second = broker().handle_accept(from("192.0.2.7", 2), now);
  apply([](auto& settings) { settings.limits.connections_per_address = 2; });
  EXPECT_FALSE(is_accepted("192.0.2.7", 3));
  EXPECT_TRUE(is_accepted("192.0.2.8", 1));
  broker().handle_closed(first, now);
  EXPECT_TRUE(is_accepted("192.0.2.7", 3));
  broker().handle_closed(second, now);
  apply([](auto& settings) { settings.limits.connections_per_address = 1; });
  EXPECT_FALSE(is_accepted("192.0.2.7", 4)) << "one is there";
  apply([](auto& settings) { settings.limits.connections_per_address = 0; });
  EXPECT_TRUE(is_accepted("192.0.2.7", 4));
}

// --- packets ---

TEST_F(SettingsTest, SmallerPacketsAreAskedOfTheNextOne) {
  Client& sensor = connect({.version = kV3});
  apply([](auto& settings) { settings.limits.packet_bytes = 100; });
  sensor.publish("t", bytes(50), kQos1, 1);
  EXPECT_THAT(sensor.received(), ElementsAre(StartsWith("PUBACK id=1")));
  sensor.publish("t", bytes(200), kQos1, 2);
  EXPECT_TRUE(sensor.closed());
  EXPECT_EQ(stats().packets_over_limit, 1U);
}

TEST_F(SettingsTest, PacketThatHasBegunMayBeFinishedUnderASmallerLimit) {
  Client& sensor = connect({.version = kV3});
  ByteBuffer encoded;
  const std::string payload = bytes(200);
  encode(mqtt::Publish{.topic = "t", .payload = as_bytes(payload), .packet_id = PacketId{7}, .qos = kQos1}, kV3,
         encoded);
  sensor.send_bytes(encoded.view().first(100));
  apply([](auto& settings) { settings.limits.packet_bytes = 100; });
  sensor.send_bytes(encoded.view().subspan(100));
  EXPECT_THAT(sensor.received(), ElementsAre(StartsWith("PUBACK id=7")));
}

TEST_F(SettingsTest, PacketThatWaitsForTheWindowIsTakenUnderASmallerLimit) {
  options.limits.inflight = 1;
  leave_subscribed("away", "farm/#");
  Client& sensor = connect({.client_id = "sensor", .version = kV3});
  store_answers = false;
  for (std::uint16_t i = 1; i <= 2; ++i) sensor.publish("farm/1", bytes(200), kQos1, i);
  EXPECT_TRUE(broker().reading_paused(sensor.id()));
  apply([](auto& settings) { settings.limits.packet_bytes = 100; });
  store_answers = true;
  advance(seconds(1));
  EXPECT_THAT(sensor.received(), ElementsAre("PUBACK id=1 reason=00", "PUBACK id=2 reason=00"));
}

TEST_F(SettingsTest, PacketSizeThatConnackHasAnnouncedHoldsForItsConnection) {
  Client& sensor = connect({.client_id = "sensor"});
  apply([](auto& settings) { settings.limits.packet_bytes = 100; });
  sensor.publish("t", bytes(200), kQos1, 1);
  EXPECT_THAT(sensor.received(), ElementsAre(StartsWith("PUBACK id=1"))) << "it was told 1 MiB";
  Client& again = open(ConnectOptions{.client_id = "sensor"});
  EXPECT_THAT(again.received(), ElementsAre(HasSubstr("27=100")));
  again.publish("t", bytes(200), kQos1, 1);
  EXPECT_TRUE(again.closed());
}

TEST_F(SettingsTest, LargerPacketsAreTakenFromConnectionsThatAreThere) {
  options.limits.packet_bytes = 100;
  Client& told = connect({.client_id = "told"});
  Client& old = connect({.client_id = "old", .version = kV3});
  apply([](auto& settings) { settings.limits.packet_bytes = 0; });
  for (Client* const sensor : {&told, &old}) {
    sensor->publish("t", bytes(200), kQos1, 1);
    EXPECT_THAT(sensor->received(), ElementsAre(StartsWith("PUBACK id=1")));
  }
}

TEST_F(SettingsTest, FewerTopicLevelsRefuseTheNextTopicAndKeepSubscriptions) {
  Client& client = connect({});
  client.subscribe("a/b/c");
  client.received();
  apply([](auto& settings) { settings.limits.topic_levels = 2; });
  client.publish("a/b/c", "1", kQos1, 1);
  client.subscribe("a/b/d");
  EXPECT_THAT(client.received(), ElementsAre(StartsWith("PUBACK id=1 reason=90"), HasSubstr("reason=8f")));
  EXPECT_EQ(broker().subscriptions(), 1U);
  apply([](auto& settings) { settings.limits.topic_levels = 3; });
  client.publish("a/b/c", "2", kQos1, 2);
  EXPECT_THAT(client.received(), ElementsAre(HasSubstr("\"a/b/c\" \"2\""), StartsWith("PUBACK id=2 reason=00")));
}

TEST_F(SettingsTest, UserPropertiesAreCountedInTheNextMessage) {
  Client& client = connect({});
  const Properties one = std::move(Properties().user("a", "1"));
  Properties two;
  two.user("a", "1").user("b", "2");
  apply([](auto& settings) { settings.limits.user_properties = 1; });
  client.publish("t", "1", kQos1, 1, {.properties = two});
  client.publish("t", "2", kQos1, 2, {.properties = one});
  apply([](auto& settings) { settings.limits.user_properties = 2; });
  client.publish("t", "3", kQos1, 3, {.properties = two});
  EXPECT_THAT(client.received(), ElementsAre(StartsWith("PUBACK id=1 reason=97"), StartsWith("PUBACK id=2 reason=10"),
                                             StartsWith("PUBACK id=3 reason=10")));
}

// --- windows ---

TEST_F(SettingsTest, LargerWindowReadsWhatAPublisherHasSentBeyondIt) {
  options.limits.inflight = 1;
  leave_subscribed("away", "farm/#");
  Client& sensor = connect({.client_id = "sensor", .version = kV3});
  store_answers = false;
  for (std::uint16_t i = 1; i <= 3; ++i) sensor.publish("farm/1", "x", kQos1, i);
  EXPECT_TRUE(broker().reading_paused(sensor.id()));
  apply([](auto& settings) { settings.limits.inflight = 10; });
  EXPECT_FALSE(broker().reading_paused(sensor.id()));
  EXPECT_EQ(stats().messages_received, 3U);
}

TEST_F(SettingsTest, SmallerWindowClosesNoPublisher) {
  leave_subscribed("away", "farm/#");
  Client& sensor = connect({.client_id = "sensor"});
  store_answers = false;
  for (std::uint16_t i = 1; i <= 3; ++i) sensor.publish("farm/1", "x", kQos1, i);
  apply([](auto& settings) { settings.limits.inflight = 1; });
  sensor.publish("farm/1", "x", kQos1, 4);
  EXPECT_EQ(stats().messages_received, 3U) << "the fourth waits unread";
  store_answers = true;
  advance(seconds(1));
  EXPECT_THAT(sensor.received(), SizeIs(4));
  EXPECT_FALSE(sensor.closed());
  EXPECT_THAT(open(ConnectOptions{.client_id = "next"}).received(), ElementsAre(HasSubstr("21=1 ")));
}

TEST_F(SettingsTest, WindowOfASubscriberFollowsUpToItsReceiveMaximum) {
  options.limits.inflight = 1;
  Client& reader = connect({.client_id = "reader", .properties = Properties().number(PropertyId::ReceiveMaximum, 3)});
  reader.subscribe("#", kQos1);
  reader.received();
  Client& sensor = connect({.client_id = "sensor"});
  for (std::uint16_t i = 1; i <= 5; ++i) sensor.publish("t", std::to_string(i), kQos1, i);
  EXPECT_THAT(reader.received(), SizeIs(1));
  apply([](auto& settings) { settings.limits.inflight = 100; });
  EXPECT_THAT(reader.received(), SizeIs(2)) << "three are in flight";
  apply([](auto& settings) { settings.limits.inflight = 2; });
  reader.acknowledge(mqtt::PacketType::Puback, 1);
  EXPECT_THAT(reader.received(), IsEmpty()) << "two are in flight";
  reader.acknowledge(mqtt::PacketType::Puback, 2);
  EXPECT_THAT(reader.received(), ElementsAre(HasSubstr("\"t\" \"4\"")));
}

// --- subscriptions and retained messages ---

TEST_F(SettingsTest, FewerSubscriptionsKeepThoseThatAreThere) {
  Client& client = connect({});
  client.subscribe("a");
  client.subscribe("b");
  client.received();
  apply([](auto& settings) { settings.limits.subscriptions = 1; });
  client.subscribe("c");
  client.subscribe("b", kQos1);
  EXPECT_THAT(client.received(), ElementsAre(HasSubstr("reason=97"), HasSubstr("reason=01")));
  EXPECT_EQ(broker().subscriptions(), 2U);
  apply([](auto& settings) { settings.limits.subscriptions = 3; });
  client.subscribe("c");
  EXPECT_EQ(broker().subscriptions(), 3U);
}

TEST_F(SettingsTest, FewerRetainedMessagesKeepTheirTopicsUpToDate) {
  Client& sensor = connect({});
  for (const auto* const topic : {"a", "b", "c"}) sensor.publish(topic, "1", Qos::AtMostOnce, 0, {.retain = true});
  apply([](auto& settings) { settings.limits.retained_messages = 2; });
  EXPECT_EQ(broker().retained().messages(), 3U);
  sensor.publish("a", "2", Qos::AtMostOnce, 0, {.retain = true});
  sensor.publish("d", "1", Qos::AtMostOnce, 0, {.retain = true});
  EXPECT_EQ(stats().retained_over_limit, 1U);
  sensor.subscribe("#");
  EXPECT_THAT(sensor.received(), Contains(HasSubstr("\"a\" \"2\"")));
  apply([](auto& settings) { settings.limits.retained_messages = 4; });
  sensor.publish("d", "1", Qos::AtMostOnce, 0, {.retain = true});
  EXPECT_EQ(broker().retained().messages(), 4U);
}

TEST_F(SettingsTest, FewerRetainedBytesTakeSmallerValuesOnly) {
  Client& sensor = connect({});
  sensor.publish("a", bytes(1000), Qos::AtMostOnce, 0, {.retain = true});
  sensor.publish("b", bytes(1000), Qos::AtMostOnce, 0, {.retain = true});
  apply([](auto& settings) { settings.limits.retained_bytes = 500; });
  EXPECT_EQ(broker().retained().messages(), 2U);
  sensor.publish("a", bytes(2000), Qos::AtMostOnce, 0, {.retain = true});
  EXPECT_EQ(stats().retained_over_limit, 1U);
  sensor.publish("a", bytes(900), Qos::AtMostOnce, 0, {.retain = true});
  EXPECT_EQ(stats().retained_over_limit, 1U);
  apply([](auto& settings) { settings.limits.retained_bytes = 0; });
  sensor.publish("a", bytes(2000), Qos::AtMostOnce, 0, {.retain = true});
  EXPECT_EQ(stats().retained_over_limit, 1U);
}

// --- what is asked of everybody ---

TEST_F(SettingsTest, CommitWaitingPausesReadingWithTheEndOfTheTurn) {
  leave_subscribed("away", "farm/#");
  Client& sensor = connect({.client_id = "sensor"});
  store_answers = false;
  sensor.publish("farm/1", bytes(1000), kQos1, 1);
  EXPECT_FALSE(broker().reading_paused(sensor.id()));
  apply([](auto& settings) { settings.limits.commit_waiting_bytes = 100; });
  EXPECT_TRUE(broker().reading_paused(sensor.id()));
  apply([](auto& settings) { settings.limits.commit_waiting_bytes = 1 * MiB; });
  EXPECT_FALSE(broker().reading_paused(sensor.id()));
}

TEST_F(SettingsTest, MemoryIsMeasuredByTheNewLimitAtOnce) {
  broker().handle_memory(50 * MiB);
  EXPECT_FALSE(broker().short_of_memory());
  apply([](auto& settings) { settings.limits.memory_bytes = 40 * MiB; });
  EXPECT_FALSE(is_accepted("192.0.2.1", 1));
  apply([](auto& settings) { settings.limits.memory_bytes = 60 * MiB; });
  EXPECT_TRUE(is_accepted("192.0.2.1", 1));
}

TEST_F(SettingsTest, ShorterSessionExpiryHoldsFromTheNextConnect) {
  connect_durable("stays").disconnect();
  apply([](auto& settings) { settings.limits.session_expiry_max = seconds(60); });
  connect_durable("goes").disconnect();
  advance(seconds(90));
  EXPECT_EQ(broker().sessions(), 1U) << "the one that was granted an hour";
  EXPECT_THAT(open_durable("stays").received(), ElementsAre(HasSubstr("11=60")));
}

TEST_F(SettingsTest, KeepAliveIsCutFromTheNextConnect) {
  Client& before = connect({.client_id = "before", .keep_alive_s = 600});
  apply([](auto& settings) { settings.limits.keep_alive_max = seconds(60); });
  Client& after = connect({.client_id = "after", .keep_alive_s = 600});
  advance(seconds(100));
  EXPECT_FALSE(before.closed());
  EXPECT_TRUE(after.closed());
}

// --- session queues ---

TEST_F(SettingsTest, ShorterQueueMakesRoomWhenAnotherMessageComes) {
  leave_subscribed("away", "farm/#");
  Client& sensor = connect({.client_id = "sensor"});
  for (std::uint16_t i = 1; i <= 5; ++i) sensor.publish("farm/1", std::to_string(i), kQos1, i);
  apply([](auto& settings) { settings.limits.session_queue.messages_max = 3; });
  EXPECT_EQ(broker().session_books().drops(DropReason::QueueFull), 0U);
  sensor.publish("farm/1", "6", kQos1, 6);
  EXPECT_EQ(broker().session_books().drops(DropReason::QueueFull), 3U);
  apply([](auto& settings) { settings.limits.session_queue.messages_max = 5; });
  sensor.publish("farm/1", "7", kQos1, 7);
  sensor.publish("farm/1", "8", kQos1, 8);
  EXPECT_EQ(broker().session_books().drops(DropReason::QueueFull), 3U);
}

TEST_F(SettingsTest, ShorterQueueKeepsWhatIsReadFromTheStore) {
  leave_subscribed("away", "farm/#");
  Client& sensor = connect({.client_id = "sensor"});
  for (std::uint16_t i = 1; i <= 8; ++i) {
    sensor.publish("farm/1", bytes(300'000), kQos1, i);
    advance(seconds(1));
  }
  apply([](auto& settings) { settings.limits.session_queue.messages_max = 2; });
  Client& back = open_durable("away");
  advance(seconds(1));
  EXPECT_THAT(back.received(), SizeIs(1 + 8)) << "CONNACK, and all that waited";
  EXPECT_EQ(broker().session_books().drops(DropReason::QueueFull), 0U);
}

TEST_F(SettingsTest, ShorterQueueOfAGroupMakesRoomWhenAnotherMessageComes) {
  leave_subscribed("away", "$share/g/farm/#");
  Client& sensor = connect({.client_id = "sensor"});
  for (std::uint16_t i = 1; i <= 5; ++i) sensor.publish("farm/1", std::to_string(i), kQos1, i);
  apply([](auto& settings) { settings.limits.session_queue.messages_max = 3; });
  EXPECT_EQ(broker().session_books().drops(DropReason::QueueFull), 0U);
  sensor.publish("farm/1", "6", kQos1, 6);
  EXPECT_EQ(broker().session_books().drops(DropReason::QueueFull), 3U);
}

TEST_F(SettingsTest, PublisherThatIsHeldGoesOnWhenQueuesGrow) {
  options.limits.session_queue = {.messages_max = 2, .bytes_max = 0, .age_max = {}, .when_full = WhenFull::Refuse};
  leave_subscribed("away", "farm/#");
  Client& sensor = connect({.client_id = "sensor", .version = kV3});
  for (std::uint16_t i = 1; i <= 3; ++i) sensor.publish("farm/1", "x", kQos1, i);
  advance(seconds(1));
  EXPECT_THAT(sensor.received(), SizeIs(2));
  apply([](auto& settings) { settings.limits.session_queue.messages_max = 10; });
  advance(seconds(1));
  EXPECT_THAT(sensor.received(), ElementsAre("PUBACK id=3 reason=00"));
}

TEST_F(SettingsTest, PublisherThatIsHeldGoesOnWhenQueuesDropInsteadOfRefusing) {
  options.limits.session_queue = {.messages_max = 2, .bytes_max = 0, .age_max = {}, .when_full = WhenFull::Refuse};
  leave_subscribed("away", "farm/#");
  Client& sensor = connect({.client_id = "sensor", .version = kV3});
  for (std::uint16_t i = 1; i <= 3; ++i) sensor.publish("farm/1", "x", kQos1, i);
  apply([](auto& settings) { settings.limits.session_queue.when_full = WhenFull::DropOldest; });
  advance(seconds(1));
  EXPECT_THAT(sensor.received(), SizeIs(3));
  EXPECT_EQ(broker().session_books().drops(DropReason::QueueFull), 1U);
}

TEST_F(SettingsTest, FullQueueRefusesFromNowOn) {
  options.limits.session_queue.messages_max = 2;
  leave_subscribed("away", "farm/#");
  Client& sensor = connect({.client_id = "sensor"});
  for (std::uint16_t i = 1; i <= 2; ++i) sensor.publish("farm/1", "x", kQos1, i);
  advance(seconds(1));
  sensor.received();
  apply([](auto& settings) { settings.limits.session_queue.when_full = WhenFull::Refuse; });
  sensor.publish("farm/1", "x", kQos1, 3);
  EXPECT_THAT(sensor.received(), ElementsAre(StartsWith("PUBACK id=3 reason=97")));
}

// --- the store ---

TEST_F(SettingsTest, CommitIntervalHoldsForTheNextMessage) {
  options.commit_interval.fixed = seconds(5);
  Client& reader = connect_durable("reader");
  reader.subscribe("farm/#", kQos1);
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("farm/1", "1", kQos1, 1);
  advance(seconds(1));
  EXPECT_THAT(sensor.received(), IsEmpty()) << "the reader may yet acknowledge it";
  apply([](auto& settings) { settings.commit_interval.fixed = milliseconds(10); });
  sensor.publish("farm/1", "2", kQos1, 2);
  advance(milliseconds(100));
  EXPECT_THAT(sensor.received(), SizeIs(2)) << "the second has taken the first along";
}

TEST_F(SettingsTest, AcknowledgeWhenReceivedHoldsForTheNextMessage) {
  leave_subscribed("away", "farm/#");
  Client& sensor = connect({.client_id = "sensor"});
  store_answers = false;
  apply([](auto& settings) { settings.journal.acknowledge_when_received = true; });
  sensor.publish("farm/1", "1", kQos1, 1);
  EXPECT_THAT(sensor.received(), ElementsAre("PUBACK id=1 reason=00"));
  apply([](auto& settings) { settings.journal.acknowledge_when_received = false; });
  sensor.publish("farm/1", "2", kQos1, 2);
  EXPECT_THAT(sensor.received(), IsEmpty());
}

TEST_F(SettingsTest, LazyRetainedValuesAreAnsweredAtOnce) {
  Client& sensor = connect({.client_id = "sensor"});
  store_answers = false;
  sensor.publish("a", "1", kQos1, 1, {.retain = true});
  EXPECT_THAT(sensor.received(), IsEmpty());
  store_answers = true;
  advance(seconds(2));
  sensor.received();
  store_answers = false;
  apply([](auto& settings) { settings.journal.retained_lazy = true; });
  sensor.publish("b", "1", kQos1, 2, {.retain = true});
  EXPECT_THAT(sensor.received(), ElementsAre("PUBACK id=2 reason=10"));
}

TEST_F(SettingsTest, RetainedIntervalHoldsForTheNextValue) {
  options.journal.retained_interval = hours(1);
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("a", "1", Qos::AtMostOnce, 0, {.retain = true});
  advance(seconds(10));
  EXPECT_FALSE(broker().journal().idle());
  apply([](auto& settings) { settings.journal.retained_interval = seconds(1); });
  sensor.publish("a", "2", Qos::AtMostOnce, 0, {.retain = true});
  advance(seconds(2));
  EXPECT_TRUE(broker().journal().idle());
}

}  // namespace
}  // namespace furrow::test
