// How fast newcomers are taken, on all listeners together: `limits.connections_per_second`.
//
// After an outage everybody comes back at once, and each costs a handshake, a password and a session. Whoever is beyond
// the rate waits in the kernel's queue, where nobody is forgotten, and those who are in are served meanwhile. A
// second's worth may come at once. Thread: loop.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "broker-core/base/time.h"

namespace furrow::gateway {

class AcceptPace {
 public:
  // A newcomer was taken. Returns how long the next has to wait; zero: not at all. `per_second`: 0 is no limit.
  Duration take(std::uint32_t per_second, Instant now) {
    if (per_second == 0) return {};
    account_ = std::max(account_, now) + kBurst / per_second;
    return std::max(account_ - kBurst - now, Duration::zero());
  }

 private:
  static constexpr Duration kBurst = std::chrono::seconds(1);

  Instant account_ = Instant::min();  // until when what was taken would have lasted, at the rate
};

}  // namespace furrow::gateway
