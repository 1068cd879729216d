#include "broker-core/mqtt/decoder.h"

#include <algorithm>
#include <array>

#include "broker-core/mqtt/packet_decoders.h"
#include "broker-core/mqtt/stranger.h"
#include "broker-core/mqtt/variable_byte_integer.h"

namespace furrow::mqtt {

struct Decoder::Header {
  PacketType type;
  std::uint8_t flags;
  std::uint32_t size;         // of the fixed header itself
  std::uint32_t packet_size;  // with the body
};

namespace {

using FlagSets = std::uint16_t;  // one bit for each value of the four flags in a fixed header

constexpr FlagSets kNever = 0;
constexpr FlagSets kAny = 0xFFFF;
constexpr FlagSets kZero = 1U << 0U;
constexpr FlagSets kTwo = 1U << 2U;  // PUBREL, SUBSCRIBE, UNSUBSCRIBE [MQTT 5.0 table 2-2]
constexpr FlagSets kTwoOrTen = kTwo | 1U << 10U;
constexpr FlagSets kQos0 = 0x0003;  // no DUP [MQTT-3.3.1-2]
constexpr FlagSets kQos1 = 0x0C0C;
constexpr FlagSets kQos2 = 0x3030;  // QoS 3 is missing [MQTT-3.3.1-4]
constexpr FlagSets kPublish = kQos0 | kQos1 | kQos2;

// Packet type → the flags it may come with; nothing for what the other end may not send.
constexpr std::array<FlagSets, 16> kFromClient = {
    kNever,    // reserved
    kAny,      // CONNECT: judged by its version, which ignores them in 3.1
    kNever,    // CONNACK
    kPublish,  // PUBLISH
    kZero,     // PUBACK
    kZero,     // PUBREC
    kTwo,      // PUBREL
    kZero,     // PUBCOMP
    kTwo,      // SUBSCRIBE
    kNever,    // SUBACK
    kTwo,      // UNSUBSCRIBE
    kNever,    // UNSUBACK
    kZero,     // PINGREQ
    kNever,    // PINGRESP
    kZero,     // DISCONNECT
    kZero,     // AUTH
};
constexpr std::array<FlagSets, 16> kFromServer = {
    kNever,    // reserved
    kNever,    // CONNECT
    kZero,     // CONNACK
    kPublish,  // PUBLISH
    kZero,     // PUBACK
    kZero,     // PUBREC
    kTwo,      // PUBREL
    kZero,     // PUBCOMP
    kNever,    // SUBSCRIBE
    kZero,     // SUBACK
    kNever,    // UNSUBSCRIBE
    kZero,     // UNSUBACK
    kNever,    // PINGREQ
    kZero,     // PINGRESP
    kZero,     // DISCONNECT
    kZero,     // AUTH
};

constexpr bool contains(FlagSets sets, std::uint8_t flags) {
  return (sets >> flags & 1U) != 0;
}

// Why a fixed header with these allowed flags is refused; `what` is null when the packet is from MQTT 3.1 and fine:
// there PUBREL, SUBSCRIBE and UNSUBSCRIBE may be sent again with DUP [MQTT 3.1 §3.6, §3.8, §3.10].
ProtocolError judge_odd_flags(PacketType type, std::uint8_t flags, FlagSets allowed, Version version) {
  if (type == PacketType{}) return {ReasonCode::MalformedPacket, "packet type 0 is reserved"};
  if (allowed == kNever) return {ReasonCode::ProtocolError, "this end of a connection may not send this packet"};
  if (version == Version::V3_1 && allowed == kTwo && contains(kTwoOrTen, flags)) return {.what = nullptr};
  if (type != PacketType::Publish) return {ReasonCode::MalformedPacket, "reserved flags of the fixed header"};
  if ((flags & 0x06U) == 0x06U) return {ReasonCode::MalformedPacket, "PUBLISH with QoS 3"};
  return {ReasonCode::MalformedPacket, "PUBLISH with DUP at QoS 0"};
}

// The alternative T of `packet`, kept when it stands there already: emplacing destroys by an indirect call.
template <typename T>
T& alternative(Packet& packet) {
  if (T* same = std::get_if<T>(&packet)) return *same;
  return packet.emplace<T>();
}

template <typename Ping>
bool decode_ping(ByteView body, Packet& packet, ProtocolError& error) {
  packet.emplace<Ping>();
  if (body.empty()) return true;
  error = {ReasonCode::MalformedPacket, "packet is longer than its fields"};
  return false;
}

}  // namespace

inline Decoder::Step Decoder::read_header(ByteView bytes, Header& header, ProtocolError& error) const {
  if (bytes.empty()) return Step::NeedMore;
  if (role_ == Role::Server && !version_known_) [[unlikely]] {
    const Stranger stranger = judge_stranger(bytes);
    if (stranger.undecided) return Step::NeedMore;
    if (stranger.what != nullptr) {
      error = {ReasonCode::MalformedPacket, stranger.what};
      return Step::Malformed;
    }
  }
  const std::uint8_t first = bytes.front();
  header.type = static_cast<PacketType>(first >> 4U);
  header.flags = first & 0x0FU;
  const FlagSets allowed = (role_ == Role::Server ? kFromClient : kFromServer)[first >> 4U];
  if (!contains(allowed, header.flags)) [[unlikely]] {
    error = judge_odd_flags(header.type, header.flags, allowed, version_);
    if (role_ == Role::Server && !version_known_) error = {ReasonCode::MalformedPacket, "does not speak MQTT"};
    if (error.what != nullptr) return Step::Malformed;
  }

  ByteView rest = bytes.subspan(1);
  std::uint32_t remaining_length = 0;
  const Taken taken = take_variable_byte_integer(rest, remaining_length);
  if (taken == Taken::Cut) return Step::NeedMore;
  if (taken == Taken::Malformed) [[unlikely]] {
    error = {ReasonCode::MalformedPacket, "remaining length is badly encoded"};
    return Step::Malformed;
  }
  header.size = static_cast<std::uint32_t>(bytes.size() - rest.size());
  header.packet_size = header.size + remaining_length;
  if (header.packet_size > packet_bytes_max_) [[unlikely]] {
    error = {ReasonCode::PacketTooLarge, "packet is larger than allowed"};
    return Step::Malformed;
  }
  return Step::Decoded;
}

void Decoder::set_packet_bytes_max(std::uint32_t packet_bytes_max) {
  Header header;
  ProtocolError error;
  const bool has_begun = unfinished_bytes() > 0 && read_header(tail_.view(), header, error) == Step::Decoded;
  packet_bytes_max_ = has_begun ? std::max(packet_bytes_max, header.packet_size) : packet_bytes_max;
}

Decoder::Step Decoder::next(ByteView& input, Packet& packet, ProtocolError& error) {
  if (!tail_.empty()) [[unlikely]] {
    if (!tail_taken_) return next_from_tail(input, packet, error);
    tail_.release();
    tail_taken_ = false;
  }
  Header header;
  const Step step = read_header(input, header, error);
  if (step == Step::Malformed) [[unlikely]]
    return step;
  if (step == Step::NeedMore || input.size() < header.packet_size) {
    tail_.append(input);
    input = input.last(0);
    return Step::NeedMore;
  }
  const ByteView body = input.subspan(header.size, header.packet_size - header.size);
  input = input.subspan(header.packet_size);
  return decode(header, body, packet, error) ? Step::Decoded : Step::Malformed;
}

Decoder::Step Decoder::next_from_tail(ByteView& input, Packet& packet, ProtocolError& error) {
  Header header;
  Step step = read_header(tail_.view(), header, error);
  while (step == Step::NeedMore) {
    if (input.empty()) return step;
    tail_.push_back(input.front());
    input = input.subspan(1);
    step = read_header(tail_.view(), header, error);
  }
  if (step == Step::Malformed) return step;

  // Only bytes that have arrived are stored: a large announced length allocates nothing.
  const ByteView lacking = input.first(std::min<std::size_t>(header.packet_size - tail_.size(), input.size()));
  tail_.append(lacking);
  input = input.subspan(lacking.size());
  if (tail_.size() < header.packet_size) return Step::NeedMore;
  tail_taken_ = true;
  const ByteView body = tail_.view().subspan(header.size);
  return decode(header, body, packet, error) ? Step::Decoded : Step::Malformed;
}

bool Decoder::decode(const Header& header, ByteView body, Packet& packet, ProtocolError& error) {
  const PacketContext context{.version = version_, .role = role_, .flags = header.flags};
  switch (header.type) {
    case PacketType::Publish:
      return decode_publish(context, body, alternative<Publish>(packet), error);
    case PacketType::Puback:
      return decode_acknowledgement(context, body, alternative<Puback>(packet), error);
    case PacketType::Pubrec:
      return decode_acknowledgement(context, body, alternative<Pubrec>(packet), error);
    case PacketType::Pubrel:
      return decode_acknowledgement(context, body, alternative<Pubrel>(packet), error);
    case PacketType::Pubcomp:
      return decode_acknowledgement(context, body, alternative<Pubcomp>(packet), error);
    case PacketType::Pingreq:
      return decode_ping<Pingreq>(body, packet, error);
    case PacketType::Pingresp:
      return decode_ping<Pingresp>(body, packet, error);
    case PacketType::Connect:
      return decode_connect_packet(header.flags, body, packet, error);
    case PacketType::Connack:
      return decode_connack(context, body, alternative<Connack>(packet), error);
    case PacketType::Subscribe:
      return decode_subscribe(context, body, alternative<Subscribe>(packet), error);
    case PacketType::Suback:
      return decode_suback(context, body, alternative<Suback>(packet), error);
    case PacketType::Unsubscribe:
      return decode_unsubscribe(context, body, alternative<Unsubscribe>(packet), error);
    case PacketType::Unsuback:
      return decode_unsuback(context, body, alternative<Unsuback>(packet), error);
    case PacketType::Disconnect:
      return decode_disconnect(context, body, alternative<Disconnect>(packet), error);
    case PacketType::Auth:
      return decode_auth(context, body, alternative<Auth>(packet), error);
  }
  FURROW_CHECK(false);  // read_header() refuses all other types
  return false;
}

// Whether a second CONNECT is allowed is the connection's question [MQTT-3.1.0-2]; it is read by its own level and
// leaves the version of the stream alone.
bool Decoder::decode_connect_packet(std::uint8_t flags, ByteView body, Packet& packet, ProtocolError& error) {
  auto& connect = alternative<Connect>(packet);
  const bool decoded = decode_connect(body, connect, error);
  if (!version_known_) set_version(connect.version);
  if (flags == 0 || connect.version == Version::V3_1) return decoded;
  error = {ReasonCode::MalformedPacket, "reserved flags of the fixed header"};
  return false;
}

}  // namespace furrow::mqtt
