// PUBLISH and its four acknowledgements: the packets that must be fast.
//
//   PUBLISH := topic_name:string  [packet_identifier:2, at QoS 1 and 2]  [properties, 5.0]  payload
//   PUBACK, PUBREC, PUBREL, PUBCOMP := packet_identifier:2  [reason_code:1  [properties]], 5.0
//
// Spec: MQTT 5.0 §3.3 to §3.7; MQTT 3.1.1 §3.3 to §3.7.
#include "broker-core/mqtt/field_reader.h"
#include "broker-core/mqtt/packet_decoders.h"
#include "broker-core/mqtt/topic.h"

namespace furrow::mqtt {
namespace {

// Why a topic name is not valid, or whether it may be absent.
bool judge_odd_topic(std::string_view topic, bool has_alias, Version version, FieldReader& reader) {
  if (topic.empty()) {
    if (version != Version::V5) return reader.malformed("topic name is empty");  // [MQTT-4.7.3-1]
    if (has_alias) return true;
    return reader.protocol_error("topic name is empty and there is no topic alias");  // [MQTT 5.0 §3.3.2.1]
  }
  if (!is_valid_utf8(topic)) return reader.malformed("topic name is not valid UTF-8");
  return reader.refuse(ReasonCode::TopicNameInvalid, "topic name has a wildcard");  // [MQTT-3.3.2-2]
}

bool judge_properties(PropertyView properties, PropertySet present, Role role, FieldReader& reader) {
  if (present.contains(PropertyId::TopicAlias) && properties.number(PropertyId::TopicAlias) == 0U) {
    return reader.refuse(ReasonCode::TopicAliasInvalid, "topic alias is zero");  // [MQTT-3.3.2-8]
  }
  if (role == Role::Server && present.contains(PropertyId::SubscriptionIdentifier)) {
    return reader.protocol_error("client sent a subscription identifier in PUBLISH");  // [MQTT-3.3.4-6]
  }
  return true;
}

PropertyPlace place_of(PacketType type) {
  switch (type) {
    case PacketType::Puback:
      return PropertyPlace::Puback;
    case PacketType::Pubrec:
      return PropertyPlace::Pubrec;
    case PacketType::Pubrel:
      return PropertyPlace::Pubrel;
    default:
      return PropertyPlace::Pubcomp;
  }
}

}  // namespace

bool decode_publish(PacketContext context, ByteView body, Publish& packet, ProtocolError& error) {
  FieldReader reader(body, error);
  packet.retain = (context.flags & 0x01U) != 0;
  packet.qos = static_cast<Qos>(context.flags >> 1U & 0x03U);
  packet.duplicate = (context.flags & 0x08U) != 0;
  packet.packet_id = {};
  packet.properties = {};

  ByteView topic;
  if (!reader.take_bytes(topic)) return false;
  packet.topic = as_text(topic);
  if (packet.qos != Qos::AtMostOnce && !reader.take_packet_id(packet.packet_id)) return false;

  PropertySet present;
  if (context.version == Version::V5) {
    if (!reader.take_properties(PropertyPlace::Publish, packet.properties, present)) return false;
    if (!judge_properties(packet.properties, present, context.role, reader)) return false;
  }
  packet.payload = reader.rest();
  if (is_valid_name(packet.topic)) [[likely]]
    return true;
  return judge_odd_topic(packet.topic, present.contains(PropertyId::TopicAlias), context.version, reader);
}

bool decode_acknowledgement_rest(PacketType type, PacketContext context, ByteView rest, ReasonCode& reason,
                                 PropertyView& properties, ProtocolError& error) {
  FieldReader reader(rest, error);
  if (context.version != Version::V5) return reader.finish();
  std::uint8_t byte = 0;
  if (!reader.take_byte(byte)) return false;
  reason = static_cast<ReasonCode>(byte);
  if (!is_allowed(reason, type)) return reader.protocol_error("reason code does not belong in this packet");
  if (reader.at_end()) return true;  // no property length either [MQTT 5.0 §3.4.2.2.1]
  return reader.take_properties(place_of(type), properties) && reader.finish();
}

}  // namespace furrow::mqtt
