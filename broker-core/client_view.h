// A client as the operator sees it: a picture of one moment, taken of its session and, if it has one, its connection.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "broker-core/base/time.h"
#include "broker-core/mqtt/protocol.h"

namespace furrow::broker {

class Session;

// `3.1`, `3.1.1` or `5`.
std::string_view version_text(mqtt::Version version);

struct ClientView {
  // What only a client that is connected has.
  struct Network {
    std::string peer;
    mqtt::Version version{};
    Instant last_heard;
    bool paced = false;
  };

  std::string_view client_id;         // borrowed from the session, as other views here
  const std::string* user = nullptr;  // nullptr: anonymous
  std::string_view listener;
  std::optional<Network> network;  // nothing: it is not connected
  Instant since;                   // of the connection, or of its end
  std::optional<Instant> expires;  // of a session that waits; kNever: never
  std::size_t subscriptions = 0;
  std::uint64_t queue_messages = 0;  // waiting and in flight
  std::uint64_t queue_bytes = 0;
  std::uint64_t inflight = 0;
  std::uint64_t dropped = 0;  // and expired, since the start or since the queue came into being
};

// `now` on every clock: how long the client has been away may be a matter of more than one boot.
ClientView view_of(const Session& session, const ClockStamp& now);

}  // namespace furrow::broker
