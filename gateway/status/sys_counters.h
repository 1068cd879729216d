// Mosquitto's `$SYS/broker/…` topics, so that exporters and dashboards made for it show this gateway too.
//
// All that versions 2.0 and 2.1 publish, with their meaning, but for `packet/out/…`: what waits for a socket is bytes
// here, not packets. Traffic with far brokers, which Mosquitto counts among all other, is in the documents of the
// bridges only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gateway/status/model.h"

namespace furrow::gateway {

// A topic and what it says.
struct StatusTopic {
  std::string topic;
  std::string payload;
};

std::vector<StatusTopic> sys_counters(const StatusModel& model);

// The one that says whether a bridge is connected, by its client identifier at the far broker. Nothing while that is
// unknown, or cannot be part of a topic name.
std::optional<StatusTopic> connection_state(const BridgeStatus& bridge);

}  // namespace furrow::gateway
