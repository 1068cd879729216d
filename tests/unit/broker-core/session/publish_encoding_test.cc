#include "broker-core/session/publish_encoding.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "broker-core/mqtt/decoder.h"
#include "broker-core/mqtt/encoder.h"

namespace furrow::broker {
namespace {

using mqtt::PropertyId;
using mqtt::Qos;
using mqtt::Version;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant kReceived(std::chrono::hours(1));

class PublishEncodingTest : public testing::Test {
 protected:
  PublishEncodingTest() {
    mqtt::PropertyWriter(forwarded).user("unit", "kPa");
    fields = {.topic = "farm/pump/pressure",
              .payload = as_bytes("412"),
              .properties = mqtt::PropertyView::from_valid(forwarded.view()),
              .expiry_s = std::nullopt,
              .received = kReceived,
              .qos = Qos::ExactlyOnce};
  }

  // What the peer decodes; valid until the next call.
  const mqtt::Publish& decoded(ByteView bytes, Version version) {
    decoder = mqtt::Decoder(mqtt::Role::Client, 1 * MiB);
    decoder.set_version(version);
    mqtt::ProtocolError error;
    EXPECT_EQ(decoder.next(bytes, packet, error), mqtt::Decoder::Step::Decoded);
    EXPECT_TRUE(bytes.empty());
    return std::get<mqtt::Publish>(packet);
  }
  const mqtt::Publish& sent(const Delivery& delivery, Version version, Instant now = kReceived) {
    out.clear();
    EXPECT_TRUE(encode_publish(fields, delivery, version, now, SIZE_MAX, out));
    return decoded(out.view(), version);
  }
  // The property list that `properties` should be.
  template <typename Write>
  static std::vector<std::uint8_t> listed(Write write) {
    ByteBuffer bytes;
    write(bytes);
    return {bytes.view().begin(), bytes.view().end()};
  }
  static std::vector<std::uint8_t> properties_of(const mqtt::Publish& publish) {
    return {publish.properties.bytes().begin(), publish.properties.bytes().end()};
  }
  std::vector<std::uint8_t> with_expiry(std::uint32_t left_s) const {
    return listed([&](ByteBuffer& bytes) {
      mqtt::PropertyWriter(bytes).number(PropertyId::MessageExpiryInterval, left_s);
      bytes.append(forwarded.view());
    });
  }

  ByteBuffer forwarded;
  Message::Fields fields;
  ByteBuffer out;
  mqtt::Decoder decoder{mqtt::Role::Client, 1 * MiB};
  mqtt::Packet packet;
};

TEST_F(PublishEncodingTest, SaysHowItIsDelivered) {
  const mqtt::Publish& publish = sent({Qos::ExactlyOnce, true, true, PacketId{0xABCD}, {}}, Version::V5);
  EXPECT_EQ(publish.topic, "farm/pump/pressure");
  EXPECT_EQ(as_text(publish.payload), "412");
  EXPECT_EQ(publish.qos, Qos::ExactlyOnce);
  EXPECT_TRUE(publish.retain);
  EXPECT_TRUE(publish.duplicate);
  EXPECT_EQ(publish.packet_id, PacketId{0xABCD});
  EXPECT_TRUE(std::ranges::equal(publish.properties.bytes(), forwarded.view()));
}

TEST_F(PublishEncodingTest, OlderVersionsHaveNoProperties) {
  fields.expiry_s = 60;
  const std::uint32_t id = 7;
  const mqtt::Publish& publish = sent({Qos::AtLeastOnce, false, false, PacketId{1}, {&id, 1}}, Version::V3_1_1);
  EXPECT_TRUE(publish.properties.bytes().empty());
  EXPECT_EQ(as_text(publish.payload), "412");
}

TEST_F(PublishEncodingTest, ExpiryIsWhatIsLeftOfIt) {
  fields.expiry_s = 60;
  const Delivery delivery{Qos::AtLeastOnce, false, false, PacketId{1}, {}};
  EXPECT_EQ(properties_of(sent(delivery, Version::V5)), with_expiry(60));
  EXPECT_EQ(properties_of(sent(delivery, Version::V5, kReceived + milliseconds(10'999))), with_expiry(50));
  EXPECT_EQ(properties_of(sent(delivery, Version::V5, kReceived + seconds(60))), with_expiry(0));
  EXPECT_EQ(properties_of(sent(delivery, Version::V5, kReceived + std::chrono::hours(100))), with_expiry(0));
  EXPECT_EQ(properties_of(sent(delivery, Version::V5, kReceived - seconds(5))), with_expiry(60));
}

TEST_F(PublishEncodingTest, EverySubscriptionIdentifierGoesAlong) {
  const std::vector<std::uint32_t> ids{1, 268'435'455};
  const auto expected = listed([&](ByteBuffer& bytes) {
    for (const std::uint32_t id : ids) mqtt::PropertyWriter(bytes).number(PropertyId::SubscriptionIdentifier, id);
    bytes.append(forwarded.view());
  });
  EXPECT_EQ(properties_of(sent({Qos::AtLeastOnce, false, false, PacketId{1}, ids}, Version::V5)), expected);
}

TEST_F(PublishEncodingTest, PacketLargerThanThePeerTakesIsNotWritten) {
  const Delivery delivery{Qos::AtLeastOnce, false, false, PacketId{1}, {}};
  (void)sent(delivery, Version::V5);
  const std::size_t size = out.size();
  out.clear();
  out.append("before");
  EXPECT_FALSE(encode_publish(fields, delivery, Version::V5, kReceived, size - 1, out));
  EXPECT_EQ(as_text(out.view()), "before");
  EXPECT_TRUE(encode_publish(fields, delivery, Version::V5, kReceived, size, out));
  EXPECT_EQ(out.size(), 6 + size);
}

TEST_F(PublishEncodingTest, FieldsOfAMessageAreThoseItWasMadeFrom) {
  fields.expiry_s = 9;
  fields.retain = true;
  const MessageRef message = Message::make(fields);
  const Message::Fields again = fields_of(*message);
  EXPECT_EQ(again.topic, fields.topic);
  EXPECT_TRUE(std::ranges::equal(again.payload, fields.payload));
  EXPECT_EQ(again.expiry_s, 9U);
  EXPECT_EQ(again.received, kReceived);
  EXPECT_EQ(again.qos, Qos::ExactlyOnce);
  EXPECT_TRUE(again.retain);
}

TEST_F(PublishEncodingTest, FormsAreWhatEachReceiverWouldGet) {
  fields.expiry_s = 60;
  PublishForms forms;
  forms.reset(fields, kReceived);
  // Twice: encoded first, found then.
  for (int round = 0; round < 2; ++round) {
    for (const Version version : {Version::V3_1, Version::V3_1_1, Version::V5}) {
      for (const Qos qos : {Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce}) {
        for (const bool retain : {false, true}) {
          const PacketId id{static_cast<std::uint16_t>(qos == Qos::AtMostOnce ? 0 : 0x1234)};
          out.clear();
          ASSERT_TRUE(encode_publish(fields, {qos, retain, false, id, {}}, version, kReceived, SIZE_MAX, out));
          const ByteView form = forms.form(version, qos, retain);
          std::vector<std::uint8_t> copy(form.begin(), form.end());
          if (id) {
            const std::size_t offset = mqtt::packet_id_offset(copy);
            copy[offset] = 0x12;
            copy[offset + 1] = 0x34;
          }
          EXPECT_TRUE(std::ranges::equal(copy, out.view()));
        }
      }
    }
  }
}

TEST_F(PublishEncodingTest, ResetForgetsTheFormsOfThePublicationBefore) {
  PublishForms forms;
  forms.reset(fields, kReceived);
  (void)forms.form(Version::V5, Qos::AtMostOnce, false);
  Message::Fields other = fields;
  const std::string large(300 * KiB, 'x');
  other.payload = as_bytes(large);
  forms.reset(other, kReceived);
  EXPECT_EQ(decoded(forms.form(Version::V5, Qos::AtMostOnce, false), Version::V5).payload.size(), large.size());
  forms.reset(fields, kReceived);
  EXPECT_EQ(as_text(decoded(forms.form(Version::V5, Qos::AtMostOnce, false), Version::V5).payload), "412");
}

// MQTT 5 has a byte more for the same message than MQTT 3.1.1: the largest that one client may send is too large for
// others. Nothing of its payload is read here.
TEST_F(PublishEncodingTest, LargestMessageOfOneVersionIsTooLargeForAnother) {
  const std::size_t size = mqtt::kRemainingLengthMax - 2 - fields.topic.size();
  const auto payload = std::make_unique_for_overwrite<std::uint8_t[]>(size);
  fields.payload = {payload.get(), size};
  fields.properties = {};
  mqtt::Publish publish;
  publish.topic = fields.topic;
  publish.payload = fields.payload;
  EXPECT_EQ(mqtt::encoded_size(publish, Version::V3_1_1), mqtt::kPacketBytesMax);
  const Delivery once{.qos = Qos::AtMostOnce, .packet_id = {}, .subscription_ids = {}};
  EXPECT_FALSE(encode_publish(fields, once, Version::V5, kReceived, SIZE_MAX, out));
  const std::uint32_t id = 1;
  const Delivery identified{.qos = Qos::AtMostOnce, .packet_id = {}, .subscription_ids = {&id, 1}};
  EXPECT_FALSE(encode_publish(fields, identified, Version::V5, kReceived, SIZE_MAX, out));
  EXPECT_TRUE(out.empty());
  PublishForms forms;
  forms.reset(fields, kReceived);
  EXPECT_TRUE(forms.form(Version::V5, Qos::AtMostOnce, false).empty());
}

// As user properties may, for all that a packet holds.
TEST_F(PublishEncodingTest, PropertiesThatFillAPacketLeaveNoRoomForMore) {
  const std::size_t size = mqtt::kRemainingLengthMax;
  const auto bytes = std::make_unique_for_overwrite<std::uint8_t[]>(size);
  mqtt::Publish publish;
  publish.topic = fields.topic;
  publish.properties = mqtt::PropertyView::from_valid({bytes.get(), size});
  EXPECT_GT(mqtt::encoded_size(publish, Version::V5), mqtt::kPacketBytesMax);
}

}  // namespace
}  // namespace furrow::broker
