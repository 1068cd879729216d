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
  last_ = draw(last_);
  return last_;
}

Duration Backoff::brief() {
  return draw(initial_);
}

Duration Backoff::draw(Duration last) {
  const Duration ceiling = last > max_ / 3 ? max_ : std::max(initial_, last * 3);
  const auto span = static_cast<std::uint64_t>((ceiling - initial_).count());
  return initial_ + Duration(static_cast<Duration::rep>(random_.below(span + 1)));
}

}  // namespace furrow::bridge
