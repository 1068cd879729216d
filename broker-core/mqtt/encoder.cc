#include "broker-core/mqtt/encoder.h"

#include "broker-core/mqtt/field_writer.h"

namespace furrow::mqtt {
namespace {

// The flags that PUBREL, SUBSCRIBE and UNSUBSCRIBE must have [MQTT 5.0 table 2-2].
constexpr unsigned kReservedFlags = 0x02;

std::string_view protocol_name(Version version) {
  return version == Version::V3_1 ? "MQIsdp" : "MQTT";
}

// The level byte; the bridge bit is known in MQTT 3 only.
unsigned protocol_level(const Connect& packet) {
  const bool bridge = packet.bridge && packet.version != Version::V5;
  return static_cast<unsigned>(packet.version) | (bridge ? 0x80U : 0U);
}

// Before 5.0 a password needs a user name [MQTT 3.1.1: MQTT-3.1.2-22].
bool has_password(const Connect& packet) {
  return packet.password.has_value() && (packet.version == Version::V5 || packet.username.has_value());
}

unsigned connect_flags(const Connect& packet) {
  unsigned flags = packet.clean_start ? 0x02 : 0;
  if (packet.will.has_value()) {
    flags |= 0x04U | static_cast<unsigned>(packet.will->qos) << 3U | (packet.will->retain ? 0x20U : 0U);
  }
  if (has_password(packet)) flags |= 0x40U;
  if (packet.username.has_value()) flags |= 0x80U;
  return flags;
}

std::size_t connect_size(const Connect& packet) {
  std::size_t size = text_size(protocol_name(packet.version).size()) + 4;  // level, flags, keep alive
  size += properties_size(packet.properties, packet.version) + text_size(packet.client_id.size());
  if (packet.will.has_value()) {
    size += properties_size(packet.will->properties, packet.version);
    size += text_size(packet.will->topic.size()) + text_size(packet.will->payload.size());
  }
  if (packet.username.has_value()) size += text_size(packet.username->size());
  if (has_password(packet)) size += text_size(packet.password->size());
  return size;
}

unsigned publish_flags(const Publish& packet) {
  return (packet.duplicate ? 0x08U : 0U) | static_cast<unsigned>(packet.qos) << 1U | (packet.retain ? 0x01U : 0U);
}

std::size_t publish_size(const Publish& packet, Version version) {
  const std::size_t packet_id_size = packet.qos == Qos::AtMostOnce ? 0 : 2;
  return text_size(packet.topic.size()) + packet_id_size + properties_size(packet.properties, version) +
         packet.payload.size();
}

// QoS alone before 5.0.
unsigned subscription_options(const SubscriptionRequest& request, Version version) {
  const auto qos = static_cast<unsigned>(request.qos);
  if (version != Version::V5) return qos;
  return qos | (request.no_local ? 0x04U : 0U) | (request.retain_as_published ? 0x08U : 0U) |
         static_cast<unsigned>(request.retain_handling) << 4U;
}

// A SUBACK before 5.0 knows one failure [MQTT 3.1.1 §3.9.3].
ReasonCode suback_reason(ReasonCode reason, Version version) {
  return version != Version::V5 && is_error(reason) ? ReasonCode::UnspecifiedError : reason;
}

void encode_empty(PacketType type, ByteBuffer& out) {
  FieldWriter(type, 0, 0, out);
}

}  // namespace

void encode(const Connect& packet, ByteBuffer& out) {
  FieldWriter writer(PacketType::Connect, 0, connect_size(packet), out);
  writer.put_text(protocol_name(packet.version));
  writer.put_byte(protocol_level(packet));
  writer.put_byte(connect_flags(packet));
  writer.put_two_bytes(packet.keep_alive_s);
  writer.put_properties(packet.properties, packet.version);
  writer.put_text(packet.client_id);
  if (packet.will.has_value()) {
    writer.put_properties(packet.will->properties, packet.version);
    writer.put_text(packet.will->topic);
    writer.put_bytes(packet.will->payload);
  }
  if (packet.username.has_value()) writer.put_text(*packet.username);
  if (has_password(packet)) writer.put_bytes(*packet.password);
}

void encode(const Connack& packet, Version version, ByteBuffer& out) {
  FURROW_CHECK(!packet.session_present || packet.reason == ReasonCode::Success);  // [MQTT-3.2.2-6]
  FieldWriter writer(PacketType::Connack, 0, 2 + properties_size(packet.properties, version), out);
  writer.put_byte(packet.session_present ? 1 : 0);
  writer.put_byte(version == Version::V5 ? static_cast<unsigned>(packet.reason)
                                         : unsigned{to_connack_return_code(packet.reason)});
  writer.put_properties(packet.properties, version);
}

void encode(const Publish& packet, Version version, ByteBuffer& out) {
  const bool acknowledged = packet.qos != Qos::AtMostOnce;
  FURROW_CHECK(acknowledged || !packet.duplicate);                // [MQTT-3.3.1-2]
  FURROW_CHECK(version == Version::V5 || !packet.topic.empty());  // else an alias stands for it
  FieldWriter writer(PacketType::Publish, publish_flags(packet), publish_size(packet, version), out);
  writer.put_text(packet.topic);
  if (acknowledged) writer.put_packet_id(packet.packet_id);
  writer.put_properties(packet.properties, version);
  writer.put_raw(packet.payload);
}

void encode(const Subscribe& packet, Version version, ByteBuffer& out) {
  FURROW_CHECK(!packet.requests.empty());
  std::size_t size = 2 + properties_size(packet.properties, version);
  for (const SubscriptionRequest& request : packet.requests) size += text_size(request.filter.size()) + 1;
  FieldWriter writer(PacketType::Subscribe, kReservedFlags, size, out);
  writer.put_packet_id(packet.packet_id);
  writer.put_properties(packet.properties, version);
  for (const SubscriptionRequest& request : packet.requests) {
    writer.put_text(request.filter);
    writer.put_byte(subscription_options(request, version));
  }
}

void encode(const Suback& packet, Version version, ByteBuffer& out) {
  FURROW_CHECK(!packet.reasons.empty());
  FieldWriter writer(PacketType::Suback, 0, 2 + properties_size(packet.properties, version) + packet.reasons.size(),
                     out);
  writer.put_packet_id(packet.packet_id);
  writer.put_properties(packet.properties, version);
  for (const ReasonCode reason : packet.reasons) writer.put_reason(suback_reason(reason, version));
}

void encode(const Unsubscribe& packet, Version version, ByteBuffer& out) {
  FURROW_CHECK(!packet.filters.empty());
  std::size_t size = 2 + properties_size(packet.properties, version);
  for (const std::string_view filter : packet.filters) size += text_size(filter.size());
  FieldWriter writer(PacketType::Unsubscribe, kReservedFlags, size, out);
  writer.put_packet_id(packet.packet_id);
  writer.put_properties(packet.properties, version);
  for (const std::string_view filter : packet.filters) writer.put_text(filter);
}

void encode(const Unsuback& packet, Version version, ByteBuffer& out) {
  if (version != Version::V5) {
    FieldWriter(PacketType::Unsuback, 0, 2, out).put_packet_id(packet.packet_id);
    return;
  }
  FURROW_CHECK(!packet.reasons.empty());
  const std::size_t size = 2 + properties_size(packet.properties, version) + packet.reasons.size();
  FieldWriter writer(PacketType::Unsuback, 0, size, out);
  writer.put_packet_id(packet.packet_id);
  writer.put_properties(packet.properties, version);
  for (const ReasonCode reason : packet.reasons) writer.put_reason(reason);
}

void encode(const Pingreq&, Version, ByteBuffer& out) {
  encode_empty(PacketType::Pingreq, out);
}

void encode(const Pingresp&, Version, ByteBuffer& out) {
  encode_empty(PacketType::Pingresp, out);
}

void encode(const Disconnect& packet, Version version, ByteBuffer& out) {
  const bool has_properties = version == Version::V5 && !packet.properties.empty();
  const bool has_reason = version == Version::V5 && packet.reason != ReasonCode::NormalDisconnection;
  if (!has_properties && !has_reason) return encode_empty(PacketType::Disconnect, out);
  const std::size_t size = 1 + (has_properties ? properties_size(packet.properties, version) : 0);
  FieldWriter writer(PacketType::Disconnect, 0, size, out);
  writer.put_reason(packet.reason);
  if (has_properties) writer.put_properties(packet.properties, version);
}

void encode(const Auth& packet, Version version, ByteBuffer& out) {
  FURROW_CHECK(version == Version::V5);
  if (packet.reason == ReasonCode::Success && packet.properties.empty()) return encode_empty(PacketType::Auth, out);
  FieldWriter writer(PacketType::Auth, 0, 1 + properties_size(packet.properties, version), out);
  writer.put_reason(packet.reason);
  writer.put_properties(packet.properties, version);
}

void encode_acknowledgement(PacketType type, PacketId packet_id, ReasonCode reason, PropertyView properties,
                            Version version, ByteBuffer& out) {
  const bool has_properties = version == Version::V5 && !properties.empty();
  const bool has_reason = version == Version::V5 && (has_properties || reason != ReasonCode::Success);
  const std::size_t size = 2 + (has_reason ? 1U : 0U) + (has_properties ? properties_size(properties, version) : 0);
  FieldWriter writer(type, type == PacketType::Pubrel ? kReservedFlags : 0, size, out);
  writer.put_packet_id(packet_id);
  if (has_reason) writer.put_reason(reason);
  if (has_properties) writer.put_properties(properties, version);
}

namespace {

// CONNECT has its version itself; this lets std::visit treat all packets alike.
void encode(const Connect& packet, Version, ByteBuffer& out) {
  mqtt::encode(packet, out);
}

}  // namespace

void encode(const Packet& packet, Version version, ByteBuffer& out) {
  std::visit([&](const auto& alternative) { encode(alternative, version, out); }, packet);
}

std::size_t encoded_size(const Publish& packet, Version version) {
  return packet_size(publish_size(packet, version));
}

std::size_t packet_id_offset(ByteView publish) {
  ByteView rest = publish.subspan(1);
  std::uint32_t remaining_length = 0;
  FURROW_CHECK(take_variable_byte_integer(rest, remaining_length) == Taken::Whole);
  FURROW_CHECK(rest.size() >= 2);
  const std::size_t topic_size = static_cast<std::size_t>(rest[0]) << 8U | rest[1];
  return publish.size() - rest.size() + 2 + topic_size;
}

}  // namespace furrow::mqtt
