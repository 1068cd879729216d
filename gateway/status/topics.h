// Publishes the status topics: all of them at start and then regularly, and soon a document whose state has changed.
//
// They are generated live and never queued. A new subscriber gets documents that are at most a second old: they are
// refreshed when it subscribes, so that an idle gateway renders them for nobody. The history is rendered for new
// subscribers alone. A topic that goes away, with its
// bridge, is deleted. Thread: loop. Time: passed in.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "broker-core/base/log.h"
#include "broker-core/broker.h"
#include "gateway/status/alarms.h"
#include "gateway/status/client_topics.h"
#include "gateway/status/history.h"
#include "gateway/status/pace.h"
#include "gateway/status/silence_watch.h"
#include "gateway/status/sources.h"

namespace furrow::gateway {

class StatusTopics {
 public:
  // How often alarms are looked for while the gateway has something to do. An idle one is not woken for it.
  static constexpr Duration kLookInterval = std::chrono::seconds(5);

  // `sources`, `broker` and `log` must outlive this.
  StatusTopics(StatusSources& sources, broker::Broker& broker, Log& log, Duration interval);
  ~StatusTopics();
  StatusTopics(const StatusTopics&) = delete;
  StatusTopics& operator=(const StatusTopics&) = delete;

  // Publishes what is due.
  void publish(Instant now);
  Instant next_deadline() const;

  // From the next round on, which comes no later than the last interval had it.
  void set_interval(Duration interval, Instant now);

  // From now on these topics are watched.
  void set_watch(const std::vector<SilenceWatch::Entry>& entries, Instant now) { silence_.set(entries, now); }

  // Whether each client has a document.
  void set_clients(bool enabled, Instant now) { clients_.set_enabled(enabled, now); }

  // What `systemctl status` shows.
  std::string summary() const;

 private:
  void refresh(Instant now);
  // A picture, in which alarms were looked for.
  StatusModel take(Instant now);
  bool look_is_due(Instant now) const;
  Instant next_look() const;
  std::uint64_t all_changes() const;
  Instant round_due() const;
  std::uint64_t bridge_changes(std::size_t index) const;
  void refresh_history(Instant now);
  void publish_all(Instant now);
  void publish_gateway(Instant now);
  void publish_alarms(Instant now);
  void publish_bridge(std::size_t index, Instant now);

  // Constant after construction.
  StatusSources& sources_;
  broker::Broker& broker_;

  Duration interval_;
  Instant round_due_ = Instant::min();    // when all are published again
  Instant fresh_until_ = Instant::min();  // what new subscribers get is recent enough
  StatusHistory history_;
  std::uint64_t history_told_ = 0;  // its changes, as of the document
  SilenceWatch silence_;
  Alarms alarms_;
  StatusPace looks_;     // for alarms
  Instant looked_at_{};  // the last time
  StatusPace alarms_pace_;
  ClientTopics clients_;
  StatusPace gateway_;
  std::vector<StatusPace> bridges_;  // in the order of the sources
  std::uint64_t bridges_seen_ = 0;   // their changes in the sources, as of bridges_
  std::set<std::string> topics_;     // that are retained
  std::uint64_t seq_ = 0;
};

}  // namespace furrow::gateway
