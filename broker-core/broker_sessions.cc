// The sessions of the broker: how they begin, are stored, end and come back, and what they subscribe to.
#include <algorithm>

#include "broker-core/broker.h"
#include "broker-core/mqtt/topic.h"

namespace furrow::broker {

namespace {

// Assigned client identifiers: `furrow-` and 16 hex digits, within the 23 characters that any server takes
// [MQTT-3.1.3-5].
constexpr std::string_view kAssignedPrefix = "furrow-";
constexpr std::string_view kDigits = "0123456789abcdef";
constexpr std::size_t kAssignedDigits = 16;

bool is_assigned(std::string_view client_id) {
  return client_id.starts_with(kAssignedPrefix) && client_id.size() == kAssignedPrefix.size() + kAssignedDigits &&
         client_id.find_first_not_of(kDigits, kAssignedPrefix.size()) == std::string_view::npos;
}

// How long a client may be away before that is stored: a device that sleeps between two readings costs no flash.
constexpr Duration kLeftInterval = std::chrono::seconds(60);

}  // namespace

// --- start ---

void Broker::restore(Restored& restored, Instant now) {
  const ClockStamp stamp = stamp_(now);
  for (const RetainedRow& row : restored.retained) {
    ClockStamp written;
    MessageRef message = row.data ? decode_message(*row.data, stamp, written) : MessageRef{};
    if (message && message->expires_at() > now) {
      if (message->expiry_s() && !stamp.trusted) undated_retained_.emplace_back(message, written);
      (void)retained_.set(std::move(message));
    } else {
      journal_.retained_changed(row.topic, {}, now);  // expired, or damaged
    }
  }
  restored.retained = {};
  restore_groups(restored.queues);
  SessionQueues queues(restored.queues);
  for (SessionRow& row : std::exchange(restored.sessions, {})) {
    if (is_far_session(row.client_id)) {
      restored.sessions.push_back(std::move(row));
    } else {
      restore_session(row, stamp, queues, now);
    }
  }
  restore_exchanges(restored.exchanges, now);
  end_orphans(restored.queues, queues, now);
  check_sessions(now);  // what has expired meanwhile is not resumed
}

// Those of sessions; those of bridges are left for the owner.
void Broker::restore_exchanges(std::vector<ExchangeRow>& rows, Instant now) {
  std::unordered_map<std::uint64_t, Session*> by_queue;
  sessions_.for_each([&](Session& session) { by_queue[session.record().queue.value] = &session; });
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
  std::unordered_map<std::uint64_t, SharedGroup*> groups;
  for (const auto& [filter, group] : groups_) groups[group->outbox().queue().value] = group.get();
  for (auto& [session, own] : outbound) restore_outbound(*session, own, groups, now);
}

void Broker::restore_outbound(Session& session, std::vector<ExchangeRow>& rows,
                              const std::unordered_map<std::uint64_t, SharedGroup*>& groups, Instant now) {
  Inflight::sort_by_sending(rows);
  for (const ExchangeRow& row : rows) {
    const auto found = groups.find(row.outbox.value);
    SharedGroup* const group = found == groups.end() ? nullptr : found->second;
    Outbox* const outbox = group != nullptr ? &group->outbox() : row.outbox == row.queue ? session.outbox() : nullptr;
    if (outbox == nullptr) {  // the group has ended
      journal_.erase(row);
      continue;
    }
    session.make_inflight(now).restore(row, *outbox);
  }
}

// Queues of sessions and groups that are not there: their removal was not finished. A group without a member lives on
// while a session has messages of it in flight.
void Broker::end_orphans(std::vector<RestoredQueue>& queues, const SessionQueues& unclaimed, Instant now) {
  for (const auto& [filter, group] : groups_) {
    if (group->has_members()) continue;
    memberless_groups_.push_back(group.get());
    group->hand_out(now);
  }
  std::erase_if(queues, [&](const RestoredQueue& queue) {
    if (queue.row.kind == QueueKind::Bridge) return false;
    if (queue.row.kind == QueueKind::Group) return true;
    if (!unclaimed.contains(queue.row.id)) return true;
    ++stats_.queues_orphaned;
    journal_.remove_queue(queue.row.id);
    return true;
  });
}

void Broker::restore_session(SessionRow& row, const ClockStamp& stamp, SessionQueues& queues, Instant now) {
  std::vector<std::uint32_t> unsent;
  std::optional<SessionRecord> record = row.data ? decode_session(row.client_id, *row.data, &unsent) : std::nullopt;
  if (!record) {
    log_.write(LogLevel::Error, "session.damaged", {{"client", row.client_id}, {"next", "the session starts anew"}});
    journal_.put(SessionRow{row.client_id, std::nullopt});
    return;
  }
  if (!record->queue) {
    restore_will(row.client_id, std::move(record->will), now);
    return;
  }
  last_queue_ = std::max(last_queue_, record->queue);
  Session& session = new_session(row.client_id, record->queue);
  if (const CursorRow* const cursor = queues.claim(record->queue)) session.restore(*cursor);
  for (const Subscription& subscription : record->subscriptions) attach_subscription(session, subscription, now);
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

// A client with an identifier of ours will have another one when it comes back: its will must not come behind that.
void Broker::restore_will(const std::string& client_id, std::unique_ptr<Will> will, Instant now) {
  if (!will) {
    journal_.put_lazy(SessionRow{client_id, std::nullopt}, now);
    return;
  }
  will->stored = true;
  const Duration grace = is_assigned(client_id) ? Duration::zero() : Wills::kRestartGrace;
  wills_.wait(client_id, std::move(will), now + grace, now);
}

// --- sessions ---

std::string Broker::assign_client_id() {
  std::string id;
  do {
    id = kAssignedPrefix;
    for (std::uint64_t bits = random_.next(), i = 0; i < kAssignedDigits; ++i, bits >>= 4U)
      id.push_back(kDigits[bits & 15U]);
  } while (sessions_.find(id) != nullptr);
  return id;
}

SubscriberId Broker::new_subscriber() {
  if (!free_subscribers_.empty()) {
    const SubscriberId subscriber = free_subscribers_.back();
    free_subscribers_.pop_back();
    return subscriber;
  }
  subscribers_.push_back(nullptr);
  return SubscriberId{static_cast<std::uint32_t>(subscribers_.size() - 1)};
}

Broker::Opened Broker::open_session(const std::string& client_id, bool clean_start, std::uint32_t expiry_s,
                                    std::unique_ptr<Will> will, Instant now) {
  const std::unique_ptr<Will> waiting = wills_.take(client_id);
  Session* found = sessions_.find(client_id);
  if (found != nullptr && found->connection() != nullptr) {
    ++stats_.takeovers;
    found->connection()->close(mqtt::ReasonCode::SessionTakenOver, "another connection uses this client identifier",
                               now);
    found = sessions_.find(client_id);  // a session without expiry has ended with it
  }
  const bool ends_stored = found != nullptr && clean_start && found->durable();
  if (found != nullptr && clean_start) {
    // The client is back: the will that has waited for it since the start is not published [MQTT-3.1.2-8].
    SessionRecord& old = found->record();
    if (old.has_pending_will() && old.disconnected->before_start) old.will.reset();
    end_session(*found, now);
    found = nullptr;
  }
  const bool present = found != nullptr;
  Session& session = present ? *found : new_session(client_id, expiry_s > 0 ? new_queue() : QueueId{});
  // CONNACK says that the old session is gone, and the client uses its packet identifiers anew: a crash must not bring
  // them back. The row of a new session takes the place of the old one, below.
  if (ends_stored && !session.durable()) session.set_stored_in(journal_.hasten_rows());
  SessionRecord& record = session.record();
  const bool same_will = will && record.will ? *will == *record.will : !will && !record.will;
  const bool as_stored = present && record.expiry_s == expiry_s && same_will;
  record.expiry_s = expiry_s;
  record.will = std::move(will);
  look_at(session, kNever);
  record.disconnected.reset();
  if (!session.durable()) {
    wills_.keep(session, waiting.get(), now);
  } else if (!as_stored) {
    session.store();
  } else if (!session.stored_connected()) {
    // A session that is resumed as it was stored costs nothing, or little: most reconnects are that.
    session.store_lazily(now);
  }
  return {session, present};
}

Session& Broker::new_session(const std::string& client_id, QueueId queue) {
  const SubscriberId subscriber = new_subscriber();
  Session& session = sessions_.insert(std::make_unique<Session>(client_id, subscriber, queue, session_shared_));
  subscribers_[subscriber.value] = &session;
  return session;
}

void Broker::leave_session(Session& session, bool publish, Instant now) {
  SessionRecord& record = session.record();
  record.disconnected = std::make_unique<Disconnected>(Disconnected{stamp_(now)});
  if (stopping_) {
    // A planned stop is not what a will is for: its client has until after the next start to come back.
    if (record.expiry_s == 0) end_session_before_will(session, kNever, now);
    return;
  }
  const bool withdrawn = record.will && !publish;
  if (withdrawn) wills_.withdraw(session, now);
  const bool will_now = record.will && (record.will->delay_s == 0 || record.expiry_s == 0);
  if (will_now) wills_.publish(session, now);
  if (record.expiry_s == 0) {
    end_session(session, now);
    return;
  }
  // The stored will must not be published again after a crash; that the client has left can wait: it may soon be back.
  if (session.durable() && withdrawn) session.store_lazily(now);
  look_at(session, std::min({expiry_of(record, now), wills_.due(record, now), now + kLeftInterval}));
}

// One deadline each, however often its client comes and goes.
void Broker::look_at(Session& session, Instant when) {
  Disconnected* const disconnected = session.record().disconnected.get();
  if (disconnected == nullptr) return;
  session_deadlines_.erase({disconnected->look_at, session.client_id()});
  disconnected->look_at = when;
  if (when != kNever) session_deadlines_.emplace(when, session.client_id());
}

void Broker::check_sessions(Instant now) {
  while (!session_deadlines_.empty() && session_deadlines_.begin()->first <= now) {
    check_session(*sessions_.find(session_deadlines_.begin()->second), now);
  }
}

// The deadline of a session without a connection came up: its will, its expiry, or that it has left.
void Broker::check_session(Session& session, Instant now) {
  const Instant ended = now - elapsed(*session.record().disconnected, stamp_(now));
  if (wills_.due(session.record(), ended) <= now) wills_.publish(session, now);
  const Instant expiry = expiry_of(session.record(), ended);
  const Instant will_due = wills_.due(session.record(), ended);
  if (expiry <= now) {
    ++stats_.sessions_expired;
    end_session_before_will(session, will_due, now);
    return;
  }
  if (session.durable() && session.stored_connected() && now - ended >= kLeftInterval) session.store_lazily(now);
  look_at(session, std::min(expiry, will_due));
}

// The session ends, and its will, if one is still to be published, waits until `due` without it.
void Broker::end_session_before_will(Session& session, Instant due, Instant now) {
  std::unique_ptr<Will> will;
  if (session.record().has_pending_will()) will = std::move(session.record().will);
  const std::string client_id = session.client_id();
  end_session(session, now);
  if (will) wills_.wait(client_id, std::move(will), due, now);
}

void Broker::end_session(Session& session, Instant now) {
  look_at(session, kNever);
  const std::unique_ptr<Will>& will = session.record().will;
  if (session.record().has_pending_will()) wills_.publish(session, now);
  if (session.durable()) {
    // Without haste, as nobody waits for it: a crash before that finds the session as it was, and ends it once more
    // when its time is over. Only a client that is told of the end, by CONNACK, must be able to rely on it. The row
    // keeps the will alone until that is safe.
    SessionRow row{session.client_id(), std::nullopt};
    if (will) row.data = encode_will_alone(*will);
    journal_.put_lazy(std::move(row), now);
  }
  const std::unique_ptr<Session> ended = sessions_.extract(session);
  ended->end(now);
  for (const Subscription& subscription : ended->record().subscriptions) {
    detach_subscription(*ended, subscription.filter(), now);
  }
  if (ended->has_queue()) journal_.remove_queue(ended->record().queue);
  remove_destination(ended->subscriber());
}

std::uint64_t Broker::session_queue_bytes() const {
  std::uint64_t bytes = 0;
  sessions_.for_each([&](Session& session) {
    if (const Outbox* outbox = session.outbox()) bytes += outbox->bytes();
  });
  for (const auto& [filter, group] : groups_) bytes += group->outbox().bytes();
  return bytes;
}

// --- subscriptions ---

SubscriptionCounts Broker::subscription_counts() const {
  SubscriptionCounts counts{.own = tree_.size()};
  for (const auto& [filter, group] : groups_) {
    counts.shared += group->members();
    if (group->has_members()) --counts.own;  // its place in the tree
  }
  return counts;
}

mqtt::ReasonCode Broker::add_subscription(Session& session, const Subscription& subscription, Instant now, bool& is_new,
                                          bool& changed) {
  std::vector<Subscription>& subscriptions = session.record().subscriptions;
  Subscription* const existing = session.find_subscription(subscription.filter());
  is_new = existing == nullptr;
  const std::uint32_t limit = options_.limits.subscriptions;
  const bool over_limit = is_new && limit > 0 && subscriptions.size() >= limit;
  if (over_limit || (is_new && short_of_memory())) {
    ++(over_limit ? stats_.subscriptions_over_limit : stats_.memory_over_limit);
    changed = false;
    return mqtt::ReasonCode::QuotaExceeded;
  }
  changed = is_new || *existing != subscription;
  if (changed) {
    attach_subscription(session, subscription, now);
    if (is_new) {
      subscriptions.push_back(subscription);
    } else {
      *existing = subscription;
    }
  }
  return static_cast<mqtt::ReasonCode>(subscription.options().qos);
}

bool Broker::remove_subscription(Session& session, std::string_view filter, Instant now) {
  if (!session.erase_subscription(filter)) return false;
  detach_subscription(session, filter, now);
  return true;
}

void Broker::attach_subscription(Session& session, const Subscription& subscription, Instant now) {
  if (!mqtt::is_shared(subscription.filter())) {
    tree_.insert(subscription.filter(), session.subscriber(), subscription.options());
    return;
  }
  SharedGroup& group = group_for(subscription.filter());
  group.set_member(session, subscription.options());
  if (session.durable() && !group.durable()) group.make_durable(new_queue(), now);
  route_to(group);
  group.hand_out(now);
}

void Broker::detach_subscription(Session& session, std::string_view filter, Instant now) {
  if (!mqtt::is_shared(filter)) {
    tree_.erase(filter, session.subscriber());
    return;
  }
  SharedGroup& group = *groups_.find(std::string(filter))->second;
  group.remove_member(session, now);
  route_to(group);
  const bool listed = std::ranges::find(memberless_groups_, &group) != memberless_groups_.end();
  if (!group.has_members() && !listed) memberless_groups_.push_back(&group);
}

// Groups that nobody is a member of, and nobody has messages of in flight.
void Broker::end_groups() {
  std::erase_if(memberless_groups_, [this](SharedGroup* group) {
    if (group->has_members()) return true;
    if (!group->has_ended()) return false;
    remove_destination(group->subscriber());
    if (group->durable()) journal_.remove_queue(group->outbox().queue());
    groups_.erase(groups_.find(group->filter()));
    return true;
  });
}

SharedGroup& Broker::group_for(std::string_view filter) {
  const auto found = groups_.find(std::string(filter));
  if (found != groups_.end()) return *found->second;
  return add_group(std::make_unique<SharedGroup>(std::string(filter), new_subscriber(), session_shared_));
}

SharedGroup& Broker::add_group(std::unique_ptr<SharedGroup> group) {
  subscribers_[group->subscriber().value] = group.get();
  std::string filter = group->filter();
  return *groups_.emplace(std::move(filter), std::move(group)).first->second;
}

// Its place in the tree, with what its members ask for together.
void Broker::route_to(SharedGroup& group) {
  mqtt::SharedFilter shared;
  (void)mqtt::parse_shared(group.filter(), shared);
  if (!group.has_members()) {
    tree_.erase(shared.filter, group.subscriber());
  } else {
    tree_.insert(shared.filter, group.subscriber(), {.qos = group.qos(), .retain_as_published = true});
  }
}

// Before the sessions that join them. A group that has ended and begun anew within a batch has two queues when the
// power failed before the removal, which comes last: the younger is the group's, and nothing was left in the other.
void Broker::restore_groups(const std::vector<RestoredQueue>& queues) {
  std::unordered_map<std::string_view, QueueId> youngest;
  for (const RestoredQueue& queue : queues) {
    if (queue.row.kind != QueueKind::Group) continue;
    QueueId& id = youngest[queue.row.name];
    id = std::max(id, queue.row.id);
  }
  for (const RestoredQueue& queue : queues) {
    if (queue.row.kind != QueueKind::Group) continue;
    if (queue.row.id == youngest[queue.row.name]) {
      add_group(
          std::make_unique<SharedGroup>(queue.row.name, new_subscriber(), queue.row.id, queue.cursor, session_shared_));
    } else {
      journal_.remove_queue(queue.row.id);
    }
  }
}

}  // namespace furrow::broker
