// IP addresses, and networks of them, as values.
//
//   address = IPv4 | IPv6            IPv4: four decimal numbers without leading zeroes; IPv6: RFC 4291 §2.2, no zone
//   network = address [ "/" BITS ]   BITS of an IPv4 address: 0 to 32, of an IPv6 address: 0 to 128; default: all
// An IPv4 address is kept as the IPv6 address that stands for it (`::ffff:192.0.2.1`), and shown as IPv4: a socket for
// both families names its IPv4 peers that way.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "broker-core/base/result.h"

namespace furrow {

class IpAddress {
 public:
  using V4 = std::array<std::uint8_t, 4>;
  using V6 = std::array<std::uint8_t, 16>;

  IpAddress() = default;  // `::`
  // In network byte order.
  explicit IpAddress(const V4& bytes);
  explicit IpAddress(const V6& bytes) : bytes_(bytes) {}
  static std::optional<IpAddress> parse(std::string_view text);

  bool is_v4() const;
  // Only programs of this machine have one.
  bool is_loopback() const;
  const V6& bytes() const { return bytes_; }
  // `192.0.2.1`, `2001:db8::1` (RFC 5952).
  std::string text() const;
  // `192.0.2.1:1883`, `[2001:db8::1]:1883`.
  std::string text(std::uint16_t port) const;

  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  V6 bytes_{};
};

class IpNetwork {
 public:
  // The error names the fix: `192.168.0.5/16` is one address and a network at once.
  static Result<IpNetwork> parse(std::string_view text);

  bool contains(const IpAddress& address) const;
  // Every address of its family.
  bool is_everything() const { return bits_ == 0; }
  // As parse() takes it; without BITS when it is one address.
  std::string text() const;

  friend bool operator==(const IpNetwork&, const IpNetwork&) = default;

 private:
  IpNetwork(const IpAddress& first, unsigned bits) : first_(first), bits_(bits) {}
  // `bits` of the 16 bytes.
  unsigned bits_of_all() const;

  IpAddress first_;
  unsigned bits_ = 0;  // of the address of its family
};

bool contains(std::span<const IpNetwork> networks, const IpAddress& address);

}  // namespace furrow
