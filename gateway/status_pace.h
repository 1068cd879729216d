// When a status document is published: regularly, and soon after a change, but not more often than once a second.
#pragma once

#include <algorithm>

#include "broker-core/base/time.h"

namespace furrow::gateway {

class StatusPace {
 public:
  // The first document is due at once.
  explicit StatusPace(Duration interval) : interval_(interval) {}

  void note_change() { changed_ = true; }
  bool is_due(Instant now) const { return now >= next(); }
  void published(Instant now) {
    published_ = now;
    first_ = changed_ = false;
  }
  Instant next() const {
    if (first_) return Instant::min();
    return published_ + (changed_ ? std::min(kAfterChange, interval_) : interval_);
  }

 private:
  static constexpr Duration kAfterChange = std::chrono::seconds(1);

  Duration interval_;
  Instant published_{};
  bool first_ = true;
  bool changed_ = false;
};

}  // namespace furrow::gateway
