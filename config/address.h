// Where to connect to and where to listen, as text and as values.
//
//   connect: SCHEME "://" HOST [":" PORT] [PATH] SCHEME = mqtt | mqtts | ws | wss; PORT is 1883, 8883, 80 or 443 unless
//                                                given, never 0; PATH, of ws and wss alone, is /mqtt unless given
//   bind:    HOST ":" PORT | "unix:" PATH        HOST is an address, `*` (every address), `localhost`, or the name of a
//                                                network interface, all of whose addresses are meant; PORT 0: any
//                                                free one. PATH is absolute
// An IPv6 address stands in brackets: `mqtt://[2001:db8::1]:1883`, `[::]:1883`. Its zone follows a `%`, which a URI
// may write as `%25` [RFC 6874]: `mqtt://[fe80::1%25eth0]`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "broker-core/base/result.h"

namespace furrow::config {

inline constexpr std::uint16_t kMqttPort = 1883;
inline constexpr std::uint16_t kWebSocketPort = 8083;  // that other brokers have, too
inline constexpr std::uint16_t kMqttsPort = 8883;

inline constexpr std::string_view kSchemeEnd = "://";
inline constexpr std::size_t kInterfaceBytesMax = 15;  // IFNAMSIZ, without the NUL

enum class Scheme : std::uint8_t { Mqtt, Mqtts, Ws, Wss };

// `mqtt`.
std::string_view scheme_text(Scheme scheme);

struct Address {
  Scheme scheme = Scheme::Mqtt;
  std::string host;  // a name or an address, without brackets; lower case but for a zone
  std::uint16_t port = kMqttPort;
  std::string path = {};  // of WebSocket: begins with a slash, and may have a query

  std::string text() const;
  bool is_encrypted() const { return scheme == Scheme::Mqtts || scheme == Scheme::Wss; }
  friend bool operator==(const Address&, const Address&) = default;
};

struct Bind {
  enum class Kind : std::uint8_t { Address, Interface, Unix };

  std::string host = "127.0.0.1";  // an address without brackets, or `*`; a name; a path
  std::uint16_t port = kMqttPort;
  Kind kind = Kind::Address;

  std::string text() const;
  // Only programs of this machine can reach it.
  bool is_loopback() const;
  // One cannot be bound while the other is: the same port, and one host takes in the other. Port 0 never collides.
  bool collides_with(const Bind& other) const;
  // A connection to `address` from this machine arrives here, as far as the two texts tell: not through the name of
  // the machine, nor through an address of it that is not written in either.
  bool is_reached_by(const Address& address) const;
  friend bool operator==(const Bind&, const Bind&) = default;
};

// The error names the fix; it does not name the key.
Result<Address> parse_address(std::string_view text);
Result<Bind> parse_bind(std::string_view text);

}  // namespace furrow::config
