// How packets are written: MQTT 5.0 §1.5 and §2, MQTT 3.1.1 §1.5 and §2.
#include "tests/conformance/conformance.h"

namespace furrow::test {
namespace {

class Format : public ConformanceTest {
 public:
  // A topic name or filter written like this closes the connection.
  void expect_no_topic(std::string_view written) {
    const std::string text(written);
    expect_closed(kV5, packet("30", text + "00 'payload'"));
    expect_closed(kV3, packet("30", text + "'payload'"));
    expect_closed(kV5, packet("82", "00 01 00" + text + "00"));
    expect_closed(kV3, packet("82", "00 01" + text + "00"));
    expect_closed(kV5, packet("a2", "00 01 00" + text));
    expect_closed(kV3, packet("a2", "00 01" + text));
  }
};

// An overlong slash, both kinds of surrogates, beyond the last character, cut short, and what no character begins with.
constexpr std::string_view kIllFormed[] = {"00 02 c0 af", "00 03 ed a0 80", "00 03 ed bf bf",    "00 04 f4 90 80 80",
                                           "00 02 e2 82", "00 01 ff",       "00 05 'abc' c3 'd'"};

TEST_F(Format, IllFormedTextClosesTheConnection) {
  SHOWS("MQTT-1.5.4-1 v3.1.1:MQTT-1.5.3-1 MQTT-3.3.2-1 MQTT-3.8.3-1 MQTT-3.10.3-1");
  SHOWS("v3.1.1:MQTT-3.3.2-1 v3.1.1:MQTT-3.8.3-1 v3.1.1:MQTT-3.10.3-1");
  for (const std::string_view wrong : kIllFormed) expect_no_topic(wrong);
}

TEST_F(Format, ANullCharacterClosesTheConnection) {
  SHOWS("MQTT-1.5.4-2 v3.1.1:MQTT-1.5.3-2 MQTT-4.7.3-2 v3.1.1:MQTT-4.7.3-2");
  expect_no_topic("00 03 'a' 00 'b'");
}

TEST_F(Format, PropertiesThatAreTextAreValid) {
  SHOWS("MQTT-1.5.4-1 MQTT-1.5.4-2 MQTT-1.5.7-1 MQTT-3.3.2-13 MQTT-3.3.2-19");
  // Content type and response topic; a user property with a wrong name, and with a wrong value.
  for (const std::string_view property : {"03 00 02 c0 af", "08 00 02 c0 af", "03 00 01 00", "08 00 01 00"}) {
    expect_closed(kV5, packet("30", "00 01 't' 05" + std::string(property)));
  }
  expect_closed(kV5, packet("30", "00 01 't' 08 26 00 02 c0 af 00 01 'v'"));
  expect_closed(kV5, packet("30", "00 01 't' 08 26 00 01 'n' 00 02 c0 af"));
  expect_closed(kV5, packet("30", "00 01 't' 07 26 00 01 00 00 01 'v'"));
  expect_closed(kV5, packet("30", "00 01 't' 07 26 00 01 'n' 00 01 00"));
}

TEST_F(Format, AByteOrderMarkIsACharacter) {
  SHOWS("MQTT-1.5.4-3 v3.1.1:MQTT-1.5.3-3");
  Client& all = reader("#");
  for (const Version version : kVersions) {
    Client& sensor = connect({.client_id = "sensor", .version = version});
    sensor.publish("\xEF\xBB\xBFtopic", "1");
    EXPECT_THAT(all.received(), ElementsAre("PUBLISH \"\\xef\\xbb\\xbftopic\" \"1\" qos=0 id=0"));
  }
  Client& marked = reader("\xEF\xBB\xBFtopic", kQos0, {}, {.client_id = "marked"});
  Client& plain = reader("topic", kQos0, {}, {.client_id = "plain"});
  connect({.client_id = "sensor"}).publish("\xEF\xBB\xBFtopic", "1");
  EXPECT_THAT(marked.received(), SizeIs(1));
  EXPECT_THAT(plain.received(), IsEmpty());
}

TEST_F(Format, VariableByteIntegersAreAsShortAsTheyCan) {
  SHOWS("MQTT-1.5.5-1");
  expect_closed(kV5, bytes_from("c0 80 00"));                          // remaining length 0 in two bytes
  expect_closed(kV5, bytes_from("c0 80 80 80 80 00"));                 // five bytes
  expect_closed(kV5, packet("30", "00 01 't' 80 00"));                 // property length
  expect_closed(kV5, packet("82", "00 01 03 0b 85 00 00 01 't' 00"));  // subscription identifier
  // What we write ourselves: 127 bytes have a length of one byte, 128 of two.
  Client& client = reader("#");
  client.stop_reading();
  client.publish("t", std::string(127 - 4, 'x'));
  EXPECT_THAT(unread(client), StartsWith("307f0001"));
  client.start_reading();
  client.stop_reading();
  client.publish("t", std::string(128 - 4, 'x'));
  EXPECT_THAT(unread(client), StartsWith("3080010001"));
}

TEST_F(Format, ReservedBitsOfTheFixedHeaderHaveTheirValue) {
  SHOWS("MQTT-2.1.3-1 v3.1.1:MQTT-2.2.2-1 v3.1.1:MQTT-2.2.2-2 MQTT-4.13.1-1 v3.1.1:MQTT-4.8.0-1");
  for (const std::string_view first : {"41", "42", "51", "58", "71", "72"}) {  // PUBACK, PUBREC, PUBCOMP
    expect_closed(kV5, packet(first, "00 01"));
    expect_closed(kV3, packet(first, "00 01"));
  }
  for (const std::string_view first : {"c1", "c2", "c4", "c8"}) {  // PINGREQ
    expect_closed(kV5, packet(first, ""));
    expect_closed(kV3, packet(first, ""));
  }
  Client& connecting = open();
  connecting.send_bytes(packet("11", "00 04 'MQTT' 05 02 00 00 00 00 01 'a'"));
  EXPECT_TRUE(connecting.closed());
  // Packet types that there are not, and those that only servers send.
  for (const std::string_view first : {"00", "20", "90", "b0", "d0"}) {
    Client& client = connect({.client_id = "wrong"});
    client.send_bytes(packet(first, "00 00 00"));
    EXPECT_THAT(client.received(), ElementsAre(MatchesRegex("DISCONNECT reason=8[12].*")));
    EXPECT_TRUE(client.closed());
    expect_closed(kV3, packet(first, "00 00 00"));
  }
}

TEST_F(Format, AQos0PublishHasNoPacketIdentifier) {
  SHOWS("MQTT-2.2.1-2 v3.1.1:MQTT-2.3.1-5 MQTT-2.2.2-1 MQTT-4.3.1-1 v3.1.1:MQTT-4.3.1-1");
  Client& young = reader("#");
  Client& old = reader("#", kQos0, {}, {.client_id = "old", .version = kV3});
  young.stop_reading();
  old.stop_reading();
  young.publish("t", "1");
  EXPECT_EQ(unread(young),
            "3005"
            "0001"
            "74"
            "00"
            "31")
      << "topic, no properties, payload";
  EXPECT_EQ(unread(old),
            "3004"
            "0001"
            "74"
            "31")
      << "topic, payload";
}

TEST_F(Format, PacketIdentifierZeroClosesTheConnection) {
  SHOWS("MQTT-2.2.1-3 v3.1.1:MQTT-2.3.1-1");
  const auto closes = [&](Version version, const Bytes& bytes) {
    Client& client = connect({.client_id = "wrong", .version = version});
    client.send_bytes(bytes);
    client.received();
    EXPECT_TRUE(client.closed()) << hex(bytes);
  };
  closes(kV5, packet("82", "00 00 00 00 01 't' 00"));
  closes(kV3, packet("82", "00 00 00 01 't' 00"));
  closes(kV5, packet("a2", "00 00 00 00 01 't'"));
  closes(kV3, packet("a2", "00 00 00 01 't'"));
  for (const std::string_view first : {"32", "34"}) {
    closes(kV5, packet(first, "00 01 't' 00 00 00"));
    closes(kV3, packet(first, "00 01 't' 00 00"));
  }
}

TEST_F(Format, AMissingPropertyLengthClosesTheConnection) {
  SHOWS("MQTT-2.2.2-1");
  expect_closed(kV5, packet("30", "00 01 't'"));
  expect_closed(kV5, packet("a2", "00 01"));
}

}  // namespace
}  // namespace furrow::test
