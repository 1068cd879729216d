// Mosquitto's `$SYS/broker/…` topics, so that exporters and dashboards made for it show this gateway too.
//
// `messages/…` counts PUBLISH packets, as `publish/messages/…` does: other packets are not counted.
#pragma once

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

}  // namespace furrow::gateway
