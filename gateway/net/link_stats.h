// What is counted of connections before the broker knows them, as plain numbers since start.
#pragma once

#include <cstdint>

namespace furrow::gateway {

struct LinkStats {
  std::uint64_t strangers = 0;            // came to a listener behind a balancer, and not from there
  std::uint64_t not_allowed = 0;          // came from elsewhere than allow_from says
  std::uint64_t openings_failed = 0;      // a layer gave up
  std::uint64_t openings_timed_out = 0;   // a layer was still opening after the time for CONNECT
  std::uint64_t openings_over_limit = 0;  // gave way to newer ones
  std::uint64_t accepts_paced = 0;        // times that new connections had to wait, by limits.connections_per_second
  std::uint64_t accepts_late = 0;         // the same, because the loop was late
  std::uint64_t questions = 0;            // asked by HTTP, beside MQTT
  std::uint64_t control_over_limit = 0;   // came to the control socket while too many others asked
  std::uint64_t descriptors_short = 0;    // times that new connections had to wait for a descriptor
};

}  // namespace furrow::gateway
