#include "broker-core/session/commit_interval.h"

#include <algorithm>

#include "broker-core/session/inflight.h"

namespace furrow::broker {

namespace {

// Four acknowledgement times let a late one still come in time; the bounds keep a fast link from writing at every
// hiccup and a slow one from holding its publisher: two common libraries of small devices give up, or repeat, after a
// second.
constexpr Duration kWaitMin = std::chrono::milliseconds(100);
constexpr Duration kWaitMax = std::chrono::milliseconds(500);
// Before the first acknowledgement its time is unknown.
constexpr Duration kWaitFirst = std::chrono::milliseconds(250);

}  // namespace

Duration CommitInterval::wait(const Inflight& inflight) const {
  if (!inflight.connected() || inflight.window_full()) return Duration::zero();
  const auto time = inflight.acknowledgement_time();
  return fixed || !time ? first_wait() : std::clamp(*time * 4, kWaitMin, kWaitMax);
}

Duration CommitInterval::first_wait() const {
  return fixed.value_or(kWaitFirst);
}

}  // namespace furrow::broker
