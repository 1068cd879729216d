#include "broker-core/session/publish_encoding.h"

#include <algorithm>

#include "broker-core/mqtt/encoder.h"

namespace furrow::broker {

namespace {

constexpr PacketId kPlaceHolder{1};
// A buffer that has grown beyond this with a large message is given back.
constexpr std::size_t kKeptCapacityMax = 256 * KiB;

std::uint32_t expiry_left_s(const Message::Fields& fields, Instant now) {
  const auto waited = std::chrono::duration_cast<std::chrono::seconds>(now - fields.received).count();
  if (waited <= 0) return *fields.expiry_s;
  return waited >= *fields.expiry_s ? 0 : *fields.expiry_s - static_cast<std::uint32_t>(waited);
}

// The property list that one delivery carries: what is forwarded, what is left of the expiry, subscription identifiers.
mqtt::PropertyView delivery_properties(const Message::Fields& fields, const Delivery& delivery, Instant now,
                                       ByteBuffer& scratch) {
  if (!fields.expiry_s && delivery.subscription_ids.empty()) return fields.properties;
  mqtt::PropertyWriter writer(scratch);
  if (fields.expiry_s) writer.number(mqtt::PropertyId::MessageExpiryInterval, expiry_left_s(fields, now));
  for (const std::uint32_t id : delivery.subscription_ids) {
    writer.number(mqtt::PropertyId::SubscriptionIdentifier, id);
  }
  scratch.append(fields.properties.bytes());
  return mqtt::PropertyView::from_valid(scratch.view());
}

}  // namespace

Message::Fields fields_of(const Message& message) {
  return {.topic = message.topic(),
          .payload = message.payload(),
          .properties = message.properties(),
          .expiry_s = message.expiry_s(),
          .received = message.received(),
          .qos = message.qos(),
          .retain = message.retain()};
}

bool encode_publish(const Message::Fields& fields, const Delivery& delivery, mqtt::Version version, Instant now,
                    std::size_t packet_bytes_max, ByteBuffer& out) {
  mqtt::Publish publish;
  publish.topic = fields.topic;
  publish.payload = fields.payload;
  publish.packet_id = delivery.packet_id;
  publish.qos = delivery.qos;
  publish.retain = delivery.retain;
  publish.duplicate = delivery.duplicate;
  ByteBuffer scratch;
  if (version == mqtt::Version::V5) publish.properties = delivery_properties(fields, delivery, now, scratch);
  if (mqtt::encoded_size(publish, version) > std::min(packet_bytes_max, mqtt::kPacketBytesMax)) return false;
  mqtt::encode(publish, version, out);
  return true;
}

bool encode_aliased_publish(const Message::Fields& fields, const Delivery& delivery, Instant now,
                            std::size_t packet_bytes_max, TopicAliases& aliases, ByteBuffer& scratch, ByteBuffer& out) {
  const auto alias = aliases.use(fields.topic);
  if (!alias) return encode_publish(fields, delivery, mqtt::Version::V5, now, packet_bytes_max, out);
  Message::Fields aliased = fields;
  scratch.clear();
  mqtt::PropertyWriter(scratch).number(mqtt::PropertyId::TopicAlias, alias->number);
  scratch.append(fields.properties.bytes());
  aliased.properties = mqtt::PropertyView::from_valid(scratch.view());
  if (alias->known) aliased.topic = {};
  if (encode_publish(aliased, delivery, mqtt::Version::V5, now, packet_bytes_max, out)) return true;
  // The packet may be too large for the three bytes that introduce an alias, and fit without.
  if (!alias->known) aliases.forget(fields.topic);
  return encode_publish(fields, delivery, mqtt::Version::V5, now, packet_bytes_max, out);
}

void PublishForms::reset(const Message::Fields& fields, Instant now) {
  fields_ = &fields;
  now_ = now;
  if (bytes_.empty()) return;
  places_ = {};
  bytes_.clear();
  if (bytes_.capacity() > kKeptCapacityMax) bytes_.release();
}

ByteView PublishForms::form(mqtt::Version version, mqtt::Qos qos, bool retain) {
  const bool v5 = version == mqtt::Version::V5;
  Place& place = places_[(v5 ? 6U : 0U) + 2U * static_cast<unsigned>(qos) + (retain ? 1U : 0U)];
  if (place.size == 0) {
    const std::size_t begin = bytes_.size();
    const Delivery delivery{.qos = qos,
                            .retain = retain,
                            .duplicate = false,
                            .packet_id = qos == mqtt::Qos::AtMostOnce ? PacketId{} : kPlaceHolder,
                            .subscription_ids = {}};
    if (!encode_publish(*fields_, delivery, version, now_, mqtt::kPacketBytesMax, bytes_)) return {};
    place = {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(bytes_.size() - begin)};
  }
  return bytes_.view().subspan(place.begin, place.size);
}

}  // namespace furrow::broker
