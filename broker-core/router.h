// Routing: who gets a message, whether they all take it, and what is retained of it.
//
// Owns the subscriptions and the retained messages. Knows its receivers as destinations by number, and neither sessions
// nor connections nor bridges. Thread: loop. Time: passed in. Spec: MQTT 5.0 §3.3.1.3, §4.7.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "broker-core/base/random.h"
#include "broker-core/conditions.h"
#include "broker-core/limits.h"
#include "broker-core/mesh.h"
#include "broker-core/publication.h"
#include "broker-core/routing/retained_store.h"
#include "broker-core/routing/route_cache.h"
#include "broker-core/routing/subscription_tree.h"
#include "broker-core/session/journal.h"
#include "broker-core/stats.h"
#include "broker-core/store.h"
#include "broker-core/subscribers.h"
#include "broker-core/subscription_watch.h"

namespace furrow::broker {

class HeldPublishes;

class Router final {
 public:
  // The references must outlive it. `random` gives the secrets of its hash tables.
  Router(const Limits& limits, const Conditions& conditions, Journal& journal, Mesh& mesh, Stats& stats,
         Random& random);
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  // --- receivers ---
  // `destination` must live until remove().
  SubscriberId add(Destination& destination);
  // A number for a destination that is made with it; set() follows.
  SubscriberId reserve() { return subscribers_.reserve(); }
  void set(SubscriberId number, Destination& destination) { subscribers_.set(number, destination); }
  // Its subscriptions are to be gone.
  void remove(SubscriberId number);
  // Destinations refuse what they did not refuse before, or no longer.
  void handle_refusals_changed();
  // Destinations have joined the mesh, or left it.
  void handle_mesh_changed() { mesh_.set_joined(subscribers_.has_meshed()); }
  void subscribe(SubscriberId subscriber, std::string_view filter, const SubscriptionOptions& options) {
    if (!tree_.insert(filter, subscriber, options)) return;
    for (SubscriptionWatch* const watch : watches_) watch->handle_subscribed(filter, subscriber);
  }
  void unsubscribe(SubscriberId subscriber, std::string_view filter) {
    if (!tree_.erase(filter, subscriber)) return;
    for (SubscriptionWatch* const watch : watches_) watch->handle_unsubscribed(filter, subscriber);
  }

  // --- who watches subscriptions ---
  // `watch` must live until unwatch(). It is told of changes; for what is there already, for_each_subscription().
  void watch(SubscriptionWatch& watch) { watches_.push_back(&watch); }
  void unwatch(SubscriptionWatch& watch) { std::erase(watches_, &watch); }
  // As SubscriptionTree::for_each().
  void for_each_subscription(const std::function<void(std::string_view filter, SubscriberId subscriber)>& visit) const {
    tree_.for_each(visit);
  }

  // --- messages ---
  struct Published {
    mqtt::ReasonCode reason = mqtt::ReasonCode::Success;  // success, no matching subscribers, or why it was not taken
    bool refused = false;  // no destination took it; `ticket` was not used: acknowledge it with `reason`, or hold it
    bool had = false;      // it came by another way before: it goes no further, and `ticket` is completed
    const char* retained_limit = nullptr;  // the key of the limit for which the value is not retained
  };
  // All destinations of a message take it, or none does. `origin` is who published it (no-local). `ticket`, if any, is
  // completed once the message is safe. `exchange`, if any, is stored with it: the packet identifier of an inbound QoS
  // 2 message. In a mesh a message gets an id here that goes on by it and has none, and one whose id was had is not
  // routed again. At QoS 1 it is answered at once, though the first may not be safe yet: whoever sent that one is not
  // answered yet, and still has it.
  Published publish(const Message::Fields& fields, SubscriberId origin, AckTicket ticket, const ExchangeRow* exchange,
                    Instant now);
  // Whether a message of this topic, published by `origin`, goes to a destination that guards its path.
  bool guards_path(std::string_view topic, SubscriberId origin);
  // Whether ids of messages mean anything here.
  bool in_mesh() const { return mesh_.is_on(); }
  // Delivers a retained value to one receiver as if it were published now; a removal is a message without payload.
  // REQUIRES: nothing is being published.
  void deliver_again(SubscriberId receiver, const Message& value, Instant now);
  // A status topic: retained in memory only, delivered live as QoS 0, never queued, never stored. An empty payload
  // deletes it.
  void publish_status(std::string_view topic, std::string_view payload, Instant now);
  // The same for new subscribers only: those that are there hear nothing of it.
  void retain_status(std::string_view topic, std::string_view payload, Instant now);
  // As Broker::set_status_refresh(); and a client subscribes to topics of the gateway's own.
  void set_status_refresh(std::function<void(Instant)> refresh) { status_refresh_ = std::move(refresh); }
  void refresh_status(Instant now) const {
    if (status_refresh_) status_refresh_(now);
  }

  // --- publishers that cannot be told of a refusal ---
  // HeldPublishes only.
  void add_holder(HeldPublishes& holder) { holders_.push_back(&holder); }
  void remove_holder(HeldPublishes& holder) { std::erase(holders_, &holder); }
  // Whether what they hold may be taken now.
  bool has_room_for_held() const { return !holders_.empty() && openings_seen_ != journal_.condition().openings(); }
  // Tries it, if so.
  void retry_held(Instant now);

  // --- the store ---
  // At start, before anything is routed.
  void restore(const std::vector<RetainedRow>& rows, const ClockStamp& stamp, Instant now);
  // The wall clock is trusted: retained values of unknown age get their true one.
  void handle_clock_trusted(const ClockStamp& stamp);
  void handle_limits_changed();

  RetainedStore& retained() { return retained_; }
  const RetainedStore& retained() const { return retained_; }
  std::size_t subscriptions() const { return tree_.size(); }
  // For tables that are keyed by what peers choose.
  HashKey hash_key() const { return tree_.hash_key(); }

 private:
  bool refuses(Publication& publication, std::span<const Route> routes, SubscriberId origin, bool waits,
               const ExchangeRow* exchange) const;
  bool any_refuses(Publication& publication, std::span<const Route> routes, SubscriberId origin) const;
  // `ticket` is taken, unless the message is refused. `id`: what a message of a mesh came with, or nullptr.
  Published publish_in_mesh(const Message::Fields& fields, SubscriberId origin, AckTicket& ticket,
                            const ExchangeRow* exchange, Instant now);
  Published route(const Message::Fields& fields, SubscriberId origin, AckTicket& ticket, const ExchangeRow* exchange,
                  const MessageId* id, Instant now);
  // Whether a message of this topic, published by `origin`, goes on by the mesh.
  bool joins_mesh(std::string_view topic, SubscriberId origin);
  // Returns the key of the limit for which it is not retained; nullptr when it is.
  const char* retain(Publication& publication, bool wait, Instant now);

  // Constant after construction.
  const Limits& limits_;
  const Conditions& conditions_;
  Journal& journal_;
  Mesh& mesh_;
  Stats& stats_;

  Subscribers subscribers_;
  std::vector<SubscriptionWatch*> watches_;
  SubscriptionTree tree_;
  RouteCache routes_;
  RetainedStore retained_;
  // Retained values that expire, found at start, whose age nobody knew.
  std::vector<std::pair<MessageRef, ClockStamp>> undated_retained_;
  PublishForms forms_;
  std::function<void(Instant)> status_refresh_;
  std::vector<HeldPublishes*> holders_;
  std::uint64_t openings_seen_ = 0;  // of the journal, when they were tried last
};

}  // namespace furrow::broker
