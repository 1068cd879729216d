// The status documents: what `$SYS/furrow/gateway` and `$SYS/furrow/bridge/NAME` say, as JSON.
//
// Names and meaning of every field are a contract with whoever reads them; fields are added, never changed. Times are
// RFC 3339 UTC (`…_at`) or seconds ago or ahead (`…_s`); what is not known is null. The only file that uses
// nlohmann/json, whose exceptions do not leave it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/bridge.h"
#include "broker-core/base/time.h"
#include "broker-core/stats.h"
#include "broker-core/store.h"

namespace furrow::gateway {

// When a document is made, and its place in the order of documents.
struct StatusMoment {
  std::uint64_t seq = 0;
  Instant now;
  WallTime wall;

  // The wall-clock time of a moment of this boot.
  WallTime wall_at(Instant then) const { return wall - (now - then); }
};

struct ListenerStatus {
  std::string name;
  std::string protocol;
  std::string address;
};

struct StoreStatus {
  broker::StoreHealth health;
  Instant since;               // of the state
  std::uint64_t messages = 0;  // that wait on disk or on their way to it
  std::uint64_t bytes = 0;     // of these, in the buffers of bridges and the queues of sessions
};

struct GatewayStatus {
  std::string id;
  std::string version;
  Instant started;
  std::string acknowledge;
  std::uint64_t clients_connected = 0;
  std::uint64_t sessions = 0;
  std::uint64_t messages_received = 0;
  std::uint64_t messages_sent = 0;
  std::uint64_t messages_dropped = 0;
  std::uint64_t retained_messages = 0;  // what a new subscriber gets: the status topics too
  std::uint64_t retained_bytes = 0;
  broker::Stats stats;  // for how often each limit was reached
  StoreStatus store;
  std::vector<ListenerStatus> listeners;
  std::optional<std::uint64_t> memory_bytes;
  bool clock_trusted = false;
  std::uint64_t expired_by_correction = 0;  // see broker::Journal
  std::uint64_t wills_waiting = 0;          // see broker::Wills
};

std::string_view name(broker::StoreState state);

std::string to_json(const GatewayStatus& status, const StatusMoment& moment);
std::string to_json(const std::string& bridge_name, const bridge::Snapshot& bridge, const StatusMoment& moment);

// What a reader of a bridge's document mostly wants to know.
struct BridgeSummary {
  std::string state;
  std::uint64_t backlog = 0;  // messages
  std::uint64_t inflight = 0;
};
// Nothing when `document` is not one of a bridge.
std::optional<BridgeSummary> read_bridge_status(std::string_view document);

}  // namespace furrow::gateway
