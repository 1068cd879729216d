// SUBSCRIBE and SUBACK: MQTT 5.0 and 3.1.1 §3.8 and §3.9.
#include "tests/conformance/conformance.h"

namespace furrow::test {
namespace {

class Subscribe : public ConformanceTest {
 public:
  static mqtt::Subscribe request(std::uint16_t packet_id, std::vector<mqtt::SubscriptionRequest> requests) {
    mqtt::Subscribe packet;
    packet.packet_id = PacketId{packet_id};
    packet.requests = std::move(requests);
    return packet;
  }
};

TEST_F(Subscribe, HasTheFlags0010) {
  SHOWS("MQTT-3.8.1-1 v3.1.1:MQTT-3.8.1-1 MQTT-2.1.3-1 v3.1.1:MQTT-2.2.2-2");
  for (const std::string_view first : {"80", "81", "83", "86", "8a", "8f"}) {
    expect_closed(kV5, packet(first, "00 01 00 00 01 't' 00"));
    expect_closed(kV3, packet(first, "00 01 00 01 't' 00"));
  }
}

TEST_F(Subscribe, HasAtLeastOneFilterWithItsOptions) {
  SHOWS("MQTT-3.8.3-2 v3.1.1:MQTT-3.8.3-3");
  expect_closed(kV5, packet("82", "00 01 00"), "82");
  expect_closed(kV3, packet("82", "00 01"));
  expect_closed(kV5, packet("82", "00 01 00 00 01 't'"));
  expect_closed(kV3, packet("82", "00 01 00 01 't'"));
}

TEST_F(Subscribe, ItsOptionsHaveNoOtherBits) {
  SHOWS("MQTT-3.8.3-5 v3.1.1:MQTT-3.8.3-4");
  for (const std::string_view bits : {"40", "80", "c1"}) {
    expect_closed(kV5, packet("82", "00 01 00 00 01 't'" + std::string(bits)));
  }
  for (const std::string_view bits : {"04", "08", "10", "20", "40", "80", "03", "ff"}) {
    expect_closed(kV3, packet("82", "00 01 00 01 't'" + std::string(bits)));
  }
}

TEST_F(Subscribe, AQosOf3OrARetainHandlingOf3IsAnError) {
  SHOWS("MQTT-4.13.1-1 v3.1.1:MQTT-3.8.3-4");
  for (const std::string_view bits : {"03", "30"}) {
    expect_closed(kV5, packet("82", "00 01 00 00 01 't'" + std::string(bits)), "8[12]");
  }
}

// More levels than `limits.topic_levels` allows: well-formed, and not accepted.
const std::string kTooDeep(200, '/');

TEST_F(Subscribe, IsAnsweredWithItsIdentifier) {
  SHOWS("MQTT-3.8.4-1 MQTT-3.8.4-2 MQTT-2.2.1-6 v3.1.1:MQTT-3.8.4-1 v3.1.1:MQTT-3.8.4-2 v3.1.1:MQTT-2.3.1-7");
  for (const Version version : kVersions) {
    Client& client = connect({.version = version});
    client.send(request(0xABCD, {{"t", kQos0}}));
    EXPECT_THAT(client.received(), ElementsAre("SUBACK id=43981 reason=00"));
    client.disconnect();
  }
}

TEST_F(Subscribe, GetsAReasonCodeForEachFilterInOrder) {
  SHOWS("MQTT-3.8.4-5 MQTT-3.8.4-6 MQTT-3.8.4-7 MQTT-3.9.3-1 MQTT-3.9.3-2 MQTT-3.2.2-10");
  SHOWS("v3.1.1:MQTT-3.8.4-4 v3.1.1:MQTT-3.8.4-5 v3.1.1:MQTT-3.9.3-1 v3.1.1:MQTT-3.9.3-2");
  for (const Version version : kVersions) {
    Client& client = connect({.version = version});
    client.send(request(1, {{"c", kQos2}, {"a", kQos0}, {kTooDeep, kQos1}, {"b", kQos1}, {"d", kQos2}}));
    EXPECT_THAT(client.received(),
                ElementsAre(version == kV5 ? "SUBACK id=1 {1f=\"over limits.topic_levels or limits.topic\"} reason=02 "
                                             "reason=00 reason=8f reason=01 reason=02"
                                           : "SUBACK id=1 reason=02 reason=00 reason=80 reason=01 reason=02"));
    Client& sensor = connect({.client_id = "sensor"});
    for (const char* topic : {"a", "b", "c", "d"}) {
      sensor.publish(topic, "", kQos2, static_cast<std::uint16_t>(topic[0]));
    }
    EXPECT_THAT(client.received(), ElementsAre("PUBLISH \"a\" \"\" qos=0 id=0", "PUBLISH \"b\" \"\" qos=1 id=1",
                                               "PUBLISH \"c\" \"\" qos=2 id=2", "PUBLISH \"d\" \"\" qos=2 id=3"));
    sensor.disconnect();
    client.disconnect();
  }
}

TEST_F(Subscribe, IsRefusedForTheFiltersAloneThatNoRuleGrants) {
  SHOWS("MQTT-3.8.4-6 MQTT-3.8.4-7 MQTT-3.9.3-1 MQTT-3.9.3-2 v3.1.1:MQTT-3.8.4-5 v3.1.1:MQTT-3.9.3-1");
  options.access_rules =
      std::make_shared<const access::Rules>(std::vector<access::Rule>{{.subscribe = {access::Entry("a/#")}}});
  for (const Version version : kVersions) {
    Client& client = connect({.version = version});
    client.send(request(1, {{"a/b", kQos1}, {"#", kQos1}, {"a/+", kQos2}}));
    EXPECT_THAT(
        client.received(),
        ElementsAre(version == kV5 ? "SUBACK id=1 {1f=\"no access rule grants it, or the topic begins with $\"} "
                                     "reason=01 reason=87 reason=02"
                                   : "SUBACK id=1 reason=01 reason=80 reason=02"));
    client.disconnect();
  }
}

TEST_F(Subscribe, AFilterTwiceIsTheLaterSubscription) {
  SHOWS("MQTT-3.8.4-5 v3.1.1:MQTT-3.8.4-4");
  for (const Version version : kVersions) {
    Client& client = connect({.version = version});
    client.send(request(1, {{"t", kQos2}, {"t", kQos0}}));
    EXPECT_THAT(client.received(), ElementsAre("SUBACK id=1 reason=02 reason=00"));
    connect({.client_id = "sensor"}).publish("t", "1", kQos2, 1);
    EXPECT_THAT(client.received(), ElementsAre("PUBLISH \"t\" \"1\" qos=0 id=0"));
    client.disconnect();
  }
}

TEST_F(Subscribe, OfMqtt3HasNoOtherFailureThan80) {
  SHOWS("v3.1.1:MQTT-3.9.3-2");
  Client& client = connect({.version = kV3});
  client.stop_reading();
  client.send(request(1, {{kTooDeep, kQos0}, {"t", kQos0}, {kTooDeep, kQos2}}));
  EXPECT_EQ(unread(client), "90050001800080");
}

TEST_F(Subscribe, ToTheSameFilterReplacesTheSubscription) {
  SHOWS("MQTT-3.8.4-3 v3.1.1:MQTT-3.8.4-3");
  for (const Version version : kVersions) {
    Client& client = connect({.version = version});
    Client& sensor = connect({.client_id = "sensor"});
    client.subscribe("t", kQos0, {.subscription_id = version == kV5 ? 1U : 0U});
    client.subscribe("t", kQos1, {.subscription_id = version == kV5 ? 2U : 0U});
    client.received();
    sensor.publish("t", "1", kQos2, 1);
    EXPECT_THAT(client.received(), ElementsAre(version == kV5 ? "PUBLISH \"t\" \"1\" qos=1 id=1 {0b=2}"
                                                              : "PUBLISH \"t\" \"1\" qos=1 id=1"));
    client.subscribe("t", kQos0);  // without identifier
    client.received();
    sensor.publish("t", "2", kQos1, 2);
    EXPECT_THAT(client.received(), ElementsAre("PUBLISH \"t\" \"2\" qos=0 id=0"));
    client.disconnect();
    sensor.disconnect();
  }
}

TEST_F(Subscribe, AgainSendsRetainedMessagesAndLosesNone) {
  SHOWS("MQTT-3.8.4-4 MQTT-3.3.1-9 v3.1.1:MQTT-3.8.4-3");
  retain("t", "kept");
  for (const Version version : kVersions) {
    Client& client = connect_durable("again", version);
    client.subscribe("t", kQos1);
    Client& sensor = connect({.client_id = "sensor"});
    sensor.publish("t", "1", kQos1, 1);
    client.received();
    client.subscribe("t", kQos2);
    EXPECT_THAT(client.received(), ElementsAre("SUBACK id=1 reason=02", "PUBLISH \"t\" \"kept\" qos=0 id=0 retain"));
    // What was under way when the subscription was replaced still arrives.
    client.vanish();
    EXPECT_THAT(open_durable("again", version).received(), Contains("PUBLISH \"t\" \"1\" qos=1 id=1 dup"));
    open_durable("again", version, true).disconnect();
  }
}

TEST_F(Subscribe, DeliversWithTheLowerQos) {
  SHOWS("MQTT-3.8.4-8 v3.1.1:MQTT-3.8.4-6");
  for (const Version version : kVersions) {
    for (int granted = 0; granted <= 2; ++granted) {
      Client& client = reader("t", static_cast<Qos>(granted), {}, {.client_id = "reader", .version = version});
      for (int published = 0; published <= 2; ++published) {
        Client& sensor = connect({.client_id = "sensor"});
        sensor.publish("t", "1", static_cast<Qos>(published), published == 0 ? 0 : 1);
        EXPECT_THAT(client.received(),
                    ElementsAre(HasSubstr(" qos=" + std::to_string(std::min(granted, published)) + ' ')));
        sensor.disconnect();
      }
      client.disconnect();
    }
  }
}

TEST_F(Subscribe, WithNoLocalOwnMessagesDoNotComeBack) {
  SHOWS("MQTT-3.8.3-3");
  Client& client = connect_durable("client");
  client.subscribe("t", kQos1, {.no_local = true});
  client.received();
  client.publish("t", "own", kQos1, 1);
  EXPECT_THAT(client.received(), ElementsAre(StartsWith("PUBACK id=1")));
  connect({.client_id = "other"}).publish("t", "other", kQos1, 1);
  EXPECT_THAT(client.received(), ElementsAre("PUBLISH \"t\" \"other\" qos=1 id=1"));
  client.acknowledge(PacketType::Puback, 1);
  // The client identifier counts, not the connection.
  client.vanish();
  Client& again = connect_durable("client");
  again.publish("t", "own again", kQos1, 2);
  EXPECT_THAT(again.received(), ElementsAre(StartsWith("PUBACK id=2")));
}

TEST_F(Subscribe, AReasonStringDoesNotMakeSubackTooLarge) {
  SHOWS("MQTT-3.9.2-1 MQTT-3.9.2-2 MQTT-3.1.2-24");
  Client& client = connect({.properties = Properties().number(PropertyId::MaximumPacketSize, 16)});
  client.stop_reading();
  client.send(request(1, {{kTooDeep, kQos0}}));
  EXPECT_EQ(unread(client), "90040001008f");
}

TEST_F(Subscribe, ASubscriptionIdentifierOfZeroIsAnError) {
  SHOWS("MQTT-4.13.1-1");
  expect_closed(kV5, packet("82", "00 01 02 0b 00 00 01 't' 00"), "82");
}

}  // namespace
}  // namespace furrow::test
