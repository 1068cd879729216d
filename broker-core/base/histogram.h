// How long something took, as counts in fixed buckets.
//
// The bounds reach from a millisecond, a commit on a good disk, to half a minute, a far side at the end of its
// patience; between two of them lies a factor of 2 to 3, so that a quantile is told within that. Adding costs a search
// among a few numbers, and no memory.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "broker-core/base/time.h"

namespace furrow {

class Histogram {
 public:
  static constexpr std::array<Duration, 14> kBounds = {
      std::chrono::milliseconds(1),   std::chrono::microseconds(2'500), std::chrono::milliseconds(5),
      std::chrono::milliseconds(10),  std::chrono::milliseconds(25),    std::chrono::milliseconds(50),
      std::chrono::milliseconds(100), std::chrono::milliseconds(250),   std::chrono::milliseconds(500),
      std::chrono::seconds(1),        std::chrono::milliseconds(2'500), std::chrono::seconds(5),
      std::chrono::seconds(10),       std::chrono::seconds(30)};

  // A negative duration counts as none.
  void add(Duration duration) {
    const auto bound = std::ranges::lower_bound(kBounds, duration);
    ++counts_[static_cast<std::size_t>(bound - kBounds.begin())];
    sum_ += std::max(duration, Duration::zero());
  }

  // How many took at most kBounds[index], and longer than the bound before; the last, kBounds.size(): longer than all.
  std::uint64_t count(std::size_t index) const { return counts_[index]; }
  Duration sum() const { return sum_; }

 private:
  std::array<std::uint64_t, kBounds.size() + 1> counts_{};
  Duration sum_{};
};

}  // namespace furrow
