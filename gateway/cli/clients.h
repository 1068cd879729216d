// `furrow clients`: who is connected or has a session; ends connections and sessions.
#pragma once

#include <string>

#include "gateway/cli/gateway_access.h"

namespace furrow::gateway {

struct ClientsOptions : GatewayChoice {
  enum class Action : std::uint8_t { List, Show, Kick, Forget };

  Action action = Action::List;
  std::string client;  // but for List
  bool json = false;
};

// The exit code.
int run_clients(const ClientsOptions& options);

}  // namespace furrow::gateway
