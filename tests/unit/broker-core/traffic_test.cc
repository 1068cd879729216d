// What is counted of the traffic with clients, and the gateway's own topics that show it.
#include "tests/support/broker_fixture.h"

namespace furrow::broker {
namespace {

using mqtt::Qos;
using test::Client;
using test::ConnectOptions;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::string_view kTopic = "$SYS/furrow/gateway";

class Traffic : public test::BrokerFixture {
 protected:
  // Expects this many packets since the last call.
  void expect_packets(std::uint64_t received, std::uint64_t sent) {
    EXPECT_EQ(stats().packets_received - received_, received);
    EXPECT_EQ(stats().packets_sent - sent_, sent);
    received_ = stats().packets_received;
    sent_ = stats().packets_sent;
  }

 private:
  std::uint64_t received_ = 0;
  std::uint64_t sent_ = 0;
};

TEST_F(Traffic, PacketsOfEveryTypeCount) {
  Client& client = connect({});
  expect_packets(1, 1);
  client.subscribe("farm/#", Qos::ExactlyOnce);
  expect_packets(1, 1);
  client.publish("farm/1", "x", Qos::AtMostOnce);
  expect_packets(1, 1);
  client.publish("farm/1", "x", Qos::AtLeastOnce, 1);
  expect_packets(1, 2);
  client.acknowledge(mqtt::PacketType::Puback, 1);
  expect_packets(1, 0);
  client.publish("farm/1", "x", Qos::ExactlyOnce, 2);
  expect_packets(1, 2);
  client.acknowledge(mqtt::PacketType::Pubrel, 2);
  expect_packets(1, 1);
  client.acknowledge(mqtt::PacketType::Pubrec, 2);
  expect_packets(1, 1);
  client.acknowledge(mqtt::PacketType::Pubcomp, 2);
  client.send(mqtt::Pingreq{});
  expect_packets(2, 1);
  client.unsubscribe("farm/#");
  expect_packets(1, 1);
  client.disconnect();
  expect_packets(1, 0);
}

TEST_F(Traffic, RefusalAndDisconnectCount) {
  open(ConnectOptions{.will = mqtt::Will{.topic = "$SYS/forged"}});
  expect_packets(1, 1);
  Client& client = connect({});
  expect_packets(1, 1);
  client.send(mqtt::Connect{});  // one too many
  expect_packets(1, 1);
}

TEST_F(Traffic, PublishAndItsPayloadCountAlsoWhenRefused) {
  Client& client = connect({});
  client.subscribe("farm/1");
  client.publish("farm/1", "123", Qos::AtMostOnce);
  client.publish("$SYS/forged", "12345", Qos::AtMostOnce);
  EXPECT_EQ(stats().publishes_received, 2U);
  EXPECT_EQ(stats().payload_bytes_received, 8U);
  EXPECT_EQ(stats().messages_received, 1U);
  EXPECT_EQ(stats().messages_sent, 1U);
  EXPECT_EQ(stats().payload_bytes_sent, 3U);
}

TEST_F(Traffic, PublishThatWaitsForTheWindowCountsOnce) {
  options.limits.inflight = 1;
  leave_subscribed("away", "farm/#");
  Client& sensor = connect({.client_id = "sensor"});
  const std::uint64_t before = stats().packets_received;
  store_answers = false;
  sensor.publish("farm/1", "1", Qos::AtLeastOnce, 1);
  sensor.publish("farm/1", "22", Qos::AtLeastOnce, 2);
  EXPECT_EQ(stats().inflight_over_limit, 1U);
  EXPECT_EQ(stats().publishes_received, 1U);
  store_answers = true;
  advance(std::chrono::seconds(5));
  EXPECT_EQ(stats().packets_received - before, 2U);
  EXPECT_EQ(stats().publishes_received, 2U);
  EXPECT_EQ(stats().payload_bytes_received, 3U);
}

TEST_F(Traffic, MostClientsAtATimeAndConnectionsThatWereOfferedCount) {
  options.limits.connections = 2;
  Client& one = connect({.client_id = "one"});
  connect({.client_id = "two"});
  EXPECT_EQ(broker().handle_accept(test::from("192.0.2.1", 1), now), ConnectionId{});
  one.disconnect();
  connect({.client_id = "three"});
  EXPECT_EQ(stats().clients_maximum, 2U);
  EXPECT_EQ(stats().connections_offered, 4U);
}

TEST_F(Traffic, SharedSubscriptionsCountApart) {
  Client& one = connect({.client_id = "one"});
  Client& two = connect({.client_id = "two"});
  one.subscribe("$share/group/farm/#");
  two.subscribe("$share/group/farm/#");
  two.subscribe("news");
  EXPECT_EQ(broker().subscription_counts().own, 1U);
  EXPECT_EQ(broker().subscription_counts().shared, 2U);
  one.unsubscribe("$share/group/farm/#");
  two.unsubscribe("$share/group/farm/#");
  EXPECT_EQ(broker().subscription_counts().own, 1U);
  EXPECT_EQ(broker().subscription_counts().shared, 0U);
}

// --- the gateway's own topics ---

TEST_F(Traffic, OwnTopicsAreRefreshedForANewSubscriber) {
  int refreshed = 0;
  broker().set_status_refresh([&](Instant at) { broker().retain_status(kTopic, std::to_string(++refreshed), at); });
  Client& first = connect({.client_id = "first"});
  first.subscribe("$SYS/#");
  EXPECT_THAT(first.received(),
              ElementsAre("SUBACK id=1 reason=00", "PUBLISH \"$SYS/furrow/gateway\" \"1\" qos=0 id=0 retain"));
  Client& second = connect({.client_id = "second"});
  second.subscribe(kTopic);
  EXPECT_THAT(second.received(),
              ElementsAre("SUBACK id=1 reason=00", "PUBLISH \"$SYS/furrow/gateway\" \"2\" qos=0 id=0 retain"));
  EXPECT_THAT(first.received(), IsEmpty()) << "only the new one";
  second.subscribe("#");
  second.subscribe("$share/group/$SYS/#");
  EXPECT_EQ(refreshed, 2);
}

}  // namespace
}  // namespace furrow::broker
