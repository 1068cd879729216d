// Time as a value. Nothing in the pure folders can ask what time it is; it is passed in.
#pragma once

#include <chrono>
#include <cstdint>

namespace furrow {

// Microseconds are fine enough for acknowledgement times and fit 292,000 years.
using Duration = std::chrono::duration<std::int64_t, std::micro>;

// Without the fraction. REQUIRES: not negative.
constexpr std::uint64_t whole_seconds(Duration duration) {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(duration).count());
}

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

// One moment on every clock we have, stored with messages that must keep their age over a restart.
struct ClockStamp {
  std::uint64_t boot = 0;  // names this boot of the machine; monotonic times of different boots do not compare
  Instant monotonic{};     // since boot, suspended time included
  WallTime wall{};
  bool trusted = false;  // whether `wall` is known to be right
};

// How long ago `then` was, as far as can be told: by the monotonic clock within one boot, else by the wall clock if
// both stamps trust it. Where neither can tell, time spent powered off counts as nothing and only the time since this
// boot counts.
Duration elapsed(const ClockStamp& then, const ClockStamp& now);

// How much longer ago `then` was than elapsed() says as long as `now` is not trusted: the time spent powered off.
Duration uncounted(const ClockStamp& then, const ClockStamp& now);

}  // namespace furrow
