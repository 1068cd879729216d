// Bytes → packets, incrementally: any split of the stream gives the same packets.
//
//   stream := packet*
//   packet := type:4 flags:4  remaining_length:varint  body[remaining_length]
//
// Decodes in place from the caller's bytes and copies only an unfinished tail. Checks everything that the bytes of one
// packet can show: lengths, flags, reserved bits, UTF-8, property places and duplicates, packet identifier zero, topic
// names without wildcards. What needs a session or a limit table (topic depth, known identifiers, state) is the connection's.
// After the first malformed packet the decoder is spent. Spec: MQTT 5.0 §2, §3; MQTT 3.1.1 §2, §3; MQTT 3.1.
#pragma once

#include <cstdint>

#include "broker-core/base/bytes.h"
#include "broker-core/mqtt/packet.h"
#include "broker-core/mqtt/protocol.h"
#include "broker-core/mqtt/reason_code.h"

namespace furrow::mqtt {

// Why a packet was refused, always the peer's fault.
struct ProtocolError {
  ReasonCode reason = ReasonCode::MalformedPacket;
  const char* what = "";  // static text: what was wrong, for the log and the reason string
};

class Decoder {
 public:
  enum class Step : std::uint8_t { Decoded, NeedMore, Malformed };

  // `role` is our own: a server refuses CONNACK, a client refuses CONNECT.
  // A packet (fixed header included) larger than `packet_bytes_max` is refused with 0x95 before its body is stored.
  Decoder(Role role, std::uint32_t packet_bytes_max) : packet_bytes_max_(packet_bytes_max), role_(role) {}

  // Takes one packet off the front of `input`, advancing it past all bytes used.
  // Decoded: `packet` is set and borrows from `input`'s bytes or from this decoder until the next call.
  // NeedMore: all of `input` was used; what is unfinished is kept here.
  // Malformed: `error` says why.
  // A server's decoder takes the version from CONNECT; a client's must be told with set_version().
  Step next(ByteView& input, Packet& packet, ProtocolError& error);

  void set_version(Version version) { version_ = version; }
  Version version() const { return version_; }

  // Bytes of an unfinished packet kept here.
  std::size_t unfinished_bytes() const { return tail_.size(); }

 private:
  ByteBuffer tail_;  // the unfinished packet, from its first byte; no heap while there is none
  std::uint32_t packet_bytes_max_;
  std::uint32_t tail_taken_ = 0;  // bytes of tail_ that the packet handed out last occupies
  Version version_ = Version::V3_1_1;
  Role role_;
};

}  // namespace furrow::mqtt
