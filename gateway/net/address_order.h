// The order in which the addresses of one name are tried (RFC 8305 §4). Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "gateway/net/socket_address.h"

namespace furrow::gateway {

// More of one name are not tried: each silent one costs a socket, and the reason of a failure names them all.
inline constexpr std::size_t kAddressesTriedMax = 8;

// `addresses` without duplicates, in the order that the system prefers (RFC 6724) with the families alternating, so
// that a family without a way out costs one delay and not one for each address. `first` goes first, if it is there.
std::vector<SocketAddress> in_order_of_trying(const std::vector<SocketAddress>& addresses,
                                              const std::optional<SocketAddress>& first);

}  // namespace furrow::gateway
