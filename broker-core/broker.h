// The broker: connections, sessions, routing, retained messages, and what must be safe before it is acknowledged.
//
// Sans-IO. The methods fall into four groups:
//   handle_*   the world → the broker: a connection was accepted, bytes came, the store answered, time passed
//   publish…   commands of the owner (the bridges, the status topics)
//   poll_*     the broker → the world: which connections have bytes to write or are to be closed
//   getters    counters and gauges for the status
// Order in one loop turn: handle_* for everything that is ready; then handle_turn_end(); then poll_ready() until it
// gives none, writing out output() of each; then wait until next_deadline() at most. `now` never goes backwards.
// poll_ready() names the connections that messages go to before those that are only answered, each kind in the order in
// which they became ready: within a turn a message leaves before its publisher's acknowledgement, because the message
// is waited for longer. Nothing here calls back into the caller except the Store, whose answers come in a later turn,
// the Log, and the function that refreshes the status topics.
//
// This class is the contract. The work is done by its parts, each of which knows those before it and none behind it:
// Journal, Mesh, Router, Groups, Sessions, ConnectionTable.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker-core/arrival.h"
#include "broker-core/authenticator.h"
#include "broker-core/base/log.h"
#include "broker-core/base/random.h"
#include "broker-core/conditions.h"
#include "broker-core/connection.h"
#include "broker-core/connection_table.h"
#include "broker-core/groups.h"
#include "broker-core/held_publishes.h"
#include "broker-core/identity.h"
#include "broker-core/limit_log.h"
#include "broker-core/mesh.h"
#include "broker-core/router.h"
#include "broker-core/session/journal.h"
#include "broker-core/session/session.h"
#include "broker-core/session/session_access.h"
#include "broker-core/sessions.h"
#include "broker-core/settings.h"
#include "broker-core/stats.h"
#include "broker-core/store.h"
#include "broker-core/visitors.h"

namespace furrow::broker {

class Broker final {
 public:
  struct Options : Settings {
    std::uint64_t seed = 1;  // for client identifiers that we assign and for hashing
  };

  // `restored` is what the store held at start: sessions, their queues and retained messages come back; the queues of
  // bridges and their sessions at far brokers are left in it for the owner. `now` is the first moment.
  Broker(const Options& options, Store& store, Journal::StampClock stamp, Log& log, Restored& restored, Instant now);
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  // --- the world → the broker ---
  // A client has connected. 0 when a limit is reached or memory is short: close it. Its CONNECT is due
  // `limits.connect_timeout` after it was accepted, which may be a while ago.
  ConnectionId handle_accept(Arrival arrival, Instant accepted) {
    return connections_.accept(std::move(arrival), accepted);
  }
  // `HOST:PORT`. REQUIRES: the connection is there.
  std::string peer(ConnectionId connection) const { return connections_.find(connection)->peer(); }
  // `dry`: the socket had no more than these bytes.
  void handle_bytes(ConnectionId connection, ByteView bytes, bool dry, Instant now);
  // The caller has written out and consumed bytes of output(connection).
  void handle_sent(ConnectionId connection, std::size_t bytes, Instant now);
  // The Authenticator's answer about this connection, or this visitor, who may be gone.
  void handle_login(ConnectionId connection, Verdict verdict, Instant now);
  // The network connection is gone; the id is invalid from now on.
  void handle_closed(ConnectionId connection, Instant now) { connections_.remove(connection, now); }
  void handle_persisted(BatchNumber watermark, Instant now);
  // The store wrote nothing of the batch that it had, and forgets it.
  void handle_not_persisted(Batch batch, Instant now);
  void handle_page(const Page& page, Instant now);
  void handle_timeout(Instant now);
  void handle_turn_end(Instant now);
  // The process has allocated this much. Above `limits.memory`, and until memory is free again, new connections,
  // subscriptions and retained topics are refused, publishers that wait for acknowledgements are not read from, queues
  // that are in memory only are not added to, and QoS 0 to a client that does not read at once is dropped. All of it is
  // counted.
  void handle_memory(std::uint64_t bytes);
  // The medium takes no writes, or does again. Meanwhile messages that would have to be written are refused, as by a
  // full queue that refuses; messages that their destinations acknowledge in time go on.
  void handle_store_failing(bool failing);
  // The wall clock has become trusted: stored messages now have their true age, where only a lower bound was known.
  void handle_clock_trusted(Instant now);
  // Whether there is something to do before any time passes: for handle_turn_end(), or a connection for poll_ready().
  bool has_work() const;
  // Instant::min() while it has work.
  Instant next_deadline() const;
  // A clean stop: clients are told (0x8B), everything that waits is submitted to the store, and wills wait there for
  // the next start. From now on the broker only finishes what is on its way.
  void shut_down(Instant now);

  // --- the broker → the world ---
  // A connection whose output, closing or reading_paused has changed; false when there is none. Each change gives it
  // once. A connection that becomes ready while the caller polls (handle_sent() has more for it) is given again.
  bool poll_ready(ConnectionId& connection) { return connections_.poll_ready(connection); }
  ByteBuffer& output(ConnectionId connection);
  // Says goodbye to the client, and closes; the log says why. Null effect when there is no such connection.
  void close(ConnectionId connection, mqtt::ReasonCode reason, std::string_view why, Instant now);
  // Whether to close the network connection once output() is empty.
  bool closing(ConnectionId connection) const;
  // Whether not to read from it for now.
  bool reading_paused(ConnectionId connection) const;

  // A connection whose output is worth a write before the turn ends; false when there is none. Writing it while the
  // caller still reads keeps outputs in the processor's cache, and QoS 0 from being dropped for lack of a write.
  bool poll_full(ConnectionId& connection) { return connections_.poll_full(connection); }

  // Whether acknowledgements to this client wait for the store.
  bool awaits_acknowledgement(ConnectionId connection) const;

  // --- commands ---
  // Another kind of destination (a bridge); must live until remove_destination().
  SubscriberId add_destination(Destination& destination) { return router_.add(destination); }
  void remove_destination(SubscriberId subscriber) { router_.remove(subscriber); }
  // Destinations refuse what they did not refuse before, or no longer.
  void handle_refusals_changed() { router_.handle_refusals_changed(); }
  // Destinations have joined the mesh, or left it.
  void handle_mesh_changed() { router_.handle_mesh_changed(); }
  void subscribe(SubscriberId subscriber, std::string_view filter, const SubscriptionOptions& options) {
    router_.subscribe(subscriber, filter, options);
  }
  void unsubscribe(SubscriberId subscriber, std::string_view filter) { router_.unsubscribe(subscriber, filter); }
  // As the router does it.
  using Published = Router::Published;
  Published publish(const Message::Fields& fields, SubscriberId origin, AckTicket ticket, const ExchangeRow* exchange,
                    Instant now) {
    return router_.publish(fields, origin, std::move(ticket), exchange, now);
  }
  void publish_status(std::string_view topic, std::string_view payload, Instant now) {
    router_.publish_status(topic, payload, now);
  }
  void retain_status(std::string_view topic, std::string_view payload, Instant now) {
    router_.retain_status(topic, payload, now);
  }
  // `refresh` is called from within handle_bytes() when a client subscribes to a `$` topic, before the retained
  // messages are sent. It may call nothing that changes this broker, except retain_status(). Empty: nobody refreshes.
  void set_status_refresh(std::function<void(Instant)> refresh) { router_.set_status_refresh(std::move(refresh)); }
  // What this gateway is called on the paths of messages, and in their ids; empty, as at first: they say nothing of it.
  void set_gateway_id(const std::string& id) {
    connection_shared_.gateway_id = id;
    mesh_.set_gateway(id);
  }
  // The authenticator knows passwords, and must outlive the broker's connections. nullptr, as at first: nobody does.
  void set_authenticator(Authenticator* authenticator) { connection_shared_.authenticator = authenticator; }
  // From now on these settings hold: for everything, and as settings.h says. Call it in a turn, like handle_*.
  void apply(const Settings& settings, Instant now);
  // For publishers that hold what was refused.
  Router& router() { return router_; }
  // A queue id never used before, for a bridge's outbox.
  QueueId new_queue() { return session_shared_.new_queue(); }

  // Those who read the status without MQTT. The caller polls them, and keeps their deadlines.
  Visitors& visitors() { return visitors_; }

  // --- for the operator ---
  // For who traces it. REQUIRES: the connection is there.
  const Connection& connection(ConnectionId connection) const { return *connections_.find(connection); }
  // Who is connected or has a session.
  const Sessions& client_sessions() const { return sessions_; }
  // Ends the connection of this client (0x98). False when it has none.
  bool kick(std::string_view client_id, Instant now);
  // As Sessions::forget(). The rows that say so are not hastened.
  bool forget(std::string_view client_id, Instant now) {
    return sessions_.forget(client_id, "an operator has ended the session", now);
  }

  // --- getters ---
  Journal& journal() { return journal_; }
  const Journal& journal() const { return journal_; }
  const Limits& limits() const { return settings_.limits; }
  bool short_of_memory() const { return conditions_.short_of_memory; }
  // Whether more than `limits.commit_waiting` waits for the store, as of the last turn's end, or memory is short.
  bool store_lags() const { return conditions_.store_lags; }
  const CommitInterval& commit_interval() const { return settings_.commit_interval; }
  const Stats& stats() const { return stats_; }
  // All persistent sessions together.
  const Books& session_books() const { return session_books_; }
  // Sum over the messages in the queues of sessions and groups.
  std::uint64_t session_queue_bytes() const { return session_books_.waiting_bytes; }
  std::size_t connections() const { return connections_.size(); }
  std::size_t clients() const { return sessions_.connected(); }
  std::size_t sessions() const { return sessions_.size(); }
  std::size_t subscriptions() const { return router_.subscriptions(); }
  // Looks at every group: for the status.
  SubscriptionCounts subscription_counts() const { return groups_.count(router_.subscriptions()); }
  const RetainedStore& retained() const { return router_.retained(); }
  const Wills& wills() const { return sessions_.wills(); }
  // Calls `visit` with each session, which may call nothing that changes this broker; and whether that would be new.
  template <typename Visit>
  void for_each_session(Visit&& visit) const {
    sessions_.for_each(visit);
  }
  std::uint64_t session_changes() const { return sessions_.changes(); }
  const Mesh& mesh() const { return mesh_; }
  const ContestedIds& contested_ids() const { return sessions_.contested_ids(); }

  // Whose the session of this client is.
  Identity identity_for_test(std::string_view client_id) const { return sessions_.identity_for_test(client_id); }
  // Entries of lists that connections are in: bounded by the number of connections, whatever these do.
  struct ListSizes {
    std::size_t held = 0;
    std::size_t deadlines = 0;
  };
  ListSizes list_sizes_for_test() const {
    return {connection_shared_.agenda.held(), connection_shared_.agenda.deadlines().size()};
  }

 private:
  void check_waiting();
  void apply_access_rules(Instant now);

  Settings settings_;
  std::uint64_t allocated_bytes_ = 0;  // as handle_memory() has said
  std::uint64_t not_grown_ = 0;        // of the books of sessions, as far as it is logged
  bool stopping_ = false;

  // In the order in which one refers to another.
  Stats stats_;
  Conditions conditions_;
  Books session_books_;
  Random random_;
  Identities identities_;
  SessionAccess access_;
  LimitLog limit_log_;
  Journal journal_;
  Mesh mesh_;
  Router router_;
  Session::Shared session_shared_;
  Groups groups_;
  Sessions sessions_;
  Connection::Shared connection_shared_;
  ConnectionTable connections_;
  Visitors visitors_;
};

}  // namespace furrow::broker
