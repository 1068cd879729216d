// What this gateway says of itself at its regions (`status.remote_topic`): that it is there, with its alarms and what
// waits at its bridges.
//
// A region hears it at once when the bridge is online, soon when the alarms or the state of a bridge have changed, once
// a minute when only numbers have, and else now and then: links are paid for by the byte. Thread: loop. Time: passed
// in.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bridge/bridge.h"
#include "bridge/presence.h"
#include "gateway/status/sources.h"

namespace furrow::gateway {

// For the bridge of this name, whose topic is `remote_topic` with {gateway} and {bridge} in it; empty: none.
bridge::Presence::Options presence_options(const std::string& remote_topic, const std::string& bridge_name,
                                           const GatewayFacts& gateway);

class PresenceNews {
 public:
  static constexpr Duration kLookInterval = std::chrono::seconds(10);
  static constexpr Duration kNumbersInterval = std::chrono::minutes(1);
  static constexpr Duration kAnywayInterval = std::chrono::minutes(15);

  // `sources` must outlive it.
  explicit PresenceNews(const StatusSources& sources) : sources_(sources) {}

  using Bridges = std::span<const std::unique_ptr<bridge::Bridge>>;
  // Tells each region what is due.
  void publish(Bridges bridges, Instant now);
  // Never while no bridge is to tell anything.
  Instant next_deadline(Bridges bridges) const;

 private:
  // What a region was told.
  struct Told {
    std::string news;  // alarms and states
    std::string all;   // and the numbers
    Instant at;
  };

  static bool is_due(const Told& told, const std::string& news, const std::string& all, Instant now);

  const StatusSources& sources_;
  std::map<std::string, Told> told_;  // by the name of the bridge
  Instant looked_at_{};
  std::uint64_t seq_ = 0;
};

}  // namespace furrow::gateway
