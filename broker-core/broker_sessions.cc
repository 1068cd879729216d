// The sessions of the broker: how they begin, are stored, end and come back, and what they subscribe to.
#include <algorithm>

#include "broker-core/broker.h"
#include "broker-core/mqtt/topic.h"

namespace furrow::broker {

namespace {

// Assigned client identifiers: `furrow-` and 16 hex digits, within the 23 characters that any server takes
// [MQTT-3.1.3-5].
constexpr std::string_view kAssignedPrefix = "furrow-";

// How long a client may be away before that is stored: a device that sleeps between two readings costs no flash.
constexpr Duration kLeftInterval = std::chrono::seconds(60);
// After a crash clients get this long to come back before their wills are published.
constexpr std::uint32_t kRestartGraceS = 60;

Instant expiry_of(const SessionRecord& record, Instant ended) {
  return record.expiry_s == kExpiryNever ? kNever : ended + std::chrono::seconds(record.expiry_s);
}

Instant will_due(const SessionRecord& record, Instant ended) {
  // The will leaves when its delay is over or the session ends, whichever is first [MQTT-3.1.3-9].
  if (!record.will || record.will->published) return kNever;
  return std::min(ended + std::chrono::seconds(record.will->delay_s), expiry_of(record, ended));
}

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
  for (SessionRow& row : restored.sessions) restore_session(row, stamp, queues, now);
  restored.sessions = {};
  restore_exchanges(restored.exchanges, now);
  end_orphans(restored.queues, queues, now);
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
      ExchangeRow erased = row;
      erased.state = ExchangeRow::State::Erased;
      (void)journal_.put(erased);
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
    if (queue.row.kind == QueueKind::Session && !unclaimed.contains(queue.row.id)) return true;
    ++stats_.queues_orphaned;
    journal_.remove_queue(queue.row.id);
    return true;
  });
}

void Broker::restore_session(SessionRow& row, const ClockStamp& stamp, SessionQueues& queues, Instant now) {
  std::optional<SessionRecord> record = row.data ? decode_session(row.client_id, *row.data) : std::nullopt;
  if (!record) {
    log_.write(LogLevel::Error, "session.damaged", {{"client", row.client_id}, {"next", "the session starts anew"}});
    journal_.put(SessionRow{row.client_id, std::nullopt});
    return;
  }
  last_queue_ = std::max(last_queue_, record->queue);
  Session& session = new_session(row.client_id, record->queue);
  if (const CursorRow* const cursor = queues.claim(record->queue)) session.restore(*cursor);
  for (const Subscription& subscription : record->subscriptions) attach_subscription(session, subscription, now);
  // After a crash its connection ended with the gateway, as far as anybody can tell just now.
  const Instant ended = record->connected() ? now : now - elapsed(*record->disconnected, stamp);
  if (record->connected()) {
    record->disconnected = std::make_unique<Disconnected>(Disconnected{stamp});
    session.set_stored_connected(true);
    if (record->will) record->will->delay_s = std::max(record->will->delay_s, kRestartGraceS);
  }
  session.record() = std::move(*record);
  look_at(session, std::min(expiry_of(session.record(), ended), will_due(session.record(), ended)));
}

// --- sessions ---

std::string Broker::assign_client_id() {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string id;
  do {
    id = kAssignedPrefix;
    for (std::uint64_t bits = random_.next(), i = 0; i < 16; ++i, bits >>= 4U) id.push_back(kDigits[bits & 15U]);
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
                                    std::unique_ptr<WillMessage> will, Instant now) {
  Session* found = sessions_.find(client_id);
  if (found != nullptr && found->connection() != nullptr) {
    ++stats_.takeovers;
    found->connection()->close(mqtt::ReasonCode::SessionTakenOver, "another connection uses this client identifier",
                               now);
    found = sessions_.find(client_id);  // a session without expiry has ended with it
  }
  if (found != nullptr && clean_start) {
    end_session(*found, now);
    found = nullptr;
  }
  const bool present = found != nullptr;
  Session& session = present ? *found : new_session(client_id, expiry_s > 0 ? new_queue() : QueueId{});
  SessionRecord& record = session.record();
  const bool same_will = (!will && !record.will) || (will && record.will && *will == *record.will);
  // A session that is resumed as it was stored costs nothing: most reconnects are that.
  const bool stored = session.durable() && (!present || record.expiry_s != expiry_s || !same_will);
  record.expiry_s = expiry_s;
  if (record.will && record.will->published) {
    for (std::size_t i = 0; i < published_wills_.size(); ++i) {
      if (published_wills_[i].queue == record.queue) published_wills_[i].queue = {};
    }
  }
  record.will = std::move(will);
  look_at(session, kNever);
  record.disconnected.reset();
  if (stored) {
    store_session(session);
  } else if (session.durable() && !session.stored_connected()) {
    store_session_lazily(session, now);
  }
  return {session, present};
}

Session& Broker::new_session(const std::string& client_id, QueueId queue) {
  const SubscriberId subscriber = new_subscriber();
  Session& session = sessions_.insert(std::make_unique<Session>(client_id, subscriber, queue, session_shared_));
  subscribers_[subscriber.value] = &session;
  return session;
}

void Broker::store_session(Session& session) {
  session.set_stored_connected(session.record().connected());
  session.set_stored_in(journal_.put(SessionRow{session.client_id(), encode(session.record())}));
}

void Broker::store_session_lazily(Session& session, Instant now) {
  session.set_stored_connected(session.record().connected());
  journal_.put_lazy(SessionRow{session.client_id(), encode(session.record())}, now);
}

void Broker::leave_session(Session& session, bool publish, Instant now) {
  SessionRecord& record = session.record();
  record.disconnected = std::make_unique<Disconnected>(Disconnected{stamp_(now)});
  const bool withdrawn = record.will && !publish;
  if (withdrawn) record.will.reset();
  const bool will_now = record.will && (record.will->delay_s == 0 || record.expiry_s == 0);
  if (will_now) publish_will(session, now);
  if (record.expiry_s == 0) {
    end_session(session, now);
    return;
  }
  // The stored will must not be published again after a crash; that the client has left can wait: it may soon be back.
  if (session.durable() && withdrawn) store_session_lazily(session, now);
  look_at(session, std::min({expiry_of(record, now), will_due(record, now), now + kLeftInterval}));
}

// One deadline each, however often its client comes and goes.
void Broker::look_at(Session& session, Instant when) {
  Disconnected* const disconnected = session.record().disconnected.get();
  if (disconnected == nullptr) return;
  session_deadlines_.erase({disconnected->look_at, session.client_id()});
  disconnected->look_at = when;
  if (when != kNever) session_deadlines_.emplace(when, session.client_id());
}

// The deadline of a session without a connection came up: its will, its expiry, or that it has left.
void Broker::check_session(Session& session, Instant now) {
  const Instant ended = now - elapsed(*session.record().disconnected, stamp_(now));
  if (will_due(session.record(), ended) <= now) publish_will(session, now);
  if (expiry_of(session.record(), ended) <= now) {
    ++stats_.sessions_expired;
    end_session(session, now);
    return;
  }
  if (session.durable() && session.stored_connected() && now - ended >= kLeftInterval)
    store_session_lazily(session, now);
  look_at(session, std::min(expiry_of(session.record(), ended), will_due(session.record(), ended)));
}

void Broker::end_session(Session& session, Instant now) {
  look_at(session, kNever);
  if (session.record().will && !session.record().will->published) publish_will(session, now);
  if (session.durable() && !session.record().will) {
    journal_.put_lazy(SessionRow{session.client_id(), std::nullopt}, now);
  }
  const std::unique_ptr<Session> ended = sessions_.extract(session);
  ended->end(now);
  for (const Subscription& subscription : ended->record().subscriptions) {
    detach_subscription(*ended, subscription.filter(), now);
  }
  forget_session(*ended);
}

// A will that is on its way to be stored keeps the row, and the queue with it.
void Broker::forget_session(const Session& session) {
  if (session.durable() && !session.record().will) journal_.remove_queue(session.record().queue);
  remove_destination(session.subscriber());
}

void Broker::publish_will(Session& session, Instant now) {
  SessionRecord& record = session.record();
  const Message::Fields fields{.topic = record.will->topic,
                               .payload = record.will->payload,
                               .properties = mqtt::PropertyView::from_valid(record.will->properties),
                               .expiry_s = record.will->expiry_s,
                               .received = now,
                               .qos = record.will->qos,
                               .retain = record.will->retain};
  // Without a ticket a retained value is not refused while the medium takes no writes.
  const bool waits = session.durable() && !(fields.retain && journal_.failing());
  AckTicket ticket;
  if (waits) {
    record.will->published = true;
    published_wills_.push_back({session.client_id(), record.queue, now});
    ticket = {will_acknowledgements_, will_acknowledgements_->open(mqtt::PacketType::Puback, PacketId{})};
  }
  if (publish(fields, session.subscriber(), ticket, nullptr, now).refused) {
    ++stats_.dropped_refused;
    ticket.complete(mqtt::ReasonCode::QuotaExceeded);
  }
  if (waits) return;
  record.will.reset();
  if (session.durable()) store_session_lazily(session, now);
}

// From here on nothing is lost with the stored row.
void Broker::write_acknowledgement(mqtt::PacketType, PacketId, mqtt::ReasonCode) {
  const PublishedWill safe = published_wills_.pop_front();
  if (!safe.queue) return;
  Session* const session = sessions_.find(safe.client_id);
  if (session != nullptr && session->record().queue == safe.queue) {
    session->record().will.reset();
    store_session_lazily(*session, safe.published);
    return;
  }
  // It has ended meanwhile; of the client there may be a new one, whose row took its place if it has one.
  if (session == nullptr || !session->durable())
    journal_.put_lazy(SessionRow{safe.client_id, std::nullopt}, safe.published);
  journal_.remove_queue(safe.queue);
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

// Before the sessions that join them.
void Broker::restore_groups(const std::vector<RestoredQueue>& queues) {
  for (const RestoredQueue& queue : queues) {
    if (queue.row.kind != QueueKind::Group) continue;
    add_group(
        std::make_unique<SharedGroup>(queue.row.name, new_subscriber(), queue.row.id, queue.cursor, session_shared_));
  }
}

void Broker::send_retained(Session& session, const Subscription& subscription, Instant now) {
  std::vector<MessageRef> messages;
  retained_.match(subscription.filter(), messages);
  const SubscriptionOptions options = subscription.options();
  const std::span<const std::uint32_t> ids(&options.subscription_id, options.subscription_id == 0 ? 0 : 1);
  for (const MessageRef& message : messages) {
    if (message->expires_at() <= now) {
      (void)retained_.remove(message->topic());
      journal_.retained_changed(message->topic(), {}, now);
      continue;
    }
    session.deliver_retained(message, {std::min(message->qos(), options.qos), true, ids}, now);
  }
}

}  // namespace furrow::broker
