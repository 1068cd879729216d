// When a status document is published because its state has changed: at once, but not more often than once a second.
#pragma once

#include <cstdint>

#include "broker-core/base/time.h"

namespace furrow::gateway {

class StatusPace {
 public:
  static constexpr Duration kApart = std::chrono::seconds(1);

  // `changes`: how often the state has changed so far. kNever while the document says what there is to say.
  Instant due(std::uint64_t changes) const { return changes == changes_ ? kNever : published_ + kApart; }
  void note_published(std::uint64_t changes, Instant now) {
    changes_ = changes;
    published_ = now;
  }

 private:
  std::uint64_t changes_ = 0;  // that the document has told of
  Instant published_ = Instant::min();
};

}  // namespace furrow::gateway
