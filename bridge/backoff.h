// How long to wait before the next attempt: random between `initial` and three times the delay before, at most `max`.
//
// Decorrelated jitter: a thousand gateways that lost the same region at once do not come back at once, and keep apart
// however often they fail. Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
#pragma once

#include "broker-core/base/random.h"
#include "broker-core/base/time.h"

namespace furrow::bridge {

class Backoff {
 public:
  // REQUIRES: 0 < initial <= max.
  Backoff(Duration initial, Duration max, std::uint64_t seed);

  // The delay to wait now; in [initial, max].
  Duration next();
  // As the first of next(), and without making those that follow longer.
  Duration brief();
  // After a good connection the delays begin at `initial` again.
  void reset() { last_ = initial_; }

 private:
  Duration draw(Duration last);

  // Constant after construction.
  const Duration initial_;
  const Duration max_;
  // Changes with next().
  Duration last_;
  Random random_;
};

}  // namespace furrow::bridge
