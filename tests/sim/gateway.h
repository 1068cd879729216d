// One simulated machine with a gateway on it: furrow's engine on a disk, a clock and a network that the world owns. It
// is killed, loses its power, is stopped and starts again; what the operator would see is summed up over its lives.
//
// The world's time is global. The machine's monotonic clock begins with each boot, its wall clock is wrong until
// somebody has set it; both are made here.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bridge/bridge.h"
#include "broker-core/broker.h"
#include "gateway/engine/engine.h"
#include "tests/sim/bounds.h"
#include "tests/sim/disk.h"
#include "tests/sim/ledger.h"
#include "tests/sim/network.h"
#include "tests/sim/options.h"
#include "tests/sim/region.h"

namespace furrow::sim {

class Gateway final : private gateway::Engine::Edge {
 public:
  struct Setup {
    std::string name;
    std::string remote_prefix;
    AccountId bridge_account = 0;
    AccountId session_account = 0;
  };
  Gateway(Setup setup, const Options& options, std::unique_ptr<Medium> medium, Region& region, Ledger& ledger, Log& log,
          Random& random, Instant now);
  ~Gateway();

  const std::string& name() const { return setup_.name; }
  bool running() const { return static_cast<bool>(process_); }
  // One turn: starts if it is time, takes what has arrived, decides, sends.
  void run(Instant now);
  Instant next_deadline() const;

  // A client connects; nothing when nobody listens.
  LinkRef accept(Instant now);
  Link* uplink() { return uplink_ ? uplink_.get() : nullptr; }
  // No connection to the region before `until`.
  void set_outage(Instant until);

  enum class End { Kill, PowerCut };
  void crash(End end, Instant now);
  // A clean stop, and a start after it.
  void restart(Instant now);
  // The bridge leaves, and another one takes its place: what a change of its settings does.
  void renew_bridge(Instant now);
  void jump_clock(Duration by, Instant now);
  Disk& disk() { return disk_; }
  const Disk& disk() const { return disk_; }
  void heal(Instant now);

  // --- for the checkers ---
  // The books must balance, and nothing may be dropped without a reason.
  void check();
  // Dropped and expired over all lives, but for QoS 0.
  std::uint64_t lost_by_bridge() const { return bridge_lost_.total; }
  std::uint64_t lost_by_sessions() const { return session_lost_.total; }
  // Nothing waits for the region or is under way to it.
  bool drained() const;
  bool online() const;
  // When the present life began, or the next one begins.
  Instant started() const { return start_at_; }
  // Of the present life.
  std::uint64_t delivered() const { return seen_.delivered; }
  std::uint64_t ends() const { return ends_; }
  // Those of them that were clean stops, after which the store was looked at.
  std::uint64_t stops() const { return stops_; }
  const Bounds& bounds() const { return bounds_; }

 private:
  struct Process;  // lives from one start to the next end
  struct Accepted {
    LinkRef link;
    ConnectionId connection;
  };
  // A counter that starts anew, or steps back, with each life.
  struct Lost {
    std::uint64_t total = 0;
    std::uint64_t seen = 0;  // of the present life
    void note(std::uint64_t count) {
      total += count > seen ? count - seen : 0;
      seen = count;
    }
  };

  Instant local(Instant now) const { return Instant(now - booted_); }
  Instant global(Instant local) const;
  ClockStamp stamp(Instant local);
  void start(Instant now);
  void end(Instant now);
  // Everything is durable: closes the store, and looks at what it keeps.
  void stop(Instant now);
  void take_disk_events(Instant now);
  bool reading_paused(const Accepted& accepted) const;
  void take_bytes(Instant now);
  // The network let the bridge connect, or did not.
  void settle_uplink(Instant now);
  void perform(const bridge::Command& command, Instant now);
  // Engine::Edge; `mine` is local().
  void flush(bridge::Bridge& bridge, Instant mine) override;
  void flush_clients(Instant mine) override;
  void handle_bridge_left(const bridge::Bridge& bridge) override;
  void handle_bridge_made(bridge::Bridge& bridge) override;
  void check_limits(const bridge::Snapshot& snapshot);

  const Setup setup_;
  const Options& options_;
  Region& region_;
  Ledger& ledger_;
  Log& log_;
  Random& random_;
  Mutator mutator_;
  Disk disk_;

  // The machine.
  std::uint64_t boot_ = 1;
  Instant booted_{};
  Duration wall_error_{};
  Instant clock_set_at_{};  // the wall clock is right, and known to be, from then on

  // The process and its connections.
  std::unique_ptr<Process> process_;
  Instant start_at_{};
  Instant stop_by_ = kNever;  // while it stops
  std::vector<Accepted> accepted_;
  LinkRef uplink_;
  Instant uplink_ready_ = kNever;  // the connection that the bridge asked for comes up, or fails, then
  Instant outage_until_{};

  bridge::Snapshot seen_;  // at the last check
  Lost bridge_lost_;
  Lost session_lost_;
  Bounds bounds_;
  std::uint64_t ends_ = 0;
  std::uint64_t stops_ = 0;
};

}  // namespace furrow::sim
