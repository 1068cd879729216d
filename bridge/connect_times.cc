#include "bridge/connect_times.h"

#include "bridge/reports.h"

namespace furrow::bridge {
namespace {

constexpr std::uint16_t kMinutesOfDay = 24 * 60;

std::string time_of_day(std::uint16_t minute) {
  const auto two_digits = [](int number) { return (number < 10 ? "0" : "") + std::to_string(number); };
  return two_digits(minute / 60) + ":" + two_digits(minute % 60);
}

}  // namespace

void ConnectTimes::set_minute(std::optional<std::uint16_t> minute, Instant now) {
  knows_time_ = true;
  minute_ = minute;
  opens_at_.reset();
  if (!minute || window_is_open()) return;
  const int until = (options_.window_begin + kMinutesOfDay - *minute) % kMinutesOfDay;
  opens_at_ = now + std::chrono::minutes(until);
}

bool ConnectTimes::window_is_open() const {
  if (!has_window()) return true;
  if (!knows_time_) return false;
  if (!minute_) return true;
  const bool over_midnight = options_.window_end < options_.window_begin;
  const bool has_begun = *minute_ >= options_.window_begin;
  const bool has_not_ended = *minute_ < options_.window_end;
  return over_midnight ? has_begun || has_not_ended : has_begun && has_not_ended;
}

bool ConnectTimes::has_enough(const Queue& queue, Instant now) const {
  if (options_.demand_messages != 0 && queue.messages >= options_.demand_messages) return true;
  if (options_.demand_age == Duration::zero() || queue.messages == 0) return false;
  return !queue.oldest || *queue.oldest + options_.demand_age <= now;
}

bool ConnectTimes::wants_connection(const Queue& queue, Instant now) const {
  return queue.urgent || (window_is_open() && (!has_demand() || demanded_ || has_enough(queue, now)));
}

Instant ConnectTimes::wanted_due(const Queue& queue) const {
  if (wants_connection(queue, Instant::min())) return Instant::min();
  if (!window_is_open()) return kNever;
  if (options_.demand_age == Duration::zero() || queue.messages == 0) return kNever;
  return *queue.oldest + options_.demand_age;
}

std::string ConnectTimes::reason() const {
  if (!window_is_open()) return "until " + time_of_day(options_.window_begin) + ", when its window opens";
  std::string text;
  if (options_.demand_messages != 0) text = "until " + std::to_string(options_.demand_messages) + " messages wait";
  if (options_.demand_age != Duration::zero()) {
    text += (text.empty() ? "until" : ", or") + std::string(" one has waited for ") + in_seconds(options_.demand_age);
  }
  return text;
}

}  // namespace furrow::bridge
