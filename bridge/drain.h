// The drain of a backlog: how long it takes yet, and what it came to.
//
// The estimate looks at how fast the waiting messages become fewer, so it knows of those that come meanwhile, too.
// Thread: loop. Time: passed in.
#pragma once

#include <cstdint>
#include <optional>

#include "bridge/rate.h"
#include "broker-core/base/time.h"

namespace furrow::bridge {

class Drain {
 public:
  struct Counts {
    std::uint64_t backlog = 0;    // not sent yet
    std::uint64_t inflight = 0;   // sent and unacknowledged
    std::uint64_t delivered = 0;  // ever
  };

  bool active() const { return began_.has_value(); }
  // Begins a drain.
  void begin(const Counts& counts, Instant now) {
    *this = {};
    began_ = last_ = now;
    delivered_before_ = counts.delivered;
    waiting_ = counts.backlog + counts.inflight;
  }
  void cancel() { *this = {}; }
  // Brings the estimate up to date.
  void update(const Counts& counts, Instant now) {
    const double seconds = std::chrono::duration<double>(now - last_).count();
    if (!active() || seconds < kLeastSeconds) return;
    const std::uint64_t waiting = counts.backlog + counts.inflight;
    fall_.update((static_cast<double>(waiting_) - static_cast<double>(waiting)) / seconds, seconds);
    waiting_ = waiting;
    last_ = now;
  }

  struct Result {
    Duration after{};
    std::uint64_t delivered = 0;
  };
  // Ends the drain once the last of the backlog, which has left when this is first asked without a backlog, is
  // acknowledged.
  std::optional<Result> poll_end(const Counts& counts, Instant now) {
    if (!active() || counts.backlog > 0) return std::nullopt;
    if (!end_at_) end_at_ = counts.delivered + counts.inflight;
    if (counts.inflight > 0 && counts.delivered < *end_at_) return std::nullopt;
    const Result result{now - *began_, counts.delivered - delivered_before_};
    *this = {};
    return result;
  }

  // How long until the backlog has left; nothing while that cannot be told.
  std::optional<Duration> eta(std::uint64_t backlog) const {
    // Below one message in a hundred seconds an estimate says nothing.
    if (!active() || fall_.mean() < 0.01) return std::nullopt;
    const double seconds = static_cast<double>(backlog) / fall_.mean();
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
  }

 private:
  static constexpr double kLeastSeconds = 0.5;

  std::optional<Instant> began_;
  Instant last_{};
  std::uint64_t delivered_before_ = 0;
  std::uint64_t waiting_ = 0;            // at the last update
  std::optional<std::uint64_t> end_at_;  // deliveries, once nothing is in the backlog
  Smoothed fall_;                        // of the waiting messages, per second
};

}  // namespace furrow::bridge
