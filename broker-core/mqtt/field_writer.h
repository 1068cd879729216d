// Writes the fields of one packet into bytes that were sized before. Internal to the encoder.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "broker-core/base/bytes.h"
#include "broker-core/base/ids.h"
#include "broker-core/mqtt/properties.h"
#include "broker-core/mqtt/protocol.h"
#include "broker-core/mqtt/reason_code.h"
#include "broker-core/mqtt/variable_byte_integer.h"

namespace furrow::mqtt {

// A string or binary data with its length.
inline std::size_t text_size(std::size_t size) {
  FURROW_CHECK(size <= kStringBytesMax);
  return 2 + size;
}

// `size` bytes with the variable byte integer before them. More than the format can say counts like the most that it
// can: the packet is too large then, and FieldWriter will not begin it.
inline std::size_t sized(std::size_t size) {
  return variable_byte_integer_size(static_cast<std::uint32_t>(std::min<std::size_t>(size, kVariableByteIntegerMax))) +
         size;
}

// A property list with its length; nothing before 5.0.
inline std::size_t properties_size(PropertyView properties, Version version) {
  return version == Version::V5 ? sized(properties.bytes().size()) : 0;
}

// The whole packet, fixed header included.
inline std::size_t packet_size(std::size_t remaining_length) {
  return 1 + sized(remaining_length);
}

class FieldWriter {
 public:
  // Makes room in `out` for the whole packet and writes its fixed header.
  // REQUIRES: remaining_length <= kRemainingLengthMax.
  FieldWriter(PacketType type, unsigned flags, std::size_t remaining_length, ByteBuffer& out) {
    FURROW_CHECK(remaining_length <= kRemainingLengthMax);
    at_ = out.extend(packet_size(remaining_length));
    end_ = at_ + packet_size(remaining_length);
    put_byte(static_cast<unsigned>(type) << 4U | flags);
    at_ = put_variable_byte_integer(at_, static_cast<std::uint32_t>(remaining_length));
  }
  // The sizes computed before were right.
  ~FieldWriter() { FURROW_CHECK(at_ == end_); }
  FieldWriter(const FieldWriter&) = delete;
  FieldWriter& operator=(const FieldWriter&) = delete;

  void put_byte(unsigned value) { *at_++ = static_cast<std::uint8_t>(value); }
  void put_two_bytes(unsigned value) {
    put_byte(value >> 8U);
    put_byte(value);
  }
  void put_packet_id(PacketId packet_id) {
    FURROW_CHECK(packet_id.value != 0);
    put_two_bytes(packet_id.value);
  }
  void put_reason(ReasonCode reason) { put_byte(static_cast<unsigned>(reason)); }
  void put_raw(ByteView bytes) {
    if (!bytes.empty()) std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }
  void put_bytes(ByteView bytes) {
    put_two_bytes(static_cast<unsigned>(bytes.size()));
    put_raw(bytes);
  }
  void put_text(std::string_view text) { put_bytes(as_bytes(text)); }
  // Nothing before 5.0, which has no properties.
  void put_properties(PropertyView properties, Version version) {
    if (version != Version::V5) return;
    at_ = put_variable_byte_integer(at_, static_cast<std::uint32_t>(properties.bytes().size()));
    put_raw(properties.bytes());
  }

 private:
  std::uint8_t* at_ = nullptr;
  std::uint8_t* end_ = nullptr;
};

}  // namespace furrow::mqtt
