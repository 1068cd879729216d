#include "broker-core/session/retained_pace.h"

#include <algorithm>

namespace furrow::broker {

void RetainedPace::add(std::size_t bytes, bool first_of_topic) {
  bytes_ += bytes;
  at_once_ = at_once_ || first_of_topic;
}

Instant RetainedPace::due() const {
  if (bytes_ == 0) return kNever;
  return at_once_ ? Instant::min() : empty_at_ + interval_;
}

void RetainedPace::pay(Instant now) {
  if (at_once_) return;
  // No debt: a commit for values that no publisher waits for is made after an interval, paid or not.
  empty_at_ = std::min(now, std::max(empty_at_, now - kCommitsMax * interval_) + interval_);
}

}  // namespace furrow::broker
