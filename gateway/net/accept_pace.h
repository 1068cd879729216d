// How fast newcomers are taken, on all listeners together: `limits.connections_per_second`, and more slowly while the
// loop is late.
//
// After an outage everybody comes back at once, and each costs a handshake, a password and a session. Whoever is beyond
// the rate waits in the kernel's queue, where nobody is forgotten, and those who are in are served meanwhile. A
// second's worth may come at once. While turns of the loop take long one newcomer is taken now and then: handshakes
// that have begun are finished first. Thread: loop.
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

  // The last turn of the loop took this long. late_wait() is how long the next newcomer has to wait for that; zero: not
  // at all.
  void note_turn(Duration lasted) { late_ = lasted >= kLate; }
  Duration late_wait() const { return late_ ? kBreath : Duration::zero(); }

  static constexpr Duration kLate = std::chrono::milliseconds(50);

 private:
  static constexpr Duration kBreath = std::chrono::milliseconds(50);
  static constexpr Duration kBurst = std::chrono::seconds(1);

  Instant account_ = Instant::min();  // until when what was taken would have lasted, at the rate
  bool late_ = false;
};

}  // namespace furrow::gateway
