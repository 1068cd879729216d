#include "broker-core/session/session.h"

#include <algorithm>

#include "broker-core/connection.h"
#include "broker-core/mqtt/topic.h"
#include "broker-core/session/shared_group.h"

namespace furrow::broker {

namespace {

// Lists of this many subscriptions have an index: comparing fewer costs no more than hashing one.
constexpr std::size_t kManySubscriptions = 32;
// Retained topics that SUBSCRIBE looks at in search of a first match, before it leaves the search to the replay.
constexpr std::size_t kFirstSteps = 100;

// How a retained message is sent for a subscription. Borrows `options`.
DeliveryOptions replay_of(const Message& message, const SubscriptionOptions& options) {
  const std::uint32_t& id = options.subscription_id;
  return {.qos = std::min(message.qos(), options.qos),
          .retain = true,
          .subscription_ids = {&id, id == 0 ? 0U : 1U},
          .ages = false};
}

}  // namespace

Session::Session(std::string client_id, SubscriberId subscriber, QueueId queue, Shared& shared)
    : shared_(shared), subscriber_(subscriber) {
  record_.client_id = std::move(client_id);
  record_.queue = queue;
}

Session::~Session() {
  forget_access();
  shared_.identities.release(record_.owner);
}

void Session::set_identity(const Identity& identity) {
  const IdentityId before = std::exchange(record_.owner, shared_.identities.acquire(identity));
  shared_.identities.release(before);
}

void Session::store() {
  stored_connected_ = record_.connected();
  stored_in_ = shared_.journal.put(row());
}

void Session::store_lazily(Instant now) {
  stored_connected_ = record_.connected();
  shared_.journal.put_lazy(row(), now);
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
  if (extras_ && extras_->replays) (void)extras_->replays->end(filter);
  return true;
}

// Short lists are scanned. Long ones are indexed, or one SUBSCRIBE with many filters would cost n²; new subscriptions
// are appended, and indexed at the next look-up.
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
  forget_access();  // the client may be another user by now, or somewhere else
}

// --- access ---

SessionAccess::Entry& Session::own_access() const {
  SessionAccess::Entry* const known = shared_.access.find(subscriber_);
  return known != nullptr ? *known : make_own_access();
}

SessionAccess::Entry& Session::make_own_access() const {
  const Identity& who = identity();
  const access::Subject subject{.user = who.user,
                                .client = client_id(),
                                .listener = who.listener,
                                .address = connection_ != nullptr ? connection_->address() : std::nullopt,
                                .address_forgotten = connection_ == nullptr};
  SessionAccess::Entry& made = shared_.access.make(subscriber_, subject, shared_.hash_key);
  made.grant_subscriptions =
      std::ranges::all_of(record_.subscriptions, [&](const Subscription& one) { return may_subscribe(one.filter()); });
  return made;
}

void Session::note_access() const {
  if (shared_.access.has_rules()) (void)own_access();
}

bool Session::may_subscribe(std::string_view filter) const {
  mqtt::SharedFilter parts;
  (void)mqtt::parse_shared(filter, parts);
  return shared_.access.has_rules() ? own_access().rights.may_subscribe(parts.filter)
                                    : access::may_subscribe_without_rules(parts.filter);
}

bool Session::may_have_by_rules(std::string_view topic) const {
  SessionAccess::Entry& own = own_access();
  return own.grant_subscriptions || own.rights.may_receive(topic);
}

void Session::handle_rules_changed(Instant now) {
  // A queue of which nothing is in memory is left alone: after a start many are, and reading them all takes memory.
  if (Outbox* const own = outbox(); own != nullptr && !own->contents().front().empty()) {
    own->drop_waiting_if([this](const Outbox::Entry& entry) { return !may_receive(entry.message->topic()); },
                         DropReason::NotAuthorized, now);
  }
  pump(now);
}

void Session::begin(std::uint16_t receive_maximum, bool session_present, Instant now) {
  begun_ = true;
  receive_maximum_ = receive_maximum;
  if (Inflight* const own = inflight()) own->connect(*connection_, window(), session_present, now);
  // Messages that can be sent to the client at once need not be written.
  if (StoreCondition& store = shared_.journal.condition(); store.failing()) store.note_opening();
  pump(now);
}

void Session::detach() {
  connection_ = nullptr;
  begun_ = false;
  if (Inflight* const own = inflight()) own->disconnect();
}

void Session::end(Instant now) {
  if (Inflight* const own = inflight()) own->end(now);
}

// --- the queue and the window ---

Outbox::Options Session::outbox_options() {
  return {.limits = shared_.limits.session_queue, .queue = record_.queue, .owner = &extras()};
}

Outbox& Session::make_outbox(Instant now) {
  if (Outbox* const own = outbox()) return *own;
  // The queue's row need not hurry: it goes with the first message that is written.
  if (durable()) shared_.journal.put_lazy(QueueRow{record_.queue, QueueKind::Session, client_id()}, now);
  Outbox& own = extras().outbox.emplace(outbox_options(), shared_.journal, shared_.books);
  make_inflight(now).set_own(own);
  return own;
}

Inflight& Session::make_inflight(Instant now) {
  if (Inflight* const own = inflight()) return *own;
  Inflight& own = extras().inflight.emplace(extras(), record_.queue, shared_.journal);
  if (begun_) own.connect(*connection_, window(), true, now);
  return own;
}

void Session::restore(const CursorRow& cursor) {
  FURROW_CHECK(outbox() == nullptr);
  FURROW_CHECK(durable());
  Outbox& own = extras().outbox.emplace(outbox_options(), cursor, shared_.journal, shared_.books);
  extras().inflight.emplace(extras(), record_.queue, shared_.journal).set_own(own);
}

// --- messages ---

void Session::deliver(Publication& publication, const RoutedDelivery& delivery) {
  if (!may_have(publication.fields().topic)) {
    ++shared_.stats.deliveries_not_authorized;
    return;
  }
  if (extras_ && extras_->replays) send_ahead(publication, delivery);
  if (delivery.qos == mqtt::Qos::AtMostOnce) {
    // A client that is away misses QoS 0, as it asked to.
    if (begun_) connection_->write_qos0(publication, delivery);
    return;
  }
  Outbox& own = make_outbox(publication.now());
  if (shared_.conditions.short_of_memory && !durable() && own.has_waiting()) {
    own.pass(Outbox::Outcome::Dropped, publication.now(), DropReason::QueueFull);
    return;
  }
  const Duration wait = !own.durable() || own.has_waiting() ? Duration::zero() : commit_wait();
  own.push(publication.message(), {delivery.qos, delivery.retain, delivery.subscription_ids}, wait, publication.now(),
           [&]() -> Commitment& { return publication.commitment(); });
  inflight()->pump(publication.now());
}

bool Session::refuses(const Publication& publication, const RoutedDelivery& delivery) const {
  if (delivery.qos == mqtt::Qos::AtMostOnce || !may_have(publication.fields().topic)) return false;
  const bool has_outbox = extras_ && extras_->outbox;
  if (durable() && shared_.journal.condition().failing()) {
    // QoS 2 is written before it is sent; QoS 1 unless its acknowledgement can be expected.
    const bool busy = (has_outbox && extras_->outbox->has_waiting()) || commit_wait() == Duration::zero();
    if (delivery.qos == mqtt::Qos::ExactlyOnce || !begun_ || busy) return true;
  }
  return has_outbox && extras_->outbox->refuses(publication.bytes_size());
}

// The message itself is safe elsewhere; its delivery becomes so without holding anybody.
void Session::send_alone(const MessageRef& message, const DeliveryOptions& options, Instant now) {
  if (options.qos == mqtt::Qos::AtMostOnce) {
    (void)write_once(*message, options, now);
    return;
  }
  Outbox& own = make_outbox(now);
  Commitment* commitment = nullptr;
  own.push(message, options, commit_wait(), now, [&]() -> Commitment& {
    commitment = &shared_.journal.open(message);
    return *commitment;
  });
  if (commitment != nullptr) shared_.journal.seal(*commitment, {}, mqtt::ReasonCode::Success);
  inflight()->pump(now);
}

void Session::pump(Instant now) {
  if (!extras_) return;
  if (extras_->inflight) extras_->inflight->pump(now);
  if (extras_->replays) replay(now);
  for (SharedGroup* group : extras_->groups) {
    if (!has_room()) return;
    group->hand_out(now);
  }
}

void Session::handle_limits_changed(Instant now) {
  if (!extras_) return;
  if (extras_->outbox) extras_->outbox->set_limits(shared_.limits.session_queue);
  if (extras_->inflight && begun_) extras_->inflight->set_window(window());
  pump(now);
}

// --- retained messages for new subscriptions ---

bool Session::start_replay(const Subscription& subscription) {
  // A subscription that nothing matches costs neither a row nor a replay: most are told at once.
  std::size_t steps = kFirstSteps;
  RetainedStore::Walk walk(shared_.retained, subscription.filter());
  const MessageRef* const first = walk.next(steps);
  const bool was_stored = extras_ && extras_->replays && extras_->replays->end(subscription.filter());
  if (first == nullptr && walk.at_end()) return was_stored;
  const bool stored = durable() && subscription.options().qos != mqtt::Qos::AtMostOnce;
  replays().start(subscription, first != nullptr ? (*first)->topic() : walk.position(), stored);
  return stored != was_stored;
}

void Session::restart_replay(const Subscription& subscription) {
  replays().start(subscription, {}, true);
}

void Session::change_replay(const Subscription& subscription) {
  if (extras_ && extras_->replays) extras_->replays->change(subscription);
}

void Session::end_replay(const Subscription& subscription, Instant now) {
  if (!extras_ || !extras_->replays || !extras_->replays->end(subscription.filter())) return;
  shared_.journal.put_lazy(row(), now);
}

void Session::continue_replays(Instant now) {
  if (!extras_ || !extras_->replays) return;
  extras_->replays->reset_looking();
  replay(now);
}

void Session::replay(Instant now) {
  if (!begun_ || connection_->held()) return;
  RetainedReplays& replays = *extras_->replays;
  const auto send = [&](RetainedReplays::Replay& one, const MessageRef& message) { return replay(one, message, now); };
  const auto progress = replays.advance(shared_.retained, shared_.journal, now, send);
  if (progress == RetainedReplays::Progress::Looking && replays.set_looking()) {
    shared_.looking.push_back(subscriber_);
  }
  const bool stored = replays.finish([&](const RetainedReplays::Replay& one) {
    const Outbox* const own = outbox();
    return own == nullptr || own->messages() == 0 || own->contents().first_in_memory() > one.last();
  });
  if (replays.empty()) extras_->replays.reset();
  if (stored) shared_.journal.put_lazy(row(), now);
}

// False when the client takes no more for now.
bool Session::replay(RetainedReplays::Replay& replay, const MessageRef& message, Instant now) {
  const SubscriptionOptions options = replay.options();
  const DeliveryOptions delivery = replay_of(*message, options);
  const bool acknowledged = delivery.qos != mqtt::Qos::AtMostOnce;
  if (!may_receive(message->topic())) {
    ++shared_.stats.deliveries_not_authorized;
    return true;
  }
  if (!reads()) return false;
  if (acknowledged) {
    // A message that does not fit beside others goes alone.
    if (!has_room() || !has_place(1, message->bytes_size())) return false;
    replay.note_sent(make_outbox(now).next_sequence());
  }
  send_alone(message, delivery, now);
  return true;
}

// Before a live message: the retained value of its topic, if that is an older one and still to come.
void Session::send_ahead(const Publication& publication, const RoutedDelivery& delivery) {
  // Then the message goes nowhere.
  if (delivery.qos == mqtt::Qos::AtMostOnce && !reads()) return;
  const Instant now = publication.now();
  const MessageRef value = shared_.retained.find(publication.fields().topic);
  if (!value || shared_.retained.expires_at(*value) <= now) return;
  if (std::ranges::equal(value->payload(), publication.fields().payload)) return;
  const bool done = extras_->replays->send_ahead(value->topic(), [&](RetainedReplays::Replay& replay) {
    return send_ahead(replay, value, publication.bytes_size(), delivery.qos, now);
  });
  if (!done) ++shared_.stats.retained_overtaken;
}

// False when the value is left for its turn.
bool Session::send_ahead(RetainedReplays::Replay& replay, const MessageRef& value, std::size_t live_bytes,
                         mqtt::Qos live_qos, Instant now) {
  const SubscriptionOptions options = replay.options();
  const DeliveryOptions delivery = replay_of(*value, options);
  if (delivery.qos == mqtt::Qos::AtMostOnce) {
    // It does not wait for a client that does not read, nor does it come behind a message that does.
    if (reads()) {
      send_alone(value, delivery, now);
    } else if (begun_) {
      ++shared_.stats.dropped_qos0_slow;
    }
    return true;
  }
  // Order holds at one QoS only.
  if (live_qos == mqtt::Qos::AtMostOnce && !has_room()) return false;
  if (has_place(2, value->bytes_size() + live_bytes)) {
    replay.note_sent(make_outbox(now).next_sequence());
    send_alone(value, delivery, now);
  } else {
    make_outbox(now).pass(Outbox::Outcome::Dropped, now, DropReason::QueueFull);
  }
  return true;
}

// Whether the queue takes this much more without a drop.
bool Session::has_place(std::size_t messages, std::size_t bytes) const {
  return !extras_ || !extras_->outbox || extras_->outbox->has_place(messages, bytes);
}

// --- shared subscriptions ---

void Session::leave(SharedGroup& group) {
  std::erase(extras().groups, &group);
  if (Inflight* const own = inflight()) own->keep_leases(group.outbox());
}

bool Session::reads() const {
  return begun_ && connection_->writable();
}

bool Session::has_room() const {
  if (!reads()) return false;
  if (!extras_ || !extras_->inflight) return true;
  const Inflight& own = *extras_->inflight;
  return own.can_take() && !(extras_->outbox && extras_->outbox->has_waiting());
}

Duration Session::commit_wait() const {
  if (extras_ && extras_->inflight) return shared_.interval.wait(*extras_->inflight);
  return begun_ ? shared_.interval.first_wait() : Duration::zero();
}

void Session::take(Outbox& outbox, const DeliveryOptions& options, Instant now) {
  make_inflight(now).take(outbox, options, now);
}

bool Session::write_once(const Message& message, const DeliveryOptions& options, Instant now) {
  const Delivery delivery{options.qos, options.retain, false, {}, options.subscription_ids};
  return connection_->write_publish(message, delivery, now) == PublishSink::Outcome::Written;
}

RetainedReplays& Session::replays() {
  if (!extras().replays) extras_->replays = std::make_unique<RetainedReplays>(shared_.hash_key);
  return *extras_->replays;
}

SessionRow Session::row() {
  std::vector<std::uint32_t> unsent;
  if (extras_ && extras_->replays) {
    extras_->replays->for_each_stored(
        [&](const RetainedReplays::Replay& replay) { unsent.push_back(place_of(replay.filter())); });
  }
  std::ranges::sort(unsent);
  return {client_id(), encode(record_, identity(), unsent)};
}

Session::Extras& Session::extras() {
  if (!extras_) extras_ = std::make_unique<Extras>(*this);
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
