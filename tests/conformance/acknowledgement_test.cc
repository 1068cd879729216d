// PUBACK, PUBREC, PUBREL and PUBCOMP: MQTT 5.0 §3.4 to §3.7, MQTT 3.1.1 §3.4 to §3.7.
#include "tests/conformance/conformance.h"

namespace furrow::test {
namespace {

class Acknowledgement : public ConformanceTest {
 public:
  // Three unusual cases in which we answer: not allowed, an exchange that there is not, and nobody to receive it.
  static void ask(Client& client) {
    client.publish("$SYS/x", "1", kQos1, 1);
    client.publish("$SYS/x", "1", kQos2, 2);
    client.acknowledge(PacketType::Pubrec, 3);
    client.acknowledge(PacketType::Pubrel, 4);
    client.publish("nobody", "1", kQos1, 5);
  }
};

TEST_F(Acknowledgement, HasOneOfItsReasonCodes) {
  SHOWS("MQTT-3.4.2-1 MQTT-3.5.2-1 MQTT-3.6.2-1 MQTT-3.7.2-1");
  Client& client = connect({});
  ask(client);
  EXPECT_THAT(client.received(), ElementsAre(StartsWith("PUBACK id=1 reason=87"), StartsWith("PUBREC id=2 reason=87"),
                                             StartsWith("PUBREL id=3 reason=92"), StartsWith("PUBCOMP id=4 reason=92"),
                                             StartsWith("PUBACK id=5 reason=10")));
}

TEST_F(Acknowledgement, HasOneOfItsReasonCodesWhenItComes) {
  SHOWS("MQTT-3.4.2-1 MQTT-3.5.2-1 MQTT-3.6.2-1 MQTT-3.7.2-1 MQTT-4.13.1-1");
  // PUBACK and PUBREC know 0x92 no more than PUBREL and PUBCOMP know 0x10.
  for (const std::string_view first : {"40", "50"}) expect_closed(kV5, packet(first, "00 01 92"), "8[12]");
  for (const std::string_view first : {"62", "70"}) expect_closed(kV5, packet(first, "00 01 10"), "8[12]");
  for (const std::string_view first : {"40", "50", "62", "70"}) expect_closed(kV5, packet(first, "00 01 01"), "8[12]");
}

TEST_F(Acknowledgement, HasNoReasonCodeBeforeMqtt5) {
  SHOWS("v3.1.1:MQTT-2.3.1-6");
  Client& client = connect({.version = kV3});
  client.stop_reading();
  ask(client);
  EXPECT_EQ(unread(client),
            "40020001"
            "50020002"
            "62020003"
            "70020004"
            "40020005");
}

TEST_F(Acknowledgement, AReasonStringDoesNotMakeItTooLarge) {
  SHOWS("MQTT-3.4.2-2 MQTT-3.4.2-3 MQTT-3.5.2-2 MQTT-3.5.2-3 MQTT-3.6.2-2 MQTT-3.6.2-3 MQTT-3.7.2-2 MQTT-3.7.2-3");
  SHOWS("MQTT-3.1.2-24");
  Client& client = connect({.properties = Properties().number(PropertyId::MaximumPacketSize, 16)});
  ask(client);
  EXPECT_THAT(client.received(), ElementsAre("PUBACK id=1 reason=87", "PUBREC id=2 reason=87", "PUBREL id=3 reason=92",
                                             "PUBCOMP id=4 reason=92", "PUBACK id=5 reason=10"));
}

TEST_F(Acknowledgement, PubrelHasTheFlags0010) {
  SHOWS("MQTT-3.6.1-1 v3.1.1:MQTT-3.6.1-1 MQTT-2.1.3-1 v3.1.1:MQTT-2.2.2-2");
  for (const std::string_view first : {"60", "61", "63", "66", "6a", "6f"}) {
    expect_closed(kV5, packet(first, "00 01"));
    expect_closed(kV3, packet(first, "00 01"));
  }
}

// --- request problem information ---

TEST_F(Acknowledgement, SaysNothingMoreToAClientThatWantsNoProblemInformation) {
  SHOWS("MQTT-3.1.2-29");
  Client& client = connect({.properties = Properties().number(PropertyId::RequestProblemInformation, 0)});
  ask(client);
  client.subscribe(std::string(200, '/'));
  EXPECT_THAT(client.received(),
              ElementsAre("PUBACK id=1 reason=87", "PUBREC id=2 reason=87", "PUBREL id=3 reason=92",
                          "PUBCOMP id=4 reason=92", "PUBACK id=5 reason=10", "SUBACK id=1 reason=8f"));
  // User properties of messages are not meant by it.
  client.subscribe("t");
  connect({.client_id = "sensor"}).publish("t", "1", kQos0, 0, {.properties = Properties().user("a", "b")});
  EXPECT_THAT(client.received(), Contains("PUBLISH \"t\" \"1\" qos=0 id=0 {26=\"a\":\"b\"}"));
}

}  // namespace
}  // namespace furrow::test
