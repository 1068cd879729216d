// Publishes the status topics when they are due: at start, regularly, and soon after something changed.
//
// They are generated live and never queued. Thread: loop. Time: passed in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bridge/bridge.h"
#include "broker-core/broker.h"
#include "gateway/clock.h"
#include "gateway/status.h"
#include "gateway/status_pace.h"

namespace furrow::gateway {

class StatusTopics {
 public:
  struct Options {
    std::string gateway_id;
    std::string version;
    std::string acknowledge;
    Duration interval{};
    std::vector<ListenerStatus> listeners;
  };
  // `broker` and `clock` must outlive this.
  StatusTopics(Options options, broker::Broker& broker, const Clock& clock, Instant now);

  // A buffer, and the bridge that sends from it; without one it is not in the configuration any more. Both must outlive
  // this.
  void add(const bridge::Buffer& buffer, bridge::Bridge* bridge);

  void note_store(const broker::StoreHealth& health, Instant now);

  // Publishes what is due.
  void publish(Instant now);
  Instant next_deadline() const;

  // What `systemctl status` shows.
  std::string summary() const;

 private:
  struct BridgeTopic {
    const bridge::Buffer* buffer = nullptr;
    bridge::Bridge* bridge = nullptr;  // nullptr: not in the configuration
    bridge::Snapshot snapshot;         // as of the last look
    StatusPace pace;
  };

  void publish_gateway(Instant now);
  void publish_bridge(BridgeTopic& topic, Instant now);
  bridge::Snapshot snapshot_of(const bridge::Buffer& buffer) const;
  std::uint64_t messages_dropped() const;
  GatewayStatus gateway_status() const;
  StatusMoment moment(Instant now);

  const Options options_;
  broker::Broker& broker_;
  const Clock& clock_;
  const Instant started_;

  StatusPace pace_;
  std::vector<BridgeTopic> bridges_;
  StoreStatus store_;
  std::uint64_t clients_maximum_ = 0;
  std::uint64_t seq_ = 0;
};

}  // namespace furrow::gateway
