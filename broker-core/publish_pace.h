// How fast one client may publish: `limits.publish`.
//
// Each message takes the time that it has at the rate, by its number and by its bytes, off an account that fills with
// time and holds `burst` of it. With nothing left the next message waits. So a client that was quiet for a while may
// send `burst` worth of messages at once, and a sensor with a backlog is not slowed down by its first packet. Two
// moments are all there is to remember (the generic cell rate algorithm, ITU-T I.371 §A). Time: passed in.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ratio>

#include "broker-core/base/time.h"

namespace furrow::broker {

struct PublishRate {
  std::uint32_t messages_per_second = 0;  // 0 = no limit
  std::uint32_t bytes_per_second = 0;     // of topics and payloads; 0 = no limit
  Duration burst = std::chrono::seconds(10);

  bool is_limited() const { return messages_per_second > 0 || bytes_per_second > 0; }
};

class PublishPace {
 public:
  // A message has come. Returns when the next one may be read; `now` or earlier: at once.
  Instant take(std::size_t bytes, const PublishRate& rate, Instant now) {
    const Moment messages = charge(messages_, 1, rate.messages_per_second, now);
    const Moment until = std::max(messages, charge(bytes_, bytes, rate.bytes_per_second, now));
    return std::chrono::ceil<Duration>(until) - rate.burst;
  }

 private:
  // A byte may have less than a microsecond.
  using Moment = std::chrono::time_point<MonotonicClock, std::chrono::nanoseconds>;

  static Moment charge(Moment& account, std::size_t amount, std::uint32_t per_second, Instant now) {
    account = std::max<Moment>(account, now);
    if (per_second > 0) account += std::chrono::nanoseconds(std::uint64_t{amount} * std::nano::den / per_second);
    return account;
  }

  Moment messages_{};
  Moment bytes_{};
};

}  // namespace furrow::broker
