// `furrow bridge`: shows bridges, has them rest, and moves them to another connection.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "gateway/cli/gateway_access.h"

namespace furrow::gateway {

struct BridgeOptions : GatewayChoice {
  enum class Action : std::uint8_t { List, Pause, Resume, Reconnect, Use };

  Action action = Action::List;
  std::string bridge;                          // but for List
  std::string address;                         // for Use
  std::optional<std::chrono::seconds> length;  // of a pause; nothing: until it is resumed
  bool json = false;
};

// The exit code.
int run_bridge(const BridgeOptions& options);

}  // namespace furrow::gateway
