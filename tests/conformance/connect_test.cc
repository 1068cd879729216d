// CONNECT, as MQTT 5.0 §3.1 and MQTT 3.1.1 §3.1 have it. What becomes of sessions and wills is in files of their own.
#include "tests/conformance/conformance.h"

namespace furrow::test {
namespace {

class Connect : public ConformanceTest {};

TEST_F(Connect, MustBeTheFirstPacket) {
  SHOWS("MQTT-3.1.0-1 v3.1.1:MQTT-3.1.0-1 MQTT-3.14.0-1 MQTT-3.2.0-1");
  for (const std::string_view first : {"c0 00", "30 03 00 01 'x'", "82 06 00 01 00 01 'x' 00", "e0 00", "f0 00"}) {
    Client& client = open();
    client.send_raw(first);
    EXPECT_THAT(client.received(), IsEmpty()) << first;
    EXPECT_TRUE(client.closed()) << first;
  }
}

TEST_F(Connect, ASecondOneClosesTheConnection) {
  SHOWS("MQTT-3.1.0-2 v3.1.1:MQTT-3.1.0-2 MQTT-3.2.0-2 v3.1.1:MQTT-4.8.0-1");
  expect_closed(kV5, packet("10", "00 04 'MQTT' 05 02 00 00 00 00 05 'wrong'"), "82");
  expect_closed(kV3, packet("10", "00 04 'MQTT' 04 02 00 00 00 05 'wrong'"));
}

TEST_F(Connect, AnotherProtocolNameIsNotServed) {
  SHOWS("MQTT-3.1.2-1 v3.1.1:MQTT-3.1.2-1");
  for (const std::string_view name : {"00 04 'MQTX'", "00 04 'mqtt'", "00 05 'MQTTT'", "00 00", "00 06 'MQIsdX'"}) {
    Client& client = open();
    client.send_bytes(packet("10", std::string(name) + "05 02 00 00 00 00 01 'a'"));
    EXPECT_THAT(client.received(), testing::AnyOf(IsEmpty(), ElementsAre(StartsWith("CONNACK reason=84")))) << name;
    EXPECT_TRUE(client.closed()) << name;
  }
}

TEST_F(Connect, AnUnknownLevelIsToldAndClosed) {
  SHOWS("MQTT-3.1.2-2 v3.1.1:MQTT-3.1.2-2");
  for (const std::string_view level : {"00", "01", "02", "06", "7f"}) {
    Client& client = open(kV3);
    client.stop_reading();
    client.send_bytes(packet("10", "00 04 'MQTT'" + std::string(level) + "02 00 00 00 01 'a'"));
    EXPECT_THAT(unread(client), testing::AnyOf("20020001", StartsWith("20030084"))) << level;
    client.start_reading();
    EXPECT_TRUE(client.closed()) << level;
  }
}

TEST_F(Connect, TheReservedFlagMustBeZero) {
  SHOWS("MQTT-3.1.2-3 v3.1.1:MQTT-3.1.2-3 MQTT-3.1.4-1 v3.1.1:MQTT-3.1.4-1");
  expect_refused(kV5, packet("10", "00 04 'MQTT' 05 03 00 00 00 00 01 'a'"));
  expect_refused(kV3, packet("10", "00 04 'MQTT' 04 03 00 00 00 01 'a'"));
}

TEST_F(Connect, FlagsAndPayloadMustAgreeAboutTheWill) {
  SHOWS("MQTT-3.1.2-9 v3.1.1:MQTT-3.1.2-9 v3.1.1:MQTT-3.1.2-11");
  expect_accepted(kV5, packet("10", "00 04 'MQTT' 05 06 00 00 00 00 01 'a' 00 00 01 't' 00 01 'p'")).disconnect();
  expect_accepted(kV3, packet("10", "00 04 'MQTT' 04 06 00 00 00 01 'a' 00 01 't' 00 01 'p'")).disconnect();
  // No will at all, no payload of the will; and a will that the flags do not know.
  expect_refused(kV5, packet("10", "00 04 'MQTT' 05 06 00 00 00 00 01 'a'"));
  expect_refused(kV3, packet("10", "00 04 'MQTT' 04 06 00 00 00 01 'a'"));
  expect_refused(kV5, packet("10", "00 04 'MQTT' 05 06 00 00 00 00 01 'a' 00 00 01 't'"));
  expect_refused(kV3, packet("10", "00 04 'MQTT' 04 06 00 00 00 01 'a' 00 01 't'"));
  expect_refused(kV5, packet("10", "00 04 'MQTT' 05 02 00 00 00 00 01 'a' 00 00 01 't' 00 01 'p'"));
  expect_refused(kV3, packet("10", "00 04 'MQTT' 04 02 00 00 00 01 'a' 00 01 't' 00 01 'p'"));
}

TEST_F(Connect, WithoutAWillThereIsNeitherWillQosNorRetain) {
  SHOWS("MQTT-3.1.2-11 MQTT-3.1.2-13 v3.1.1:MQTT-3.1.2-11 v3.1.1:MQTT-3.1.2-13 v3.1.1:MQTT-3.1.2-15");
  for (const std::string_view flags : {"0a", "12", "22"}) {
    expect_refused(kV5, packet("10", "00 04 'MQTT' 05" + std::string(flags) + "00 00 00 00 01 'a'"));
    expect_refused(kV3, packet("10", "00 04 'MQTT' 04" + std::string(flags) + "00 00 00 01 'a'"));
  }
}

TEST_F(Connect, AWillQosOfThreeIsMalformed) {
  SHOWS("MQTT-3.1.2-12 v3.1.1:MQTT-3.1.2-14");
  expect_refused(kV5, packet("10", "00 04 'MQTT' 05 1e 00 00 00 00 01 'a' 00 00 01 't' 00 01 'p'"));
  expect_refused(kV3, packet("10", "00 04 'MQTT' 04 1e 00 00 00 01 'a' 00 01 't' 00 01 'p'"));
}

TEST_F(Connect, FlagsAndPayloadMustAgreeAboutTheUserName) {
  SHOWS("MQTT-3.1.2-16 MQTT-3.1.2-17 v3.1.1:MQTT-3.1.2-18 v3.1.1:MQTT-3.1.2-19");
  expect_accepted(kV5, packet("10", "00 04 'MQTT' 05 82 00 00 00 00 01 'a' 00 01 'u'")).disconnect();
  expect_accepted(kV3, packet("10", "00 04 'MQTT' 04 82 00 00 00 01 'a' 00 01 'u'")).disconnect();
  expect_refused(kV5, packet("10", "00 04 'MQTT' 05 82 00 00 00 00 01 'a'"));
  expect_refused(kV3, packet("10", "00 04 'MQTT' 04 82 00 00 00 01 'a'"));
  expect_refused(kV5, packet("10", "00 04 'MQTT' 05 02 00 00 00 00 01 'a' 00 01 'u'"));
  expect_refused(kV3, packet("10", "00 04 'MQTT' 04 02 00 00 00 01 'a' 00 01 'u'"));
}

TEST_F(Connect, FlagsAndPayloadMustAgreeAboutThePassword) {
  SHOWS("MQTT-3.1.2-18 MQTT-3.1.2-19 v3.1.1:MQTT-3.1.2-20 v3.1.1:MQTT-3.1.2-21");
  expect_accepted(kV5, packet("10", "00 04 'MQTT' 05 c2 00 00 00 00 01 'a' 00 01 'u' 00 01 'p'")).disconnect();
  expect_accepted(kV3, packet("10", "00 04 'MQTT' 04 c2 00 00 00 01 'a' 00 01 'u' 00 01 'p'")).disconnect();
  expect_refused(kV5, packet("10", "00 04 'MQTT' 05 c2 00 00 00 00 01 'a' 00 01 'u'"));
  expect_refused(kV3, packet("10", "00 04 'MQTT' 04 c2 00 00 00 01 'a' 00 01 'u'"));
  expect_refused(kV5, packet("10", "00 04 'MQTT' 05 82 00 00 00 00 01 'a' 00 01 'u' 00 01 'p'"));
  expect_refused(kV3, packet("10", "00 04 'MQTT' 04 82 00 00 00 01 'a' 00 01 'u' 00 01 'p'"));
}

TEST_F(Connect, OnlyMqtt5HasAPasswordWithoutAUserName) {
  SHOWS("v3.1.1:MQTT-3.1.2-22");
  expect_accepted(kV5, packet("10", "00 04 'MQTT' 05 42 00 00 00 00 01 'a' 00 01 'p'")).disconnect();
  expect_refused(kV3, packet("10", "00 04 'MQTT' 04 42 00 00 00 01 'a' 00 01 'p'"));
}

TEST_F(Connect, TheFieldsComeInTheirOrder) {
  SHOWS("MQTT-3.1.3-1 MQTT-3.1.3-3 v3.1.1:MQTT-3.1.3-1 v3.1.1:MQTT-3.1.3-3");
  Client& reader = this->reader("#", kQos0, {}, {.client_id = "all"});
  for (const Version version : kVersions) {
    Client& client = expect_accepted(
        version, version == kV5 ? packet("10",
                                         "00 04 'MQTT' 05 c6 00 00 00 00 02 'id' 00 00 05 'topic' 00 07 'message'"
                                         "00 04 'user' 00 06 'secret'")
                                : packet("10",
                                         "00 04 'MQTT' 04 c6 00 00 00 02 'id' 00 05 'topic' 00 07 'message'"
                                         "00 04 'user' 00 06 'secret'"));
    advance(std::chrono::seconds(1));
    client.vanish();
    EXPECT_THAT(reader.received(), ElementsAre("PUBLISH \"topic\" \"message\" qos=0 id=0"));
    EXPECT_THAT(log.lines, Contains(AllOf(StartsWith("info connection.opened client=id "))));
  }
  // A payload that is missing altogether has no client identifier either.
  expect_refused(kV5, packet("10", "00 04 'MQTT' 05 02 00 00 00"));
  expect_refused(kV3, packet("10", "00 04 'MQTT' 04 02 00 00"));
}

TEST_F(Connect, ItsTextsAreValid) {
  SHOWS("MQTT-3.1.3-4 MQTT-3.1.3-11 MQTT-3.1.3-12 v3.1.1:MQTT-3.1.3-4 v3.1.1:MQTT-3.1.3-10 v3.1.1:MQTT-3.1.3-11");
  // An overlong slash, a surrogate, what no character begins with, and U+0000.
  for (const std::string_view wrong : {"00 02 c0 af", "00 03 ed a0 80", "00 01 ff", "00 02 'a' 00"}) {
    const std::string text(wrong);
    expect_refused(kV5, packet("10", "00 04 'MQTT' 05 02 00 00 00" + text));
    expect_refused(kV5, packet("10", "00 04 'MQTT' 05 06 00 00 00 00 01 'a' 00" + text + "00 01 'p'"));
    expect_refused(kV5, packet("10", "00 04 'MQTT' 05 82 00 00 00 00 01 'a'" + text));
    expect_refused(kV3, packet("10", "00 04 'MQTT' 04 02 00 00" + text));
    expect_refused(kV3, packet("10", "00 04 'MQTT' 04 06 00 00 00 01 'a'" + text + "00 01 'p'"));
    expect_refused(kV3, packet("10", "00 04 'MQTT' 04 82 00 00 00 01 'a'" + text));
  }
}

TEST_F(Connect, ClientIdentifiersThatEveryServerTakes) {
  SHOWS("MQTT-3.1.3-5 v3.1.1:MQTT-3.1.3-5");
  for (const Version version : kVersions) {
    for (const std::string_view id : {"a", "0123456789abcdefghijklm", "nopqrstuvwxyzABCDEFGHIJ", "KLMNOPQRSTUVWXYZ"}) {
      connect({.client_id = id, .version = version}).disconnect();
    }
  }
}

TEST_F(Connect, AnEmptyClientIdentifierGetsOneOfItsOwn) {
  SHOWS("MQTT-3.1.3-6 MQTT-3.1.3-7 MQTT-3.2.2-16 v3.1.1:MQTT-3.1.3-6");
  Client& first = open({.client_id = "", .properties = an_hour});
  const std::string connack = first.received().at(0);
  ASSERT_THAT(connack, AllOf(StartsWith("CONNACK reason=00"), HasSubstr("12=\"")));
  const std::string::size_type begin = connack.find("12=\"") + 4;
  const std::string assigned = connack.substr(begin, connack.find('"', begin) - begin);
  Client& second = open({.client_id = ""});
  EXPECT_THAT(second.received(), ElementsAre(AllOf(HasSubstr("12=\""), Not(HasSubstr(assigned)))));
  connect({.client_id = "", .version = kV3});
  connect({.client_id = "", .version = kV3});
  EXPECT_EQ(broker().clients(), 4U) << "nobody was taken over";
  // It is the session's name: with it the client finds the session again.
  first.vanish();
  Client& again = open(ConnectOptions{.client_id = assigned, .clean_start = false});
  EXPECT_THAT(again.received(), ElementsAre(AllOf(StartsWith("CONNACK reason=00 session"), Not(HasSubstr("12=\"")))));
}

TEST_F(Connect, ARefusedClientIdentifierClosesTheConnection) {
  SHOWS("MQTT-3.1.3-8 MQTT-3.2.2-6 MQTT-3.2.2-7 MQTT-4.13.2-1");
  SHOWS("v3.1.1:MQTT-3.1.3-9 v3.1.1:MQTT-3.2.2-4 v3.1.1:MQTT-3.2.2-5");
  const std::string too_long(broker().limits().client_id_bytes + 1, 'x');
  for (const Version version : kVersions) {
    Client& client = open({.client_id = too_long, .version = version, .clean_start = false});
    client.received();
    EXPECT_TRUE(client.closed());
    Client& bytes = open(version);
    bytes.stop_reading();
    mqtt::Connect packet;
    packet.version = version;
    packet.client_id = too_long;
    bytes.send(packet);
    EXPECT_EQ(version == kV5 ? unread(bytes).substr(4, 4) : unread(bytes), version == kV5 ? "0085" : "20020002");
  }
}

TEST_F(Connect, InMqtt3ASessionThatIsKeptNeedsAClientIdentifier) {
  SHOWS("v3.1.1:MQTT-3.1.3-7 v3.1.1:MQTT-3.1.3-8 v3.1.1:MQTT-3.2.2-4 v3.1.1:MQTT-3.2.2-5");
  Client& client = open(kV3);
  client.stop_reading();
  client.send_bytes(packet("10", "00 04 'MQTT' 04 00 00 00 00 00"));
  EXPECT_EQ(unread(client), "20020002");
  client.start_reading();
  EXPECT_TRUE(client.closed());
}

TEST_F(Connect, WhatIsNotAsSpecifiedClosesTheConnection) {
  SHOWS("MQTT-3.1.4-1 MQTT-4.13.1-1 v3.1.1:MQTT-3.1.4-1 v3.1.1:MQTT-3.2.2-6");
  // Nothing after the name, bytes that belong to nothing, lengths beyond the end.
  expect_refused(kV5, packet("10", "00 04 'MQTT' 05"));
  expect_refused(kV5, packet("10", "00 04 'MQTT' 05 02 00 00 00 00 01 'a' 00"));
  expect_refused(kV5, packet("10", "00 04 'MQTT' 05 02 00 00 00 00 05 'a'"));
  expect_refused(kV5, packet("10", "00 04 'MQTT' 05 02 00 00 05 11 00 00 00"));
  expect_refused(kV3, packet("10", "00 04 'MQTT' 04"));
  expect_refused(kV3, packet("10", "00 04 'MQTT' 04 02 00 00 00 01 'a' 00"));
  expect_refused(kV3, packet("10", "00 04 'MQTT' 04 02 00 00 00 05 'a'"));
  // A property twice, one that is not for CONNECT, values that are not allowed.
  expect_refused(kV5, packet("10", "00 04 'MQTT' 05 02 00 00 0a 11 00 00 00 01 11 00 00 00 01 00 01 'a'"), "82");
  expect_refused(kV5, packet("10", "00 04 'MQTT' 05 02 00 00 03 13 00 01 00 01 'a'"), "81");
  expect_refused(kV5, packet("10", "00 04 'MQTT' 05 02 00 00 03 21 00 00 00 01 'a'"), "82");
  expect_refused(kV5, packet("10", "00 04 'MQTT' 05 02 00 00 05 27 00 00 00 00 00 01 'a'"), "82");
  expect_refused(kV5, packet("10", "00 04 'MQTT' 05 02 00 00 02 17 02 00 01 'a'"), "82");
  expect_refused(kV5, packet("10", "00 04 'MQTT' 05 02 00 00 02 19 02 00 01 'a'"), "82");
  expect_refused(kV5, packet("10", "00 04 'MQTT' 05 02 00 00 04 16 00 01 'x' 00 01 'a'"), "82");
}

TEST_F(Connect, WhatFailsAFurtherCheckIsClosed) {
  SHOWS("MQTT-3.1.4-2 MQTT-3.2.2-7 MQTT-4.13.2-1 v3.1.1:MQTT-3.2.2-5");
  for (const Version version : kVersions) {
    Client& client = open({.version = version, .will = will("$SYS/broker/uptime", "forever")});
    EXPECT_THAT(client.received(), ElementsAre(StartsWith("CONNACK reason=87")));
    EXPECT_TRUE(client.closed());
  }
}

TEST_F(Connect, AClientIdentifierInUseTakesOver) {
  SHOWS("MQTT-3.1.4-3 v3.1.1:MQTT-3.1.4-2");
  for (const Version version : kVersions) {
    for (const bool clean_start : {true, false}) {
      Client& first = connect({.version = version});
      Client& second = connect({.version = version, .clean_start = clean_start});
      if (version == kV5) {
        EXPECT_THAT(first.received(), ElementsAre(StartsWith("DISCONNECT reason=8e")));
      } else {
        EXPECT_THAT(first.received(), IsEmpty());
      }
      EXPECT_TRUE(first.closed());
      second.send(mqtt::Pingreq{});
      EXPECT_THAT(second.received(), ElementsAre("PINGRESP"));
      second.disconnect();
    }
  }
}

TEST_F(Connect, AnAcceptedOneIsAnswered) {
  SHOWS("MQTT-3.1.4-5 MQTT-3.2.0-1 MQTT-3.2.0-2 v3.1.1:MQTT-3.1.4-4 v3.1.1:MQTT-3.2.0-1");
  for (const Version version : kVersions) {
    Client& client = open({.version = version});
    client.send(mqtt::Pingreq{});
    EXPECT_THAT(client.received(), ElementsAre(StartsWith("CONNACK reason=00"), "PINGRESP"));
  }
}

TEST_F(Connect, NothingAfterARefusedOneIsProcessed) {
  SHOWS("MQTT-3.1.4-6 v3.1.1:MQTT-3.1.4-5");
  Client& all = reader("#");
  const Bytes publish_v3 = packet("30", "00 01 't' 'late'");
  const Bytes publish_v5 = packet("30", "00 01 't' 00 'late'");
  Bytes bytes = packet("10", "00 04 'MQTT' 04 00 00 00 00 00");
  bytes.insert(bytes.end(), publish_v3.begin(), publish_v3.end());
  open(kV3).send_bytes(bytes);
  bytes = packet("10", "00 04 'MQTT' 05 03 00 00 00 00 01 'a'");
  bytes.insert(bytes.end(), publish_v5.begin(), publish_v5.end());
  open(kV5).send_bytes(bytes);
  EXPECT_THAT(all.received(), IsEmpty());
}

TEST_F(Connect, SilenceOfOneAndAHalfKeepAlivesClosesTheConnection) {
  SHOWS("MQTT-3.1.2-22 MQTT-3.2.2-22 v3.1.1:MQTT-3.1.2-24 v3.1.1:MQTT-3.1.2-8");
  Client& all = reader("#", kQos0, {}, {.client_id = "all"});
  for (const Version version : kVersions) {
    Client& client = open({.version = version, .keep_alive_s = 20, .will = will("gone", "silent")});
    EXPECT_THAT(client.received(), ElementsAre(AllOf(StartsWith("CONNACK reason=00"), Not(HasSubstr("13=")))));
    advance(seconds(20));
    client.publish("t", "I am here");
    advance(milliseconds(29'999));
    EXPECT_FALSE(client.closed());
    all.received();
    advance(milliseconds(1));
    client.received();
    EXPECT_TRUE(client.closed());
    EXPECT_THAT(all.received(), ElementsAre("PUBLISH \"gone\" \"silent\" qos=0 id=0"));
  }
}

TEST_F(Connect, APacketThatDoesNotGetOnIsSilence) {
  SHOWS("MQTT-3.1.2-22 v3.1.1:MQTT-3.1.2-24");
  for (const Version version : kVersions) {
    Client& client = open({.version = version, .keep_alive_s = 20});
    client.received();
    client.send_bytes(Bytes{0x30, 0x7f, 0x00});  // 127 bytes are to come
    for (int i = 0; i < 29; ++i) {
      advance(seconds(1));
      EXPECT_FALSE(client.closed());
      client.send_bytes(Bytes{0x00});
    }
    advance(seconds(1));
    EXPECT_TRUE(client.closed());
  }
}

TEST_F(Connect, ALargePacketThatGetsOnIsNone) {
  Client& client = open({.keep_alive_s = 20});
  client.received();
  client.send_bytes(Bytes{0x30, 0xff, 0x0f, 0x00, 0x01, 't', 0x00});  // 2,047 bytes
  for (int i = 0; i < 10; ++i) {
    advance(seconds(29));
    client.send_bytes(Bytes(100, 'x'));
  }
  EXPECT_FALSE(client.closed());
}

TEST_F(Connect, AKeepAliveThatIsAnnouncedTakesThePlaceOfTheClients) {
  SHOWS("MQTT-3.1.2-21 MQTT-3.2.2-21 MQTT-3.1.2-22");
  options.limits.keep_alive_max = seconds(10);
  for (const std::uint16_t asked : {std::uint16_t{0}, std::uint16_t{60}}) {
    Client& client = open({.keep_alive_s = asked});
    EXPECT_THAT(client.received(), ElementsAre(AllOf(StartsWith("CONNACK reason=00"), HasSubstr("13=10"))));
    advance(milliseconds(14'999));
    EXPECT_FALSE(client.closed());
    advance(milliseconds(1));
    EXPECT_THAT(client.received(), ElementsAre(StartsWith("DISCONNECT reason=8d")));
    EXPECT_TRUE(client.closed());
  }
  EXPECT_THAT(open({.keep_alive_s = 9}).received(), ElementsAre(Not(HasSubstr("13="))));
}

TEST_F(Connect, AMethodOfAuthenticationThatIsNotSupportedClosesTheConnection) {
  SHOWS("MQTT-4.12.0-1 MQTT-4.12.0-4 MQTT-3.1.2-30");
  Client& client = open({.properties = Properties().text(PropertyId::AuthenticationMethod, "SCRAM-SHA-1")});
  EXPECT_THAT(client.received(), ElementsAre(StartsWith("CONNACK reason=8c")));
  EXPECT_TRUE(client.closed());
}

TEST_F(Connect, ARefusalThatIsTooLargeIsNotSent) {
  SHOWS("MQTT-3.1.2-24");
  for (const std::uint32_t size : {4U, 5U}) {
    Client& client = open({.properties = Properties()
                                             .number(PropertyId::MaximumPacketSize, size)
                                             .text(PropertyId::AuthenticationMethod, "SCRAM-SHA-1")});
    EXPECT_EQ(client.received().size(), size == 4 ? 0U : 1U);
    EXPECT_TRUE(client.closed());
  }
}

}  // namespace
}  // namespace furrow::test
