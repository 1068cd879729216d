// How much may be under way, and how large: MQTT 5.0 §3.3.4 and §4.9, and the maximum packet size of §3.1.2.
#include "tests/conformance/conformance.h"

namespace furrow::test {
namespace {

class FlowControl : public ConformanceTest {
 public:
  const Properties two = std::move(Properties().number(PropertyId::ReceiveMaximum, 2));

  // Sends so many messages of one QoS, with the payloads "1", "2", …
  void publish(int count, Qos qos, std::string_view topic = "t") {
    Client& sensor = connect({.client_id = "sensor"});
    for (int i = 1; i <= count; ++i) sensor.publish(topic, std::to_string(i), qos, static_cast<std::uint16_t>(i));
    sensor.disconnect();
  }
};

TEST_F(FlowControl, WeSendNoMoreThanTheReceiveMaximum) {
  SHOWS("MQTT-3.3.4-9 MQTT-4.9.0-1 MQTT-4.9.0-2");
  for (const Qos qos : {kQos1, kQos2}) {
    Client& reader = this->reader("t", kQos2, {}, {.client_id = "reader", .properties = two});
    publish(4, qos);
    EXPECT_THAT(reader.received(), SizeIs(2));
    if (qos == kQos1) {
      reader.acknowledge(PacketType::Puback, 1);
    } else {
      reader.acknowledge(PacketType::Pubrec, 1);
      EXPECT_THAT(reader.received(), ElementsAre("PUBREL id=1 reason=00")) << "PUBREC makes no room yet";
      reader.acknowledge(PacketType::Pubcomp, 1);
    }
    EXPECT_THAT(reader.received(), ElementsAre(StartsWith("PUBLISH \"t\" \"3\"")));
    if (qos == kQos2) {
      reader.acknowledge(PacketType::Pubrec, 2, ReasonCode::UnspecifiedError);
      EXPECT_THAT(reader.received(), ElementsAre(StartsWith("PUBLISH \"t\" \"4\""))) << "a PUBREC of failure does";
    }
    reader.disconnect();
  }
}

TEST_F(FlowControl, TheReceiveMaximumHoldsForWhatIsSentAgain) {
  SHOWS("MQTT-3.3.4-9 MQTT-4.9.0-1");
  Client& reader = connect_durable("kept");
  reader.subscribe("t", kQos1);
  publish(4, kQos1);
  EXPECT_THAT(reader.received(), SizeIs(5));
  reader.vanish();
  Client& again = connect(
      {.client_id = "kept",
       .clean_start = false,
       .properties = Properties().number(PropertyId::SessionExpiryInterval, 60).number(PropertyId::ReceiveMaximum, 2)});
  EXPECT_THAT(again.received(), IsEmpty()) << "connect() has taken everything";
  again.vanish();
  Client& last = open(
      {.client_id = "kept",
       .clean_start = false,
       .properties = Properties().number(PropertyId::SessionExpiryInterval, 60).number(PropertyId::ReceiveMaximum, 2)});
  EXPECT_THAT(last.received(),
              ElementsAre(StartsWith("CONNACK"), HasSubstr("\"1\" qos=1 id=1 dup"), HasSubstr("\"2\" qos=1 id=2 dup")));
  last.acknowledge(PacketType::Puback, 1);
  EXPECT_THAT(last.received(), ElementsAre(HasSubstr("\"3\"")));
}

TEST_F(FlowControl, OnlyPublishOfQos1And2Waits) {
  SHOWS("MQTT-3.3.4-10 MQTT-4.9.0-3");
  Client& reader = this->reader("t", kQos2, {}, {.client_id = "reader", .properties = two});
  publish(4, kQos2);
  reader.received();
  publish(1, kQos0);
  EXPECT_THAT(reader.received(), ElementsAre("PUBLISH \"t\" \"1\" qos=0 id=0"));
  reader.send(mqtt::Pingreq{});
  reader.subscribe("u");
  reader.unsubscribe("u");
  reader.publish("v", "1", kQos1, 1);
  reader.publish("v", "2", kQos2, 2);
  reader.acknowledge(PacketType::Pubrel, 2);
  EXPECT_THAT(reader.received(),
              ElementsAre("PINGRESP", "SUBACK id=1 reason=00", "UNSUBACK id=1 reason=00", "PUBACK id=1 reason=10",
                          "PUBREC id=2 reason=10", "PUBCOMP id=2 reason=00"));
  reader.acknowledge(PacketType::Pubrec, 1);
  EXPECT_THAT(reader.received(), ElementsAre("PUBREL id=1 reason=00"));
}

TEST_F(FlowControl, AClientKeepsWithinOurReceiveMaximum) {
  SHOWS("MQTT-3.3.4-7 MQTT-4.13.1-1");
  options.limits.inflight = 2;
  Client& sensor = open(ConnectOptions{});
  EXPECT_THAT(sensor.received(), ElementsAre(HasSubstr("21=2")));
  // Many do not, and it costs little as long as they release what was answered; but not for ever.
  for (std::uint16_t id = 1; id <= broker::kUnacknowledgedMax; ++id) sensor.publish("t", "", kQos2, id);
  sensor.acknowledge(PacketType::Pubrel, 1);
  sensor.publish("t", "", kQos2, 1);
  sensor.received();
  EXPECT_FALSE(sensor.closed());
  sensor.publish("t", "", kQos2, broker::kUnacknowledgedMax + 1);
  EXPECT_THAT(sensor.received(), ElementsAre(StartsWith("DISCONNECT reason=93")));
  EXPECT_TRUE(sensor.closed());
}

TEST_F(FlowControl, NothingLargerThanTheClientsMaximumIsSent) {
  SHOWS("MQTT-3.1.2-24 MQTT-3.1.2-25");
  // PUBLISH "t" at QoS 1 without properties is 8 bytes and its payload.
  const Properties thirty = std::move(Properties().number(PropertyId::MaximumPacketSize, 30));
  Client& reader = connect({.client_id = "reader", .properties = thirty});
  reader.subscribe("t", kQos1);
  reader.received();
  Client& sensor = connect({.client_id = "sensor"});
  for (const std::size_t size : {22U, 23U, 1000U}) {
    for (const Qos qos : {kQos1, kQos2}) {
      sensor.publish("t", std::string(size, 'x'), qos, 1);
      sensor.acknowledge(PacketType::Pubrel, 1);
    }
  }
  sensor.publish("t", "the next one", kQos1, 2);
  EXPECT_THAT(reader.received(),
              ElementsAre(HasSubstr(std::string(22, 'x')), HasSubstr(std::string(22, 'x')), HasSubstr("the next one")));
  EXPECT_FALSE(reader.closed());
  EXPECT_EQ(stats().dropped_too_large + broker().session_books().drops(broker::DropReason::TooLarge), 4U);
}

TEST_F(FlowControl, WhatIsTooLargeCountsAsDelivered) {
  SHOWS("MQTT-3.1.2-25");
  const Properties small =
      std::move(Properties().number(PropertyId::MaximumPacketSize, 30).number(PropertyId::SessionExpiryInterval, 3600));
  leave_subscribed("kept", "t");
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("t", std::string(100, 'x'), kQos2, 1);
  sensor.publish("t", "fits", kQos2, 2);
  advance(seconds(2));
  Client& back = open({.client_id = "kept", .clean_start = false, .properties = small});
  EXPECT_THAT(back.received(), ElementsAre(StartsWith("CONNACK"), HasSubstr("fits")));
  back.vanish();
  EXPECT_THAT(open_durable("kept").received(), ElementsAre(StartsWith("CONNACK"), HasSubstr("fits")))
      << "it does not come back for a client that takes more";
}

TEST_F(FlowControl, WhateverItIsIsNotSentWhenItIsTooLarge) {
  SHOWS("MQTT-3.1.2-24");
  mqtt::Subscribe many;
  many.packet_id = PacketId{1};
  many.requests.assign(30, {"t", kQos0});
  for (std::uint32_t size = 1; size <= 40 && !HasFailure(); ++size) {
    SCOPED_TRACE("maximum packet size " + std::to_string(size));
    const auto expect_fits = [&](Client& client) {
      const std::string bytes = client.closed() ? "" : unread(client);
      EXPECT_TRUE(bytes.empty() || std::stoul(bytes.substr(2, 2), nullptr, 16) + 2 <= size) << bytes;
      client.start_reading();
      client.stop_reading();
      client.received();
    };
    Client& client = open();
    client.stop_reading();
    mqtt::Connect connect;
    connect.version = kV5;
    connect.client_id = "small";
    const Properties properties = std::move(Properties().number(PropertyId::MaximumPacketSize, size));
    connect.properties = properties;
    client.send(connect);
    expect_fits(client);
    if (client.closed()) continue;  // there is no CONNACK so small
    client.publish("$SYS/x", "1", kQos1, 1);
    expect_fits(client);
    client.send(many);
    expect_fits(client);
    client.send_raw("00 00");
    expect_fits(client);
  }
}

TEST_F(FlowControl, AClientSendsNothingLargerThanOurMaximum) {
  SHOWS("MQTT-3.2.2-15");
  options.limits.packet_bytes = 100;
  EXPECT_THAT(open(ConnectOptions{}).received(), ElementsAre(HasSubstr("27=100")));
  expect_closed(kV5, packet("30", "00 01 't' 00 '" + std::string(95, 'x') + "'"), "95");
  // One byte less is right.
  Client& client = connect({});
  client.send_bytes(packet("30", "00 01 't' 00 '" + std::string(94, 'x') + "'"));
  EXPECT_FALSE(client.closed());
}

}  // namespace
}  // namespace furrow::test
