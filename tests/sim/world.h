// One simulated world: sensors → a gateway made of furrow's own cores → a model of a regional broker, on a network, a
// store and a clock that the world owns. The same seed gives the same run.
//
// Phase one: faults. The checkers watch safety; the books must balance at every step. Phase two: everything is healed,
// and within a budget of simulated time all that was acknowledged must have arrived. Swarm: each run turns some kinds
// of fault off and others up, so that a fault is also met without the others hiding it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bridge/bridge.h"
#include "broker-core/base/random.h"
#include "broker-core/broker.h"
#include "tests/sim/disk.h"
#include "tests/sim/ledger.h"
#include "tests/sim/network.h"
#include "tests/sim/region.h"
#include "tests/sim/sensor.h"

namespace furrow::sim {

// Log events of level error fail the run.
class SimLog final : public Log {
 public:
  SimLog(Ledger& ledger, bool verbose) : ledger_(ledger), verbose_(verbose) {}
  void set_now(Instant now) { now_ = now; }
  bool enabled(LogLevel level) const override { return verbose_ || level == LogLevel::Error; }
  void write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) override;

 private:
  Ledger& ledger_;
  const bool verbose_;
  Instant now_{};
};

class World {
 public:
  // How often a kind of fault strikes, in mean time between; zero = never in this run.
  struct Faults {
    Duration sensor_cut{};
    Duration uplink_cut{};
    Duration uplink_silence{};
    Duration uplink_outage{};
    Duration region_restart{};
    Duration gateway_crash{};
    Duration disk_stall{};
  };
  struct Options {
    std::uint64_t seed = 1;
    std::size_t sensors = 3;
    std::uint32_t messages = 100;  // of each sensor
    mqtt::Version region_version = mqtt::Version::V5;
    std::uint16_t receive_maximum = 20;
    std::uint16_t topic_alias_maximum = 10;
    Duration commit_time_max = std::chrono::milliseconds(20);
    Faults faults;
    bool verbose = false;
  };
  static Options draw(std::uint64_t seed);
  static std::string describe(const Options& options);

  explicit World(const Options& options);
  ~World();

  // True when all checks held; else failures() says which did not.
  bool run();
  const std::vector<std::string>& failures() const { return ledger_.failures(); }
  std::string summary() const;

 private:
  struct Gateway {  // lives from one crash to the next
    explicit Gateway(World& world, broker::Restored restored);
    broker::Broker broker;
    std::unique_ptr<bridge::Bridge> bridge;
  };
  // A sensor's link as the gateway sees it.
  struct Accepted {
    LinkRef link;
    ConnectionId connection;
  };

  void start_gateway();
  void crash_gateway();
  void step();
  void run_gateway();
  void deliver_to_gateway();
  void drive_bridge();
  void flush_gateway();
  void connect_sensors();
  void strike_faults();
  bool due(Duration mean_time, Instant& next);
  void heal();
  void check_books();
  bool finished() const;
  Instant next_event() const;
  ClockStamp stamp(Instant now) const;

  const Options options_;
  Random random_;
  Instant now_ = Instant{} + std::chrono::seconds(1000);
  std::uint64_t boot_ = 1;
  Ledger ledger_;
  SimLog log_;
  Disk disk_;
  Region region_;
  std::vector<std::unique_ptr<Sensor>> sensors_;
  std::vector<Instant> sensor_retry_;
  std::unique_ptr<Gateway> gateway_;
  Instant gateway_start_{};
  std::vector<Accepted> accepted_;
  LinkRef uplink_;
  Instant uplink_ready_ = kNever;  // the connection that the bridge asked for comes up, or fails, then
  Instant outage_until_{};
  bool healed_ = false;

  struct NextFaults {
    Instant sensor_cut = kNever, uplink_cut = kNever, uplink_silence = kNever, uplink_outage = kNever;
    Instant region_restart = kNever, gateway_crash = kNever, disk_stall = kNever;
  } next_;
  std::uint64_t steps_ = 0;
  std::uint64_t crashes_ = 0;
};

}  // namespace furrow::sim
