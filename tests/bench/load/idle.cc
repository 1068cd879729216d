#include <string>

#include "tests/bench/load/fleet.h"
#include "tests/bench/load/scenarios.h"

namespace furrow::load {

Report run_idle(const Broker& broker, const IdleOptions& options) {
  Fleet fleet(broker);
  fleet.on_frame = [](Client&, const Frame&) {};
  const std::chrono::milliseconds quiet(options.quiet_ms);
  broker.process.wait_until_idle(quiet);
  const std::uint64_t before = broker.process.resident_bytes();

  fleet.connect(options.connections);
  for (std::size_t i = 0; i < options.connections; ++i) {
    fleet.subscribe(fleet[i], "command/device-" + std::to_string(i), 0);
  }
  broker.process.wait_until_idle(quiet);
  const auto growth = static_cast<double>(broker.process.resident_bytes()) - static_cast<double>(before);
  Report report;
  report.add("connections", static_cast<double>(options.connections));
  report.add("bytes_each", growth / static_cast<double>(options.connections));
  return report;
}

}  // namespace furrow::load
