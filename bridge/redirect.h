// Where a far broker sends us instead: the server reference of a CONNACK of 0x9C or 0x9D.
//
//   reference = HOST [":" PORT] (" " HOST [":" PORT])*       an IPv6 address in brackets
//
// The first of them counts, with the scheme and path of the address that was asked, and its port where none is given: a
// far broker can name another host, and no other way to talk to it. With TLS that host has to show a certificate for
// its own name, from whom the bridge trusts anyway. Spec: MQTT 5.0 §4.11.
#pragma once

#include <optional>
#include <string_view>

#include "bridge/address.h"

namespace furrow::bridge {

// Nothing when the reference names no host.
std::optional<Address> redirect_target(std::string_view reference, const Address& from);

}  // namespace furrow::bridge
