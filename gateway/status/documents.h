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

struct AlarmDocument {
  std::string severity;
  std::string since_at;  // RFC 3339
  std::string about;
  std::string what;
  std::string todo;
};

struct AlarmsDocument {
  std::vector<AlarmDocument> alarms;
  std::uint64_t more = 0;  // beyond these
};

// What a region retains of a gateway.
struct FleetDocument {
  std::string id;
  std::string state;  // `online`, `offline`
  std::string version;
  std::string reason;  // why it is offline
  bool is_online = false;
  std::uint64_t alarm_count = 0;
  std::vector<std::string> alarms;  // the ids of some
  std::uint64_t bridges = 0;
  std::uint64_t bridges_well = 0;  // of these
  std::uint64_t backlog = 0;       // messages, of all of them
};

// Nothing when `document` is not one.
std::optional<GatewayDocument> read_gateway_document(std::string_view document);
std::optional<BridgeDocument> read_bridge_document(std::string_view document);
std::optional<AlarmsDocument> read_alarms_document(std::string_view document);
std::optional<FleetDocument> read_fleet_document(std::string_view document);

}  // namespace furrow::gateway
