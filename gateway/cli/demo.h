// `furrow demo`: the newcomer's tour. An outage, and nothing lost.
//
// Starts a region broker and a gateway bridged to it (two processes of this program, on loopback, with temporary data),
// publishes simulated field sensors over MQTT at QoS 2, cuts the WAN in mid-flight, shows the buffer fill, heals it and
// shows the drain. An independent subscriber at the region counts sequence numbers.
#pragma once

#include <cstdint>
#include <optional>

namespace furrow::gateway {

struct DemoOptions {
  std::uint32_t outage_s = 10;
  std::optional<std::uint32_t> for_s;  // nothing: until Ctrl-C
};

// Tells its story on standard output. Returns the exit code: 0 only if what was sent arrived exactly once.
int run_demo(const DemoOptions& options);

}  // namespace furrow::gateway
