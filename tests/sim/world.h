// One simulated world: clients → gateways made of furrow's own cores → a model of a regional broker, on networks, disks
// and clocks that the world owns. The same seed gives the same run.
//
// Phase one: faults. The checkers watch safety; the books must balance in every turn. Phase two: everything is healed,
// and within a budget of simulated time all that was acknowledged must have arrived, or be counted as lost where limits
// allow that; retained values must be the last ones everywhere.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "broker-core/base/log.h"
#include "broker-core/base/random.h"
#include "tests/sim/client.h"
#include "tests/sim/gateway.h"
#include "tests/sim/ledger.h"
#include "tests/sim/options.h"
#include "tests/sim/region.h"

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
  explicit World(const Options& options);
  ~World();

  // True when all checks held; else failures() says which did not.
  bool run();
  const std::vector<std::string>& failures() const { return ledger_.failures(); }
  std::string summary() const;
  std::uint64_t power_cuts() const;
  // The largest of all gateways.
  Bounds::Peaks peaks() const;
  // Wills that had to arrive.
  std::uint64_t wills() const { return ledger_.wills_acknowledged(); }

 private:
  // A gateway and those who talk to it.
  struct Site {
    std::unique_ptr<Gateway> gateway;
    AccountId bridge_account = 0;
    AccountId session_account = 0;
    ReceiverId region = 0;
    std::vector<ReceiverId> crews;   // the members of each shared subscription, together
    std::vector<StreamId> farm;      // published here, up
    std::vector<StreamId> shared;    // published here, up and to the other sites
    std::vector<StreamId> retained;  // of farm
    std::vector<StreamId> wills;     // of farm
    std::vector<StreamId> values;    // retained, and for readers
    StreamId command = 0;            // published by the region, down
    std::uint32_t commands_sent = 0;
    Instant next_command{};
    std::vector<std::unique_ptr<Client>> clients;
    std::size_t archivist = 0;             // of clients: publishes the values
    std::size_t first_reader = 0;          // of clients; readers connect once the values are there
    std::size_t first_member = 0;          // of clients: those with durable sessions, and behind them the passing ones
    std::size_t first_passer_by = 0;       // of clients: those that want commands for a while, and do not come back
    std::optional<std::size_t> latecomer;  // of them
    std::vector<Instant> retry;            // of each client
    std::unique_ptr<Client> auditor;       // reads the retained values in the end
  };

  std::unique_ptr<Medium> make_medium();
  void build_site(std::size_t index);
  mqtt::Qos drawn_qos();
  void add_streams(Site& site, std::size_t index);
  void add_mortals(Site& site, std::size_t index);
  bool mourned() const;
  Duration will_stored_after() const;
  void add_publishers(Site& site, std::size_t index);
  bool stream_is_doubled(StreamId stream) const;
  // The client that copies `sensor`, which is changed for it.
  Client::Options twin_of(Client::Options& sensor);
  void add_subscriber(Site& site, std::size_t index, std::size_t number);
  void add_readers(Site& site, std::size_t index);
  void add_members(Site& site, std::size_t index);
  void add_member(Site& site, const std::string& id, bool passing, mqtt::Qos qos);
  void add_passers_by(Site& site, std::size_t index);
  void add_auditor(Site& site, std::size_t index);

  void step();
  Instant next_event() const;
  // Whether it has nothing to do yet.
  bool is_early(const Site& site, std::size_t client) const;
  void connect_clients(Site& site);
  void send_commands(Site& site);
  void strike_faults();
  void strike(Fault fault);
  Client& random_client(Site& site);
  Client* spare_member(Site& site);
  void await_latecomers();
  void heal();
  // Whether the region has those subscriptions alone that somebody wants.
  bool wants_converged(const Site& site, std::string* why) const;
  bool warm() const;
  bool published() const;
  std::string pending() const;
  // All that is retained is there to be read.
  bool auditing() const { return healed_ && published() && wills_are_published(); }
  // The region has the retained wills, so that they are here, too, and none will be published again.
  bool wills_are_published() const;
  // The number of the value that the region has.
  std::optional<std::uint32_t> far_value(const Site& site, StreamId stream) const;
  bool audits_wills() const { return options_.retained_wills && !options_.limited(); }
  // Nothing is missing that is not counted as lost.
  bool delivered() const;
  bool finished() const;
  // What a session may take with it when it ends is of QoS 2 [MQTT-4.8.2-4, -5], or was found in its queue at a start.
  std::uint64_t missing_of_crews(const Site& site) const;
  std::uint64_t missing_of_sessions(const Site& site) const;
  bool retained_converged(const Site& site, std::string* why) const;
  // Whether readers have all values.
  bool values_arrived(const Site& site, std::string* why) const;
  bool newest_arrived(const Site& site, std::string* why) const;
  // Without faults the books say what the ledger says, QoS 0 included.
  void check_deliveries();
  // What is missing and not counted, at the end.
  void check_losses();
  // Everything has arrived: files become small, and gateways stop, whose stores are then looked at.
  void wind_up();
  template <typename Condition>
  void step_until(Condition condition, Duration time_max);

  const Options options_;
  Random random_;
  Instant now_ = Instant{} + std::chrono::seconds(1000);
  Ledger ledger_;
  SimLog log_;
  Region region_;
  std::vector<Site> sites_;
  std::array<Instant, kFaults> next_strike_;
  bool faults_ = false;
  bool publishing_ = false;
  bool healed_ = false;
  bool late_ = false;  // latecomers come
  std::uint64_t steps_ = 0;
};

}  // namespace furrow::sim
