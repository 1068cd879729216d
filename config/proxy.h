// The proxy between a bridge and its far side, as text and as value.
//
//   proxy = "" | "env" | SCHEME "://" [USER "@"] HOST ":" PORT       SCHEME = http | socks5h
//
// What other programs write, a password behind the user or no port, is known for the sake of the environment, see
// ProxySyntax.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "broker-core/base/result.h"

namespace furrow::config {

struct Proxy {
  enum class Kind : std::uint8_t { None, FromEnvironment, Http, Socks5 };

  Kind kind = Kind::None;
  std::string user;  // empty: none
  std::string host;  // a name or an address, without brackets
  std::uint16_t port = 0;

  // As parse_proxy() takes it.
  std::string text() const;
  friend bool operator==(const Proxy&, const Proxy&) = default;
};

// The error names the fix; it does not name the key.
Result<Proxy> parse_proxy(std::string_view text);

// As other programs read it from the environment: http:// may be left out, the port is 1080 unless it is there, other
// names of SOCKS5 mean the same, and a password may stand behind the user.
struct ProxyOfEnvironment {
  Proxy proxy;
  std::string password;
};
Result<ProxyOfEnvironment> parse_proxy_of_environment(std::string_view text);

}  // namespace furrow::config
