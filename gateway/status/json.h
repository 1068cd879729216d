// The picture of the gateway as JSON: the documents on `$SYS/furrow/gateway`, `$SYS/furrow/bridge/NAME` and
// `$SYS/furrow/alarms`.
//
// Names and meaning of every field are a contract with whoever reads them; fields are added, never changed. Times are
// RFC 3339 UTC (`…_at`) or seconds ago or ahead (`…_s`); what is not known is null. This file and documents.cc
// alone use nlohmann/json, whose exceptions do not leave them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/status/history.h"
#include "gateway/status/model.h"

namespace furrow::gateway {

// Everything but the bridges.
std::string gateway_json(const StatusModel& model);
std::string bridge_json(const BridgeStatus& bridge, const StatusMoment& moment);
// `$SYS/furrow/client/ID`.
std::string client_json(const ClientDetails& client, const StatusMoment& moment);
// The worst of them, and how many there are beyond that.
std::string alarms_json(const std::vector<Alarm>& alarms, const StatusMoment& moment);
// `$SYS/furrow/history`.
std::string history_json(const StatusHistory::Points& points, const StatusMoment& moment);
// What a region retains of this gateway, see PresenceNews: while it is there, and when it is gone, for `reason`.
std::string presence_json(const StatusModel& model);
std::string offline_json(const GatewayFacts& gateway, std::string_view reason);
// All of them in one: `{"gateway":…,"bridges":{NAME:…},"alarms":…}`.
std::string status_json(const StatusModel& model);

// What a reader of a bridge's document mostly wants to know.
struct BridgeSummary {
  std::string state;
  std::uint64_t backlog = 0;  // messages
  std::uint64_t inflight = 0;
};
// Nothing when `document` is not one of a bridge.
std::optional<BridgeSummary> read_bridge_status(std::string_view document);

}  // namespace furrow::gateway
