// The broker: connections, sessions, routing, retained messages, and what must be safe before it is acknowledged.
//
// Sans-IO. The methods fall into four groups:
//   handle_*   the world → the broker: a connection was accepted, bytes came, the store answered, time passed
//   publish…   commands of the owner (the bridges, the status topics)
//   poll_*     the broker → the world: which connections have bytes to write or are to be closed
//   getters    counters and gauges for the status
// Order in one loop turn: handle_* for everything that is ready; then handle_turn_end(); then poll_ready() until it
// gives none, writing out output() of each; then wait until next_deadline() at most. `now` never goes backwards.
// poll_ready() names those that messages go to before those that are only answered: within a turn a message leaves
// before its publisher's acknowledgement, since the one is waited for longer. Both in the order in which they became
// ready. Nothing here calls back into the caller except the Store, whose answers come in a later turn, the Log, and who
// refreshes the status topics.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "broker-core/base/deadlines.h"
#include "broker-core/base/log.h"
#include "broker-core/base/random.h"
#include "broker-core/base/ring.h"
#include "broker-core/connection.h"
#include "broker-core/held_publishes.h"
#include "broker-core/limits.h"
#include "broker-core/publication.h"
#include "broker-core/routing/retained_store.h"
#include "broker-core/routing/route_cache.h"
#include "broker-core/routing/subscription_tree.h"
#include "broker-core/session/journal.h"
#include "broker-core/session/session.h"
#include "broker-core/session/session_queues.h"
#include "broker-core/session/session_table.h"
#include "broker-core/session/shared_group.h"
#include "broker-core/stats.h"
#include "broker-core/store.h"
#include "broker-core/wills.h"

namespace furrow::broker {

// The place of a connection in tables by connection, from 0; no two connections have the same at a time.
constexpr std::uint32_t slot_of(ConnectionId id) {
  return static_cast<std::uint32_t>(id.value) - 1;
}

class Broker final {
 public:
  struct Options {
    Limits limits;
    Journal::Options journal;
    CommitInterval commit_interval;
    std::uint64_t seed = 1;  // for client identifiers that we assign and for hashing
  };

  // `restored` is what the store held at start: sessions, their queues and retained messages come back; the queues of
  // bridges and their sessions at far brokers are left in it for the owner. `now` is the first moment.
  Broker(const Options& options, Store& store, Journal::StampClock stamp, Log& log, Restored& restored, Instant now);
  ~Broker();
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  // --- the world → the broker ---
  // A client connected from `peer`. 0 when the limit is reached: close it.
  ConnectionId handle_accept(std::string peer, Instant now);
  // `dry`: the socket had no more than these bytes.
  void handle_bytes(ConnectionId connection, ByteView bytes, bool dry, Instant now);
  // The caller has written out and consumed bytes of output(connection).
  void handle_sent(ConnectionId connection, std::size_t bytes, Instant now);
  // The network connection is gone; the id is invalid from now on.
  void handle_closed(ConnectionId connection, Instant now);
  void handle_persisted(BatchNumber watermark, Instant now);
  // The store wrote nothing of the batch at the writer, and forgets it.
  void handle_not_persisted(Batch batch, Instant now);
  void handle_page(const Page& page, Instant now);
  void handle_timeout(Instant now);
  void handle_turn_end(Instant now);
  // What the process has allocated. Above `limits.memory` new connections, subscriptions and retained topics are
  // refused, publishers that wait for acknowledgements are not read from, what waits only in memory for a client is not
  // added to, and QoS 0 to a client that does not read at once is dropped; all of it is counted, until memory is free
  // again.
  void handle_memory(std::uint64_t bytes);
  // Whether the medium takes writes. While it does not, what would have to be written is refused as by a full queue
  // that refuses; what destinations acknowledge in time goes on.
  void handle_store_failing(bool failing);
  // The wall clock is trusted, and was not: what was stored before this boot is as old as it is, no longer as old as it
  // is at least.
  void handle_clock_trusted(Instant now);
  // Whether there is something to do before any time passes: for handle_turn_end(), or a connection for poll_ready().
  bool has_work() const;
  // Instant::min() while it has work.
  Instant next_deadline() const;
  // Clean stop: clients are told (0x8B), everything that waits is submitted to the store, and wills wait there for the
  // next start. From now on only what is on its way is finished.
  void shut_down(Instant now);

  // --- the broker → the world ---
  // A connection whose output, closing or reading_paused changed; false when there is none. Each is given once a
  // change. A connection that becomes ready while the caller polls (handle_sent() has more for it) is given again.
  bool poll_ready(ConnectionId& connection);
  ByteBuffer& output(ConnectionId connection);
  // Whether to close the network connection once output() is empty.
  bool closing(ConnectionId connection) const;
  // Whether not to read from it for now.
  bool reading_paused(ConnectionId connection) const;

  // A connection whose output is worth a write before the turn ends; false when there is none. A caller that asks while
  // it still reads keeps outputs in the processor's cache, and QoS 0 from being dropped for lack of a write.
  bool poll_full(ConnectionId& connection);

  // Whether acknowledgements to this client wait for the store.
  bool awaits_acknowledgement(ConnectionId connection) const;

  // --- commands ---
  // Another kind of destination (a bridge); must live until remove_destination().
  SubscriberId add_destination(Destination& destination);
  void remove_destination(SubscriberId subscriber);
  // Destinations refuse what they did not refuse before, or no longer.
  void handle_refusals_changed();
  // HeldPublishes only: who has messages to publish once there is room.
  void add_holder(HeldPublishes& holder) { holders_.push_back(&holder); }
  void remove_holder(HeldPublishes& holder) { std::erase(holders_, &holder); }
  void subscribe(SubscriberId subscriber, std::string_view filter, const SubscriptionOptions& options);
  void unsubscribe(SubscriberId subscriber, std::string_view filter);

  struct Published {
    mqtt::ReasonCode reason = mqtt::ReasonCode::Success;  // success, no matching subscribers, or why it was not taken
    bool refused = false;  // no destination took it; `ticket` was not used: acknowledge it with `reason`, or hold it
  };
  // Routes a message. `origin` is who published it (no-local). `ticket`, if any, is completed once the message is safe.
  // `exchange`, if any, is stored with it: the packet identifier of an inbound QoS 2 message.
  Published publish(const Message::Fields& fields, SubscriberId origin, AckTicket ticket, const ExchangeRow* exchange,
                    Instant now);
  // A status topic: retained in memory only, delivered live as QoS 0, never queued, never stored. An empty payload
  // deletes it.
  void publish_status(std::string_view topic, std::string_view payload, Instant now);
  // The same for new subscribers only: those that are there hear nothing of it.
  void retain_status(std::string_view topic, std::string_view payload, Instant now);
  // `refresh` is called from within handle_bytes() when a client subscribes to a `$` topic, before what is retained of
  // it is sent. Of this broker it may change nothing but by retain_status(). Empty: nobody refreshes.
  void set_status_refresh(std::function<void(Instant)> refresh) { status_refresh_ = std::move(refresh); }
  // A queue id never used before, for a bridge's outbox.
  QueueId new_queue() { return QueueId{++last_queue_.value}; }

  // --- getters ---
  Journal& journal() { return journal_; }
  const Journal& journal() const { return journal_; }
  const Limits& limits() const { return options_.limits; }
  bool short_of_memory() const { return session_shared_.short_of_memory; }
  // Whether more than `limits.commit_waiting` waits for the store, as of the last turn's end, or memory is short.
  bool store_lags() const { return waiting_over_limit_; }
  const CommitInterval& commit_interval() const { return options_.commit_interval; }
  const Stats& stats() const { return stats_; }
  // All persistent sessions together.
  const Books& session_books() const { return session_books_; }
  // Of the messages in the queues of sessions. Looks at every session: for the status, not for each message.
  std::uint64_t session_queue_bytes() const;
  std::size_t connections() const { return connection_count_; }
  std::size_t clients() const { return clients_connected_; }
  std::size_t sessions() const { return sessions_.size(); }
  std::size_t subscriptions() const { return tree_.size(); }
  // Looks at every group: for the status.
  SubscriptionCounts subscription_counts() const;
  const RetainedStore& retained() const { return retained_; }
  const Wills& wills() const { return wills_; }

  // Entries in what is kept by connection: bounded by their number, whatever they do.
  struct ListSizes {
    std::size_t held = 0;
    std::size_t deadlines = 0;
  };
  ListSizes list_sizes_for_test() const { return {held_.size(), connection_deadlines_.size()}; }

 private:
  friend class Connection;  // the handlers of packets are the connection's; what they change is here

  struct Slot {
    std::unique_ptr<Connection> connection;
    std::uint32_t generation = 0;
  };

  // --- for connections ---
  Stats& mutable_stats() { return stats_; }
  Log& log() { return log_; }
  Connection* find(ConnectionId connection);
  const Connection* find(ConnectionId connection) const;
  // `delivers`: a message is in its output.
  void mark_ready(Connection& connection, bool delivers = false);
  // Somebody subscribes to topics of the gateway's own.
  void refresh_status(Instant now) const {
    if (status_refresh_) status_refresh_(now);
  }
  std::string assign_client_id();
  // The session for a CONNECT: taken over, resumed or new. Ends what clean start ends.
  struct Opened {
    Session& session;
    bool present = false;  // for CONNACK
  };
  Opened open_session(const std::string& client_id, bool clean_start, std::uint32_t expiry_s,
                      std::unique_ptr<Will> will, Instant now);
  // The connection of `session` is gone: its will, its expiry.
  void leave_session(Session& session, bool publish_will, Instant now);
  mqtt::ReasonCode add_subscription(Session& session, const Subscription& subscription, Instant now, bool& is_new,
                                    bool& changed);
  bool remove_subscription(Session& session, std::string_view filter, Instant now);
  // Heap for an output, and where it goes once it is written: a burst to many would else make and free it each turn.
  ByteBuffer take_buffer();
  void give_back(ByteBuffer&& buffer);
  void clients_connected(int change) { clients_connected_ += static_cast<std::size_t>(change); }

  // --- inside ---
  void restore(Restored& restored, Instant now);
  void restore_session(SessionRow& row, const ClockStamp& stamp, SessionQueues& queues, Instant now);
  void restore_will(const std::string& client_id, std::unique_ptr<Will> will, Instant now);
  SubscriberId new_subscriber();  // its destination is to be set
  Session& new_session(const std::string& client_id, QueueId queue);
  void end_session(Session& session, Instant now);
  void end_session_before_will(Session& session, Instant due, Instant now);
  void end_groups();
  void attach_subscription(Session& session, const Subscription& subscription, Instant now);
  void detach_subscription(Session& session, std::string_view filter, Instant now);
  SharedGroup& group_for(std::string_view filter);
  SharedGroup& add_group(std::unique_ptr<SharedGroup> group);
  void route_to(SharedGroup& group);
  void restore_groups(const std::vector<RestoredQueue>& queues);
  void restore_exchanges(std::vector<ExchangeRow>& rows, Instant now);
  void restore_outbound(Session& session, std::vector<ExchangeRow>& rows,
                        const std::unordered_map<std::uint64_t, SharedGroup*>& groups, Instant now);
  void end_orphans(std::vector<RestoredQueue>& queues, const SessionQueues& unclaimed, Instant now);
  void retain(Publication& publication, bool wait, Instant now);
  bool has_room_for(std::string_view peer);
  void leave_address(std::string_view peer);
  void retry_held(Instant now);
  void go_on(Instant now);
  void note_held(Connection& connection);
  void prune_deadlines();
  void hurry_for(const Connection& connection, bool dry, bool with_retained);
  void close_unsendable(Instant now);
  bool refuses(Publication& publication, std::span<const Route> routes, SubscriberId origin, bool waits,
               const ExchangeRow* exchange) const;
  bool any_refuses(Publication& publication, std::span<const Route> routes, SubscriberId origin) const;
  void check_waiting();
  void look_at(Session& session, Instant when);
  void check_sessions(Instant now);
  void check_session(Session& session, Instant now);

  // Constant after construction.
  const Options options_;
  Log& log_;
  Journal::StampClock stamp_;

  Random random_;
  Journal journal_;
  Books session_books_;
  SubscriptionTree tree_;
  Session::Shared session_shared_;
  RouteCache routes_;
  RetainedStore retained_;
  // Retained values that expire, found at start, whose age nobody knew.
  std::vector<std::pair<MessageRef, ClockStamp>> undated_retained_;
  PublishForms forms_;
  mqtt::Packet packet_;  // what is being decoded; one for all connections

  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  // Connections with something to do for the caller; an entry counts while its connection says that it is in this list.
  Ring<ConnectionId> delivering_;
  Ring<ConnectionId> answering_;
  std::vector<ConnectionId> unsendable_;  // whose client takes no packet as large as one that was due
  std::vector<ConnectionId> full_;        // whose outputs are worth a write
  std::vector<ByteBuffer> spare_buffers_;
  std::size_t spare_bytes_ = 0;         // capacity of spare_buffers_
  std::vector<ConnectionId> held_;      // waiting for the store
  std::vector<ConnectionId> going_on_;  // sent more than their windows, which may have room again
  bool waiting_over_limit_ = false;
  tsl::robin_map<std::string, std::uint32_t> addresses_;  // connections of each, where that is limited
  std::size_t connection_count_ = 0;
  std::size_t clients_connected_ = 0;

  SessionTable sessions_;
  std::unordered_map<std::string, std::unique_ptr<SharedGroup>> groups_;  // by `$share/GROUP/FILTER`
  std::vector<SharedGroup*> memberless_groups_;  // which end once nobody has messages of theirs in flight
  std::vector<Destination*> subscribers_;        // by SubscriberId
  std::vector<SubscriberId> free_subscribers_;
  std::size_t refusing_ = 0;  // destinations that may refuse, beside sessions
  std::vector<HeldPublishes*> holders_;
  std::uint64_t openings_seen_ = 0;  // of the journal, when they were tried last
  QueueId last_queue_;

  Deadlines<ConnectionId> connection_deadlines_;
  // Wills and expiries of sessions without a connection, with their client identifiers.
  std::set<std::pair<Instant, std::string_view>> session_deadlines_;
  Stats stats_;
  std::function<void(Instant)> status_refresh_;
  Wills wills_;
  bool stopping_ = false;
};

}  // namespace furrow::broker
