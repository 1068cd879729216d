// One function for each kind of packet: the body behind the fixed header → the packet. Internal to the decoder.
//
// Each sets every member of its packet, whatever stood there before, and answers false with `error` set when the body
// is not what the specification says. The flags of the fixed header have been checked; so has the direction of the
// packet.
#pragma once

#include <cstdint>

#include "broker-core/base/bytes.h"
#include "broker-core/mqtt/decoder.h"
#include "broker-core/mqtt/field_reader.h"
#include "broker-core/mqtt/packet.h"

namespace furrow::mqtt {

// Facts about a packet that its body does not tell.
struct PacketContext {
  Version version;
  Role role;
  std::uint8_t flags;  // the low four bits of the fixed header
};

// Reads by the packet's own level. `packet.version` is set as soon as it is known, also when the rest is refused.
bool decode_connect(ByteView body, Connect& packet, ProtocolError& error);
bool decode_connack(PacketContext context, ByteView body, Connack& packet, ProtocolError& error);
bool decode_publish(PacketContext context, ByteView body, Publish& packet, ProtocolError& error);
bool decode_subscribe(PacketContext context, ByteView body, Subscribe& packet, ProtocolError& error);
bool decode_suback(PacketContext context, ByteView body, Suback& packet, ProtocolError& error);
bool decode_unsubscribe(PacketContext context, ByteView body, Unsubscribe& packet, ProtocolError& error);
bool decode_unsuback(PacketContext context, ByteView body, Unsuback& packet, ProtocolError& error);
bool decode_disconnect(PacketContext context, ByteView body, Disconnect& packet, ProtocolError& error);
bool decode_auth(PacketContext context, ByteView body, Auth& packet, ProtocolError& error);

// Decodes what follows the packet identifier of a PUBACK, PUBREC, PUBREL or PUBCOMP, as `type` says.
bool decode_acknowledgement_rest(PacketType type, PacketContext context, ByteView rest, ReasonCode& reason,
                                 PropertyView& properties, ProtocolError& error);

// Inline because nearly all acknowledgements end with the packet identifier.
template <PacketType kType>
bool decode_acknowledgement(PacketContext context, ByteView body, Acknowledgement<kType>& packet,
                            ProtocolError& error) {
  FieldReader reader(body, error);
  packet.reason = ReasonCode::Success;
  packet.properties = {};
  if (!reader.take_packet_id(packet.packet_id)) return false;
  return reader.at_end() ||
         decode_acknowledgement_rest(kType, context, reader.rest(), packet.reason, packet.properties, error);
}

}  // namespace furrow::mqtt
