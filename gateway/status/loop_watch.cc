#include "gateway/status/loop_watch.h"

#include <algorithm>
#include <utility>

namespace furrow::gateway {

void LoopWatch::note(Duration late, Instant now) {
  lateness_.add(late);
  if (now - period_ >= kMemory) {
    before_ = now - period_ < 2 * kMemory ? worst_ : Duration::zero();
    worst_ = {};
    period_ = now;
  }
  worst_ = std::max(worst_, late);
}

Duration LoopWatch::late_by(Instant now) const {
  const Duration passed = now - period_;
  if (passed >= 2 * kMemory) return {};
  return passed >= kMemory ? worst_ : std::max(worst_, before_);
}

}  // namespace furrow::gateway
