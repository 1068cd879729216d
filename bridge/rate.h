// How fast a counter grows, in events per second, smoothed over about ten seconds.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>

#include "broker-core/base/time.h"

namespace furrow::bridge {

class Rate {
 public:
  // The counter stands at `count` now.
  void update(std::uint64_t count, Instant now) {
    if (!last_) {
      last_ = now;
      count_ = count;
      return;
    }
    const double seconds = std::chrono::duration<double>(now - *last_).count();
    if (seconds <= 0) return;
    const double current = static_cast<double>(count - count_) / seconds;
    // What lies further back weighs e^(-age / 10 s), however irregular the calls are.
    per_s_ += (current - per_s_) * (1 - std::exp(-seconds / kSmoothingSeconds));
    if (per_s_ < kLeast) per_s_ = 0;
    last_ = now;
    count_ = count;
  }

  double per_s() const { return per_s_; }
  // Whether update() would change anything but the time, when the counter stands at `count`.
  bool is_moving(std::uint64_t count) const { return per_s_ > 0 || count != count_; }

 private:
  static constexpr double kSmoothingSeconds = 10;
  static constexpr double kLeast = 0.01;  // less than that is none

  std::optional<Instant> last_;
  std::uint64_t count_ = 0;
  double per_s_ = 0;
};

}  // namespace furrow::bridge
