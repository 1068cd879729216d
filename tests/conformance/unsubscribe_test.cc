// UNSUBSCRIBE and UNSUBACK: MQTT 5.0 §3.10 and §3.11, MQTT 3.1.1 §3.10 and §3.11.
#include "tests/conformance/conformance.h"

namespace furrow::test {
namespace {

class Unsubscribe : public ConformanceTest {
 public:
  static mqtt::Unsubscribe request(std::uint16_t packet_id, std::vector<std::string_view> filters) {
    mqtt::Unsubscribe packet;
    packet.packet_id = PacketId{packet_id};
    packet.filters = std::move(filters);
    return packet;
  }
};

TEST_F(Unsubscribe, HasTheFlags0010) {
  SHOWS("MQTT-3.10.1-1 v3.1.1:MQTT-3.10.1-1 MQTT-2.1.3-1 v3.1.1:MQTT-2.2.2-2");
  for (const std::string_view first : {"a0", "a1", "a3", "a6", "aa", "af"}) {
    expect_closed(kV5, packet(first, "00 01 00 00 01 't'"));
    expect_closed(kV3, packet(first, "00 01 00 01 't'"));
  }
}

TEST_F(Unsubscribe, HasAtLeastOneFilter) {
  SHOWS("MQTT-3.10.3-2 v3.1.1:MQTT-3.10.3-2");
  expect_closed(kV5, packet("a2", "00 01 00"), "82");
  expect_closed(kV3, packet("a2", "00 01"));
}

TEST_F(Unsubscribe, ComparesCharacterByCharacter) {
  SHOWS("MQTT-3.10.4-1 MQTT-3.10.4-2 v3.1.1:MQTT-3.10.4-1 v3.1.1:MQTT-3.10.4-2");
  for (const Version version : kVersions) {
    Client& client = connect({.version = version});
    Client& sensor = connect({.client_id = "sensor"});
    client.subscribe("a/+");
    for (const std::string_view other : {"a/b", "a/#", "A/+", "a/+/", "/a/+", "#", "+/+"}) client.unsubscribe(other);
    client.received();
    sensor.publish("a/b", "1");
    EXPECT_THAT(client.received(), SizeIs(1)) << "none of these is the same filter";
    client.unsubscribe("a/+");
    client.received();
    sensor.publish("a/b", "2");
    EXPECT_THAT(client.received(), IsEmpty());
    client.disconnect();
    sensor.disconnect();
  }
}

TEST_F(Unsubscribe, CompletesWhatHasBegun) {
  SHOWS("MQTT-3.10.4-2 MQTT-3.10.4-3 v3.1.1:MQTT-3.10.4-2 v3.1.1:MQTT-3.10.4-3");
  for (const Version version : kVersions) {
    Client& client = connect_durable("kept", version);
    client.subscribe("t", kQos2);
    Client& sensor = connect({.client_id = "sensor"});
    sensor.publish("t", "1", kQos1, 1);
    sensor.publish("t", "2", kQos2, 2);
    sensor.publish("t", "3", kQos2, 3);
    client.acknowledge(PacketType::Pubrec, 3);
    client.received();
    client.unsubscribe("t");
    sensor.publish("t", "4", kQos1, 4);
    client.received();
    client.vanish();
    Client& again = open_durable("kept", version);
    EXPECT_THAT(again.received(),
                ElementsAre(StartsWith("CONNACK reason=00 session"), "PUBLISH \"t\" \"1\" qos=1 id=1 dup",
                            "PUBLISH \"t\" \"2\" qos=2 id=2 dup", "PUBREL id=3 reason=00"));
    again.acknowledge(PacketType::Pubrec, 2);
    EXPECT_THAT(again.received(), ElementsAre("PUBREL id=2 reason=00"));
    again.disconnect();
    sensor.disconnect();
    open_durable("kept", version, true).disconnect();
  }
}

TEST_F(Unsubscribe, IsAnsweredWithItsIdentifierEvenIfThereWasNothing) {
  SHOWS("MQTT-3.10.4-4 MQTT-3.10.4-5 MQTT-2.2.1-6 MQTT-3.11.3-2");
  SHOWS("v3.1.1:MQTT-3.10.4-4 v3.1.1:MQTT-3.10.4-5 v3.1.1:MQTT-2.3.1-7");
  Client& young = connect({.client_id = "young"});
  young.send(request(0xABCD, {"t"}));
  EXPECT_THAT(young.received(), ElementsAre("UNSUBACK id=43981 reason=11"));
  Client& old = connect({.client_id = "old", .version = kV3});
  old.stop_reading();
  old.send(request(0xABCD, {"t"}));
  EXPECT_EQ(unread(old), "b002abcd");
}

TEST_F(Unsubscribe, SeveralFiltersGetOneAnswerInOrder) {
  SHOWS("MQTT-3.10.4-6 MQTT-3.11.3-1 MQTT-3.11.3-2 v3.1.1:MQTT-3.10.4-6");
  for (const Version version : kVersions) {
    Client& client = connect({.version = version});
    for (const std::string_view filter : {"a", "b", "c"}) client.subscribe(filter);
    client.received();
    client.send(request(1, {"z", "a", "y", "c", "a"}));
    EXPECT_THAT(client.received(),
                ElementsAre(version == kV5 ? "UNSUBACK id=1 reason=11 reason=00 reason=11 reason=00 reason=11"
                                           : "UNSUBACK id=1"));
    Client& sensor = connect({.client_id = "sensor"});
    for (const std::string_view topic : {"a", "b", "c"}) sensor.publish(topic, "");
    EXPECT_THAT(client.received(), ElementsAre("PUBLISH \"b\" \"\" qos=0 id=0"));
    client.disconnect();
  }
}

TEST_F(Unsubscribe, UnsubackIsNotTooLargeForTheClient) {
  SHOWS("MQTT-3.11.2-1 MQTT-3.11.2-2 MQTT-3.1.2-24");
  Client& client = connect({.properties = Properties().number(PropertyId::MaximumPacketSize, 16)});
  client.stop_reading();
  client.send(request(1, {"unknown"}));
  EXPECT_EQ(unread(client), "b00400010011");
}

}  // namespace
}  // namespace furrow::test
