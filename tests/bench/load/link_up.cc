#include <chrono>
#include <cstdint>
#include <queue>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/bench/load/block_device.h"
#include "tests/bench/load/fail.h"
#include "tests/bench/load/payload.h"
#include "tests/bench/load/readings.h"
#include "tests/bench/load/scenarios.h"
#include "tests/bench/load/upstream.h"

namespace furrow::load {
namespace {

using Clock = std::chrono::steady_clock;

// How exactly messages and acknowledgements keep to their times.
constexpr std::chrono::milliseconds kTick(1);

class LinkUp {
 public:
  LinkUp(const Broker& broker, const LinkUpOptions& options)
      : broker_(broker),
        options_(options),
        readings_(broker, options.readings),
        upstream_(options.upstream_port),
        check_(options.readings.publishers, options.readings.bytes) {
    upstream_.on_publish = [this](const Publish& publish) { handle_publish(publish); };
  }

  Report run() {
    while (!upstream_.accepted()) {
      if (!upstream_.turn(broker_.patience)) fail("the bridge does not connect");
    }
    readings_.connect();
    publish(options_.warm_up);
    const std::uint64_t disk_before = block_device_bytes(options_.data);
    const std::size_t late_before = late_;
    const Measurement measurement(broker_.process);
    publish(options_.readings.messages);
    Report report;
    measurement.finish(options_.readings.messages, report);
    const auto per_message = [this](std::uint64_t count) {
      return static_cast<double>(count) / static_cast<double>(options_.readings.messages);
    };
    report.add("late_share", per_message(late_ - late_before));
    report.add("disk_bytes_each", per_message(block_device_bytes(options_.data) - disk_before));
    return report;
  }

 private:
  // Until all are acknowledged on both sides, and the broker is at rest.
  void publish(std::size_t count) {
    const std::size_t end = readings_.sent() + count;
    Clock::time_point due = Clock::now();
    Clock::time_point progress = due;
    while (readings_.acknowledged() < end || acknowledged_ < end) {
      const Clock::time_point now = Clock::now();
      const std::size_t before = acknowledged_ + readings_.acknowledged();
      for (; readings_.sent() < end && due <= now; due += kSecond / options_.rate) {
        readings_.send(readings_.sent() % options_.readings.publishers);
      }
      acknowledge_due(now);
      readings_.fleet().turn_without_waiting();
      upstream_.turn({});
      if (acknowledged_ + readings_.acknowledged() > before) progress = now;
      if (now - progress > broker_.patience) fail(describe_missing(end));
      std::this_thread::sleep_for(kTick);
    }
    broker_.process.wait_until_idle(std::chrono::milliseconds(options_.quiet_ms));
  }

  void handle_publish(const Publish& publish) {
    check_.take_next(publish.payload);
    const double factor = std::uniform_real_distribution(0.7, 1.3)(random_);
    auto after =
        std::chrono::duration_cast<Clock::duration>(factor * std::chrono::milliseconds(options_.round_trip_ms));
    if (std::uniform_int_distribution<std::size_t>(0, 99)(random_) < options_.late_percent) {
      after += std::chrono::milliseconds(options_.late_ms);
      ++late_;
    }
    waiting_.push({Clock::now() + after, publish.id});
  }

  void acknowledge_due(Clock::time_point now) {
    for (; !waiting_.empty() && waiting_.top().first <= now; waiting_.pop()) {
      upstream_.acknowledge(waiting_.top().second);
      ++acknowledged_;
    }
  }

  std::string describe_missing(std::size_t end) const {
    return "no progress; missing: " + std::to_string(end - readings_.acknowledged()) + " acknowledgements of " +
           std::to_string(end) + " messages, and " + std::to_string(end - acknowledged_ - waiting_.size()) +
           " at the far broker";
  }

  static constexpr std::chrono::nanoseconds kSecond = std::chrono::seconds(1);
  using Due = std::pair<Clock::time_point, std::uint16_t>;  // when, and which identifier

  const Broker& broker_;
  const LinkUpOptions options_;
  Readings readings_;
  Upstream upstream_;
  OrderCheck check_;
  std::minstd_rand random_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> waiting_;
  std::size_t acknowledged_ = 0;  // at the far broker
  std::size_t late_ = 0;
};

}  // namespace

Report run_link_up(const Broker& broker, const LinkUpOptions& options) {
  return LinkUp(broker, options).run();
}

}  // namespace furrow::load
