// `furrow demo`: the newcomer's tour. An outage, and nothing lost.
//
// Starts a region broker and a gateway bridged to it (two processes of this program, on loopback, with temporary data),
// publishes simulated field sensors over MQTT at QoS 2, cuts the WAN in mid-flight, shows the buffer fill, heals it and
// shows the drain. An independent subscriber at the region counts sequence numbers.
#pragma once

#include <chrono>
#include <optional>

#include "broker-core/base/time.h"

namespace furrow::gateway {

struct DemoOptions {
  Duration outage = std::chrono::seconds(10);  // of each cut
  std::optional<Duration> publish_for;         // nothing: until Ctrl-C
};

// Tells its story on standard output. Returns the exit code: 0 only if what was sent arrived exactly once.
int run_demo(const DemoOptions& options);

}  // namespace furrow::gateway
