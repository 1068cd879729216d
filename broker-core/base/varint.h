// Unsigned integers of up to 64 bits in groups of seven bits, least significant first: for what we store ourselves.
// (The variable byte integer of MQTT is the same for up to four bytes; its strictness belongs to the codec.)
#pragma once

#include <cstdint>
#include <limits>

#include "broker-core/base/bytes.h"

namespace furrow {

inline void put_varint(ByteBuffer& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<std::uint8_t>(value | 0x80U));
    value >>= 7U;
  }
  out.push_back(static_cast<std::uint8_t>(value));
}

// Takes one integer off the front of `in`; false when it is cut short or longer than ten bytes.
inline bool take_varint(ByteView& in, std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 70 && !in.empty(); shift += 7) {
    const std::uint8_t byte = in.front();
    in = in.subspan(1);
    value |= static_cast<std::uint64_t>(byte & 0x7FU) << (shift & 63U);
    if ((byte & 0x80U) == 0) return true;
  }
  return false;
}

// As take_varint(); false, too, when the integer has more than 32 bits.
inline bool take_u32(ByteView& in, std::uint32_t& value) {
  std::uint64_t wide = 0;
  if (!take_varint(in, wide) || wide > std::numeric_limits<std::uint32_t>::max()) return false;
  value = static_cast<std::uint32_t>(wide);
  return true;
}

// Takes a varint length and that many bytes.
inline bool take_bytes(ByteView& in, ByteView& bytes) {
  std::uint64_t size = 0;
  if (!take_varint(in, size) || size > in.size()) return false;
  bytes = in.first(static_cast<std::size_t>(size));
  in = in.subspan(static_cast<std::size_t>(size));
  return true;
}

inline void put_bytes(ByteBuffer& out, ByteView bytes) {
  put_varint(out, bytes.size());
  out.append(bytes);
}

}  // namespace furrow
