// Bytes → packets, incrementally: any split of the stream gives the same packets.
//
//   stream := packet*
//   packet := type:4 flags:4  remaining_length:varint  body[remaining_length]
//
// Decodes in place from the caller's bytes and copies only an unfinished tail. Checks everything that the bytes of one
// packet can show: lengths, flags, reserved bits, UTF-8, property places and duplicates, packet identifier zero, topic
// names without wildcards. What needs a session or a limit table (topic depth, known identifiers, state) is the
// connection's. After the first malformed packet the decoder is spent.
// Spec: MQTT 5.0 §2, §3; MQTT 3.1.1 §2, §3; MQTT 3.1, whose PUBREL, SUBSCRIBE and UNSUBSCRIBE may have DUP, and whose
// CONNECT has flags that mean nothing.
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
  // - Decoded: `packet` is set and borrows from `input`'s bytes or from this decoder until the next call.
  // - NeedMore: all of `input` was used; what is unfinished is kept here.
  // - Malformed: `error` says why; `packet` is unspecified.
  // Call until NeedMore, even when `input` is used up: only the next call frees a packet that was kept here.
  // Give the same `packet` each time: the lists of SUBSCRIBE and its kin are reused.
  Step next(ByteView& input, Packet& packet, ProtocolError& error);

  // A server's decoder takes the version from the first CONNECT, as soon as its level is read: also a CONNECT that is
  // refused afterwards can be answered in its own version. A client's decoder must be told.
  void set_version(Version version) {
    version_ = version;
    version_known_ = true;
  }
  // 3.1.1 until it is known.
  Version version() const { return version_; }
  bool knows_version() const { return version_known_; }

  std::uint32_t packet_bytes_max() const { return packet_bytes_max_; }
  // For packets to come. One of which more than its length has arrived may still be finished, and others as large.
  void set_packet_bytes_max(std::uint32_t packet_bytes_max);

  // Bytes of an unfinished packet kept here.
  std::size_t unfinished_bytes() const { return tail_taken_ ? 0 : tail_.size(); }
  // The packet itself, as far as it has arrived; valid until the next call.
  ByteView unfinished() const { return tail_taken_ ? ByteView() : tail_.view(); }

 private:
  struct Header;

  // Reads the fixed header at the front of `bytes` and judges what it shows. Decoded: `header` is set.
  Step read_header(ByteView bytes, Header& header, ProtocolError& error) const;
  // Completes the packet in tail_ with what it lacks from `input`.
  Step next_from_tail(ByteView& input, Packet& packet, ProtocolError& error);
  bool decode(const Header& header, ByteView body, Packet& packet, ProtocolError& error);
  bool decode_connect_packet(std::uint8_t flags, ByteView body, Packet& packet, ProtocolError& error);

  ByteBuffer tail_;  // one packet from its first byte, unfinished or handed out last; no heap while there is none
  std::uint32_t packet_bytes_max_;
  Version version_ = Version::V3_1_1;
  bool version_known_ = false;
  bool tail_taken_ = false;  // whether tail_ holds the packet handed out last
  Role role_;
};
static_assert(sizeof(Decoder) <= 56, "every idle connection has one");

}  // namespace furrow::mqtt
