#include "bridge/buffer.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "bridge/content_hash.h"
#include "broker-core/session/session_record.h"

namespace furrow::bridge {

using broker::DropReason;
using broker::ExchangeRow;
using broker::Outbox;
using mqtt::Qos;

namespace {

// Publishers wait no longer than this for an acknowledgement of the far broker, whatever a bridge gathers for.
constexpr Duration kPatienceMax = std::chrono::seconds(3);
// As many numbers are put aside at a time: a commit now and then, and a restart leaves a gap of no more than that.
constexpr std::uint64_t kNumbersReserved = 1'000'000;

}  // namespace

Buffer::Buffer(const std::string& name, const Found& found, broker::Broker& broker)
    : name_(name),
      broker_(broker),
      wants_(rules_.map()),
      subscriber_(broker.add_destination(*this)),
      lanes_(name, found, *this, rules_, broker),
      quarantine_(name, found, *this, rules_, lanes_, broker),
      inflight_(*this, lanes_.normal().outbox().queue(), broker.journal(), broker::Inflight::OnQuota::Retry),
      far_session_(name, lanes_.normal().outbox().queue(), found.exchanges, found.session, broker.journal()) {
  if (found.pause) pause_ = decode_pause(*found.pause);
  std::vector<ExchangeRow> rows;
  std::ranges::copy_if(found.exchanges, std::back_inserter(rows),
                       [](const ExchangeRow& row) { return row.direction == ExchangeRow::Direction::Outbound; });
  broker::Inflight::sort_by_sending(rows);
  for (const ExchangeRow& row : rows) restore(row);
  // Messages of an earlier run may have left with numbers that the queues have not on disk.
  numbers_safe_ = far_session_.numbers_end();
  lanes_.set_first(numbers_safe_);
}

void Buffer::restore(const ExchangeRow& row) {
  Lane* const lane = lanes_.find(row.outbox);
  if (lane == nullptr) {  // only damage takes its queue away
    broker_.journal().erase(row);
    return;
  }
  lane->note_restored(row.sequence);
  inflight_.restore(row, lane->outbox());
}

Buffer::~Buffer() {
  set_taking(false);
  broker_.router().unwatch(*this);
  broker_.journal().forget(*this);
  broker_.remove_destination(subscriber_);
}

// --- what may change while it runs ---

// The row of the queue is committed before that of the session, see Buffers::rename().
void Buffer::rename(const std::string& name) {
  name_ = name;
  lanes_.rename(name);
  quarantine_.rename(name);
  far_session_.rename(name);
}

std::vector<std::string> Buffer::local_filters() const {
  std::vector<std::string> filters;
  for (const Rule& rule : map().rules()) {
    if (taking_ && rule.goes_up()) filters.push_back(rule.local_filter());
  }
  return filters;
}

void Buffer::subscribe(const std::vector<std::string>& had, const std::vector<std::string>& wanted) {
  const auto has = [](const std::vector<std::string>& filters, const std::string& filter) {
    return std::ranges::find(filters, filter) != filters.end();
  };
  for (const std::string& filter : wanted) {
    if (has(had, filter)) continue;
    // The rule that decides is found for each message; its QoS is applied then.
    broker_.subscribe(subscriber_, filter,
                      {.qos = Qos::ExactlyOnce, .no_local = true, .retain_as_published = true, .subscription_id = 0});
  }
  for (const std::string& filter : had) {
    if (!has(wanted, filter)) broker_.unsubscribe(subscriber_, filter);
  }
}

void Buffer::set_rules(std::vector<Rule> rules, bool live_first, Instant now) {
  const std::vector<std::string> had = local_filters();
  rules_.set(std::move(rules));
  may_come_back_ = map().may_come_back();
  live_first_ = live_first;
  lanes_.handle_rules_changed(live_first);
  subscribe(had, local_filters());
  look_for_wants();
  (void)wants_.review(now);
  far_session_.subscriptions().want(wishes(), now);
  broker_.journal().condition().note_opening();  // for messages that no rule refuses any more
}

void Buffer::look_for_wants() {
  wants_.handle_rules_changed(far_session_.subscriptions().filters());
  if (wants_.any() != watches_) {
    watches_ = !watches_;
    if (watches_) {
      broker_.router().watch(*this);
    } else {
      broker_.router().unwatch(*this);
    }
  }
  if (!watches_) return;
  broker_.router().for_each_subscription(
      [this](std::string_view filter, broker::SubscriberId subscriber) { handle_subscribed(filter, subscriber); });
}

void Buffer::handle_subscribed(std::string_view filter, broker::SubscriberId subscriber) {
  if (subscriber != subscriber_) wants_.add(filter);
}

void Buffer::handle_unsubscribed(std::string_view filter, broker::SubscriberId subscriber) {
  if (subscriber != subscriber_) wants_.remove(filter);
}

bool Buffer::review_wants(Instant now) {
  if (!wants_.review(now)) return false;
  far_session_.subscriptions().want(wishes(), now);
  return true;
}

std::vector<FarSubscriptions::Wish> Buffer::wishes() const {
  std::vector<FarSubscriptions::Wish> wishes;
  for (std::size_t i = 0; i < map().rules().size(); ++i) {
    const Rule& rule = map().rules()[i];
    wishes.push_back({.key = rules_.key(i),
                      .filters = {},
                      .qos = rule.qos_max,
                      .goes_up = rule.goes_up(),
                      .only_wanted = rule.comes_down_if_wanted()});
    if (rule.comes_down_if_wanted()) {
      wishes.back().filters = wants_.filters(i);
    } else if (rule.comes_down()) {
      wishes.back().filters = {rule.remote_filter()};
    }
  }
  return wishes;
}

void Buffer::set_taking(bool taking) {
  const std::vector<std::string> had = local_filters();
  taking_ = taking;
  subscribe(had, local_filters());
  broker_.handle_mesh_changed();
}

void Buffer::set_meshed(bool meshed) {
  meshed_ = meshed;
  broker_.handle_mesh_changed();
}

void Buffer::set_loop_guard(const LoopGuard& guard, const std::string& gateway_id) {
  loop_guard_ = guard;
  gateway_id_ = gateway_id;
}

void Buffer::set_pause(std::optional<Pause> pause) {
  pause_ = pause;
  broker::SessionRow row{pause_key(name_), std::nullopt};
  if (pause_) row.data = encode(*pause_);
  (void)broker_.journal().put(std::move(row));
}

void Buffer::set_limits(const broker::OutboxLimits& limits) {
  limits_ = limits;
  lanes_.set_limits(limits);
  broker_.handle_refusals_changed();
}

// --- taking messages ---

bool Buffer::refuses(const broker::Publication& publication, const broker::RoutedDelivery& delivery) const {
  if (delivery.qos == Qos::AtMostOnce) return false;
  const auto mapping = map().up(publication.fields().topic);
  if (!mapping || map().rule(*mapping).qos_max == Qos::AtMostOnce) return false;
  const Rule& rule = map().rule(*mapping);
  const Lane& lane = lane_of(mapping->rule, delivery.retain);
  if (broker_.journal().condition().failing()) {
    // QoS 2 is written before it is sent; QoS 1 unless its acknowledgement can be expected.
    const bool once = rule.qos_of(delivery.qos) == Qos::AtLeastOnce;
    if (!once || !is_direct(lane, publication.now()) || inflight_.window_full()) return true;
  }
  return lanes_.refuses(lane, publication.bytes_size());
}

void Buffer::deliver(broker::Publication& publication, const broker::RoutedDelivery& delivery) {
  const auto mapping = map().up(publication.fields().topic);
  if (!mapping) return;  // an exception of every rule whose filter it matches
  const Rule& rule = map().rule(*mapping);
  rules_.count_up(mapping->rule);
  if (circles(publication, *mapping)) return;
  const Qos qos = rule.qos_of(delivery.qos);
  Lane& lane = lane_of(mapping->rule, delivery.retain);
  const auto follows_queued = [&] {
    return !is_direct(lane, publication.now()) || lane.holds(publication.fields().topic);
  };
  const bool may_leave = sender_ != nullptr && sender_->takes_once(rule.priority == Priority::High);
  if (qos != Qos::AtMostOnce || (rule.buffer_qos0 && follows_queued()) || (rule.is_paced() && may_leave)) {
    enqueue(publication, *mapping, lane, {delivery.qos, qos}, delivery.retain);
  } else if (may_leave) {
    if (!lane.crosses(publication, rule, delivery.retain)) return;
    sender_->send_once(publication.fields(), *mapping, delivery.retain, publication.now());
  } else {
    const bool removes = delivery.retain && rule.retain_keep && publication.fields().payload.empty();
    if (removes && sender_ != nullptr) sender_->note_removed(publication.fields().topic);
    pass(Outbox::Outcome::Dropped, publication.now(), DropReason::Qos0Offline);
  }
}

// What the far side retains keeps its place among the rest: it would keep the one that comes last.
Lane& Buffer::lane_of(std::size_t rule, bool retain) const {
  const bool stays = retain && map().rules()[rule].retain_keep;
  return lanes_.of(rule, live_first_ && sender_ != nullptr && inflight_.connected() && !stays);
}

bool Buffer::circles(const broker::Publication& publication, const TopicMap::Mapping& mapping) {
  if (echoes_.is_stopped(mapping, publication.fields().payload, publication.now())) {
    pass(Outbox::Outcome::Dropped, publication.now(), DropReason::Loop);
    return true;
  }
  const mqtt::PropertyView properties = publication.fields().properties;
  if (properties.empty()) return false;
  const std::string_view path = broker::path_of(properties);
  const auto reason = loop_guard_.judge(path, gateway_id_);
  if (!reason) return false;
  pass(Outbox::Outcome::Dropped, publication.now(), *reason);
  if (!circling_) circling_ = {std::string(publication.fields().topic), std::string(path), *reason};
  return true;
}

void Buffer::enqueue(broker::Publication& publication, const TopicMap::Mapping& mapping, Lane& lane, QosPair qos,
                     bool retain) {
  const Instant now = publication.now();
  const broker::MessageRef& message = publication.message();
  if (message->expires_at() <= now) {
    pass(Outbox::Outcome::Expired, now);
    return;
  }
  // Nobody who sends QoS 0 can be made to wait.
  if (qos.here == Qos::AtMostOnce && (broker_.journal().condition().failing() || broker_.store_lags())) {
    pass(Outbox::Outcome::Dropped, now, DropReason::StoreFailed);
    return;
  }
  if (lanes_.refuses(lane, message->bytes_size())) {
    pass(Outbox::Outcome::Dropped, now, DropReason::RefusedQos0);
    return;
  }
  const bool at_once = is_direct(lane, now);
  if (at_once && !sender_->fits(publication, mapping, qos.there)) {
    pass(Outbox::Outcome::Dropped, now, DropReason::TooLarge);
    return;
  }
  const Duration wait = at_once ? patience() : Duration::zero();
  lanes_.push(lane, message, {qos.there, retain, {}}, wait, now,
              [&]() -> broker::Commitment& { return publication.commitment(); });
  // Otherwise older messages wait before this one, and an acknowledgement or a new connection will set them going.
  if (at_once) {
    sender_->pump(now);
  } else if (map().rule(mapping).keep_latest) {
    lane.note_latest(now);
  }
}

// How long an acknowledgement of the far broker is waited for before the message is written.
Duration Buffer::patience() const {
  const Duration wait = broker_.commit_interval().wait(inflight_);
  if (wait == Duration::zero()) return wait;
  return std::max(wait, std::min(wait + sender_->gathers_for(), kPatienceMax));
}

// --- sending ---

void Buffer::attach(Sender& sender) {
  FURROW_CHECK(sender_ == nullptr);
  sender_ = &sender;
}

void Buffer::detach() {
  inflight_.disconnect();
  sender_ = nullptr;
}

void Buffer::handle_progress(Instant now) {
  if (sender_ != nullptr) sender_->pump(now);
}

void Buffer::send_released(Lane& lane, const Thinning::Held& held, Instant now) {
  const auto mapping = map().up(held.message->topic());
  if (!mapping) {
    lane.pass(Outbox::Outcome::Dropped, now, DropReason::RuleRemoved);
  } else if (held.message->expires_at() <= now) {
    lane.pass(Outbox::Outcome::Expired, now);
  } else if (sender_ != nullptr && sender_->takes_once(lane.place().urgent())) {
    sender_->send_once(broker::fields_of(*held.message), *mapping, held.retain, now);
  } else {
    lane.pass(Outbox::Outcome::Dropped, now, DropReason::Qos0Offline);
  }
}

void Buffer::drop_outdated(std::size_t room, Instant now) {
  lanes_.for_each([&](Lane& lane) { lane.drop_outdated(room, now); });
}

bool Buffer::thin(std::size_t room, Instant now) {
  bool more_may_leave = false;
  lanes_.for_each([&](Lane& lane) {
    if (!lane.holds_back(now)) more_may_leave = lane.thin(room, now) || more_may_leave;
  });
  return more_may_leave;
}

// While a lane waits for a page or for its pace, those behind it go on.
void Buffer::send(Instant now) {
  sender_->begin_turn({.drained = false, .urgent = true});
  inflight_.resume(now);
  lanes_.review_paces(now);
  lanes_.for_each([&](Lane& lane) {
    if (lane.holds_back(now)) return;
    const Lane::Place& place = lane.place();
    sender_->begin_turn({.drained = place.drained, .urgent = place.urgent(), .pace = place.pace});
    inflight_.send_from(lane.outbox(), lane.send_last(), now);
  });
  sender_->begin_turn({});
  lanes_.review_backlogs();
}

Instant Buffer::thinning_due() const {
  Instant due = kNever;
  lanes_.for_each([&](const Lane& lane) { due = std::min(due, lane.thinning_due()); });
  return due;
}

void Buffer::release_held(Instant now) {
  lanes_.for_each([&](Lane& lane) { lane.release_held(now); });
}

void Buffer::forget_crossed() {
  lanes_.for_each([](Lane& lane) { lane.forget_crossed(); });
}

void Buffer::expire(Instant now) {
  lanes_.for_each([&](Lane& lane) { (void)lane.outbox().expire(now); });
}

// --- quarantine ---

Buffer::SetAside Buffer::set_aside(QueueId queue, Sequence sequence, Instant now) {
  Lane& lane = *lanes_.find(queue);
  SetAside done;
  if (const Outbox::Entry* const entry = lane.outbox().find(sequence)) {
    done = {
        .topic = std::string(entry->message->topic()), .bytes = entry->message->payload().size(), .qos = entry->qos};
  }
  done.is_kept = inflight_.forsake(queue, sequence, now);
  if (done.is_kept) quarantine_.take(lane, sequence, now);
  return done;
}

bool Buffer::has(QueueId queue, Sequence sequence) const {
  const Lane* const lane = lanes_.find(queue);
  return lane != nullptr && !lane->outbox().has_lost(sequence);
}

std::uint64_t Buffer::hash_of(QueueId queue, Sequence sequence) const {
  const Outbox::Entry* const entry = lanes_.find(queue)->outbox().find(sequence);
  if (entry == nullptr) return 0;
  return content_hash(entry->message->topic(), entry->message->payload());
}

// --- numbers ---

std::optional<WallTime> Buffer::wall_time(Instant then, Instant now) const {
  const ClockStamp stamp = broker_.journal().stamp(now);
  if (!stamp.trusted) return std::nullopt;
  return stamp.wall - (now - then);
}

// A message may leave, be acknowledged and never be stored: after a crash its sequence would be given again. So numbers
// are put aside in the store, many at a time, before the first of them leaves, and the next run begins behind them.
bool Buffer::numbers_are_ready() {
  broker::Journal& journal = broker_.journal();
  if (journal.is_durable(reserved_in_)) numbers_safe_ = far_session_.numbers_end();
  Sequence next;
  lanes_.for_each([&](const Lane& lane) { next = std::max(next, lane.outbox().next_sequence()); });
  if (next.value + kNumbersReserved / 2 > far_session_.numbers_end().value) {
    reserved_in_ = far_session_.reserve_numbers(Sequence{next.value + kNumbersReserved});
  }
  if (next <= numbers_safe_ || journal.condition().failing()) return true;
  await_store();
  return false;
}

std::uint64_t Buffer::next_number() const {
  std::uint64_t highest = 0;
  lanes_.for_each([&](const Lane& lane) {
    highest = std::max(highest, lanes_.number(lane.outbox().queue(), lane.outbox().next_sequence()));
  });
  return highest;
}

void Buffer::await_store() {
  if (!std::exchange(awaits_store_, true)) broker_.journal().wake_on_progress(*this);
}

void Buffer::handle_store_progress(Instant now) {
  awaits_store_ = false;
  lanes_.for_each([&](Lane& lane) { lane.handle_store_progress(now); });
  quarantine_.handle_store_progress(now);
  handle_progress(now);
}

// --- what is where ---

bool Buffer::direct(Instant now) const {
  bool is_clear = sender_ != nullptr && sender_->ready(false);
  lanes_.for_each(
      [&](const Lane& lane) { is_clear = is_clear && (!lane.outbox().has_waiting() || lane.holds_back(now)); });
  return is_clear;
}

bool Buffer::has_urgent() const {
  return lanes_.sum([&](const Lane& lane) { return lane.place().urgent() ? lane.outbox().messages() : 0; }) > 0;
}

std::optional<Instant> Buffer::oldest() const {
  std::optional<Instant> oldest;
  lanes_.for_each([&](const Lane& lane) {
    const std::optional<Instant> its = lane.outbox().oldest();
    if (its && (!oldest || *its < *oldest)) oldest = its;
  });
  return oldest;
}

void Buffer::purge(Instant now) {
  lanes_.for_each([&](Lane& lane) { lane.purge(now); });
}

void Buffer::describe(Snapshot& snapshot) const {
  const std::uint64_t uncounted = sender_ != nullptr ? sender_->uncounted() : 0;
  snapshot.books = {};
  lanes_.for_each([&](const Lane& lane) { snapshot.books += lane.books(); });
  quarantine_.add_to(snapshot.books);
  snapshot.books.accepted += uncounted;
  snapshot.backlog_messages = lanes_.sum([](const Lane& lane) { return lane.backlog() + lane.held(); });
  snapshot.backlog_bytes = lanes_.bytes();
  snapshot.bytes_max = limits_.bytes_max;
  snapshot.messages_max = limits_.messages_max;
  snapshot.disk_messages = lanes_.sum([](const Lane& lane) { return lane.outbox().disk_messages(); });
  snapshot.inflight = inflight() + uncounted;
  snapshot.accepted = snapshot.books.accepted;
  snapshot.delivered = snapshot.books.delivered;
  snapshot.expired = snapshot.books.expired;
  snapshot.quarantined = snapshot.books.quarantined;
  snapshot.received = received_;
  snapshot.routed = routed_;
  // No rule took it, or at QoS 0 a local queue refused it.
  snapshot.received_dropped = received_ - routed_;
  snapshot.oldest = oldest();
  snapshot.rules = rules_.status();
  for (std::size_t i = 0; i < snapshot.rules.size(); ++i) {
    if (map().rules()[i].comes_down_if_wanted()) snapshot.rules[i].wanted = wants_.filters(i).size();
  }
}

// --- all of them ---

Buffers::Buffers(broker::Restored restored, broker::Broker& broker) : restored_(std::move(restored)), broker_(broker) {
  for (const broker::RestoredQueue& queue : restored_.queues) {
    if (queue.row.kind == broker::QueueKind::Bridge) (void)of(queue.row.name);
    if (queue.row.kind == broker::QueueKind::Lane) (void)of(std::string(bridge_of_lane(queue.row)));
  }
}

// A buffer is never removed, so what the store had of it is looked up once.
Buffer& Buffers::of(const std::string& name) {
  std::unique_ptr<Buffer>& buffer = buffers_[name];
  if (buffer == nullptr) buffer = std::make_unique<Buffer>(name, find_bridge(restored_, name), broker_);
  return *buffer;
}

Buffers::Renaming Buffers::rename(const std::string& from, const std::string& to) {
  const auto present = buffers_.find(to);
  if (auto former = buffers_.extract(from)) {
    if (present != buffers_.end()) {
      buffers_.insert(std::move(former));
      return Renaming::Refused;
    }
    former.mapped()->rename(to);
    former.key() = to;
    buffers_.insert(std::move(former));
    rename_restored(from, to);
    return Renaming::Done;
  }
  const Found left_behind = find_bridge(restored_, from);
  if (!left_behind.session || present == buffers_.end() || find_bridge(restored_, to).session) {
    return Renaming::NothingToDo;
  }
  present->second->far_session().adopt(*left_behind.session, from);
  rename_restored(from, to);
  return Renaming::Done;
}

void Buffers::rename_restored(const std::string& from, const std::string& to) {
  for (broker::RestoredQueue& queue : restored_.queues) {
    if (queue.row.kind == broker::QueueKind::Bridge && queue.row.name == from) queue.row.name = to;
    if (queue.row.kind != broker::QueueKind::Lane || bridge_of_lane(queue.row) != from) continue;
    queue.row.name.replace(queue.row.name.find('/') + 1, from.size(), to);
  }
  for (broker::SessionRow& row : restored_.sessions) {
    if (row.client_id == broker::far_session_key(from)) row.client_id = broker::far_session_key(to);
  }
}

}  // namespace furrow::bridge
