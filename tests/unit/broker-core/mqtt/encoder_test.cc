#include "broker-core/mqtt/encoder.h"

#include <gtest/gtest.h>

#include <string>

#include "broker-core/mqtt/decoder.h"
#include "tests/support/packet_text.h"
#include "tests/support/packet_vectors.h"

namespace furrow::mqtt {
namespace {

using test::bytes_from;
using test::describe;
using test::hex;

std::string encoded(const Packet& packet, Version version) {
  ByteBuffer out;
  encode(packet, version, out);
  return hex(out.view());
}

std::string written(std::string_view bytes) {
  return hex(bytes_from(bytes));
}

class EncoderVectors : public testing::TestWithParam<test::PacketVector> {};
INSTANTIATE_TEST_SUITE_P(Good, EncoderVectors, testing::ValuesIn(test::vectors::kGood),
                         test::name_of<test::PacketVector>);

// Back to the same bytes, or to fewer that say the same. (A CONNACK of 3.1.1 read by a client of 5.0 comes back
// as 5.0.)
TEST_P(EncoderVectors, WritesWhatWasRead) {
  const test::Bytes bytes = bytes_from(GetParam().bytes);
  Decoder decoder(GetParam().role, 1 * MiB);
  decoder.set_version(GetParam().version);
  ByteView input = bytes;
  Packet packet;
  ProtocolError error;
  ASSERT_EQ(decoder.next(input, packet, error), Decoder::Step::Decoded) << error.what;

  ByteBuffer out;
  encode(packet, GetParam().version, out);
  if (GetParam().shortest) {
    EXPECT_EQ(hex(out.view()), hex(bytes));
  }

  ByteView again = out.view();
  ASSERT_EQ(decoder.next(again, packet, error), Decoder::Step::Decoded) << error.what;
  EXPECT_EQ(describe(packet), GetParam().says);
  EXPECT_TRUE(again.empty());
}

TEST(Encoder, AppendsToWhatIsThere) {
  ByteBuffer out;
  encode(Pingreq{}, Version::V5, out);
  encode(Puback{.packet_id = {258}, .properties = {}}, Version::V5, out);
  EXPECT_EQ(hex(out.view()), written("c000 40020102"));
}

// The borders between one, two and three bytes of remaining length [MQTT 5.0 table 1-1].
TEST(Encoder, WritesRemainingLengthsInTheFewestBytes) {
  const auto header_of = [](std::size_t payload_size) {
    const std::string payload(payload_size, 'p');
    ByteBuffer out;
    encode(Publish{.topic = "t", .payload = as_bytes(payload), .properties = {}, .packet_id = {}}, Version::V3_1_1,
           out);
    return hex(out.view().first(out.size() - payload_size));
  };
  EXPECT_EQ(header_of(124), written("30 7f 0001 't'"));
  EXPECT_EQ(header_of(125), written("30 8001 0001 't'"));
  EXPECT_EQ(header_of(16'380), written("30 ff7f 0001 't'"));
  EXPECT_EQ(header_of(16'381), written("30 808001 0001 't'"));
  EXPECT_EQ(header_of(2'097'148), written("30 ffff7f 0001 't'"));
  EXPECT_EQ(header_of(2'097'149), written("30 80808001 0001 't'"));
}

TEST(Encoder, LeavesOutPropertiesBefore5) {
  ByteBuffer list;
  PropertyWriter(list).user("k", "v");
  const PropertyView properties = PropertyView::from_valid(list.view());

  const Publish publish{.topic = "t", .payload = {}, .properties = properties, .packet_id = {}};
  EXPECT_EQ(encoded(publish, Version::V3_1_1), written("30 03 0001 't'"));
  const Puback puback{.packet_id = {1}, .reason = ReasonCode::QuotaExceeded, .properties = properties};
  EXPECT_EQ(encoded(puback, Version::V3_1_1), written("40 02 0001"));
  const Unsuback unsuback{.packet_id = {1}, .reasons = {ReasonCode::Success}, .properties = properties};
  EXPECT_EQ(encoded(unsuback, Version::V3_1_1), written("b0 02 0001"));
  const Disconnect disconnect{.reason = ReasonCode::DisconnectWithWillMessage, .properties = properties};
  EXPECT_EQ(encoded(disconnect, Version::V3_1_1), written("e0 00"));
  const Subscribe subscribe{.packet_id = {1},
                            .requests = {{.filter = "a",
                                          .qos = Qos::AtLeastOnce,
                                          .no_local = true,
                                          .retain_as_published = true,
                                          .retain_handling = RetainHandling::DoNotSend}},
                            .properties = properties};
  EXPECT_EQ(encoded(subscribe, Version::V3_1), written("82 06 0001 0001 'a' 01"));
}

TEST(Encoder, TranslatesReasonsBefore5) {
  const Connack connack{.reason = ReasonCode::Banned, .properties = {}};
  EXPECT_EQ(encoded(connack, Version::V3_1_1), written("20 02 00 05"));
  const Suback suback{
      .packet_id = {1}, .reasons = {ReasonCode::GrantedQos1, ReasonCode::TopicFilterInvalid}, .properties = {}};
  EXPECT_EQ(encoded(suback, Version::V3_1_1), written("90 04 0001 01 80"));
  EXPECT_EQ(encoded(suback, Version::V5), written("90 05 0001 00 01 8f"));
}

TEST(Encoder, LeavesOutWhatAConnectOfItsVersionCannotSay) {
  Connect connect;
  connect.bridge = true;
  connect.password = as_bytes("pw");
  connect.version = Version::V3_1_1;
  EXPECT_EQ(encoded(connect, connect.version), written("10 0c 0004 'MQTT' 84 02 0000 0000"));
  connect.version = Version::V5;
  EXPECT_EQ(encoded(connect, connect.version), written("10 11 0004 'MQTT' 05 42 0000 00 0000 0002 'pw'"));
}

TEST(Encoder, ConnectGoesByItsOwnVersion) {
  Connect connect;
  connect.version = Version::V3_1;
  EXPECT_EQ(encoded(connect, Version::V5), written("10 0e 0006 'MQIsdp' 03 02 0000 0000"));
}

TEST(Encoder, KnowsTheSizeOfAPublish) {
  ByteBuffer list;
  PropertyWriter(list).number(PropertyId::MessageExpiryInterval, 7);
  const std::string payload(200, 'p');
  const Publish publish{.topic = "a/b",
                        .payload = as_bytes(payload),
                        .properties = PropertyView::from_valid(list.view()),
                        .packet_id = {9},
                        .qos = Qos::AtLeastOnce};
  for (const Version version : {Version::V3_1, Version::V3_1_1, Version::V5}) {
    ByteBuffer out;
    encode(publish, version, out);
    EXPECT_EQ(encoded_size(publish, version), out.size());
  }
}

TEST(Encoder, FindsThePacketIdentifierOfAPublish) {
  for (const std::size_t payload_size : {std::size_t{0}, std::size_t{200}, std::size_t{20'000}}) {
    const std::string payload(payload_size, 'p');
    ByteBuffer out;
    encode(Publish{.topic = "some/topic",
                   .payload = as_bytes(payload),
                   .properties = {},
                   .packet_id = {0xABCD},
                   .qos = Qos::ExactlyOnce},
           Version::V5, out);
    const std::size_t offset = packet_id_offset(out.view());
    EXPECT_EQ(hex(out.view().subspan(offset, 2)), "abcd");
  }
}

TEST(EncoderDeathTest, ChecksOurOwnPackets) {
  ByteBuffer out;
  const Publish without_id{.topic = "t", .payload = {}, .properties = {}, .packet_id = {}, .qos = Qos::AtLeastOnce};
  EXPECT_DEATH(encode(without_id, Version::V5, out), "broken promise");
  EXPECT_DEATH(encode(Subscribe{.packet_id = {1}, .requests = {}, .properties = {}}, Version::V5, out),
               "broken promise");
  const std::string too_long(kStringBytesMax + 1, 't');
  const Publish long_topic{.topic = too_long, .payload = {}, .properties = {}, .packet_id = {}};
  EXPECT_DEATH(encode(long_topic, Version::V5, out), "broken promise");
}

}  // namespace
}  // namespace furrow::mqtt
