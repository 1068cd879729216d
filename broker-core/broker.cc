#include "broker-core/broker.h"

#include <algorithm>

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

constexpr std::uint32_t slot_of(ConnectionId id) {
  return static_cast<std::uint32_t>(id.value) - 1;
}
constexpr std::uint32_t generation_of(ConnectionId id) {
  return static_cast<std::uint32_t>(id.value >> 32U);
}
constexpr ConnectionId make_connection_id(std::uint32_t slot, std::uint32_t generation) {
  return ConnectionId{(std::uint64_t{generation} << 32U) | (slot + 1)};
}

// `192.0.2.1` of `192.0.2.1:1024`.
std::string_view host_of(std::string_view peer) {
  return peer.substr(0, peer.rfind(':'));
}

Instant expiry_of(const SessionRecord& record, Instant ended) {
  return record.expiry_s == kExpiryNever ? kNever : ended + std::chrono::seconds(record.expiry_s);
}

Instant will_due(const SessionRecord& record, Instant ended) {
  // The will leaves when its delay is over or the session ends, whichever is first [MQTT-3.1.3-9].
  return record.will ? std::min(ended + std::chrono::seconds(record.will->delay_s), expiry_of(record, ended)) : kNever;
}

}  // namespace

Broker::Broker(const Options& options, Store& store, Journal::StampClock stamp, Log& log, Restored& restored,
               Instant now)
    : options_(options),
      log_(log),
      stamp_(stamp),
      random_(options.seed),
      journal_(options.journal, store, std::move(stamp), restored.last_segment),
      session_shared_{journal_, session_books_, options.limits.session_queue, options.commit_interval, false},
      tree_(random_.next()),
      routes_(tree_),
      retained_({.messages_max = options.limits.retained_messages,
                 .bytes_max = options.limits.retained_bytes,
                 .hash_seed = random_.next()}),
      subscribers_(1, nullptr),
      last_queue_(restored.last_queue) {
  restore(restored, now);
}

Broker::~Broker() {
  // Connections refer to sessions, sessions to the journal.
  slots_.clear();
  sessions_.clear();
  groups_.clear();
}

// --- start ---

void Broker::restore(Restored& restored, Instant now) {
  const ClockStamp stamp = stamp_(now);
  for (const RetainedRow& row : restored.retained) {
    MessageRef message = row.data ? decode_message(*row.data, stamp) : MessageRef{};
    if (message && message->expires_at() > now) {
      (void)retained_.set(std::move(message));
    } else {
      journal_.retained_changed(row.topic, {}, now);  // expired, or damaged
    }
  }
  restored.retained = {};
  restore_groups(restored.queues);
  for (SessionRow& row : restored.sessions) restore_session(row, stamp, restored.queues, now);
  restored.sessions = {};
  drop_orphans(restored.queues);
  std::ranges::sort(restored.exchanges, {}, &ExchangeRow::sequence);
  std::unordered_map<std::uint64_t, Session*> by_queue;
  for (const auto& [client_id, session] : sessions_) by_queue[session->record().queue.value] = session.get();
  std::erase_if(restored.exchanges, [&](const ExchangeRow& row) {
    const auto session = by_queue.find(row.queue.value);
    if (session == by_queue.end()) return false;
    if (row.direction == ExchangeRow::Direction::Inbound) {
      session->second->received_insert(row.packet_id);
    } else if (Inflight* inflight = session->second->inflight()) {
      inflight->restore(row);
    }
    return true;
  });
}

// Queues of groups that no session joined, and of sessions that are not there: their removal was not finished.
void Broker::drop_orphans(std::vector<RestoredQueue>& queues) {
  std::erase_if(groups_, [&](const auto& named) {
    if (!named.second->empty()) return false;
    remove_destination(named.second->subscriber());
    return true;
  });
  std::erase_if(queues, [&](const RestoredQueue& queue) {
    if (queue.row.kind == QueueKind::Bridge) return false;
    if (queue.row.kind == QueueKind::Group && groups_.contains(queue.row.name)) return true;
    ++stats_.queues_orphaned;
    journal_.remove_queue(queue.row.id);
    return true;
  });
}

void Broker::restore_session(SessionRow& row, const ClockStamp& stamp, std::vector<RestoredQueue>& queues,
                             Instant now) {
  std::optional<SessionRecord> record = row.data ? decode_session(row.client_id, *row.data) : std::nullopt;
  if (!record) {
    log_.write(LogLevel::Error, "session.damaged", {{"client", row.client_id}, {"next", "the session starts anew"}});
    journal_.put(SessionRow{row.client_id, std::nullopt});
    return;
  }
  last_queue_ = std::max(last_queue_, record->queue);
  const SubscriberId subscriber = new_subscriber();
  auto session = std::make_unique<Session>(row.client_id, subscriber, record->queue, session_shared_);
  subscribers_[subscriber.value] = session.get();
  const auto queue = std::ranges::find(queues, record->queue, [](const RestoredQueue& found) { return found.row.id; });
  if (queue != queues.end()) {
    session->restore(queue->cursor);
    queues.erase(queue);
  }
  for (const Subscription& subscription : record->subscriptions) attach_subscription(*session, subscription, now);
  // After a crash its connection ended with the gateway, as far as anybody can tell just now.
  const Instant ended = record->connected ? now : now - elapsed(record->disconnected, stamp);
  if (record->connected) {
    record->connected = false;
    record->disconnected = stamp;
    session->set_stored_connected(true);
    if (record->will) record->will->delay_s = std::max(record->will->delay_s, kRestartGraceS);
  }
  session->record() = std::move(*record);
  session_deadlines_.add(std::min(expiry_of(session->record(), ended), will_due(session->record(), ended)),
                         row.client_id);
  sessions_.emplace(row.client_id, std::move(session));
}

// --- connections ---

Connection* Broker::find(ConnectionId connection) {
  return const_cast<Connection*>(static_cast<const Broker*>(this)->find(connection));
}

const Connection* Broker::find(ConnectionId connection) const {
  const std::uint32_t slot = slot_of(connection);
  if (slot >= slots_.size() || slots_[slot].generation != generation_of(connection)) return nullptr;
  return slots_[slot].connection.get();
}

ConnectionId Broker::handle_accept(std::string peer, Instant now) {
  if (!has_room_for(peer)) return {};
  std::uint32_t slot = static_cast<std::uint32_t>(slots_.size());
  if (free_slots_.empty()) {
    slots_.emplace_back();
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
  }
  const ConnectionId id = make_connection_id(slot, slots_[slot].generation);
  slots_[slot].connection = std::make_unique<Connection>(id, std::move(peer), *this, now);
  ++connection_count_;
  connection_deadlines_.add(slots_[slot].connection->deadline(), id);
  return id;
}

bool Broker::has_room_for(std::string_view peer) {
  const Limits& limits = options_.limits;
  if (limits.connections > 0 && connection_count_ >= limits.connections) {
    ++stats_.connections_over_limit;
    return false;
  }
  if (short_of_memory()) {
    ++stats_.memory_over_limit;
    return false;
  }
  if (limits.connections_per_address == 0) return true;
  std::uint32_t& from_there = addresses_[std::string(host_of(peer))];
  if (from_there >= limits.connections_per_address) {
    ++stats_.connections_over_address_limit;
    return false;
  }
  ++from_there;
  return true;
}

void Broker::leave_address(std::string_view peer) {
  const auto address = addresses_.find(std::string(host_of(peer)));
  if (address != addresses_.end() && --address.value() == 0) addresses_.erase(address);
}

void Broker::handle_bytes(ConnectionId connection, ByteView bytes, bool dry, Instant now) {
  Connection* found = find(connection);
  if (found == nullptr) return;
  stats_.bytes_received += bytes.size();
  found->handle_bytes(bytes, now);
  // Nobody is held back by our patience: a publisher that has sent all it may, or has nothing more to send, waits for
  // us.
  const std::size_t waiting = found->acknowledgements_waiting();
  if (waiting >= options_.limits.inflight || (dry && waiting >= kWaitingPublishesMin)) journal_.hurry();
}

void Broker::handle_sent(ConnectionId connection, std::size_t bytes, Instant now) {
  stats_.bytes_sent += bytes;
  if (Connection* found = find(connection)) found->handle_sent(now);
}

void Broker::handle_closed(ConnectionId connection, Instant now) {
  Connection* found = find(connection);
  if (found == nullptr) return;
  found->end(false, now);
  leave_address(found->peer());
  Slot& slot = slots_[slot_of(connection)];
  slot.connection.reset();
  ++slot.generation;
  free_slots_.push_back(slot_of(connection));
  --connection_count_;
}

void Broker::handle_persisted(BatchNumber watermark, Instant now) {
  journal_.handle_persisted(watermark, now);
  const std::vector<ConnectionId> held = std::exchange(held_, {});
  for (const ConnectionId id : held) {
    Connection* connection = find(id);
    if (connection == nullptr) continue;
    connection->resume(now);
    if (connection->held() && std::ranges::find(held_, id) == held_.end()) held_.push_back(id);
  }
}

void Broker::handle_not_persisted(Batch batch, Instant now) {
  journal_.take_back(std::move(batch), now);
}

void Broker::handle_page(const Page& page, Instant now) {
  journal_.handle_page(page, now);
}

void Broker::handle_timeout(Instant now) {
  ConnectionId id;
  while (connection_deadlines_.pop_due(now, id)) {
    if (Connection* connection = find(id)) connection->handle_timeout(now);
  }
  std::string client_id;
  while (session_deadlines_.pop_due(now, client_id)) check_session(client_id, now);
}

void Broker::handle_turn_end(Instant now) {
  retry_held(now);
  journal_.flush_if_due(now);
  check_waiting();
}

void Broker::handle_memory(std::uint64_t bytes) {
  session_shared_.short_of_memory = options_.limits.memory_bytes > 0 && bytes > options_.limits.memory_bytes;
}

Instant Broker::next_deadline() const {
  return std::min({connection_deadlines_.next(), session_deadlines_.next(), journal_.next_deadline()});
}

void Broker::shut_down(Instant now) {
  for (Slot& slot : slots_) {
    if (!slot.connection || slot.connection->closing()) continue;
    // A planned stop is not what a will is for.
    if (Session* session = slot.connection->session()) session->record().will.reset();
    slot.connection->close(mqtt::ReasonCode::ServerShuttingDown, "the gateway stops", now);
  }
  for (const auto& [client_id, session] : sessions_) {
    if (session->durable() && session->stored_connected()) store_session_lazily(*session, now);
  }
  journal_.flush_all(now);
}

void Broker::handle_store_failing(bool failing) {
  journal_.set_failing(failing);
}

void Broker::retry_held(Instant now) {
  if (holders_.empty() || room_seen_ == journal_.room()) return;
  room_seen_ = journal_.room();
  const std::vector<HeldPublishes*> holders = holders_;
  for (HeldPublishes* holder : holders) holder->retry(now);
}

// Reading from those who wait for acknowledgements pauses while too much waits for the store.
void Broker::check_waiting() {
  const std::size_t limit = options_.limits.commit_waiting_bytes;
  const bool over = short_of_memory() || (limit > 0 && journal_.waiting_bytes() > limit);
  if (over == waiting_over_limit_) return;
  waiting_over_limit_ = over;
  if (over) ++stats_.reading_paused;
  for (Slot& slot : slots_) {
    if (slot.connection && slot.connection->acknowledgements_waiting() > 0) mark_ready(*slot.connection);
  }
  if (over) return;
  for (const ConnectionId id : std::exchange(paused_, {})) {
    if (Connection* connection = find(id)) mark_ready(*connection);
  }
}

void Broker::mark_ready(Connection& connection) {
  if (connection.ready_) return;
  connection.ready_ = true;
  ready_.push_back(connection.id());
}

bool Broker::poll_ready(ConnectionId& connection) {
  while (!ready_.empty()) {
    connection = ready_.back();
    ready_.pop_back();
    if (Connection* found = find(connection)) {
      found->ready_ = false;
      if (waiting_over_limit_ && reading_paused(connection) && !found->held()) paused_.push_back(connection);
      return true;
    }
  }
  return false;
}

ByteBuffer& Broker::output(ConnectionId connection) {
  Connection* found = find(connection);
  FURROW_CHECK(found != nullptr);
  return found->output();
}

bool Broker::closing(ConnectionId connection) const {
  const Connection* found = find(connection);
  return found == nullptr || found->closing();
}

bool Broker::reading_paused(ConnectionId connection) const {
  const Connection* found = find(connection);
  if (found == nullptr) return false;
  return found->held() || found->held_publishes() >= options_.limits.inflight ||
         (waiting_over_limit_ && found->acknowledgements_waiting() > 0);
}

bool Broker::awaits_acknowledgement(ConnectionId connection) const {
  const Connection* found = find(connection);
  return found != nullptr && found->acknowledgements_waiting() > 0;
}

// --- sessions ---

std::string Broker::assign_client_id() {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string id;
  do {
    id = kAssignedPrefix;
    for (std::uint64_t bits = random_.next(), i = 0; i < 16; ++i, bits >>= 4U) id.push_back(kDigits[bits & 15U]);
  } while (sessions_.contains(id));
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
  auto found = sessions_.find(client_id);
  if (found != sessions_.end() && found->second->connection() != nullptr) {
    ++stats_.takeovers;
    Connection& old = *found->second->connection();
    old.close(mqtt::ReasonCode::SessionTakenOver, "another connection uses this client identifier", now);
    found = sessions_.find(client_id);  // a session without expiry has ended with it
  }
  if (found != sessions_.end() && clean_start) {
    end_session(*found->second, now);
    found = sessions_.end();
  }
  const bool present = found != sessions_.end();
  if (!present) {
    const SubscriberId subscriber = new_subscriber();
    const QueueId queue = expiry_s > 0 ? new_queue() : QueueId{};
    auto session = std::make_unique<Session>(client_id, subscriber, queue, session_shared_);
    subscribers_[subscriber.value] = session.get();
    found = sessions_.emplace(client_id, std::move(session)).first;
  }
  Session& session = *found->second;
  SessionRecord& record = session.record();
  const bool same_will = (!will && !record.will) || (will && record.will && *will == *record.will);
  // A session that is resumed as it was stored costs nothing: most reconnects are that.
  const bool stored = session.durable() && (!present || record.expiry_s != expiry_s || !same_will);
  record.expiry_s = expiry_s;
  record.will = std::move(will);
  record.connected = true;
  if (stored) {
    store_session(session);
  } else if (session.durable() && !session.stored_connected()) {
    store_session_lazily(session, now);
  }
  return {session, present};
}

void Broker::store_session(Session& session) {
  session.set_stored_connected(session.record().connected);
  session.set_stored_in(journal_.put(SessionRow{session.client_id(), encode(session.record())}));
}

void Broker::store_session_lazily(Session& session, Instant now) {
  session.set_stored_connected(session.record().connected);
  journal_.put_lazy(SessionRow{session.client_id(), encode(session.record())}, now);
}

void Broker::leave_session(Session& session, bool publish, Instant now) {
  SessionRecord& record = session.record();
  record.connected = false;
  record.disconnected = stamp_(now);
  const bool had_will = static_cast<bool>(record.will);
  if (!publish) record.will.reset();
  const bool will_now = record.will && (record.will->delay_s == 0 || record.expiry_s == 0);
  if (will_now) publish_will(session, now);
  if (record.expiry_s == 0) {
    end_session(session, now);
    return;
  }
  // The stored will must not be published again after a crash; that the client has left can wait: it may soon be back.
  if (session.durable() && had_will && !record.will) store_session_lazily(session, now);
  session_deadlines_.add(std::min({expiry_of(record, now), will_due(record, now), now + kLeftInterval}),
                         session.client_id());
}

// A deadline of a session without a connection came up: its will, its expiry, or neither any more.
void Broker::check_session(const std::string& client_id, Instant now) {
  const auto found = sessions_.find(client_id);
  if (found == sessions_.end() || found->second->connection() != nullptr) return;
  Session& session = *found->second;
  const Instant ended = now - elapsed(session.record().disconnected, stamp_(now));
  if (will_due(session.record(), ended) <= now) {
    publish_will(session, now);
    if (session.durable()) store_session_lazily(session, now);
  }
  if (expiry_of(session.record(), ended) <= now) {
    ++stats_.sessions_expired;
    end_session(session, now);
    return;
  }
  if (session.durable() && session.stored_connected() && now - ended >= kLeftInterval)
    store_session_lazily(session, now);
  session_deadlines_.add(std::min(expiry_of(session.record(), ended), will_due(session.record(), ended)), client_id);
}

void Broker::end_session(Session& session, Instant now) {
  if (session.record().will) publish_will(session, now);
  session.give_back(now);
  for (const Subscription& subscription : session.record().subscriptions) {
    detach_subscription(session, subscription.filter, now);
  }
  if (session.durable()) {
    journal_.put_lazy(SessionRow{session.client_id(), std::nullopt}, now);
    journal_.remove_queue(session.record().queue);
  }
  remove_destination(session.subscriber());
  sessions_.erase(std::string(session.client_id()));
}

void Broker::publish_will(Session& session, Instant now) {
  const std::unique_ptr<WillMessage> will = std::move(session.record().will);
  const Message::Fields fields{.topic = will->topic,
                               .payload = will->payload,
                               .properties = mqtt::PropertyView::from_valid(will->properties),
                               .expiry_s = will->expiry_s,
                               .received = now,
                               .qos = will->qos,
                               .retain = will->retain};
  if (publish(fields, session.subscriber(), {}, nullptr, now).refused) ++stats_.dropped_refused;
}

std::uint64_t Broker::session_queue_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [client_id, session] : sessions_) {
    if (const Outbox* outbox = session->outbox()) bytes += outbox->bytes();
  }
  return bytes;
}

// --- subscriptions ---

mqtt::ReasonCode Broker::add_subscription(Session& session, Subscription subscription, Instant now, bool& is_new,
                                          bool& changed) {
  std::vector<Subscription>& subscriptions = session.record().subscriptions;
  const auto found = std::ranges::find(subscriptions, subscription.filter, &Subscription::filter);
  is_new = found == subscriptions.end();
  const std::uint32_t limit = options_.limits.subscriptions;
  const bool over_limit = is_new && limit > 0 && subscriptions.size() >= limit;
  if (over_limit || (is_new && short_of_memory())) {
    ++(over_limit ? stats_.subscriptions_over_limit : stats_.memory_over_limit);
    changed = false;
    return mqtt::ReasonCode::QuotaExceeded;
  }
  const auto granted = static_cast<mqtt::ReasonCode>(subscription.options.qos);
  changed = is_new || *found != subscription;
  if (!changed) return granted;
  attach_subscription(session, subscription, now);
  if (is_new) {
    subscriptions.push_back(std::move(subscription));
  } else {
    *found = std::move(subscription);
  }
  return granted;
}

bool Broker::remove_subscription(Session& session, std::string_view filter, Instant now) {
  std::vector<Subscription>& subscriptions = session.record().subscriptions;
  const auto found = std::ranges::find(subscriptions, filter, &Subscription::filter);
  if (found == subscriptions.end()) return false;
  detach_subscription(session, filter, now);
  subscriptions.erase(found);
  return true;
}

void Broker::attach_subscription(Session& session, const Subscription& subscription, Instant now) {
  if (!mqtt::is_shared(subscription.filter)) {
    tree_.insert(subscription.filter, session.subscriber(), subscription.options);
    return;
  }
  SharedGroup& group = group_for(subscription.filter);
  group.set_member(session, subscription.options);
  if (session.durable() && !group.durable()) group.make_durable(new_queue(), now);
  route_to(group);
  group.pull(now);
}

void Broker::detach_subscription(Session& session, std::string_view filter, Instant now) {
  if (!mqtt::is_shared(filter)) {
    tree_.erase(filter, session.subscriber());
    return;
  }
  const auto found = groups_.find(std::string(filter));
  SharedGroup& group = *found->second;
  group.remove_member(session);
  route_to(group);
  if (!group.empty()) {
    group.pull(now);  // what it gave back
    return;
  }
  remove_destination(group.subscriber());
  if (group.durable()) journal_.remove_queue(group.queue());
  groups_.erase(found);
}

SharedGroup& Broker::group_for(std::string_view filter) {
  std::string name(filter);
  const auto found = groups_.find(name);
  if (found != groups_.end()) return *found->second;
  const SubscriberId subscriber = new_subscriber();
  last_group_.value += 1;
  auto group = std::make_unique<SharedGroup>(last_group_, name, subscriber, session_shared_);
  subscribers_[subscriber.value] = group.get();
  return *groups_.emplace(std::move(name), std::move(group)).first->second;
}

// Its place in the tree, with what its members ask for together.
void Broker::route_to(SharedGroup& group) {
  mqtt::SharedFilter shared;
  (void)mqtt::parse_shared(group.filter(), shared);
  if (group.empty()) {
    tree_.erase(shared.filter, group.subscriber());
  } else {
    tree_.insert(shared.filter, group.subscriber(), {.qos = group.qos(), .retain_as_published = true});
  }
}

// Before the sessions that join them.
void Broker::restore_groups(const std::vector<RestoredQueue>& queues) {
  for (const RestoredQueue& queue : queues) {
    if (queue.row.kind == QueueKind::Group) group_for(queue.row.name).restore(queue.row.id, queue.cursor);
  }
}

void Broker::send_retained(Session& session, const Subscription& subscription, Instant now) {
  std::vector<MessageRef> messages;
  retained_.match(subscription.filter, messages);
  const std::uint32_t id = subscription.options.subscription_id;
  const std::span<const std::uint32_t> ids(&id, id == 0 ? 0 : 1);
  for (const MessageRef& message : messages) {
    if (message->expires_at() <= now) {
      (void)retained_.remove(message->topic());
      journal_.retained_changed(message->topic(), {}, now);
      continue;
    }
    session.deliver_retained(message, {std::min(message->qos(), subscription.options.qos), true, ids}, now);
  }
}

SubscriberId Broker::add_destination(Destination& destination) {
  const SubscriberId subscriber = new_subscriber();
  subscribers_[subscriber.value] = &destination;
  if (destination.may_refuse()) ++refusing_;
  return subscriber;
}

void Broker::remove_destination(SubscriberId subscriber) {
  if (subscribers_[subscriber.value]->may_refuse()) --refusing_;
  journal_.note_room();
  subscribers_[subscriber.value] = nullptr;
  free_subscribers_.push_back(subscriber);
}

void Broker::subscribe(SubscriberId subscriber, std::string_view filter, const SubscriptionOptions& options) {
  tree_.insert(filter, subscriber, options);
}

void Broker::unsubscribe(SubscriberId subscriber, std::string_view filter) {
  tree_.erase(filter, subscriber);
}

// --- publishing ---

namespace {

RoutedDelivery delivery_of(const Route& route, const Message::Fields& fields) {
  return {std::min(route.qos, fields.qos), fields.retain && route.retain_as_published, route.subscription_ids};
}

bool is_echo(const Route& route, SubscriberId origin) {
  return route.no_local && route.subscriber == origin;
}

}  // namespace

bool Broker::any_refuses(Publication& publication, std::span<const Route> routes, SubscriberId origin) const {
  return std::ranges::any_of(routes, [&](const Route& route) {
    return !is_echo(route, origin) &&
           subscribers_[route.subscriber.value]->refuses(publication, delivery_of(route, publication.fields()));
  });
}

// All or nothing: all are asked before any takes it.
bool Broker::refuses(Publication& publication, std::span<const Route> routes, SubscriberId origin, bool waits,
                     const ExchangeRow* exchange) const {
  if (journal_.failing()) {
    // What has to be written before it can be acknowledged.
    const bool retains = publication.fields().retain && waits && !options_.journal.retained_lazy;
    return exchange != nullptr || retains || any_refuses(publication, routes, origin);
  }
  const bool possible = refusing_ > 0 || options_.limits.session_queue.when_full == WhenFull::Refuse;
  return possible && any_refuses(publication, routes, origin);
}

Broker::Published Broker::publish(const Message::Fields& fields, SubscriberId origin, AckTicket ticket,
                                  const ExchangeRow* exchange, Instant now) {
  Publication publication(fields, journal_, forms_, now);
  const std::span<const Route> routes = routes_.lookup(fields.topic);
  if (refuses(publication, routes, origin, static_cast<bool>(ticket), exchange)) {
    return {mqtt::ReasonCode::QuotaExceeded, true};
  }
  ++stats_.messages_received;
  if (fields.retain) retain(publication, static_cast<bool>(ticket), now);
  for (const Route& route : routes) {
    if (!is_echo(route, origin)) subscribers_[route.subscriber.value]->deliver(publication, delivery_of(route, fields));
  }
  const mqtt::ReasonCode reason = routes.empty() ? mqtt::ReasonCode::NoMatchingSubscribers : mqtt::ReasonCode::Success;
  if (exchange != nullptr) journal_.add_exchange(publication.commitment(), *exchange, now);
  if (publication.has_commitment()) {
    journal_.seal(publication.commitment(), std::move(ticket), reason);
  } else {
    ticket.complete(reason);
  }
  return {reason, false};
}

void Broker::retain(Publication& publication, bool wait, Instant now) {
  // The value's own message: the retained store keeps it longer than the queues do.
  const std::string_view topic = publication.fields().topic;
  const bool removes = publication.fields().payload.empty();
  if (!removes && short_of_memory() && !retained_.contains(topic)) {
    ++stats_.memory_over_limit;
    return;
  }
  const RetainedStore::Outcome outcome = retained_.set(publication.message());
  switch (outcome) {
    case RetainedStore::Outcome::Full:
      ++stats_.retained_over_limit;
      return;
    case RetainedStore::Outcome::NotThere:
      return;
    case RetainedStore::Outcome::Unchanged:
      if (!journal_.retained_unsafe(topic)) return;
      break;
    default:
      journal_.retained_changed(topic, removes ? MessageRef{} : publication.message(), now);
  }
  if (wait && !options_.journal.retained_lazy) journal_.add_retained(publication.commitment(), now);
}

void Broker::publish_status(std::string_view topic, std::string_view payload, Instant now) {
  const Message::Fields fields{.topic = topic,
                               .payload = as_bytes(payload),
                               .properties = {},
                               .expiry_s = std::nullopt,
                               .received = now,
                               .qos = mqtt::Qos::AtMostOnce,
                               .retain = true};
  Publication publication(fields, journal_, forms_, now);
  (void)retained_.set(publication.message());
  for (const Route& route : routes_.lookup(topic)) {
    subscribers_[route.subscriber.value]->deliver(publication, delivery_of(route, fields));
  }
}

}  // namespace furrow::broker
