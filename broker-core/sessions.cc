#include "broker-core/sessions.h"

#include <algorithm>

#include "broker-core/connection.h"
#include "broker-core/mqtt/topic.h"

namespace furrow::broker {

namespace {

// Assigned client identifiers: `furrow-` and 16 hex digits, within the 23 characters that any server takes
// [MQTT-3.1.3-5].
constexpr std::string_view kAssignedPrefix = Sessions::kAssignedPrefix;
constexpr std::string_view kDigits = "0123456789abcdef";
constexpr std::size_t kAssignedDigits = 16;

bool is_assigned(std::string_view client_id) {
  return client_id.starts_with(kAssignedPrefix) && client_id.size() == kAssignedPrefix.size() + kAssignedDigits &&
         client_id.find_first_not_of(kDigits, kAssignedPrefix.size()) == std::string_view::npos;
}

// How long a client may be away before that is stored: a device that sleeps between two readings costs no flash.
constexpr Duration kLeftInterval = std::chrono::seconds(60);

}  // namespace

Sessions::Sessions(Session::Shared& shared, const std::vector<ListenerPolicy>& listeners, Router& router,
                   Groups& groups, Log& log, Random& random, Instant now)
    : shared_(shared),
      listeners_(listeners),
      router_(router),
      groups_(groups),
      log_(log),
      random_(random),
      table_(shared.hash_key),
      wills_(router, shared, table_, now) {}

// --- CONNECT, and the end of a connection ---

std::string Sessions::assign_client_id(std::string_view prefix) {
  std::string id;
  do {
    id = prefix;
    for (std::uint64_t bits = random_.next(), i = 0; i < kAssignedDigits; ++i, bits >>= 4U)
      id.push_back(kDigits[bits & 15U]);
  } while (table_.find(id) != nullptr);
  return id;
}

bool Sessions::may_open(std::string_view client_id, const std::optional<std::string>& user) const {
  const Session* const session = table_.find(client_id);
  const Identity* const owner = session != nullptr ? &session->identity() : wills_.owner_of_waiting(client_id);
  if (owner == nullptr || owner->user == user) return true;
  return !owner->user && std::ranges::none_of(listeners_, &ListenerPolicy::anonymous);
}

const char* Sessions::limit_for(std::string_view client_id, const std::optional<std::string>& user) {
  if (table_.find(client_id) != nullptr) return nullptr;
  const Limits& limits = shared_.limits;
  if (limits.sessions > 0 && table_.size() >= limits.sessions) {
    ++shared_.stats.sessions_over_limit;
    return "limits.sessions";
  }
  if (limits.sessions_per_user == 0 || !user) return nullptr;
  const auto own = of_users_.find(*user);
  if (own == of_users_.end() || own->second < limits.sessions_per_user) return nullptr;
  ++shared_.stats.sessions_over_user_limit;
  return "limits.sessions_per_user";
}

void Sessions::count(const std::optional<std::string>& user, int change) {
  if (!user) return;
  const auto own = of_users_.try_emplace(*user).first;
  own->second += static_cast<std::uint32_t>(change);
  if (own->second == 0) of_users_.erase(own);
}

Sessions::Opened Sessions::open(Request request, Instant now) {
  const Wills::Taken waiting = wills_.take(request.client_id);
  Session* found = table_.find(request.client_id);
  if (found != nullptr && found->connection() != nullptr) {
    ++shared_.stats.takeovers;
    contested_ids_.note_takeover(request.client_id, now);
    found->connection()->close(mqtt::ReasonCode::SessionTakenOver, "another connection uses this client identifier",
                               now);
    found = table_.find(request.client_id);  // a session without expiry has ended with it
  }
  const bool ends_stored = found != nullptr && request.clean_start && found->durable();
  if (found != nullptr && request.clean_start) {
    // The client is back: the will that has waited for it since the start is not published [MQTT-3.1.2-8].
    SessionRecord& old = found->record();
    if (old.has_pending_will() && old.disconnected->before_start) old.will.reset();
    end(*found, now);
    found = nullptr;
  }
  const bool present = found != nullptr;
  Session& session =
      present ? *found
              : make(request.client_id, request.expiry_s > 0 ? shared_.new_queue() : QueueId{}, request.identity);
  // CONNACK says that the old session is gone, and the client uses its packet identifiers anew: a crash must not bring
  // them back. The row of a new session takes the place of the old one, below.
  if (ends_stored && !session.durable()) session.set_stored_in(shared_.journal.hasten_rows());
  SessionRecord& record = session.record();
  const bool same_will = request.will && record.will ? *request.will == *record.will : !request.will && !record.will;
  const bool same_identity = session.identity() == request.identity;
  if (!same_identity) {
    count(session.identity().user, -1);
    count(request.identity.user, 1);
    session.set_identity(request.identity);
  }
  const bool as_stored = present && record.expiry_s == request.expiry_s && same_will && same_identity;
  record.expiry_s = request.expiry_s;
  record.will = std::move(request.will);
  look_at(session, kNever);
  record.disconnected.reset();
  if (!session.durable()) {
    wills_.keep(session, waiting, connected_, now);
  } else if (!as_stored) {
    session.store();
  } else if (!session.stored_connected()) {
    // A session that is resumed as it was stored costs nothing, or little: most reconnects are that.
    session.store_lazily(now);
  }
  ++connected_;
  ++changes_;
  shared_.stats.clients_maximum = std::max<std::uint64_t>(shared_.stats.clients_maximum, connected_);
  return {session, present};
}

Session& Sessions::make(const std::string& client_id, QueueId queue, const Identity& identity) {
  const SubscriberId subscriber = router_.reserve();
  Session& session = table_.insert(std::make_unique<Session>(client_id, subscriber, queue, shared_));
  session.set_identity(identity);
  count(identity.user, 1);
  router_.set(subscriber, session);
  return session;
}

void Sessions::leave(Session& session, bool publish_will, Instant now) {
  --connected_;
  ++changes_;
  SessionRecord& record = session.record();
  record.disconnected = std::make_unique<Disconnected>(Disconnected{shared_.journal.stamp(now)});
  if (stopping_) {
    // A planned stop is not what a will is for: its client has until after the next start to come back.
    if (record.expiry_s == 0) {
      end_before_will(session, kNever, now);
    } else if (session.durable() && session.stored_connected()) {
      session.store_lazily(now);
    }
    return;
  }
  const bool withdrawn = record.will && !publish_will;
  if (withdrawn) wills_.withdraw(session, now);
  const bool will_now = record.will && (record.will->delay_s == 0 || record.expiry_s == 0);
  if (will_now) wills_.publish(session, now);
  if (record.expiry_s == 0) {
    end(session, now);
    return;
  }
  // The stored will must not be published again after a crash; that the client has left can wait: it may soon be back.
  if (session.durable() && withdrawn) session.store_lazily(now);
  look_at(session, std::min({expiry_of(record, now), wills_.due(record, now), now + kLeftInterval}));
}

// The session ends, and its will, if one is still to be published, waits until `due` without it.
void Sessions::end_before_will(Session& session, Instant due, Instant now) {
  std::unique_ptr<Will> will;
  if (session.record().has_pending_will()) will = std::move(session.record().will);
  const std::string client_id = session.client_id();
  Identity owner = session.identity();
  end(session, now);
  if (will) wills_.wait(client_id, std::move(will), std::move(owner), due, now);
}

void Sessions::end(Session& session, Instant now) {
  ++changes_;
  look_at(session, kNever);
  const std::unique_ptr<Will>& will = session.record().will;
  if (session.record().has_pending_will()) wills_.publish(session, now);
  if (session.durable()) {
    // The row goes without haste, as nobody waits for that: after a crash the session may be back, and ends once more
    // when its time is over. Only a client that is told of the end, by CONNACK, must be able to rely on it. The row
    // keeps the will, without the session, until its message is safe.
    SessionRow row{session.client_id(), std::nullopt};
    if (will) row.data = encode_will_alone(*will, session.identity());
    shared_.journal.put_lazy(std::move(row), now);
  }
  count(session.identity().user, -1);
  const std::unique_ptr<Session> ended = table_.extract(session);
  ended->end(now);
  for (const Subscription& subscription : ended->record().subscriptions) detach(*ended, subscription.filter(), now);
  if (ended->has_queue()) shared_.journal.remove_queue(ended->record().queue);
  router_.remove(ended->subscriber());
}

// --- for the operator ---

const Session* Sessions::next(SubscriberId& place, std::size_t& steps) const {
  while (!at_end(place) && steps > 0) {
    --steps;
    const Session* const session = table_.at(place);
    ++place.value;
    if (session != nullptr) return session;
  }
  return nullptr;
}

bool Sessions::forget(std::string_view client_id, std::string_view why, Instant now) {
  Session* session = table_.find(client_id);
  if (session == nullptr) return false;
  if (session->connection() != nullptr) {
    session->connection()->close(mqtt::ReasonCode::AdministrativeAction, why, now);
    session = table_.find(client_id);  // a session without expiry has ended with it
  }
  if (session != nullptr) end(*session, now);
  return true;
}

// --- SUBSCRIBE and UNSUBSCRIBE ---

Sessions::Subscribed Sessions::subscribe(Session& session, const Subscription& subscription, Instant now) {
  std::vector<Subscription>& subscriptions = session.record().subscriptions;
  Subscription* const existing = session.find_subscription(subscription.filter());
  const bool is_new = existing == nullptr;
  const std::uint32_t limit = shared_.limits.subscriptions;
  const bool over_limit = is_new && limit > 0 && subscriptions.size() >= limit;
  if (over_limit || (is_new && shared_.conditions.short_of_memory)) {
    Stats& stats = shared_.stats;
    ++(over_limit ? stats.subscriptions_over_limit : stats.memory_over_limit);
    return {mqtt::ReasonCode::QuotaExceeded, is_new, false};
  }
  const bool changed = is_new || *existing != subscription;
  if (changed) {
    attach(session, subscription, now);
    if (is_new) {
      subscriptions.push_back(subscription);
    } else {
      *existing = subscription;
    }
  }
  return {static_cast<mqtt::ReasonCode>(subscription.options().qos), is_new, changed};
}

bool Sessions::unsubscribe(Session& session, std::string_view filter, Instant now) {
  if (!session.erase_subscription(filter)) return false;
  detach(session, filter, now);
  return true;
}

void Sessions::attach(Session& session, const Subscription& subscription, Instant now) {
  if (mqtt::is_shared(subscription.filter())) {
    groups_.join(session, subscription, now);
  } else {
    router_.subscribe(session.subscriber(), subscription.filter(), subscription.options());
  }
}

void Sessions::detach(Session& session, std::string_view filter, Instant now) {
  if (mqtt::is_shared(filter)) {
    groups_.leave(session, filter, now);
  } else {
    router_.unsubscribe(session.subscriber(), filter);
  }
}

// --- deadlines ---

// A session has one deadline, however often its client comes and goes.
void Sessions::look_at(Session& session, Instant when) {
  Disconnected* const disconnected = session.record().disconnected.get();
  if (disconnected == nullptr) return;
  deadlines_.erase({disconnected->look_at, session.client_id()});
  disconnected->look_at = when;
  if (when != kNever) deadlines_.emplace(when, session.client_id());
}

void Sessions::check_due(Instant now) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    check(*table_.find(deadlines_.begin()->second), now);
  }
}

// The deadline of a session without a connection came up: of its will, of its expiry, or for its row to say that the
// client has left.
void Sessions::check(Session& session, Instant now) {
  const Instant ended = now - elapsed(*session.record().disconnected, shared_.journal.stamp(now));
  if (wills_.due(session.record(), ended) <= now) wills_.publish(session, now);
  const Instant expiry = expiry_of(session.record(), ended);
  const Instant will_due = wills_.due(session.record(), ended);
  if (expiry <= now) {
    ++shared_.stats.sessions_expired;
    end_before_will(session, will_due, now);
    return;
  }
  if (session.durable() && session.stored_connected() && now - ended >= kLeftInterval) session.store_lazily(now);
  look_at(session, std::min(expiry, will_due));
}

// --- the world ---

void Sessions::handle_timeout(Instant now) {
  if (stopping_) return;
  check_due(now);
  wills_.handle_timeout(now);
}

Instant Sessions::next_deadline() const {
  if (stopping_) return kNever;
  return std::min(deadlines_.empty() ? kNever : deadlines_.begin()->first, wills_.next_deadline());
}

void Sessions::handle_turn_end(Instant now) {
  for (const SubscriberId number : std::exchange(shared_.looking, {})) {
    if (Session* const session = table_.at(number)) session->continue_replays(now);
  }
}

void Sessions::handle_clock_trusted(Instant now) {
  table_.for_each([&](Session& session) {
    if (session.connection() == nullptr) look_at(session, now);
  });
}

void Sessions::handle_limits_changed(Instant now) {
  table_.for_each([&](Session& session) { session.handle_limits_changed(now); });
}

void Sessions::handle_rules_changed(Instant now) {
  table_.for_each([&](Session& session) { session.handle_rules_changed(now); });
}

void Sessions::shut_down(Instant now) {
  stopping_ = true;
  table_.for_each([&](Session& session) {
    const bool has_left = session.connection() == nullptr;
    if (has_left && session.durable() && session.stored_connected()) session.store_lazily(now);
  });
}

// --- at start ---

void Sessions::restore(Restored& restored, const ClockStamp& stamp, Instant now) {
  SessionQueues queues(restored.queues);
  for (SessionRow& row : std::exchange(restored.sessions, {})) {
    if (is_far_session(row.client_id)) {
      restored.sessions.push_back(std::move(row));
    } else {
      restore(row, stamp, queues, now);
    }
  }
  restore_exchanges(restored.exchanges, now);
  groups_.finish_restore(now);
  end_orphans(restored.queues, queues);
  table_.for_each([](Session& session) { session.forget_access(); });  // asked while sessions were not whole
  check_due(now);                                                      // what has expired meanwhile is not resumed
}

void Sessions::restore(SessionRow& row, const ClockStamp& stamp, SessionQueues& queues, Instant now) {
  std::vector<std::uint32_t> unsent;
  Identity owner;
  std::optional<SessionRecord> record;
  if (row.data) record = decode_session(row.client_id, *row.data, &unsent, &owner);
  if (!record) {
    log_.write(LogLevel::Error, "session.damaged", {{"client", row.client_id}, {"next", "the session starts anew"}});
    shared_.journal.put(SessionRow{row.client_id, std::nullopt});
    return;
  }
  if (!record->queue) {
    restore_will(row.client_id, std::move(record->will), owner, now);
    return;
  }
  shared_.last_queue = std::max(shared_.last_queue, record->queue);
  Session& session = make(row.client_id, record->queue, owner);
  record->owner = session.record().owner;
  if (const CursorRow* const cursor = queues.claim(record->queue)) session.restore(*cursor);
  for (const Subscription& subscription : record->subscriptions) attach(session, subscription, now);
  // After a crash, the session counts as disconnected from now on: when the connection really ended is unknown.
  const Instant ended = record->connected() ? now : now - elapsed(*record->disconnected, stamp);
  if (record->connected()) {
    record->disconnected = std::make_unique<Disconnected>(Disconnected{stamp});
    session.set_stored_connected(true);
  }
  record->disconnected->before_start = true;
  session.record() = std::move(*record);
  for (const std::uint32_t place : unsent) session.restart_replay(session.record().subscriptions[place]);
  look_at(session, std::min(expiry_of(session.record(), ended), wills_.due(session.record(), ended)));
}

// A client with an identifier that we assigned takes another one when it comes back: its will must not come after that.
void Sessions::restore_will(const std::string& client_id, std::unique_ptr<Will> will, const Identity& owner,
                            Instant now) {
  if (!will) {
    shared_.journal.put_lazy(SessionRow{client_id, std::nullopt}, now);
    return;
  }
  will->stored = true;
  const Duration grace = is_assigned(client_id) ? Duration::zero() : Wills::kRestartGrace;
  wills_.wait(client_id, std::move(will), owner, now + grace, now);
}

// Takes the rows of sessions; those of bridges are left for the owner.
void Sessions::restore_exchanges(std::vector<ExchangeRow>& rows, Instant now) {
  std::unordered_map<std::uint64_t, Session*> by_queue;
  table_.for_each([&](Session& session) { by_queue[session.record().queue.value] = &session; });
  std::unordered_map<Session*, std::vector<ExchangeRow>> outbound;
  std::erase_if(rows, [&](const ExchangeRow& row) {
    const auto session = by_queue.find(row.queue.value);
    if (session == by_queue.end()) return false;
    if (row.direction == ExchangeRow::Direction::Inbound) {
      session->second->received_insert(row.packet_id);
    } else {
      outbound[session->second].push_back(row);
    }
    return true;
  });
  const std::unordered_map<std::uint64_t, SharedGroup*> groups = groups_.by_queue();
  for (auto& [session, own] : outbound) restore_outbound(*session, own, groups, now);
}

void Sessions::restore_outbound(Session& session, std::vector<ExchangeRow>& rows,
                                const std::unordered_map<std::uint64_t, SharedGroup*>& groups, Instant now) {
  Inflight::sort_by_sending(rows);
  for (const ExchangeRow& row : rows) {
    const auto found = groups.find(row.outbox.value);
    SharedGroup* const group = found == groups.end() ? nullptr : found->second;
    Outbox* const outbox = group != nullptr ? &group->outbox() : row.outbox == row.queue ? session.outbox() : nullptr;
    if (outbox == nullptr) {  // the group has ended
      shared_.journal.erase(row);
      continue;
    }
    session.make_inflight(now).restore(row, *outbox);
  }
}

// Removes the queues of sessions that are not there: their end was not finished. Groups live on, those without a member
// for as long as a session has messages of them in flight.
void Sessions::end_orphans(std::vector<RestoredQueue>& queues, const SessionQueues& unclaimed) {
  std::erase_if(queues, [&](const RestoredQueue& queue) {
    if (queue.row.kind == QueueKind::Bridge || queue.row.kind == QueueKind::Lane) return false;
    if (queue.row.kind == QueueKind::Group || !unclaimed.contains(queue.row.id)) return true;
    ++shared_.stats.queues_orphaned;
    shared_.journal.remove_queue(queue.row.id);
    return true;
  });
}

}  // namespace furrow::broker
