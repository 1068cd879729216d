// How much was going on: events a minute, averaged over the last 1, 5 and 15 minutes.
//
// Exponential averages, as Mosquitto publishes them and Unix shows its load: with r events a minute in the time t since
// the last look, the average over T becomes r + (average - r) × e^(-t/T). It does not matter how regularly that is
// done. Thread: any. Time: passed in.
#pragma once

#include <cstdint>

#include "broker-core/base/time.h"

namespace furrow::gateway {

class LoadAverage {
 public:
  // `total`: events since the start; never less than before. `passed`: since the last call, or the start.
  void move(std::uint64_t total, Duration passed);

  double over_1_minute() const { return over_1_minute_; }
  double over_5_minutes() const { return over_5_minutes_; }
  double over_15_minutes() const { return over_15_minutes_; }

 private:
  std::uint64_t total_ = 0;
  double over_1_minute_ = 0;
  double over_5_minutes_ = 0;
  double over_15_minutes_ = 0;
};

}  // namespace furrow::gateway
