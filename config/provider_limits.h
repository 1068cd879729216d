// What clouds take from a client, as their documentation has it, for far sides that do not say it themselves.
//
// Known from the documents that the table names, and not tried there. A limit that is not documented is 0.
#pragma once

#include <cstdint>
#include <string_view>

#include "broker-core/base/time.h"
#include "config/config.h"

namespace furrow::config {

struct ProviderLimits {
  std::string_view name;  // as the key `provider` has it
  std::uint8_t qos_max = 2;
  std::uint64_t packet_bytes_max = 0;
  std::uint16_t inflight_max = 0;  // messages that may be unacknowledged
  Duration keepalive_max{};
  Duration session_expiry_max{};
  std::uint64_t client_id_bytes_max = 0;
  std::uint64_t topic_levels_max = 0;  // of topics and filters
  std::uint64_t topic_bytes_max = 0;
  std::uint64_t subscriptions_max = 0;    // of one client
  std::uint64_t messages_per_second = 0;  // of one client; what is beyond it is lost or ends the connection
  std::string_view alpn_at_443 = {};      // what a client has to offer there to be taken for one of MQTT
  bool needs_username = false;            // a name and a password, or a token
  bool refuses_user_properties = false;   // of a CONNECT, such as that of a loop guard
};

// nullptr for Provider::None.
const ProviderLimits* provider_limits(Provider provider);

// `bridge` with its values brought within the limits of its provider: no higher QoS, no larger packet, no more in
// flight, no longer keep-alive and expiry, no loop guard where that is refused, and the protocol that port 443 asks for
// where none is written.
Bridge within_provider(Bridge bridge);

}  // namespace furrow::config
