// `furrow trace`: the packets of clients and bridges as lines, while they pass.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "gateway/cli/gateway_access.h"

namespace furrow::gateway {

// At least one of the first four is said.
struct TraceOptions : GatewayChoice {
  std::string client;
  std::optional<std::string> filter;
  std::string address;  // or a network
  std::string bridge;
  std::optional<std::chrono::seconds> length;
  std::optional<std::uint64_t> count;
  bool payload = false;
  bool json = false;
};

// The exit code. Ctrl-C ends it in order.
int run_trace(const TraceOptions& options);

}  // namespace furrow::gateway
