// How fast a counter grows, in events per second, smoothed over about ten seconds.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>

#include "broker-core/base/time.h"

namespace furrow::bridge {

class Rate {
 public:
  // The counter stands at `count` now. Returns the smoothed rate.
  double update(std::uint64_t count, Instant now) {
    if (!last_) {
      last_ = now;
      count_ = count;
      return per_s_;
    }
    const double seconds = std::chrono::duration<double>(now - *last_).count();
    if (seconds <= 0) return per_s_;
    const double current = static_cast<double>(count - count_) / seconds;
    // What lies further back weighs e^(-age / 10 s), however irregular the calls are.
    per_s_ += (current - per_s_) * (1 - std::exp(-seconds / kSmoothingSeconds));
    last_ = now;
    count_ = count;
    return per_s_;
  }

  double per_s() const { return per_s_; }

 private:
  static constexpr double kSmoothingSeconds = 10;

  std::optional<Instant> last_;
  std::uint64_t count_ = 0;
  double per_s_ = 0;
};

}  // namespace furrow::bridge
