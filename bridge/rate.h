// How fast things change, per second, smoothed over about ten seconds.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>

#include "broker-core/base/time.h"

namespace furrow::bridge {

// The mean of a value over the last ten seconds, or over its whole life while that is shorter.
class Smoothed {
 public:
  // The value was `current` for the last `seconds`. What lies further back weighs e^(-age / 10 s), however irregular
  // the calls are. REQUIRES: seconds > 0.
  void update(double current, double seconds) {
    const double share = 1 - std::exp(-seconds / kSmoothingSeconds);
    sum_ += (current - sum_) * share;
    weight_ += (1 - weight_) * share;
  }
  // Without the weight the first seconds would be averaged with zeros from before them.
  double mean() const { return weight_ > 0 ? sum_ / weight_ : 0; }

 private:
  static constexpr double kSmoothingSeconds = 10;

  double sum_ = 0;
  double weight_ = 0;
};

// How fast a counter grows.
class Rate {
 public:
  // The counter stands at `count` now.
  void update(std::uint64_t count, Instant now) {
    const double seconds = last_ ? std::chrono::duration<double>(now - *last_).count() : 0;
    if (last_ && seconds <= 0) return;
    if (last_) smoothed_.update(static_cast<double>(count - count_) / seconds, seconds);
    if (smoothed_.mean() < kLeast) smoothed_ = {};
    last_ = now;
    count_ = count;
  }

  double per_s() const { return smoothed_.mean(); }
  // Whether update() would change anything but the time, when the counter stands at `count`.
  bool is_moving(std::uint64_t count) const { return per_s() > 0 || count != count_; }

 private:
  static constexpr double kLeast = 0.01;  // less than that is none

  std::optional<Instant> last_;
  std::uint64_t count_ = 0;
  Smoothed smoothed_;
};

}  // namespace furrow::bridge
