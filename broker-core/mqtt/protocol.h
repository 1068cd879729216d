// The small words of MQTT that every other file uses: versions, QoS levels, packet types, limits of the format.
#pragma once

#include <cstddef>
#include <cstdint>

namespace furrow::mqtt {

// The protocol level byte of CONNECT. 3.1 speaks as 3.1.1 but for its protocol name and its limits on client
// identifiers.
enum class Version : std::uint8_t { V3_1 = 3, V3_1_1 = 4, V5 = 5 };

enum class Qos : std::uint8_t { AtMostOnce = 0, AtLeastOnce = 1, ExactlyOnce = 2 };

// [MQTT 5.0 §2.1.2]
enum class PacketType : std::uint8_t {
  Connect = 1,
  Connack = 2,
  Publish = 3,
  Puback = 4,
  Pubrec = 5,
  Pubrel = 6,
  Pubcomp = 7,
  Subscribe = 8,
  Suback = 9,
  Unsubscribe = 10,
  Unsuback = 11,
  Pingreq = 12,
  Pingresp = 13,
  Disconnect = 14,
  Auth = 15,
};

// Which end of the connection we are: some packets may only travel one way, and some rules bind one end.
enum class Role : std::uint8_t { Server, Client };

// The remaining length of a packet, at most four bytes of seven bits [MQTT 5.0 §1.5.5].
inline constexpr std::uint32_t kRemainingLengthMax = 268'435'455;
// The largest packet: that, behind a byte of type and flags and four of length.
inline constexpr std::size_t kPacketBytesMax = 1 + 4 + std::size_t{kRemainingLengthMax};
// Strings and binary data carry a two-byte length [MQTT 5.0 §1.5.4].
inline constexpr std::size_t kStringBytesMax = 65'535;

}  // namespace furrow::mqtt
