// Packets → bytes, appended to a buffer. The version is a parameter, never a second copy.
//
// What a version cannot say is left out (properties and most reason codes before 5.0) or translated (CONNACK return
// codes, SUBACK failures). The caller's packets must be valid; that is our own promise and checked.
// Spec: MQTT 5.0 §3; MQTT 3.1.1 §3.
#pragma once

#include <cstddef>

#include "broker-core/base/bytes.h"
#include "broker-core/mqtt/packet.h"

namespace furrow::mqtt {

void encode(const Connect& packet, ByteBuffer& out);  // its own version says how
void encode(const Connack& packet, Version version, ByteBuffer& out);
void encode(const Publish& packet, Version version, ByteBuffer& out);
void encode(const Subscribe& packet, Version version, ByteBuffer& out);
void encode(const Suback& packet, Version version, ByteBuffer& out);
void encode(const Unsubscribe& packet, Version version, ByteBuffer& out);
void encode(const Unsuback& packet, Version version, ByteBuffer& out);
void encode(const Pingreq& packet, Version version, ByteBuffer& out);
void encode(const Pingresp& packet, Version version, ByteBuffer& out);
void encode(const Disconnect& packet, Version version, ByteBuffer& out);  // a server may send it in 5.0 only
void encode(const Auth& packet, Version version, ByteBuffer& out);        // 5.0 only

// PUBACK, PUBREC, PUBREL, PUBCOMP: four bytes when the reason is success and there are no properties.
void encode_acknowledgement(PacketType type, PacketId packet_id, ReasonCode reason, PropertyView properties,
                            Version version, ByteBuffer& out);
template <PacketType kType>
void encode(const Acknowledgement<kType>& packet, Version version, ByteBuffer& out) {
  encode_acknowledgement(kType, packet.packet_id, packet.reason, packet.properties, version, out);
}
void encode(const Packet& packet, Version version, ByteBuffer& out);

// The bytes encode() would append for `packet`, fixed header included: what the peer's maximum packet size limits. More
// than kPacketBytesMax when the format has no length for it: a packet that was received in one version may be too large
// for another, and must not be given to encode().
std::size_t encoded_size(const Publish& packet, Version version);

// Where the packet identifier stands in an encoded PUBLISH of QoS 1 or 2, counted from its first byte, so that one
// encoding serves many receivers. REQUIRES: `publish` begins with a whole PUBLISH.
std::size_t packet_id_offset(ByteView publish);

}  // namespace furrow::mqtt
