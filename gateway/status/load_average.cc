#include "gateway/status/load_average.h"

#include <cmath>

namespace furrow::gateway {
namespace {

using Minutes = std::chrono::duration<double, std::chrono::minutes::period>;

void move_average(double& average, double rate, Minutes over, Minutes passed) {
  average = rate + (average - rate) * std::exp(-passed / over);
}

}  // namespace

void LoadAverage::move(std::uint64_t total, Duration passed) {
  if (passed <= Duration::zero()) return;
  const double rate = static_cast<double>(total - total_) / Minutes(passed).count();
  total_ = total;
  move_average(over_1_minute_, rate, Minutes(1), passed);
  move_average(over_5_minutes_, rate, Minutes(5), passed);
  move_average(over_15_minutes_, rate, Minutes(15), passed);
}

}  // namespace furrow::gateway
