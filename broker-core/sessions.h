// The sessions of a broker: how they begin, are stored, end and come back.
//
//   CONNECT           takes the session over from another connection, resumes it, or makes a new one
//   connection ends   the session ends with it, or waits until it expires
//   expiry            the session ends; so does it with a CONNECT of clean start
//   the next start    sessions, their queues and exchanges are as the store has them
//
// A session belongs to the user that made it, and so does a will that waits for its client: under the same client
// identifier another user is refused before anything of them is touched. What an anonymous client has left belongs to
// anonymous clients. Once no listener lets any of them in, as after users were introduced, the first user that comes
// with the client identifier has it.
//
// Owns sessions and wills. Knows of a connection only that it can be closed. Thread: loop. Time: passed in.
// Spec: MQTT 5.0 §3.1.2.4, §3.1.2.11.2, §4.1.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "broker-core/base/log.h"
#include "broker-core/base/random.h"
#include "broker-core/contested_ids.h"
#include "broker-core/groups.h"
#include "broker-core/identity.h"
#include "broker-core/listener_policy.h"
#include "broker-core/router.h"
#include "broker-core/session/session.h"
#include "broker-core/session/session_queues.h"
#include "broker-core/session/session_table.h"
#include "broker-core/store.h"
#include "broker-core/wills.h"

namespace furrow::broker {

class Sessions {
 public:
  // Client identifiers that we assign begin with it.
  static constexpr std::string_view kAssignedPrefix = "furrow-";

  // All references must outlive it; `random` gives client identifiers. `now` is the first moment of the broker.
  Sessions(Session::Shared& shared, const std::vector<ListenerPolicy>& listeners, Router& router, Groups& groups,
           Log& log, Random& random, Instant now);
  Sessions(const Sessions&) = delete;
  Sessions& operator=(const Sessions&) = delete;

  // --- CONNECT, and the end of a connection ---
  // A client identifier that no session has.
  std::string assign_client_id(std::string_view prefix = kAssignedPrefix);
  // Whether `user`, or an anonymous client, may have the session of this client identifier, if there is one.
  bool may_open(std::string_view client_id, const std::optional<std::string>& user) const;
  // The key of the limit for which the client of `user` gets no session; nullptr when it gets one, or has it already.
  const char* limit_for(std::string_view client_id, const std::optional<std::string>& user);
  // REQUIRES: may_open().
  struct Request {
    const std::string& client_id;
    const Identity& identity;
    bool clean_start = false;
    std::uint32_t expiry_s = 0;  // 0: ends with its connection
    std::unique_ptr<Will> will;
  };
  struct Opened {
    Session& session;
    bool present = false;  // for CONNACK
  };
  // The session for a CONNECT, which waits for Session::stored_in(). Closes the connection that has it so far, and ends
  // what clean start ends. leave() follows once.
  Opened open(Request request, Instant now);
  // The connection of `session`, which may end here, is gone. Without `publish_will` the client has taken it away.
  void leave(Session& session, bool publish_will, Instant now);

  // --- SUBSCRIBE and UNSUBSCRIBE ---
  struct Subscribed {
    mqtt::ReasonCode reason;  // for SUBACK
    bool is_new = false;
    bool changed = false;  // the session's row has to say so
  };
  Subscribed subscribe(Session& session, const Subscription& subscription, Instant now);
  // False when there is no such subscription.
  bool unsubscribe(Session& session, std::string_view filter, Instant now);

  // --- for the operator ---
  // nullptr when there is none. Valid until it ends.
  const Session* find(std::string_view client_id) const { return table_.find(client_id); }
  // Goes over all sessions, as far as nothing changes meanwhile: the first from `place` on, which is then behind it.
  // nullptr at the end, or when `steps`, which it counts down, are used up.
  const Session* next(SubscriberId& place, std::size_t& steps) const;
  bool at_end(SubscriberId place) const { return place >= table_.end(); }
  // Ends the session, and the connection that has it; its will is published, as at any end of a session
  // [MQTT-3.1.2-8]. False when there is none.
  bool forget(std::string_view client_id, std::string_view why, Instant now);

  // --- the world ---
  void handle_timeout(Instant now);
  void handle_turn_end(Instant now);
  // The wall clock is trusted: how long clients have been away is known.
  void handle_clock_trusted(Instant now);
  void handle_limits_changed(Instant now);
  // Access rules: messages that wait are judged again.
  void handle_rules_changed(Instant now);
  // The medium takes writes again, or memory is free again.
  void handle_room() { wills_.write_rest(); }
  // A clean stop, before connections are closed: wills wait in the store for the next start, and sessions expire from
  // the stop, not from the next start.
  void shut_down(Instant now);
  // Whether handle_turn_end() has something to do.
  bool has_work() const { return !shared_.looking.empty(); }
  Instant next_deadline() const;

  // --- at start ---
  // Takes sessions out of `restored`; rows, queues and exchanges of bridges are left in it.
  void restore(Restored& restored, const ClockStamp& stamp, Instant now);

  std::size_t size() const { return table_.size(); }
  // Calls `visit` with each session, in no order.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    table_.for_each(visit);
  }
  // Rises when a session begins or ends, and when its connection does.
  std::uint64_t changes() const { return changes_; }
  Identity identity_for_test(std::string_view client_id) const {
    const Session* const session = table_.find(client_id);
    return session != nullptr ? session->identity() : Identity{};
  }
  // Those with a connection.
  std::size_t connected() const { return connected_; }
  const Wills& wills() const { return wills_; }
  const ContestedIds& contested_ids() const { return contested_ids_; }

 private:
  void count(const std::optional<std::string>& user, int change);
  Session& make(const std::string& client_id, QueueId queue, const Identity& identity);
  void end(Session& session, Instant now);
  void end_before_will(Session& session, Instant due, Instant now);
  void attach(Session& session, const Subscription& subscription, Instant now);
  void detach(Session& session, std::string_view filter, Instant now);

  void look_at(Session& session, Instant when);
  void check_due(Instant now);
  void check(Session& session, Instant now);

  void restore(SessionRow& row, const ClockStamp& stamp, SessionQueues& queues, Instant now);
  void restore_will(const std::string& client_id, std::unique_ptr<Will> will, const Identity& owner, Instant now);
  void restore_exchanges(std::vector<ExchangeRow>& rows, Instant now);
  void restore_outbound(Session& session, std::vector<ExchangeRow>& rows,
                        const std::unordered_map<std::uint64_t, SharedGroup*>& groups, Instant now);
  void end_orphans(std::vector<RestoredQueue>& queues, const SessionQueues& unclaimed);

  // Constant after construction.
  Session::Shared& shared_;
  const std::vector<ListenerPolicy>& listeners_;  // may change between two calls
  Router& router_;
  Groups& groups_;
  Log& log_;
  Random& random_;

  SessionTable table_;
  // Wills and expiries of sessions without a connection, with their client identifiers.
  std::set<std::pair<Instant, std::string_view>> deadlines_;
  std::size_t connected_ = 0;
  std::uint64_t changes_ = 0;
  ContestedIds contested_ids_;
  std::map<std::string, std::uint32_t> of_users_;  // sessions of each; of anonymous clients none
  bool stopping_ = false;
  Wills wills_;  // refers to the table
};

}  // namespace furrow::broker
