// How long a destination that acknowledges is given before its message is written (`store.interval`).
#pragma once

#include <optional>

#include "broker-core/base/time.h"

namespace furrow::broker {

class Inflight;

struct CommitInterval {
  std::optional<Duration> fixed;  // empty: auto

  // 0 while the receiver is away or its window is full: it will not acknowledge soon.
  Duration wait(const Inflight& inflight) const;
  // For a receiver that is there and has acknowledged nothing yet.
  Duration first_wait() const;
};

}  // namespace furrow::broker
