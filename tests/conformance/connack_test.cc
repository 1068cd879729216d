// CONNACK: MQTT 5.0 §3.2, MQTT 3.1.1 §3.2.
#include "tests/conformance/conformance.h"

namespace furrow::test {
namespace {

class Connack : public ConformanceTest {
 public:
  // The CONNACK as bytes.
  std::string connack(const ConnectOptions& asked) {
    Client& client = open(asked.version);
    client.stop_reading();
    mqtt::Connect packet;
    packet.version = asked.version;
    packet.clean_start = asked.clean_start;
    packet.client_id = asked.client_id;
    packet.properties = asked.properties;
    client.send(packet);
    std::string bytes = unread(client);
    client.start_reading();
    client.vanish();
    return bytes;
  }
};

TEST_F(Connack, HasNoFlagButSessionPresent) {
  SHOWS("MQTT-3.2.2-1");
  EXPECT_EQ(connack({.version = kV3}), "20020000");
  EXPECT_EQ(connack({.version = kV3, .clean_start = false}), "20020000");
  EXPECT_EQ(connack({.version = kV3, .clean_start = false}), "20020100");
  EXPECT_EQ(connack({.client_id = "young", .properties = an_hour}).substr(4, 4), "0000");
  EXPECT_EQ(connack({.client_id = "young", .clean_start = false}).substr(4, 4), "0100");
}

TEST_F(Connack, SaysWhetherASessionIsPresent) {
  SHOWS("MQTT-3.2.2-2 MQTT-3.2.2-3 v3.1.1:MQTT-3.2.2-1 v3.1.1:MQTT-3.2.2-2 v3.1.1:MQTT-3.2.2-3");
  for (const Version version : kVersions) {
    const auto begins = [&](bool clean_start, std::string_view connack) {
      Client& client = open_durable("kept", version, clean_start);
      EXPECT_THAT(client.received(), ElementsAre(MatchesRegex(std::string(connack) + "( \\{.*)?")));
      client.vanish();
    };
    begins(false, "CONNACK reason=00");
    begins(false, "CONNACK reason=00 session");
    begins(true, "CONNACK reason=00");
    if (version == kV5) begins(false, "CONNACK reason=00 session");  // in 3.1.1 a clean session is not kept
    open_durable("kept", version, true)
        .disconnect(ReasonCode::Success, Properties().number(PropertyId::SessionExpiryInterval, 0));
  }
}

TEST_F(Connack, RefusesWithoutASessionPresentAndCloses) {
  SHOWS("MQTT-3.2.2-6 MQTT-3.2.2-7 MQTT-3.2.2-8 v3.1.1:MQTT-3.2.2-4 v3.1.1:MQTT-3.2.2-5");
  for (const Version version : kVersions) {
    const std::string_view id = version == kV5 ? "young" : "old";
    connect_durable(id, version).vanish();
    Client& client = open(
        {.client_id = id, .version = version, .clean_start = false, .will = will("$SYS/broker/uptime", "forever")});
    EXPECT_THAT(client.received(), ElementsAre(AllOf(StartsWith("CONNACK reason=87"), Not(HasSubstr(" session")))));
    EXPECT_TRUE(client.closed());
    // The session is still there for a client that keeps to the rules.
    EXPECT_THAT(open_durable(id, version).received(), ElementsAre(StartsWith("CONNACK reason=00 session")));
  }
}

TEST_F(Connack, HasAnEmptyListOfPropertiesRatherThanNone) {
  SHOWS("MQTT-2.2.2-1 MQTT-3.2.2-19");
  // So small a client leaves no room for a reason string.
  Client& client = open();
  client.stop_reading();
  client.send_bytes(packet("10", "00 04 'MQTT' 05 06 00 00 05 27 00 00 00 05 00 01 'a' 00 00 05 '$SYS/' 00 00"));
  EXPECT_EQ(unread(client), "2003008700");
}

TEST_F(Connack, AReasonStringMustFit) {
  SHOWS("MQTT-3.2.2-19");
  const auto refused = [&](std::uint32_t packet_bytes_max) {
    return open({.will = will("$SYS/x", ""),
                 .properties = Properties().number(PropertyId::MaximumPacketSize, packet_bytes_max)})
        .received();
  };
  EXPECT_THAT(refused(1000), ElementsAre(StartsWith("CONNACK reason=87 {1f=")));
  EXPECT_THAT(refused(20), ElementsAre("CONNACK reason=87"));
}

TEST_F(Connack, HasNoResponseInformationUnlessAsked) {
  SHOWS("MQTT-3.1.2-28");
  EXPECT_THAT(open(ConnectOptions{}).received(), ElementsAre(Not(HasSubstr("1a="))));
  EXPECT_THAT(open({.properties = Properties().number(PropertyId::RequestResponseInformation, 0)}).received(),
              ElementsAre(AllOf(StartsWith("CONNACK reason=00"), Not(HasSubstr("1a=")))));
  // To send none to a client that asks for it is allowed, too.
  EXPECT_THAT(open({.properties = Properties().number(PropertyId::RequestResponseInformation, 1)}).received(),
              ElementsAre(StartsWith("CONNACK reason=00")));
}

TEST_F(Connack, HasNoAuthenticationMethodUnlessConnectHad) {
  SHOWS("MQTT-4.12.0-6");
  EXPECT_THAT(open(ConnectOptions{}).received(),
              ElementsAre(AllOf(StartsWith("CONNACK reason=00"), Not(HasSubstr("15=")), Not(HasSubstr("16=")))));
}

}  // namespace
}  // namespace furrow::test
