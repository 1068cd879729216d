#include "bridge/backoff.h"

#include <algorithm>

#include "broker-core/base/check.h"

namespace furrow::bridge {

Backoff::Backoff(Duration initial, Duration max, std::uint64_t seed)
    : initial_(initial), max_(max), last_(initial), random_(seed) {
  FURROW_CHECK(initial_ > Duration::zero());
  FURROW_CHECK(initial_ <= max_);
}

Duration Backoff::next() {
  const Duration ceiling = last_ > max_ / 3 ? max_ : std::max(initial_, last_ * 3);
  const auto span = static_cast<std::uint64_t>((ceiling - initial_).count());
  last_ = initial_ + Duration(static_cast<Duration::rep>(random_.below(span + 1)));
  return last_;
}

}  // namespace furrow::bridge
