// The documents of the status topics, read back: what commands show of a running gateway.
//
// Only what is shown is read. Fields that a gateway of another version does not have are as good as unknown.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace furrow::gateway {

struct GatewayDocument {
  struct Listener {
    std::string name;
    std::string reason;  // why it waits for its address; empty: it listens
  };

  std::string id;
  std::string version;
  double uptime_s = 0;
  std::uint64_t clients = 0;  // connected
  std::uint64_t sessions = 0;
  std::string store_state;
  std::string store_reason;
  std::vector<Listener> listeners;
  bool clock_trusted = true;
};

struct BridgeDocument {
  std::string name;
  std::string state;
  std::string reason;
  std::string remote;
  std::uint64_t backlog_messages = 0;
  std::uint64_t backlog_bytes = 0;
  std::optional<double> oldest_s;
  std::uint64_t inflight = 0;
  std::uint64_t delivered = 0;
  std::uint64_t quarantined = 0;
  std::uint64_t dropped = 0;  // for all reasons together
  double up_per_s = 0;
  std::optional<double> drain_eta_s;
  std::optional<double> next_attempt_s;
};

// Nothing when `document` is not one.
std::optional<GatewayDocument> read_gateway_document(std::string_view document);
std::optional<BridgeDocument> read_bridge_document(std::string_view document);

}  // namespace furrow::gateway
