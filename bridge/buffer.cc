#include "bridge/buffer.h"

#include <algorithm>
#include <iterator>
#include <utility>

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

// A new queue is restored like one that was found empty.
broker::CursorRow cursor_of(const Found& found, QueueId queue) {
  if (found.queue) return found.queue->cursor;
  broker::CursorRow cursor;
  cursor.queue = queue;
  cursor.next = Sequence{1};
  return cursor;
}

}  // namespace

Buffer::Buffer(const std::string& name, const Found& found, broker::Broker& broker)
    : name_(name),
      broker_(broker),
      queue_(found.queue ? found.queue->row.id : broker.new_queue()),
      subscriber_(broker.add_destination(*this)),
      outbox_({.limits = {}, .queue = queue_, .owner = this, .stores_books = true}, cursor_of(found, queue_),
              broker.journal(), books_),
      inflight_(*this, queue_, broker.journal(), broker::Inflight::OnQuota::Retry),
      far_session_(name, queue_, found.exchanges, found.session, broker.journal()) {
  if (found.pause) pause_ = decode_pause(*found.pause);
  if (!found.queue) (void)broker_.journal().put(broker::QueueRow{queue_, broker::QueueKind::Bridge, name});
  inflight_.set_own(outbox_);
  std::vector<ExchangeRow> rows;
  std::ranges::copy_if(found.exchanges, std::back_inserter(rows),
                       [](const ExchangeRow& row) { return row.direction == ExchangeRow::Direction::Outbound; });
  broker::Inflight::sort_by_sending(rows);
  for (const ExchangeRow& row : rows) {
    restored_ = std::max(restored_, row.sequence);
    inflight_.restore(row, outbox_);
  }
  // Messages of an earlier run may have left with numbers that the queue has not on disk.
  outbox_.skip_to(far_session_.numbers_end());
  numbers_safe_ = far_session_.numbers_end();
}

Buffer::~Buffer() {
  set_taking(false);
  broker_.journal().forget(*this);
  broker_.remove_destination(subscriber_);
}

// --- what may change while it runs ---

// The row of the queue is committed before that of the session, see Buffers::rename().
void Buffer::rename(const std::string& name) {
  name_ = name;
  (void)broker_.journal().put(broker::QueueRow{queue_, broker::QueueKind::Bridge, name});
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

void Buffer::set_rules(std::vector<Rule> rules) {
  const std::vector<std::string> had = local_filters();
  rules_.set(std::move(rules));
  rules_expire_ =
      std::ranges::any_of(map().rules(), [](const Rule& rule) { return rule.expire_after > Duration::zero(); });
  rules_thin_ = std::ranges::any_of(map().rules(), [](const Rule& rule) { return rule.thinning.any(); });
  thinning_.release_all();
  inflight_.send_up_to(rules_thin_ ? std::optional(Sequence{}) : std::nullopt);
  subscribe(had, local_filters());
  far_session_.subscriptions().want(map().rules());
  broker_.journal().condition().note_opening();  // for messages that no rule refuses any more
}

void Buffer::set_taking(bool taking) {
  const std::vector<std::string> had = local_filters();
  taking_ = taking;
  subscribe(had, local_filters());
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
  outbox_.set_limits(limits);
  broker_.handle_refusals_changed();
}

// --- taking messages ---

bool Buffer::refuses(const broker::Publication& publication, const broker::RoutedDelivery& delivery) const {
  if (delivery.qos == Qos::AtMostOnce) return false;
  const auto mapping = map().up(publication.fields().topic);
  if (!mapping || map().rule(*mapping).qos_max == Qos::AtMostOnce) return false;
  if (broker_.journal().condition().failing()) {
    // QoS 2 is written before it is sent; QoS 1 unless its acknowledgement can be expected.
    const bool once = map().rule(*mapping).qos_of(delivery.qos) == Qos::AtLeastOnce;
    if (!once || !direct() || inflight_.window_full()) return true;
  }
  return outbox_.refuses(publication.bytes_size());
}

void Buffer::deliver(broker::Publication& publication, const broker::RoutedDelivery& delivery) {
  const auto mapping = map().up(publication.fields().topic);
  if (!mapping) return;  // an exception of every rule whose filter it matches
  const Rule& rule = map().rule(*mapping);
  rules_.count_up(mapping->rule);
  if (circles(publication)) return;
  const Qos qos = rule.qos_of(delivery.qos);
  const auto follows_queued = [&] { return !direct() || thinning_.holds_queued(publication.fields().topic); };
  if (qos != Qos::AtMostOnce || (rule.buffer_qos0 && follows_queued())) {
    enqueue(publication, *mapping, {delivery.qos, qos}, delivery.retain);
  } else if (sender_ != nullptr && sender_->takes_once()) {
    if (!crosses(publication, rule, delivery.retain)) return;
    sender_->send_once(publication.fields(), *mapping, delivery.retain, publication.now());
  } else {
    const bool removes = delivery.retain && rule.retain_keep && publication.fields().payload.empty();
    if (removes && sender_ != nullptr) sender_->note_removed(publication.fields().topic);
    pass(Outbox::Outcome::Dropped, publication.now(), DropReason::Qos0Offline);
  }
}

bool Buffer::circles(const broker::Publication& publication) {
  const mqtt::PropertyView properties = publication.fields().properties;
  if (properties.empty()) return false;
  const std::string_view path = broker::path_of(properties);
  const auto reason = loop_guard_.judge(path, gateway_id_);
  if (!reason) return false;
  pass(Outbox::Outcome::Dropped, publication.now(), *reason);
  if (!circling_) circling_ = {std::string(publication.fields().topic), std::string(path), *reason};
  return true;
}

void Buffer::enqueue(broker::Publication& publication, const TopicMap::Mapping& mapping, QosPair qos, bool retain) {
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
  if (outbox_.refuses(message->bytes_size())) {
    pass(Outbox::Outcome::Dropped, now, DropReason::RefusedQos0);
    return;
  }
  const bool at_once = direct();
  if (at_once && !sender_->fits(publication, mapping, qos.there)) {
    pass(Outbox::Outcome::Dropped, now, DropReason::TooLarge);
    return;
  }
  const Duration wait = at_once ? patience() : Duration::zero();
  outbox_.push(message, {qos.there, retain, {}}, wait, now,
               [&]() -> broker::Commitment& { return publication.commitment(); });
  // Otherwise older messages wait before this one, and an acknowledgement or a new connection will set them going.
  if (at_once) sender_->pump(now);
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

// The outbox knows the message's own expiry; a rule's lies over it, at the place where the rule is known.
void Buffer::drop_outdated(std::size_t room, Instant now) {
  if (!rules_expire_) return;
  outbox_.expire_if([&](const Outbox::Entry& entry) { return outdated(entry, now); }, room, now);
}

bool Buffer::outdated(const Outbox::Entry& entry, Instant now) const {
  if (entry.sequence <= restored_) return false;
  const auto mapping = map().up(entry.message->topic());
  if (!mapping) return false;
  const Duration limit = map().rule(*mapping).expire_after;
  return limit > Duration::zero() && now - entry.message->received() > limit;
}

void Buffer::expire(Instant now) {
  (void)outbox_.expire(now);
}

// --- thinning ---

std::optional<Buffer::Thinned> Buffer::thinned(const Outbox::Entry& entry) const {
  const auto mapping = map().up(entry.message->topic());
  if (!mapping || !map().rule(*mapping).thinning.any()) return std::nullopt;
  const Rule& rule = map().rule(*mapping);
  return Thinned{.value = {.topic = entry.message->topic(),
                           .payload = entry.message->payload(),
                           .received = entry.message->received(),
                           .retain = entry.retain && rule.retain_keep,
                           .sequence = entry.sequence},
                 .terms = rule.thinning};
}

bool Buffer::crosses(broker::Publication& publication, const Rule& rule, bool retain) {
  if (!rule.thinning.any()) return true;
  const Instant now = publication.now();
  const Thinning::Value value{.topic = publication.fields().topic,
                              .payload = publication.fields().payload,
                              .received = now,
                              .retain = retain && rule.retain_keep,
                              .sequence = {}};
  thinning_.note(value, now);
  const Thinning::Verdict verdict = thinning_.judge(value, rule.thinning, now);
  if (verdict == Thinning::Verdict::Held) thinning_.keep(value.topic, publication.message());
  if (verdict == Thinning::Verdict::Dropped) pass(Outbox::Outcome::Dropped, now, DropReason::Thinned);
  drop_replaced(now);
  release_held(now);
  if (outbox_.has_waiting()) sender_->pump(now);
  return verdict == Thinning::Verdict::Crosses;
}

bool Buffer::thin(std::size_t room, Instant now) {
  if (!rules_thin_ && thinning_.next_due() == kNever) return false;
  release_held(now);
  drop_superseded(now);
  if (outbox_.next_waiting(now) == nullptr) return false;
  note_waiting(now);
  drop_replaced(now);
  const Sequence judged = std::exchange(judged_, judge_waiting(room, now));
  if (rules_thin_) inflight_.send_up_to(judged_);
  release_held(now);  // what has made way leaves before what it made way for
  return judged_ > judged;
}

// Each message is noted once, when it is in memory before those on disk.
void Buffer::note_waiting(Instant now) {
  const Sequence first{noted_.value + 1};
  outbox_.contents().for_each_between(first, outbox_.next_sequence(), [&](const Outbox::Entry& entry) {
    noted_ = entry.sequence;
    if (const auto one = thinned(entry)) thinning_.note(one->value, now);
  });
}

Sequence Buffer::judge_waiting(std::size_t room, Instant now) {
  Sequence judged;
  std::vector<Sequence> held;
  const Ring<Outbox::Entry>& front = outbox_.contents().front();
  for (std::size_t i = outbox_.contents().send_index(); i < front.size(); ++i) {
    const Outbox::Entry& entry = front[i];
    if (entry.state != broker::PagedQueue::State::Waiting) continue;
    if (room == 0 && entry.qos != Qos::AtMostOnce) break;
    const auto one = thinned(entry);
    const auto verdict = one ? thinning_.judge(one->value, one->terms, now) : Thinning::Verdict::Crosses;
    if (verdict != Thinning::Verdict::Crosses) {
      held.push_back(entry.sequence);
    } else if (must_wait(entry, now)) {
      break;
    } else if (entry.qos != Qos::AtMostOnce) {
      --room;
    }
    judged = entry.sequence;
  }
  for (const Sequence sequence : held) outbox_.hold(sequence);
  held_ += held.size();
  drop_replaced(now);
  return judged;
}

void Buffer::drop_replaced(Instant now) {
  while (const auto one = thinning_.poll_replaced()) {
    if (one->held.sequence) {
      superseded_.push_back({one->held.sequence, one->by});
    } else {
      pass(Outbox::Outcome::Dropped, now, DropReason::Thinned);
    }
  }
  drop_superseded(now);
}

// At QoS 2 a message that has left is sent again before all others after a crash: what gave way to it must be off the
// disk, or it would come behind it and stand for the topic. Otherwise the newer one follows again.
bool Buffer::must_wait(const Outbox::Entry& entry, Instant now) {
  if (entry.qos != Qos::ExactlyOnce || broker_.journal().condition().failing()) return false;
  const bool waits = thinning_.has_replaced_by(entry.sequence) ||
                     std::ranges::find(superseded_, entry.sequence, &Superseded::by) != superseded_.end();
  if (waits) outbox_.hasten(entry.sequence, now);
  return waits;
}

// A crash would take what is only in memory, and leave nothing of its topic if what it stands for were gone.
void Buffer::drop_superseded(Instant now) {
  bool is_awaited = false;
  const auto drop = [&](Superseded& one) {
    if (one.dropped || !outbox_.is_safe(one.by)) return false;
    --held_;
    outbox_.settle(one.sequence, Outbox::Outcome::Dropped, now, DropReason::Thinned);
    const Outbox::Entry* const by = outbox_.find(one.by);
    one.dropped = by != nullptr && by->qos == Qos::ExactlyOnce;
    is_awaited = is_awaited || one.dropped;
    return !one.dropped;
  };
  while (std::erase_if(superseded_, drop) > 0) {  // again: some stand for each other
  }
  if (is_awaited) {
    const BatchNumber batch = outbox_.write_settled();
    for (Superseded& one : superseded_) {
      if (one.dropped && !one.written) one.written = batch;
    }
  }
  std::erase_if(superseded_,
                [&](const Superseded& one) { return one.dropped && broker_.journal().is_durable(one.written); });
  if (!superseded_.empty()) await_store();
}

void Buffer::release_held(Instant now) {
  while (const auto held = thinning_.poll_due(now)) release(*held, now);
}

void Buffer::release(const Thinning::Held& held, Instant now) {
  if (held.sequence) {
    --held_;
    outbox_.give_back(held.sequence);
    return;
  }
  const auto mapping = map().up(held.message->topic());
  if (!mapping) {
    pass(Outbox::Outcome::Dropped, now, DropReason::RuleRemoved);
  } else if (held.message->expires_at() <= now) {
    pass(Outbox::Outcome::Expired, now);
  } else if (sender_ != nullptr && sender_->takes_once()) {
    sender_->send_once(broker::fields_of(*held.message), *mapping, held.retain, now);
  } else {
    pass(Outbox::Outcome::Dropped, now, DropReason::Qos0Offline);
  }
}

void Buffer::purge(Instant now) {
  outbox_.drop_all(DropReason::Purged, now);
  for (std::size_t i = thinning_.give_up().size(); i > 0; --i) pass(Outbox::Outcome::Dropped, now, DropReason::Purged);
  superseded_.clear();
  held_ = 0;
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
  const Sequence next = outbox_.next_sequence();
  if (next.value + kNumbersReserved / 2 > far_session_.numbers_end().value) {
    reserved_in_ = far_session_.reserve_numbers(Sequence{next.value + kNumbersReserved});
  }
  if (next <= numbers_safe_ || journal.condition().failing()) return true;
  await_store();
  return false;
}

void Buffer::await_store() {
  if (!std::exchange(awaits_store_, true)) broker_.journal().wake_on_progress(*this);
}

void Buffer::handle_store_progress(Instant now) {
  awaits_store_ = false;
  drop_superseded(now);
  handle_progress(now);
}

// --- what is where ---

void Buffer::describe(Snapshot& snapshot) const {
  const std::uint64_t uncounted = sender_ != nullptr ? sender_->uncounted() : 0;
  snapshot.books = books_;
  snapshot.books.accepted += uncounted;
  snapshot.backlog_messages = outbox_.backlog() + held_;
  snapshot.backlog_bytes = outbox_.bytes();
  snapshot.bytes_max = limits_.bytes_max;
  snapshot.messages_max = limits_.messages_max;
  snapshot.disk_messages = outbox_.disk_messages();
  snapshot.inflight = inflight() + uncounted;
  snapshot.accepted = snapshot.books.accepted;
  snapshot.delivered = snapshot.books.delivered;
  snapshot.expired = snapshot.books.expired;
  snapshot.quarantined = snapshot.books.quarantined;
  snapshot.received = received_;
  snapshot.routed = routed_;
  // No rule took it, or at QoS 0 a local queue refused it.
  snapshot.received_dropped = received_ - routed_;
  snapshot.oldest = outbox_.oldest();
  snapshot.rules = rules_.status();
}

// --- all of them ---

Buffers::Buffers(broker::Restored restored, broker::Broker& broker) : restored_(std::move(restored)), broker_(broker) {
  for (const broker::RestoredQueue& queue : restored_.queues) {
    if (queue.row.kind == broker::QueueKind::Bridge) (void)of(queue.row.name);
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
  }
  for (broker::SessionRow& row : restored_.sessions) {
    if (row.client_id == broker::far_session_key(from)) row.client_id = broker::far_session_key(to);
  }
}

}  // namespace furrow::bridge
