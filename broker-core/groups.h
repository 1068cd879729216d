// The shared subscriptions of a broker: by filter, in the subscription tree, and in the store.
//
// Owns the groups. One begins with its first member and ends with the last one, or later: while a member that has left
// still has messages of it in flight. Spec: MQTT 5.0 §4.8.2. Thread: loop. Time: passed in.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "broker-core/router.h"
#include "broker-core/session/session.h"
#include "broker-core/session/shared_group.h"
#include "broker-core/store.h"

namespace furrow::broker {

class Groups {
 public:
  // Both must outlive it.
  Groups(Session::Shared& shared, Router& router) : shared_(shared), router_(router) {}
  Groups(const Groups&) = delete;
  Groups& operator=(const Groups&) = delete;

  // The session's subscription to `$share/GROUP/FILTER`, new or replaced. REQUIRES: mqtt::is_shared(filter).
  void join(Session& session, const Subscription& subscription, Instant now);
  // REQUIRES: it has joined.
  void leave(Session& session, std::string_view filter, Instant now);
  // Ends the groups that nobody is a member of, and nobody has messages of in flight. Call at the end of a turn.
  void end_memberless();

  // --- at start ---
  // Before the sessions join what was found of them.
  void restore(const std::vector<RestoredQueue>& queues);
  // The groups by the id of their queue.
  std::unordered_map<std::uint64_t, SharedGroup*> by_queue() const;
  // All sessions have joined, and have in flight again what they had.
  void finish_restore(Instant now);

  // How `subscriptions`, places of the routing table, are divided. Looks at every group.
  SubscriptionCounts count(std::size_t subscriptions) const;
  void handle_limits_changed();
  // Access rules: some members may have other messages than before.
  void handle_rules_changed(Instant now);

 private:
  SharedGroup& add(std::unique_ptr<SharedGroup> group);
  SharedGroup& of(std::string_view filter);
  void route_to(SharedGroup& group);

  // Constant after construction.
  Session::Shared& shared_;
  Router& router_;

  std::unordered_map<std::string, std::unique_ptr<SharedGroup>> by_filter_;  // the whole of `$share/GROUP/FILTER`
  std::vector<SharedGroup*> memberless_;
};

}  // namespace furrow::broker
