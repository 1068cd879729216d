// How a client came in, as its listener and its layers know it before the first byte of MQTT.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "broker-core/base/ip.h"

namespace furrow::broker {

struct Arrival {
  std::optional<IpAddress> address = std::nullopt;  // nothing: no network lies between, as with a unix socket
  std::uint16_t port = 0;
  std::string program = {};  // what stands for the address where there is none: `unix:ann`
  std::string listener = {};  // its name, which Settings::listeners has
  // The user that a client certificate, a pre-shared key or the other end of a unix socket vouches for. An empty name
  // is a name; whoever cannot name the user refuses the connection instead.
  std::optional<std::string> vouched_user = std::nullopt;

  // For people: `HOST:PORT`.
  std::string peer() const { return address ? address->text(port) : program; }
};

}  // namespace furrow::broker
