// Where a connection comes from: a socket that is bound before it connects.
#pragma once

#include <uv.h>

#include <string>

#include "broker-core/base/result.h"
#include "gateway/net/socket_address.h"

namespace furrow::gateway {

// Binds `tcp`, which is to connect to `target`, to `source`: a local address, or a network interface by its name, whose
// addresses and routes are used then, whatever those of the machine say. Empty: nothing is done. The error names the
// source only where the reason is about it.
Status bind_to_source(uv_tcp_t& tcp, const std::string& source, const SocketAddress& target);

}  // namespace furrow::gateway
