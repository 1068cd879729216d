// Mosquitto's `$SYS/broker/…` topics, so that exporters and dashboards made for it show this gateway too.
//
// `messages/…` counts PUBLISH packets, as `publish/messages/…` does: other packets are not counted.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "broker-core/broker.h"

namespace furrow::gateway {

struct SysCounter {
  std::string topic;
  std::string value;
};

struct SysFacts {
  std::string version;
  Duration uptime{};
  std::uint64_t clients_maximum = 0;
  std::uint64_t messages_dropped = 0;  // by connections and by the queues of sessions
  std::uint64_t stored_messages = 0;
  std::uint64_t stored_bytes = 0;
};

std::vector<SysCounter> sys_counters(const broker::Broker& broker, const SysFacts& facts);

}  // namespace furrow::gateway
