#include <chrono>
#include <optional>
#include <string>

#include "tests/bench/load/block_device.h"
#include "tests/bench/load/fail.h"
#include "tests/bench/load/payload.h"
#include "tests/bench/load/scenarios.h"
#include "tests/bench/load/upstream.h"

namespace furrow::load {

Report run_drain(const Broker& broker, const DrainOptions& options) {
  using Clock = std::chrono::steady_clock;
  const ReadingsOptions& readings = options.readings;
  const std::size_t messages = readings.messages / readings.publishers * readings.publishers;
  const std::uint64_t disk_before = block_device_bytes(options.data);
  OrderCheck check(readings.publishers, readings.bytes);
  std::size_t drained = 0;
  std::optional<Clock::time_point> first;
  Upstream upstream(options.upstream_port);
  upstream.on_publish = [&](const Publish& publish) {
    if (!first) first = Clock::now();
    check.take_next(publish.payload);
    upstream.acknowledge(publish.id);
    ++drained;
  };
  const auto turn = [&] {
    if (upstream.turn(broker.patience)) return;
    fail("nothing came from the bridge for " + std::to_string(broker.patience.count()) +
         " s; missing: " + std::to_string(messages - drained) + " of " + std::to_string(messages) + " messages");
  };

  while (!upstream.accepted()) turn();
  const Clock::time_point accepted = Clock::now();
  const Measurement measurement(broker.process);
  while (drained < messages) turn();
  Report report;
  measurement.finish(drained, report);
  report.add("first_publish_ms", std::chrono::duration<double, std::milli>(*first - accepted).count());
  report.add("resident_peak_bytes", static_cast<double>(broker.process.resident_peak_bytes()));
  broker.process.wait_until_idle(std::chrono::milliseconds(options.quiet_ms));
  const auto disk_bytes = static_cast<double>(block_device_bytes(options.data) - disk_before);
  report.add("disk_bytes_each", disk_bytes / static_cast<double>(messages));
  upstream.turn({});
  if (drained > messages) fail("more messages came than were published");
  return report;
}

}  // namespace furrow::load
