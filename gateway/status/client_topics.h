// A document for each client, on `$SYS/furrow/client/ID` (`status.clients`): who and where it is, since when, and what
// waits for it.
//
// Retained while its session is there. Published when the client comes, goes or is another, at most once a second; with
// each status interval, when something else of it has changed. Sessions are looked through at those times only, and
// documents leave a few at a time: a site that comes back from a power cut holds up nobody. Thread: loop. Time: passed
// in.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

#include "broker-core/broker.h"
#include "gateway/status/pace.h"
#include "gateway/status/sources.h"

namespace furrow::gateway {

// The topic of the client's document. Characters that mean something in a topic are written as %2F, %2B and %23, and
// the percent sign as %25.
std::string client_topic(std::string_view client_id);

class ClientTopics {
 public:
  // Some 2 ms of rendering; and how long until the next ones.
  static constexpr std::size_t kTogetherMax = 100;
  static constexpr Duration kApart = std::chrono::milliseconds(20);

  // Both must outlive it.
  ClientTopics(const StatusSources& sources, broker::Broker& broker) : sources_(sources), broker_(broker) {}

  void set_enabled(bool enabled, Instant now);
  // The status interval has passed: documents are to tell of everything.
  void note_round() { round_ = true; }
  // Publishes what is due.
  void publish(Instant now);
  Instant next_deadline() const;

 private:
  struct Known {
    ClientDetails details;
    ConnectionId connection;  // 0: none
    std::uint64_t seen = 0;   // the last look that found its session
    bool is_due = false;      // its document is to be published
  };

  void look(Instant now);
  void look_at(broker::Session& session, Instant now);
  void forget_gone(Instant now);
  void forget_all(Instant now);
  void publish_due(Instant now);

  // Constant after construction.
  const StatusSources& sources_;
  broker::Broker& broker_;

  bool enabled_ = false;
  bool round_ = false;
  StatusPace looks_;
  std::uint64_t look_ = 0;                        // their number
  std::unordered_map<std::string, Known> known_;  // by client identifier
  std::deque<std::string> due_;                   // in the order in which they changed
  Instant next_due_ = kNever;                     // when the first of them leaves
  std::uint64_t seq_ = 0;
};

}  // namespace furrow::gateway
