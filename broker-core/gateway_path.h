// The way of a message over several gateways, which it carries as a user property of MQTT 5, so that it does not go in
// circles.
//
//   furrow-gateway   in CONNECT: the identifier of the gateway whose bridge connects
//   furrow-path      in PUBLISH: the identifiers of the gateways that have passed the message on, in order
//   path    := gateway ('/' gateway)*
//
// A gateway that passes a message on from one broker to another adds itself to the path, at the latest when the message
// leaves. Thread: none. Knows no connection.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "broker-core/base/bytes.h"
#include "broker-core/mqtt/properties.h"

namespace furrow::broker {

inline constexpr std::string_view kGatewayProperty = "furrow-gateway";
inline constexpr std::string_view kPathProperty = "furrow-path";

// The value of the first user property with this name; empty when there is none.
std::string_view user_property(mqtt::PropertyView properties, std::string_view name);

// The gateway that says so in its CONNECT; empty when nobody does, or what it says is no identifier.
std::string_view gateway_of(mqtt::PropertyView connect);

inline std::string_view path_of(mqtt::PropertyView publish) {
  return user_property(publish, kPathProperty);
}

// `publish` as the gateway `own` passes it on: with `from`, the gateway that it came from, and `own` behind its path.
// `from` may be empty, or be at the end of the path already. A path that is too long stays. Borrows from `out`, which
// may have been what `publish` borrows from.
mqtt::PropertyView passed_on(mqtt::PropertyView publish, std::string_view from, std::string_view own, ByteBuffer& out);

// The number of gateways in the path; of one that is too long, more than any limit.
std::size_t hops(std::string_view path);
// Whether the message had come by `gateway` before that passed it on, as the last of the path.
bool has_circled(std::string_view path, std::string_view gateway);

}  // namespace furrow::broker
