// SUBSCRIBE, UNSUBSCRIBE and their acknowledgements.
//
//   SUBSCRIBE   := packet_identifier:2  [properties, 5.0]  (topic_filter:string options:1)+
//   SUBACK      := packet_identifier:2  [properties, 5.0]  reason_code:1+
//   UNSUBSCRIBE := packet_identifier:2  [properties, 5.0]  topic_filter:string+
//   UNSUBACK    := packet_identifier:2  [properties  reason_code:1+, 5.0]
//   options     := QoS:2 no_local:1 retain_as_published:1 retain_handling:2 reserved:2, low bits first; QoS only
//   before 5.0
//
// Spec: MQTT 5.0 §3.8 to §3.11; MQTT 3.1.1 §3.8 to §3.11.
#include "broker-core/mqtt/field_reader.h"
#include "broker-core/mqtt/packet_decoders.h"
#include "broker-core/mqtt/topic.h"

namespace furrow::mqtt {
namespace {

constexpr std::uint8_t kQosBits = 0x03;
constexpr std::uint8_t kNoLocal = 0x04;
constexpr std::uint8_t kRetainAsPublished = 0x08;
constexpr unsigned kRetainHandlingShift = 4;
constexpr std::uint8_t kReservedBits = 0xC0;

// The packet identifier and the properties, with which all four begin.
bool take_head(PacketContext context, PropertyPlace place, PacketId& packet_id, PropertyView& properties,
               FieldReader& reader) {
  properties = {};
  if (!reader.take_packet_id(packet_id)) return false;
  return context.version != Version::V5 || reader.take_properties(place, properties);
}

bool read_options_v3(std::uint8_t options, SubscriptionRequest& request, FieldReader& reader) {
  if (options > static_cast<std::uint8_t>(Qos::ExactlyOnce)) {
    return reader.malformed("requested QoS is not 0, 1 or 2");  // [MQTT-3.8.3-4]
  }
  request.qos = static_cast<Qos>(options);
  return true;
}

bool read_options_v5(std::uint8_t options, SubscriptionRequest& request, FieldReader& reader) {
  if ((options & kReservedBits) != 0) return reader.malformed("reserved subscription option");  // [MQTT-3.8.3-5]
  if ((options & kQosBits) == kQosBits) return reader.protocol_error("maximum QoS is 3");       // [MQTT 5.0 §3.8.3.1]
  const unsigned retain_handling = options >> kRetainHandlingShift;
  if (retain_handling == 3) return reader.protocol_error("retain handling is 3");  // [MQTT 5.0 §3.8.3.1]
  request.qos = static_cast<Qos>(options & kQosBits);
  request.no_local = (options & kNoLocal) != 0;
  request.retain_as_published = (options & kRetainAsPublished) != 0;
  request.retain_handling = static_cast<RetainHandling>(retain_handling);
  if (request.no_local && is_shared(request.filter)) {
    return reader.protocol_error("no local on a shared subscription");  // [MQTT-3.8.3-4]
  }
  return true;
}

bool take_request(Version version, SubscriptionRequest& request, FieldReader& reader) {
  std::uint8_t options = 0;
  if (!reader.take_text(request.filter) || !reader.take_byte(options)) return false;
  return version == Version::V5 ? read_options_v5(options, request, reader) : read_options_v3(options, request, reader);
}

// A return code of SUBACK before 5.0 [MQTT 3.1.1 §3.9.3] says what the reason code of that number says.
bool is_suback_return_code(ReasonCode reason) {
  return reason <= ReasonCode::GrantedQos2 || reason == ReasonCode::UnspecifiedError;
}

bool take_reasons(PacketType type, Version version, std::vector<ReasonCode>& reasons, FieldReader& reader) {
  std::uint8_t byte = 0;
  do {
    if (!reader.take_byte(byte)) return false;
    const auto reason = static_cast<ReasonCode>(byte);
    const bool allowed = version == Version::V5 ? is_allowed(reason, type) : is_suback_return_code(reason);
    if (!allowed) return reader.protocol_error("reason code does not belong in this packet");
    reasons.push_back(reason);
  } while (!reader.at_end());
  return true;
}

}  // namespace

bool decode_subscribe(PacketContext context, ByteView body, Subscribe& packet, ProtocolError& error) {
  FieldReader reader(body, error);
  packet.requests.clear();
  if (!take_head(context, PropertyPlace::Subscribe, packet.packet_id, packet.properties, reader)) return false;
  if (reader.at_end()) return reader.protocol_error("SUBSCRIBE without a topic filter");  // [MQTT-3.8.3-2]
  do {
    if (!take_request(context.version, packet.requests.emplace_back(), reader)) return false;
  } while (!reader.at_end());
  return true;
}

bool decode_suback(PacketContext context, ByteView body, Suback& packet, ProtocolError& error) {
  FieldReader reader(body, error);
  packet.reasons.clear();
  return take_head(context, PropertyPlace::Suback, packet.packet_id, packet.properties, reader) &&
         take_reasons(PacketType::Suback, context.version, packet.reasons, reader);
}

bool decode_unsubscribe(PacketContext context, ByteView body, Unsubscribe& packet, ProtocolError& error) {
  FieldReader reader(body, error);
  packet.filters.clear();
  if (!take_head(context, PropertyPlace::Unsubscribe, packet.packet_id, packet.properties, reader)) return false;
  if (reader.at_end()) return reader.protocol_error("UNSUBSCRIBE without a topic filter");  // [MQTT-3.10.3-2]
  do {
    if (!reader.take_text(packet.filters.emplace_back())) return false;
  } while (!reader.at_end());
  return true;
}

bool decode_unsuback(PacketContext context, ByteView body, Unsuback& packet, ProtocolError& error) {
  FieldReader reader(body, error);
  packet.reasons.clear();
  if (!take_head(context, PropertyPlace::Unsuback, packet.packet_id, packet.properties, reader)) return false;
  if (context.version != Version::V5) return reader.finish();
  return take_reasons(PacketType::Unsuback, context.version, packet.reasons, reader);
}

}  // namespace furrow::mqtt
