#include "broker-core/session/session.h"

#include <algorithm>

#include "broker-core/connection.h"
#include "broker-core/session/shared_group.h"

namespace furrow::broker {

namespace {

// Four acknowledgement times let a late one still come in time; the bounds keep a fast link from writing at every
// hiccup and a slow one from holding its publisher.
constexpr Duration kWaitMin = std::chrono::milliseconds(100);
constexpr Duration kWaitMax = std::chrono::seconds(1);
// Before the first acknowledgement its time is unknown.
constexpr Duration kWaitFirst = std::chrono::milliseconds(250);
// From so many on, subscriptions are found by an index: to compare fewer costs no more than to hash one.
constexpr std::size_t kManySubscriptions = 32;

}  // namespace

Duration CommitInterval::wait(const Inflight& inflight) const {
  if (!inflight.connected() || inflight.window_full()) return Duration::zero();
  if (fixed) return *fixed;
  const auto time = inflight.acknowledgement_time();
  return time ? std::clamp(*time * 4, kWaitMin, kWaitMax) : kWaitFirst;
}

Session::Session(std::string client_id, SubscriberId subscriber, QueueId queue, Shared& shared)
    : shared_(shared), subscriber_(subscriber) {
  record_.client_id = std::move(client_id);
  record_.queue = queue;
}

// --- subscriptions ---

Subscription* Session::find_subscription(std::string_view filter) {
  const std::uint32_t place = place_of(filter);
  return place == HashIndex::kNone ? nullptr : &record_.subscriptions[place];
}

bool Session::erase_subscription(std::string_view filter) {
  const std::uint32_t place = place_of(filter);
  if (place == HashIndex::kNone) return false;
  std::vector<Subscription>& subscriptions = record_.subscriptions;
  const auto last = static_cast<std::uint32_t>(subscriptions.size() - 1);
  if (has_many_subscriptions()) {
    HashIndex& places = extras().places;
    places.erase(hash_of(filter), place);
    if (place != last) {
      const std::uint32_t last_hash = hash_of(subscriptions[last].filter());
      places.erase(last_hash, last);
      places.insert(last_hash, place);
    }
  }
  if (place != last) subscriptions[place] = std::move(subscriptions[last]);
  subscriptions.pop_back();
  if (!has_many_subscriptions() && extras_) extras_->places = {};
  return true;
}

// Walks a short list. Of a long one, which a SUBSCRIBE might make it walk as often as it is long, it keeps an index;
// new ones are at the end, and entered when somebody asks.
std::uint32_t Session::place_of(std::string_view filter) {
  const std::vector<Subscription>& subscriptions = record_.subscriptions;
  if (!has_many_subscriptions()) {
    const auto found = std::ranges::find(subscriptions, filter, &Subscription::filter);
    return found == subscriptions.end() ? HashIndex::kNone : static_cast<std::uint32_t>(found - subscriptions.begin());
  }
  HashIndex& places = extras().places;
  for (std::size_t i = places.size(); i < subscriptions.size(); ++i) {
    places.insert(hash_of(subscriptions[i].filter()), static_cast<std::uint32_t>(i));
  }
  return places.find(hash_of(filter), [&](std::uint32_t place) { return subscriptions[place].filter() == filter; });
}

bool Session::has_many_subscriptions() const {
  return record_.subscriptions.size() >= kManySubscriptions;
}

std::uint32_t Session::hash_of(std::string_view filter) const {
  return static_cast<std::uint32_t>(keyed_hash(shared_.hash_key, filter));
}

void Session::attach(Connection& connection) {
  connection_ = &connection;
}

void Session::begin(std::uint16_t window, bool session_present, Instant now) {
  begun_ = true;
  window_ = window;
  if (Exchange* own = exchange()) own->inflight.connect(*connection_, window, session_present, now);
  if (shared_.journal.failing()) shared_.journal.note_room();  // for what can be sent to it at once
  pump(now);
}

void Session::detach() {
  connection_ = nullptr;
  begun_ = false;
  if (Exchange* own = exchange()) own->inflight.disconnect();
}

Session::Exchange::Exchange(Session& owner)
    : session(owner),
      outbox({owner.shared_.queue_limits, owner.record_.queue, this, false}, owner.shared_.journal,
             owner.shared_.books),
      inflight(outbox, owner.shared_.journal) {}

Session::Exchange::Exchange(Session& owner, const CursorRow& cursor)
    : session(owner),
      outbox({owner.shared_.queue_limits, owner.record_.queue, this, false}, cursor, owner.shared_.journal,
             owner.shared_.books),
      inflight(outbox, owner.shared_.journal) {}

Session::Exchange& Session::make_exchange(Instant now) {
  if (Exchange* own = exchange()) return *own;
  // The queue's row need not hurry: it goes with the first message that is written.
  if (durable()) shared_.journal.put_lazy(QueueRow{record_.queue, QueueKind::Session, client_id()}, now);
  Exchange& own = extras().exchange.emplace(*this);
  if (begun_) own.inflight.connect(*connection_, window_, true, now);
  return own;
}

void Session::restore(const CursorRow& cursor) {
  FURROW_CHECK(exchange() == nullptr);
  FURROW_CHECK(durable());
  extras().exchange.emplace(*this, cursor);
}

void Session::deliver(Publication& publication, const RoutedDelivery& delivery) {
  if (delivery.qos == mqtt::Qos::AtMostOnce) {
    // A client that is away misses QoS 0, as it asked to.
    if (begun_) connection_->write_qos0(publication, delivery);
    return;
  }
  Exchange& own = make_exchange(publication.now());
  if (shared_.short_of_memory && !durable() && own.outbox.has_waiting()) {
    own.outbox.pass(Outbox::Outcome::Dropped, publication.now(), DropReason::QueueFull);
    return;
  }
  const Duration wait = own.outbox.has_waiting() ? Duration::zero() : shared_.interval.wait(own.inflight);
  own.outbox.push(publication.message(), {delivery.qos, delivery.retain, delivery.subscription_ids, delivery.group},
                  wait, publication.now(), [&]() -> Commitment& { return publication.commitment(); });
  own.inflight.pump(publication.now());
}

bool Session::refuses(const Publication& publication, const RoutedDelivery& delivery) const {
  if (delivery.qos == mqtt::Qos::AtMostOnce) return false;
  const Exchange* const own = exchange();
  if (durable() && shared_.journal.failing()) {
    // QoS 2 is written before it is sent; QoS 1 unless its acknowledgement can be expected.
    const bool busy = own != nullptr && (own->outbox.has_waiting() || own->inflight.window_full());
    if (delivery.qos == mqtt::Qos::ExactlyOnce || !begun_ || busy) return true;
  }
  return own != nullptr && own->outbox.refuses(publication.bytes_size());
}

void Session::deliver_retained(const MessageRef& message, const RoutedDelivery& delivery, Instant now) {
  (void)take(message, {.qos = delivery.qos, .retain = delivery.retain, .subscription_ids = delivery.subscription_ids},
             now);
}

// The message itself is safe elsewhere; its delivery becomes so without holding anybody.
bool Session::take(const MessageRef& message, const DeliveryOptions& options, Instant now) {
  if (options.qos == mqtt::Qos::AtMostOnce) {
    const Delivery once{options.qos, options.retain, false, {}, options.subscription_ids};
    if (begun_) (void)connection_->write_publish(*message, once, now);
    return false;
  }
  Exchange& own = make_exchange(now);
  const Sequence next = own.outbox.next_sequence();
  Commitment* commitment = nullptr;
  own.outbox.push(message, options, shared_.interval.wait(own.inflight), now, [&]() -> Commitment& {
    commitment = &shared_.journal.open(message);
    return *commitment;
  });
  if (commitment != nullptr) shared_.journal.seal(*commitment, {}, mqtt::ReasonCode::Success);
  const bool kept = own.outbox.next_sequence() != next;
  own.inflight.pump(now);
  return kept;
}

void Session::pump(Instant now) {
  if (!extras_) return;
  if (extras_->exchange) extras_->exchange->inflight.pump(now);
  for (SharedGroup* group : extras_->groups) {
    if (!has_room()) return;
    group->pull(now);
  }
}

// --- shared subscriptions ---

bool Session::reads() const {
  return begun_ && connection_->writable();
}

bool Session::has_room() const {
  if (!reads()) return false;
  const Exchange* const own = exchange();
  return own == nullptr || (!own->inflight.window_full() && !own->outbox.has_waiting() && !own->outbox.full());
}

void Session::Exchange::handle_group_safe(GroupId group, Sequence sequence, Instant now) {
  if (SharedGroup* from = session.shared_.find_group(group)) from->handle_safe(session, sequence, now);
}

std::string_view Session::Exchange::filter_of(GroupId group) const {
  const SharedGroup* const found = session.shared_.find_group(group);
  return found == nullptr ? std::string_view() : found->filter();
}

GroupId Session::Exchange::group_of(std::string_view filter) const {
  const auto found = session.shared_.groups_by_filter.find(filter);
  return found == session.shared_.groups_by_filter.end() ? GroupId{} : found->second->id();
}

Session::Extras& Session::extras() {
  if (!extras_) extras_ = std::make_unique<Extras>();
  return *extras_;
}

bool Session::received_contains(PacketId packet_id) const {
  return extras_ && std::ranges::find(extras_->received, packet_id) != extras_->received.end();
}

void Session::received_insert(PacketId packet_id) {
  extras().received.push_back(packet_id);
}

bool Session::received_erase(PacketId packet_id) {
  return extras_ && std::erase(extras_->received, packet_id) > 0;
}

}  // namespace furrow::broker
