// The one line that a run prints: a JSON object of numbers, in the order in which they were added.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tests/bench/load/broker_process.h"

namespace furrow::load {

class Report {
 public:
  void add(std::string_view name, double value);
  // `p50_us` and `p99_us` of these times, with `prefix` before the names. Sorts them.
  void add_percentiles(std::span<std::chrono::nanoseconds> times, const std::string& prefix = "");
  void print() const;

 private:
  std::string fields_;
};

// What the broker and the clock used from its construction to finish().
class Measurement {
 public:
  explicit Measurement(const BrokerProcess& broker);

  // Adds `messages`, `seconds`, `messages_per_second` and `cpu_s_per_million` to the report.
  void finish(std::uint64_t messages, Report& report) const;

 private:
  const BrokerProcess& broker_;
  const std::chrono::steady_clock::time_point start_;
  const std::chrono::nanoseconds cpu_;
};

}  // namespace furrow::load
