// What the picture of the gateway is taken of. Looking changes nothing, however many look.
//
// Thread: loop. Time: passed in.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "bridge/bridge.h"
#include "bridge/buffer.h"
#include "broker-core/broker.h"
#include "gateway/clock.h"
#include "gateway/net/link_stats.h"
#include "gateway/status/model.h"
#include "gateway/status/store_watch.h"

namespace furrow::gateway {

class StatusSources {
 public:
  struct Bridge {
    const bridge::Buffer* buffer;
    const bridge::Bridge* bridge;  // nullptr: the configuration has none for this buffer
  };

  // All that is referred to must outlive this.
  StatusSources(GatewayFacts facts, std::vector<ListenerStatus> listeners, const LinkStats& links,
                const broker::Broker& broker, const StoreWatch& store, const Clock& clock);

  const GatewayFacts& gateway() const { return facts_; }

  void set_listeners(std::vector<ListenerStatus> listeners);

  // A buffer, and the bridge that sends from it, or nullptr. Both must stay until remove().
  void add(const bridge::Buffer& buffer, const bridge::Bridge* bridge);
  void remove(const bridge::Buffer& buffer);
  const std::vector<Bridge>& bridges() const { return bridges_; }

  // Rises with each add() and remove().
  std::uint64_t bridge_changes() const { return bridge_changes_; }
  // Rises with each change of the gateway's state that is told at once.
  std::uint64_t gateway_changes() const { return store_.changes() + clock_changes_ + listener_changes_; }

  // Gives our own certificates, whenever a picture is taken.
  void set_certificates(std::function<std::vector<CertificateStatus>()> certificates) {
    certificates_ = std::move(certificates);
  }

  // Gives how long things take, likewise.
  void set_timing(std::function<TimingStatus(Instant)> timing) { timing_ = std::move(timing); }

  // Gives the alarms as of the last look, likewise; empty: there are none.
  void set_alarms(std::function<std::vector<Alarm>()> alarms) { alarms_ = std::move(alarms); }

  // Gives what is heard of the topics that are watched, likewise.
  void set_silence(std::function<SilenceStatus(Instant)> silence) { silence_ = std::move(silence); }

  // What the process has allocated, and whether the wall clock is trusted.
  void note_machine(std::uint64_t heap_bytes, bool clock_trusted);
  // Moves the load averages, which is to be done now and then; a picture has them as of its own moment.
  void note_load(const StatusModel& picture);

  StatusMoment moment(std::uint64_t seq, Instant now) const;
  StatusModel take(const StatusMoment& moment) const;
  // One of bridges() alone.
  BridgeStatus take(const Bridge& bridge) const;

 private:
  StoreStatus store_status(const std::vector<BridgeStatus>& bridges) const;
  MemoryStatus memory_status() const;

  // Constant after construction.
  const GatewayFacts facts_;
  const LinkStats& links_;
  const broker::Broker& broker_;
  const StoreWatch& store_;
  const Clock& clock_;
  std::function<std::vector<CertificateStatus>()> certificates_;  // set once
  std::function<TimingStatus(Instant)> timing_;                   // likewise
  std::function<std::vector<Alarm>()> alarms_;                    // likewise
  std::function<SilenceStatus(Instant)> silence_;                 // likewise

  std::vector<ListenerStatus> listeners_;
  // Changes with add() and remove().
  std::vector<Bridge> bridges_;
  std::uint64_t bridge_changes_ = 0;
  // Changes with note_machine() and note_load().
  std::uint64_t heap_bytes_maximum_ = 0;
  bool clock_trusted_;
  std::uint64_t clock_changes_ = 0;
  std::uint64_t listener_changes_ = 0;
  LoadStatus load_;
  Instant load_at_;
};

}  // namespace furrow::gateway
