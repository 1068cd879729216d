// PINGREQ, DISCONNECT and AUTH: MQTT 5.0 §3.12 to §3.15 and §4.12, MQTT 3.1.1 §3.12 to §3.14.
#include "tests/conformance/conformance.h"

namespace furrow::test {
namespace {

class Disconnect : public ConformanceTest {};

TEST_F(Disconnect, PingreqIsAnswered) {
  SHOWS("MQTT-3.12.4-1 v3.1.1:MQTT-3.12.4-1");
  for (const Version version : kVersions) {
    Client& client = connect({.version = version});
    client.stop_reading();
    client.send_raw("c0 00 c0 00");
    EXPECT_EQ(unread(client),
              "d000"
              "d000");
    client.start_reading();
    client.disconnect();
  }
}

TEST_F(Disconnect, HasNoFlags) {
  SHOWS("MQTT-3.14.1-1 v3.1.1:MQTT-3.14.1-1 MQTT-2.1.3-1");
  for (const std::string_view first : {"e1", "e2", "e4", "e8"}) {
    expect_closed(kV5, packet(first, ""));
    expect_closed(kV3, packet(first, ""));
  }
}

TEST_F(Disconnect, IsNotAnswered) {
  SHOWS("MQTT-3.14.4-1 MQTT-3.14.4-2 v3.1.1:MQTT-3.14.4-1 v3.1.1:MQTT-3.14.4-2");
  Client& all = reader("#");
  for (const Version version : kVersions) {
    Client& client = connect({.version = version});
    // What a client sends after it is not processed.
    client.send_raw(version == kV5 ? "e0 00  30 04 00 01 't' 00  c0 00" : "e0 00  30 03 00 01 't'  c0 00");
    EXPECT_THAT(client.received(), IsEmpty());
    EXPECT_TRUE(client.closed());
  }
  EXPECT_THAT(all.received(), IsEmpty());
}

TEST_F(Disconnect, IsTheLastThingWeSend) {
  SHOWS("MQTT-3.14.4-1 MQTT-3.14.4-2 MQTT-4.13.1-1 MQTT-4.13.2-1 v3.1.1:MQTT-4.8.0-1");
  for (const Version version : kVersions) {
    Client& client = connect({.client_id = "wrong", .version = version});
    client.subscribe("t");
    client.received();
    client.stop_reading();
    client.send_raw("c0 00  00 00  c0 00");
    connect({.client_id = "sensor"}).publish("t", "too late");
    EXPECT_TRUE(broker().closing(client.id()));
    client.start_reading();
    if (version == kV5) {
      EXPECT_THAT(client.received(), ElementsAre("PINGRESP", StartsWith("DISCONNECT reason=8")));
    } else {
      EXPECT_THAT(client.received(), ElementsAre("PINGRESP"));
    }
    EXPECT_TRUE(client.closed());
  }
}

TEST_F(Disconnect, OfOursHasOneOfItsReasonCodesAndNoSessionExpiry) {
  SHOWS("MQTT-3.14.2-1 MQTT-3.14.2-2");
  options.limits.packet_bytes = 1000;
  const auto expect_disconnect = [](Client& client, std::string_view reason) {
    EXPECT_THAT(client.received(),
                ElementsAre(AllOf(StartsWith("DISCONNECT reason=" + std::string(reason)), Not(HasSubstr("11=")))));
    EXPECT_TRUE(client.closed());
  };
  Client& malformed = connect_durable("malformed");
  malformed.send_raw("00 00");
  expect_disconnect(malformed, "81");
  Client& wrong = connect_durable("wrong");
  wrong.send(mqtt::Auth{ReasonCode::ReAuthenticate, Properties().text(PropertyId::AuthenticationMethod, "x")});
  expect_disconnect(wrong, "82");
  Client& large = connect_durable("large");
  large.publish("t", std::string(1000, 'x'));
  expect_disconnect(large, "95");
  Client& taken = connect_durable("taken");
  connect_durable("taken").disconnect();
  expect_disconnect(taken, "8e");
  Client& silent = connect({.client_id = "silent", .keep_alive_s = 1});
  Client& last = connect_durable("last");
  advance(seconds(2));
  expect_disconnect(silent, "8d");
  broker().shut_down(now);
  settle();
  expect_disconnect(last, "8b");
}

TEST_F(Disconnect, OfAClientHasOneOfItsReasonCodes) {
  SHOWS("MQTT-3.14.2-1");
  for (const std::string_view reason : {"01", "8b", "8e", "ff"}) {  // the latter ones are for servers, or nobody
    expect_closed(kV5, packet("e0", reason), "8[12]");
  }
}

TEST_F(Disconnect, AReasonStringDoesNotMakeItTooLarge) {
  SHOWS("MQTT-3.14.2-3 MQTT-3.14.2-4 MQTT-3.1.2-24");
  Client& client = connect({.properties = Properties().number(PropertyId::MaximumPacketSize, 16)});
  client.send_raw("00 00");
  EXPECT_THAT(client.received(), ElementsAre("DISCONNECT reason=81"));
}

// --- AUTH ---

TEST_F(Disconnect, AuthHasNoFlags) {
  SHOWS("MQTT-3.15.1-1");
  for (const std::string_view first : {"f1", "f2", "f4", "f8"}) {
    expect_closed(kV5, packet(first, "19 04 15 00 01 'x'"));
  }
  expect_closed(kV3, packet("f0", ""));
}

TEST_F(Disconnect, AuthHasOneOfItsReasonCodes) {
  SHOWS("MQTT-3.15.2-1");
  for (const std::string_view reason : {"01", "87", "ff"}) {
    expect_closed(kV5, packet("f0", std::string(reason) + "04 15 00 01 'x'"), "8[12]");
  }
}

TEST_F(Disconnect, AuthWithoutAMethodInConnectIsAnError) {
  SHOWS("MQTT-4.12.0-6 MQTT-4.12.0-7 MQTT-4.12.1-2");
  for (const std::string_view reason : {"18", "19"}) {
    expect_closed(kV5, packet("f0", std::string(reason) + "04 15 00 01 'x'"), "82");
  }
}

}  // namespace
}  // namespace furrow::test
