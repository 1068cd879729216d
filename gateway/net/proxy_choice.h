// Through which proxy a far side is reached: the one of the configuration, or what the environment says.
//
// The environment is read as curl reads it: https_proxy for mqtts:// and wss://, then all_proxy, the names in small
// letters before those in capitals; no_proxy names hosts, the ends of names, and networks that are reached without one.
// Pure: the environment is passed in.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "bridge/address.h"
#include "broker-core/base/result.h"
#include "config/proxy.h"
#include "config/scalar.h"

namespace furrow::gateway {

struct ProxyChoice {
  config::Proxy proxy;                  // Http or Socks5
  std::optional<std::string> password;  // from the environment; nothing: that of the configuration's file
};

// Nothing: no proxy. Fails where the environment has something that is none.
Result<std::optional<ProxyChoice>> choose_proxy(const config::Proxy& configured, const bridge::Address& address,
                                                const config::Environment& environment);

// Whether `no_proxy`, a list with commas or blanks, takes in this host.
bool is_reached_directly(std::string_view no_proxy, std::string_view host);

}  // namespace furrow::gateway
