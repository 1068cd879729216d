// Publishes the status topics: all of them at start and then regularly, and soon a document whose state has changed.
//
// They are generated live and never queued. A new subscriber gets documents that are at most a second old: they are
// refreshed when it subscribes, so that an idle gateway renders them for nobody. A topic that goes away, with its
// bridge, is deleted. Thread: loop. Time: passed in.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "broker-core/broker.h"
#include "gateway/status/pace.h"
#include "gateway/status/sources.h"

namespace furrow::gateway {

class StatusTopics {
 public:
  // `sources` and `broker` must outlive this.
  StatusTopics(StatusSources& sources, broker::Broker& broker, Duration interval);
  ~StatusTopics();
  StatusTopics(const StatusTopics&) = delete;
  StatusTopics& operator=(const StatusTopics&) = delete;

  // Publishes what is due.
  void publish(Instant now);
  Instant next_deadline() const;

  // From the next round on, which comes no later than the last interval had it.
  void set_interval(Duration interval, Instant now);

  // What `systemctl status` shows.
  std::string summary() const;

 private:
  void refresh(Instant now);
  Instant round_due() const;
  std::uint64_t bridge_changes(std::size_t index) const;
  void publish_all(Instant now);
  void publish_gateway(Instant now);
  void publish_bridge(std::size_t index, Instant now);

  // Constant after construction.
  StatusSources& sources_;
  broker::Broker& broker_;

  Duration interval_;
  Instant round_due_ = Instant::min();    // when all are published again
  Instant fresh_until_ = Instant::min();  // what new subscribers get is recent enough
  StatusPace gateway_;
  std::vector<StatusPace> bridges_;  // in the order of the sources
  std::uint64_t bridges_seen_ = 0;   // their changes in the sources, as of bridges_
  std::set<std::string> topics_;     // that are retained
  std::uint64_t seq_ = 0;
};

}  // namespace furrow::gateway
