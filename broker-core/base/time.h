// Time as a value. Nothing in the pure folders can ask what time it is; it is passed in.
#pragma once

#include <chrono>
#include <cstdint>

namespace furrow {

// Microseconds are fine enough for acknowledgement times and fit 292,000 years.
using Duration = std::chrono::duration<std::int64_t, std::micro>;

// The monotonic clock, without a now(): only `gateway/clock` and the simulator have one.
struct MonotonicClock {
  using rep = Duration::rep;
  using period = Duration::period;
  using duration = Duration;
  using time_point = std::chrono::time_point<MonotonicClock, Duration>;
  static constexpr bool is_steady = true;
};
using Instant = MonotonicClock::time_point;

inline constexpr Instant kNever = Instant::max();

// Wall-clock time since 1970, UTC. For stamps that people read and for ages across restarts; never for timers.
using WallTime = std::chrono::time_point<std::chrono::system_clock, Duration>;

}  // namespace furrow
