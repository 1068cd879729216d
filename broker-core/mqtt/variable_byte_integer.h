// The variable byte integer of MQTT: seven bits a byte, least significant first, at most four bytes [MQTT 5.0 §1.5.5].
#pragma once

#include <cstddef>
#include <cstdint>

#include "broker-core/base/bytes.h"
#include "broker-core/mqtt/protocol.h"

namespace furrow::mqtt {

// It has the range of the remaining length, because that is what it was made for.
inline constexpr std::uint32_t kVariableByteIntegerMax = kRemainingLengthMax;
inline constexpr std::size_t kVariableByteIntegerBytesMax = 4;

inline std::size_t variable_byte_integer_size(std::uint32_t value) {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20'0000 ? 3 : 4;
}

// Writes `value` at `at` and returns the place behind it. REQUIRES: value <= kVariableByteIntegerMax.
inline std::uint8_t* put_variable_byte_integer(std::uint8_t* at, std::uint32_t value) {
  while (value >= 0x80) {
    *at++ = static_cast<std::uint8_t>(value | 0x80U);
    value >>= 7U;
  }
  *at++ = static_cast<std::uint8_t>(value);
  return at;
}

enum class Taken : std::uint8_t { Whole, Cut, Malformed };

// As take_variable_byte_integer(), for any length.
inline Taken take_long_variable_byte_integer(ByteView& in, std::uint32_t& value) {
  value = 0;
  for (std::size_t index = 0; index < kVariableByteIntegerBytesMax; ++index) {
    if (index == in.size()) return Taken::Cut;
    const std::uint8_t byte = in[index];
    value |= static_cast<std::uint32_t>(byte & 0x7FU) << (7 * index);
    if (byte >= 0x80) continue;
    // The fewest bytes that hold the value [MQTT-1.5.5-1]: the last byte of several is not zero.
    if (byte == 0 && index > 0) return Taken::Malformed;
    in = in.subspan(index + 1);
    return Taken::Whole;
  }
  return Taken::Malformed;
}

// Takes one integer off the front of `in`, which stays as it is unless the integer is whole.
inline Taken take_variable_byte_integer(ByteView& in, std::uint32_t& value) {
  if (in.empty() || in.front() >= 0x80) return take_long_variable_byte_integer(in, value);
  value = in.front();
  in = in.subspan(1);
  return Taken::Whole;
}

}  // namespace furrow::mqtt
