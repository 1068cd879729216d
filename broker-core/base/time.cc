#include "broker-core/base/time.h"

#include <algorithm>

namespace furrow {

Duration elapsed(const ClockStamp& then, const ClockStamp& now) {
  if (then.boot == now.boot) return std::max(now.monotonic - then.monotonic, Duration::zero());
  const Duration since_boot = std::max(now.monotonic - Instant{}, Duration::zero());
  if (!then.trusted || !now.trusted) return since_boot;
  return std::max(now.wall - then.wall, since_boot);
}

Duration uncounted(const ClockStamp& then, const ClockStamp& now) {
  ClockStamp doubtful = now;
  doubtful.trusted = false;
  return elapsed(then, now) - elapsed(then, doubtful);
}

}  // namespace furrow
