// How fast the messages of one rule leave: `messages_per_second`.
//
// A second's worth may leave at once after a pause; then each waits for its time. Thread: loop. Time: passed in.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "broker-core/base/time.h"
#include "broker-core/publish_pace.h"

namespace furrow::bridge {

class RulePace {
 public:
  // 0 = no limit.
  void set(std::uint32_t messages_per_second) {
    rate_.messages_per_second = messages_per_second;
    until_.reset();
  }
  // A message leaves.
  void take(Instant now) {
    const Instant until = pace_.take(0, rate_, now);
    if (until > now) until_ = until;
  }
  // Whether the next has to wait; and until when, never if not, once review() has seen that time.
  bool holds_back(Instant now) const { return until_ && *until_ > now; }
  Instant due() const { return until_.value_or(kNever); }
  void review(Instant now) {
    if (until_ && *until_ <= now) until_.reset();
  }

 private:
  broker::PublishRate rate_{.burst = std::chrono::seconds(1)};
  broker::PublishPace pace_;
  std::optional<Instant> until_;
};

}  // namespace furrow::bridge
