#include "tests/bench/load/report.h"

#include <algorithm>
#include <cstdio>

namespace furrow::load {
namespace {

double seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

}  // namespace

void Report::add(std::string_view name, double value) {
  char number[32];
  std::snprintf(number, sizeof number, "%.9g", value);
  if (!fields_.empty()) fields_ += ", ";
  fields_.append("\"").append(name).append("\": ").append(number);
}

void Report::add_percentiles(std::span<std::chrono::nanoseconds> times, const std::string& prefix) {
  std::ranges::sort(times);
  const auto percentile = [&](std::size_t percent) {
    return std::chrono::duration<double, std::micro>(times[(times.size() - 1) * percent / 100]).count();
  };
  add(prefix + "p50_us", percentile(50));
  add(prefix + "p99_us", percentile(99));
}

void Report::print() const {
  std::printf("{%s}\n", fields_.c_str());
}

Measurement::Measurement(const BrokerProcess& broker)
    : broker_(broker), start_(std::chrono::steady_clock::now()), cpu_(broker.cpu()) {}

void Measurement::finish(std::uint64_t messages, Report& report) const {
  const double cpu = seconds(broker_.cpu() - cpu_);
  report.add("messages", static_cast<double>(messages));
  const double elapsed = seconds(std::chrono::steady_clock::now() - start_);
  report.add("seconds", elapsed);
  report.add("messages_per_second", static_cast<double>(messages) / elapsed);
  report.add("cpu_s_per_million", cpu / (static_cast<double>(messages) / 1e6));
}

}  // namespace furrow::load
