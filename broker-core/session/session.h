// A session is what outlives a connection: a client's subscriptions, its queue, its half-done QoS 2 exchanges, its
// will.
//
// A session whose expiry is 0 ends with its connection and lives in memory only; any other is durable: it is committed
// before CONNACK and SUBACK say so, and its queue is an outbox in the store. Owned by the broker; refers to its
// connection while there is one. Spec: MQTT 5.0 §4.1; MQTT 3.1.1 §3.1.2.4.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker-core/conditions.h"
#include "broker-core/identity.h"
#include "broker-core/limit_log.h"
#include "broker-core/limits.h"
#include "broker-core/mqtt/packet.h"
#include "broker-core/publication.h"
#include "broker-core/routing/hash_index.h"
#include "broker-core/routing/keyed_hash.h"
#include "broker-core/session/commit_interval.h"
#include "broker-core/session/inflight.h"
#include "broker-core/session/outbox.h"
#include "broker-core/session/retained_replays.h"
#include "broker-core/session/session_access.h"
#include "broker-core/session/session_record.h"
#include "broker-core/stats.h"
#include "tsl/robin_map.h"

namespace furrow::broker {

class Connection;
class SharedGroup;

class Session final : public Destination {
 public:
  // Everything that sessions and groups know of the broker around them; outlives them.
  struct Shared {
    Journal& journal;
    Books& books;
    const Limits& limits;            // may change between two calls
    const CommitInterval& interval;  // likewise
    const Conditions& conditions;
    RetainedStore& retained;
    Stats& stats;
    Identities& identities;
    SessionAccess& access;
    LimitLog& limit_log;
    HashKey hash_key;                        // secret: peers choose their filters
    QueueId last_queue = {};                 // given to a queue of any kind
    std::vector<SubscriberId> looking = {};  // whose replays go on with the next turn, room or not

    QueueId new_queue() { return QueueId{++last_queue.value}; }
  };

  // `queue` is 0 for a session that ends with its connection.
  Session(std::string client_id, SubscriberId subscriber, QueueId queue, Shared& shared);
  ~Session();

  const std::string& client_id() const { return record_.client_id; }
  SubscriberId subscriber() const { return subscriber_; }
  bool durable() const { return static_cast<bool>(record_.queue); }

  // Who the client is: the one that is connected, or was last. Access is decided by this, the client identifier, and
  // the address of the connection(), where there is one.
  const Identity& identity() const { return shared_.identities.at(record_.owner); }
  void set_identity(const Identity& identity);

  // The stored part of the session; whoever changes it stores it.
  SessionRecord& record() { return record_; }
  const SessionRecord& record() const { return record_; }

  // --- what the access rules say to the client, as they are now ---
  bool may_publish(std::string_view topic, bool retain) const {
    return !shared_.access.has_rules() ? access::may_publish_without_rules(topic)
                                       : own_access().rights.may_publish(topic, retain);
  }
  // `filter` may be that of a shared subscription.
  bool may_subscribe(std::string_view filter) const;
  bool may_receive(std::string_view topic) const {
    return !shared_.access.has_rules() || own_access().rights.may_receive(topic);
  }
  // The same of a topic that one of its subscriptions names: mostly that was decided with the subscription.
  bool may_have(std::string_view topic) const { return !shared_.access.has_rules() || may_have_by_rules(topic); }
  // The rules are others, or are asked about another address.
  void forget_access() { shared_.access.forget(subscriber_); }
  // Works out what the rules come to while the connection is there, whose address they may ask for.
  void note_access() const;
  // Drops messages that wait and that the rules do not grant any more, as far as they are in memory: those that are in
  // the store only are looked at when they are sent.
  void handle_rules_changed(Instant now);

  // The subscription with this filter; nullptr when there is none. Valid until one is added to the record or erased.
  Subscription* find_subscription(std::string_view filter);
  // False when there is none.
  bool erase_subscription(std::string_view filter);
  // The row that the store should have now.
  SessionRow row();

  // Whether the stored row says that the client is connected: after a crash such a session counts its expiry from the
  // restart.
  bool stored_connected() const { return stored_connected_; }
  void set_stored_connected(bool connected) { stored_connected_ = connected; }
  // The batch with the row that CONNACK and SUBACK speak of: they wait for it, also when it was another connection that
  // put the row there.
  BatchNumber stored_in() const { return stored_in_; }
  void set_stored_in(BatchNumber batch) { stored_in_ = batch; }
  // Puts the row into the batch being gathered, for now or without haste. REQUIRES: durable.
  void store();
  void store_lazily(Instant now);

  // The connection that has the session, from CONNECT on; nullptr between connections.
  Connection* connection() const { return connection_; }
  void attach(Connection& connection);
  // CONNACK has left, and messages may follow: as many in flight as our limit and the client's `receive_maximum` allow.
  // `session_present` says whether the client takes up what was in flight. REQUIRES: attached.
  void begin(std::uint16_t receive_maximum, bool session_present, Instant now);
  void detach();

  void deliver(Publication& publication, const RoutedDelivery& delivery) override;
  bool refuses(const Publication& publication, const RoutedDelivery& delivery) const override;

  // --- retained messages for new subscriptions ---
  // The messages that match follow as the client takes them, once its connection is not held. True when the row must be
  // stored first, so that they follow after a crash, too.
  bool start_replay(const Subscription& subscription);
  // At start: the row says that not all of these messages were sent.
  void restart_replay(const Subscription& subscription);
  // The client has subscribed again, and wants the messages that are still to come with these options; or none of them.
  void change_replay(const Subscription& subscription);
  void end_replay(const Subscription& subscription, Instant now);
  // Shared::looking said so.
  void continue_replays(Instant now);

  // --- shared subscriptions ---
  void join(SharedGroup& group) { extras().groups.push_back(&group); }
  // Messages that were taken from the group stay in flight to this client alone.
  void leave(SharedGroup& group);
  // Whether the client takes messages now; and whether a message of QoS 1 or 2 would be sent at once.
  bool reads() const;
  bool has_room() const;
  std::size_t inflight_count() const { return extras_ && extras_->inflight ? extras_->inflight->count() : 0; }
  // How long a message that is sent to this client now may wait for its acknowledgement before it is written.
  Duration commit_wait() const;
  // Sends the next message of a group's outbox, at QoS 1 or 2. REQUIRES: has_room().
  void take(Outbox& outbox, const DeliveryOptions& options, Instant now);
  // Writes a message at QoS 0. False when it is larger than the client takes. REQUIRES: reads().
  bool write_once(const Message& message, const DeliveryOptions& options, Instant now);

  // The queue, once a message of QoS 1 or 2 has needed it.
  Outbox* outbox() { return extras_ && extras_->outbox ? &*extras_->outbox : nullptr; }
  const Outbox* outbox() const { return extras_ && extras_->outbox ? &*extras_->outbox : nullptr; }
  Inflight* inflight() { return extras_ && extras_->inflight ? &*extras_->inflight : nullptr; }
  // Sends as much as the connection takes.
  void pump(Instant now);
  // Shared::limits are others: the queue and the window follow.
  void handle_limits_changed(Instant now);
  // The session ends: messages that it has of groups go back to them, or are dropped there. Last call. REQUIRES:
  // detached.
  void end(Instant now);
  // At start: the queue as found in the store; and that there are exchanges.
  void restore(const CursorRow& cursor);
  Inflight& make_inflight(Instant now);
  // Whether the store may have anything under its queue.
  bool has_queue() const {
    return durable() && extras_ && (extras_->outbox || extras_->inflight || !extras_->received.empty());
  }

  // Packet identifiers of QoS 2 messages that were received and not yet released [MQTT-4.3.3-10].
  bool received_contains(PacketId packet_id) const;
  void received_insert(PacketId packet_id);
  bool received_erase(PacketId packet_id);

 private:
  // Allocated on first use: most sensors receive no QoS 1, send no QoS 2 and subscribe to little.
  struct Extras final : OutboxOwner {
    explicit Extras(Session& owner) : session(owner) {}
    void handle_progress(Instant now) override { session.pump(now); }

    Session& session;
    std::optional<Outbox> outbox;
    std::optional<Inflight> inflight;  // refers to `outbox`
    std::vector<PacketId> received;    // of QoS 2
    std::vector<SharedGroup*> groups;
    std::unique_ptr<RetainedReplays> replays;
    HashIndex places;  // of subscriptions in the record, while there are many
  };

  bool may_have_by_rules(std::string_view topic) const;
  SessionAccess::Entry& own_access() const;
  SessionAccess::Entry& make_own_access() const;
  std::uint16_t window() const { return std::min(receive_maximum_, shared_.limits.inflight); }
  Outbox& make_outbox(Instant now);
  Outbox::Options outbox_options();
  Extras& extras();
  RetainedReplays& replays();
  void replay(Instant now);
  bool replay(RetainedReplays::Replay& replay, const MessageRef& message, Instant now);
  void send_ahead(const Publication& publication, const RoutedDelivery& delivery);
  bool send_ahead(RetainedReplays::Replay& replay, const MessageRef& value, std::size_t live_bytes, mqtt::Qos live_qos,
                  Instant now);
  void send_alone(const MessageRef& message, const DeliveryOptions& options, Instant now);
  bool has_place(std::size_t messages, std::size_t bytes) const;
  std::uint32_t place_of(std::string_view filter);
  bool has_many_subscriptions() const;
  std::uint32_t hash_of(std::string_view filter) const;

  Shared& shared_;
  const SubscriberId subscriber_;
  std::uint16_t receive_maximum_ = 0;  // of the client
  bool stored_connected_ = false;
  bool begun_ = false;  // the connection may be sent messages
  BatchNumber stored_in_;
  Connection* connection_ = nullptr;
  SessionRecord record_;
  std::unique_ptr<Extras> extras_;
};

static_assert(sizeof(Session) <= 136, "every idle client has one");

}  // namespace furrow::broker
