#include "tests/bench/load/block_device.h"
#include "tests/bench/load/readings.h"
#include "tests/bench/load/scenarios.h"

namespace furrow::load {

Report run_publish(const Broker& broker, const PublishOptions& options) {
  Readings readings(broker, options.readings);
  readings.connect();
  const std::size_t messages = readings.share() * options.readings.publishers;
  const std::uint64_t disk_before = block_device_bytes(options.data);
  const std::uint64_t resident_before = broker.process.resident_bytes();
  const Measurement measurement(broker.process);
  while (readings.acknowledged() < messages) {
    for (std::size_t i = 0; i < options.readings.publishers; ++i) {
      const std::size_t waiting = readings.sent(i) - readings.acknowledged(i);
      if (options.in_batches && waiting > 0) continue;
      for (std::size_t count = waiting; count < options.window && readings.sent(i) < readings.share(); ++count) {
        readings.send(i);
      }
    }
    readings.fleet().turn();
  }
  Report report;
  measurement.finish(messages, report);
  const auto per_message = [messages](std::uint64_t bytes, std::uint64_t before) {
    return (static_cast<double>(bytes) - static_cast<double>(before)) / static_cast<double>(messages);
  };
  report.add("disk_bytes_each", per_message(block_device_bytes(options.data), disk_before));
  report.add("resident_bytes_each", per_message(broker.process.resident_bytes(), resident_before));
  return report;
}

}  // namespace furrow::load
