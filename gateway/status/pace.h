// When a status document that has changed is published: at once, but not more often than once a second.
#pragma once

#include "broker-core/base/time.h"

namespace furrow::gateway {

class StatusPace {
 public:
  static constexpr Duration kApart = std::chrono::seconds(1);

  void note_change() { changed_ = true; }
  void note_published(Instant now) {
    published_ = now;
    changed_ = false;
  }
  bool is_due(Instant now) const { return now >= next(); }
  // kNever while nothing has changed.
  Instant next() const { return changed_ ? published_ + kApart : kNever; }

 private:
  Instant published_ = Instant::min();
  bool changed_ = false;
};

}  // namespace furrow::gateway
