#include "broker-core/session/journal.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "broker-core/session/outbox.h"
#include "broker-core/session/segment.h"

namespace furrow::broker {

namespace {

// The row that keeps `message` as the topic's value, or takes the value away when there is none.
RetainedRow retained_row(const std::string& topic, const MessageRef& message, const ClockStamp& stamp) {
  return {topic, message ? std::optional(encode_message(*message, stamp)) : std::nullopt};
}

// Older rows go before those being gathered.
template <typename Rows>
void put_before(Rows& older, Rows& newer) {
  older.insert(older.end(), std::make_move_iterator(newer.begin()), std::make_move_iterator(newer.end()));
  newer = std::move(older);
}

// The allocator adds this much to three blocks.
constexpr std::size_t kHeapOverhead = 3 * 16;

}  // namespace

// --- commitments ---

const std::size_t Commitment::kOverhead = sizeof(Commitment) + sizeof(Outbox::Entry) + sizeof(Message) + kHeapOverhead;

void Commitment::add(Destination destination) {
  if (inline_count_ < kInline && more_.empty()) {
    inline_[inline_count_++] = destination;
  } else {
    more_.push_back(destination);
  }
}

bool Commitment::remove(const Outbox& outbox, Sequence sequence) {
  for (std::size_t i = 0; i < destination_count(); ++i) {
    if (destination(i).outbox != &outbox || destination(i).sequence != sequence) continue;
    destination(i) = destination(destination_count() - 1);
    if (more_.empty()) {
      --inline_count_;
    } else {
      more_.pop_back();
    }
    return true;
  }
  return false;
}

Journal::Journal(Options options, Store& store, StampClock stamp, SegmentId last_segment)
    : options_(options),
      store_(store),
      stamp_(std::move(stamp)),
      clock_(options.clock, options.retained_interval),
      last_segment_(last_segment) {
  gathering_.number = BatchNumber{1};
}

Journal::~Journal() {
  if (at_writer_) {
    for (const Commitment* commitment : at_writer_->commitments) {
      if (commitment->ended_) delete commitment;
    }
  }
  while (first_ != nullptr) delete std::exchange(first_, first_->next_);
  while (spare_ != nullptr) delete std::exchange(spare_, spare_->next_);
}

Commitment& Journal::open(MessageRef message) {
  Commitment* commitment = spare_;
  if (commitment != nullptr) {
    --spares_;
    spare_ = std::exchange(commitment->next_, nullptr);
  } else {
    commitment = new Commitment;
  }
  commitment->message_ = std::move(message);
  return *commitment;
}

void Journal::add_destination(Commitment& commitment, Outbox& outbox, Sequence sequence, Duration wait, Instant now) {
  commitment.add({&outbox, sequence});
  if (wait <= Duration::zero()) {
    commitment.gathers_ = true;
    limit_wait(commitment, now + options_.gather_interval, now);
    return;
  }
  // The longest wait of its destinations; half of it is old enough to go along with others.
  commitment.wait_ = std::max(commitment.wait_, wait);
  commitment.due_ = std::min(commitment.due_max_, now + commitment.wait_);
  commitment.aged_ = std::min(commitment.aged_max_, now + commitment.wait_ / 2);
}

void Journal::limit_wait(Commitment& commitment, Instant due, Instant aged) {
  commitment.due_max_ = std::min(commitment.due_max_, due);
  commitment.aged_max_ = std::min(commitment.aged_max_, aged);
  commitment.due_ = std::min(commitment.due_, due);
  commitment.aged_ = std::min(commitment.aged_, aged);
}

void Journal::add_retained(Commitment& commitment, bool first_of_topic, Instant now) {
  commitment.retained_ = true;
  commitment.first_of_topic_ = first_of_topic;
  ++retained_added_;
  const Instant due = now + options_.retained_interval;
  limit_wait(commitment, due, due);
}

void Journal::add_exchange(Commitment& commitment, const ExchangeRow& row, Instant now) {
  commitment.exchange_ = row;
  limit_wait(commitment, now, now);
}

void Journal::seal(Commitment& commitment, AckTicket ticket, mqtt::ReasonCode reason) {
  if (options_.acknowledge_when_received && !commitment.exchange_) {
    ticket.complete(reason);
  } else {
    commitment.ticket_ = std::move(ticket);
    commitment.reason_ = reason;
  }
  commitment.sealed_ = true;
  commitment.previous_ = last_;
  (last_ != nullptr ? last_->next_ : first_) = &commitment;
  last_ = &commitment;
  waiting_bytes_ += commitment.memory_bytes();
  if (commitment.gathers_) clock_.add_gathered(commitment.message_->bytes_size());
  wait_for_value(commitment);
  clock_.note_message(commitment.due_);
  if (commitment.is_empty()) release(commitment);
}

// A commitment that waits for its retained row alone goes with the next batch that is written anyway, and the clock
// says when the row is written for its own sake. While a destination may yet settle the message, the row waits for
// that: else the message would be written, too.
void Journal::wait_for_value(Commitment& commitment) {
  const bool alone = commitment.retained_ && commitment.destination_count() == 0 && !commitment.exchange_;
  if (!alone || commitment.at_writer_ || !commitment.ticket_) return;
  commitment.paced_ = true;
  commitment.due_ = kNever;
  commitment.aged_ = Instant::min();
  clock_.add_value(commitment.message_->bytes_size(), commitment.first_of_topic_);
}

void Journal::settled(Commitment& commitment, Outbox& outbox, Sequence sequence) {
  FURROW_CHECK(commitment.remove(outbox, sequence));
  // A destination may drop the message at once, while others are still being asked.
  if (!commitment.sealed_) return;
  wait_for_value(commitment);
  if (commitment.is_empty()) release(commitment);
}

void Journal::hasten(Commitment& commitment, Instant now) {
  limit_wait(commitment, now, now);
  clock_.note_message(commitment.due_);
}

// Every destination has settled the message, or it is durable: answers the publisher.
void Journal::release(Commitment& commitment) {
  unlink(commitment);
  heard_ids_.note_safe(commitment.id_);
  AckTicket ticket = std::move(commitment.ticket_);
  const mqtt::ReasonCode reason = commitment.reason_;
  if (commitment.at_writer_) {
    commitment.ended_ = true;  // the plan still refers to it
  } else {
    recycle(commitment);
  }
  ticket.complete(reason);
}

// The clock counts commitments that wait, but not those at the writer.
void Journal::enter_clock(const Commitment& commitment) {
  if (commitment.gathers_) clock_.add_gathered(commitment.message_->bytes_size());
  if (commitment.paced_) clock_.add_value(commitment.message_->bytes_size(), false);
}

void Journal::leave_clock(const Commitment& commitment) {
  if (commitment.gathers_) clock_.remove_gathered(commitment.message_->bytes_size());
  if (commitment.paced_) clock_.remove_value(commitment.message_->bytes_size());
}

void Journal::unlink(Commitment& commitment) {
  (commitment.previous_ != nullptr ? commitment.previous_->next_ : first_) = commitment.next_;
  (commitment.next_ != nullptr ? commitment.next_->previous_ : last_) = commitment.previous_;
  waiting_bytes_ -= commitment.memory_bytes();
  if (!commitment.at_writer_) leave_clock(commitment);
  if (first_ == nullptr) clock_.set_earliest(kNever);
}

void Journal::recycle(Commitment& commitment) {
  if (spares_ >= kSpareMax) {
    delete &commitment;
    return;
  }
  ++spares_;
  commitment = Commitment{};
  commitment.next_ = std::exchange(spare_, &commitment);
}

// --- outboxes ---

void Journal::attach(Outbox& outbox) {
  outboxes_[outbox.queue().value] = &outbox;
}

void Journal::detach(Outbox& outbox) {
  outboxes_.erase(outbox.queue().value);
  if (outbox.touched_) std::erase(touched_, &outbox);
}

Outbox* Journal::find(QueueId queue) const {
  const auto outbox = outboxes_.find(queue.value);
  return outbox == outboxes_.end() ? nullptr : outbox->second;
}

void Journal::mark_touched(Outbox& outbox, Instant due) {
  if (!outbox.touched_) {
    outbox.touched_ = true;
    touched_.push_back(&outbox);
  }
  clock_.need_rows(due);
}

void Journal::touch(Outbox& outbox, Instant now) {
  ++settled_unwritten_;
  const bool enough = settled_unwritten_ >= options_.cursor_messages_max;
  mark_touched(outbox, enough ? now : now + options_.cursor_interval);
}

void Journal::touch_books(Outbox& outbox, Instant now) {
  mark_touched(outbox, now + options_.books_interval);
}

BatchNumber Journal::touch_now(Outbox& outbox) {
  mark_touched(outbox, kNever);
  clock_.need_rows_now();
  return gathering_.number;
}

BatchNumber Journal::reserve_ids(std::uint64_t end) {
  gathering_.own_ids_end = end;
  clock_.need_rows_now();
  return gathering_.number;
}

// --- other rows ---

BatchNumber Journal::put(QueueRow row) {
  gathering_.queues_created.push_back(std::move(row));
  clock_.need_rows_now();
  return gathering_.number;
}

// A client has one row in a batch, its newest: clients that come and go while the writer is busy cost no more.
void Journal::gather(SessionRow row) {
  const auto [place, is_first] = session_places_.try_emplace(row.client_id, gathering_.sessions.size());
  if (is_first) {
    gathering_.sessions.push_back(std::move(row));
  } else {
    gathering_.sessions[place->second].data = std::move(row.data);
  }
}

BatchNumber Journal::put(SessionRow row) {
  gather(std::move(row));
  clock_.need_rows_now();
  return gathering_.number;
}

BatchNumber Journal::put(const ExchangeRow& row) {
  gathering_.exchanges.push_back(row);
  clock_.need_rows_now();
  return gathering_.number;
}

void Journal::release_identifiers(QueueId queue, const std::unordered_set<PacketId>& identifiers) {
  for (Commitment* commitment = first_; commitment != nullptr;) {
    Commitment& one = *std::exchange(commitment, commitment->next_);
    if (!one.exchange_ || one.exchange_->queue != queue || !identifiers.contains(one.exchange_->packet_id)) continue;
    one.exchange_.reset();
    if (one.is_empty() && !one.at_writer_) release(one);
  }
}

BatchNumber Journal::remove_queue(QueueId queue) {
  gathering_.queues_removed.push_back(queue);
  clock_.need_rows_now();
  return gathering_.number;
}

void Journal::put_lazy(QueueRow row, Instant now) {
  gathering_.queues_created.push_back(std::move(row));
  clock_.need_rows(now + options_.cursor_interval);
}

void Journal::put_lazy(SessionRow row, Instant now) {
  gather(std::move(row));
  clock_.need_rows(now + options_.cursor_interval);
}

void Journal::put_lazy(const ExchangeRow& row, Instant now) {
  gathering_.exchanges.push_back(row);
  clock_.need_rows(now + options_.cursor_interval);
}

void Journal::complete_when_durable(AckTicket ticket) {
  gathering_tickets_.push_back(std::move(ticket));
  clock_.need_rows_now();
}

void Journal::complete_with_rows(AckTicket ticket) {
  gathering_row_tickets_.push_back(std::move(ticket));
  clock_.need_rows_now();
}

void Journal::retained_changed(std::string_view topic, MessageRef message, Instant now) {
  retained_.insert_or_assign(std::string(topic), Retained{.message = std::move(message)});
  clock_.need_retained(now + options_.retained_interval);
}

void Journal::correct_ages(Instant now) {
  corrected_until_ = now + kCorrectionTime;
  const ClockStamp stamp = stamp_(now);
  for (const auto& [queue, outbox] : outboxes_) outbox->correct_ages(stamp);
}

// --- the store's answers ---

void Journal::wake_waiters(Instant now) {
  for (StoreWaiter* waiter : std::exchange(waiters_, {})) waiter->handle_store_progress(now);
}

void Journal::handle_page(const Page& page, Instant now) {
  Outbox* const outbox = find(page.queue);
  if (outbox == nullptr) return;
  outbox->handle_page(page, stamp_(now));
  wake_waiters(now);
  outbox->wake_owner(now);
}

void Journal::handle_persisted(BatchNumber watermark, Instant now) {
  FURROW_CHECK(watermark >= durable_);
  durable_ = watermark;
  if (!at_writer_ || at_writer_->number > watermark) return;
  Submitted plan = *std::exchange(at_writer_, std::nullopt);
  for (Commitment* commitment : plan.commitments) {
    for (std::size_t i = 0; i < commitment->destination_count(); ++i) {
      commitment->destination(i).outbox->mark_stored(commitment->destination(i).sequence);
    }
  }
  for (const QueueId queue : plan.queues) {
    if (Outbox* const outbox = find(queue)) outbox->spill();
  }
  for (const std::string& topic : plan.topics) {
    const auto value = retained_.find(topic);
    if (value != retained_.end() && value->second.at_writer) retained_.erase(value);
  }
  // The table goes, too: after a burst of new topics it is larger than all that the retained store keeps of them.
  if (retained_.empty()) decltype(retained_)().swap(retained_);
  for (Commitment* commitment : plan.commitments) {
    if (commitment->ended_) {
      recycle(*commitment);
      continue;
    }
    unlink(*commitment);
    AckTicket ticket = std::move(commitment->ticket_);
    const mqtt::ReasonCode reason = commitment->reason_;
    recycle(*commitment);
    ticket.complete(reason);
  }
  for (AckTicket& ticket : plan.tickets) ticket.complete(mqtt::ReasonCode::Success);
  for (AckTicket& ticket : plan.row_tickets) ticket.complete(mqtt::ReasonCode::Success);
  clock_.handle_durable(plan.bytes, now);
  wake_waiters(now);
}

void Journal::handle_not_persisted(Batch batch, Instant now) {
  FURROW_CHECK(at_writer_);
  FURROW_CHECK(at_writer_->number == batch.number);
  Submitted plan = *std::exchange(at_writer_, std::nullopt);
  clock_.rest_messages(now + options_.retry_interval);
  for (Commitment* commitment : plan.commitments) {
    commitment->at_writer_ = false;
    if (commitment->ended_) {
      recycle(*commitment);
      continue;
    }
    enter_clock(*commitment);
    heard_ids_.note_unsafe(commitment->id_);
    commitment->due_ = Instant::min();  // with the next batch that has messages
    if (commitment->is_empty()) release(*commitment);
  }
  for (const std::string& topic : plan.topics) {
    const auto value = retained_.find(topic);
    if (value != retained_.end()) value.value().at_writer = false;
    clock_.need_retained(now);
  }
  // Rows that are derived from commitments, queues and retained values are derived anew; the others are kept.
  batch.exchanges.resize(plan.exchanges);
  put_before(batch.queues_created, gathering_.queues_created);
  put_before(batch.exchanges, gathering_.exchanges);
  heard_ids_.handle_not_written(batch.heard);
  if (!gathering_.own_ids_end) gathering_.own_ids_end = batch.own_ids_end;
  for (SessionRow& row : batch.sessions) {
    if (!session_places_.contains(row.client_id)) gather(std::move(row));
  }
  put_before(batch.queues_removed, gathering_.queues_removed);
  put_before(plan.tickets, gathering_tickets_);
  put_before(plan.row_tickets, gathering_row_tickets_);
  for (const QueueId queue : plan.queues) {
    if (Outbox* const outbox = find(queue)) mark_touched(*outbox, now);
  }
  settled_unwritten_ += plan.queues.size();
  if (has_rows()) clock_.need_rows_now();
}

// --- when to write ---

// Whether rows wait, beside messages.
bool Journal::has_rows() const {
  return !gathering_.empty() || !gathering_row_tickets_.empty() || !retained_.empty() || !touched_.empty() ||
         (draining_ && heard_ids_.has_changes());
}

CommitClock::Waiting Journal::waiting() const {
  return {.rows = has_rows(), .tickets = !gathering_tickets_.empty(), .all = draining_};
}

void Journal::find_earliest_due() {
  Instant earliest = kNever;
  for (const Commitment* commitment = first_; commitment != nullptr; commitment = commitment->next_) {
    if (!commitment->at_writer_) earliest = std::min(earliest, commitment->due_);
  }
  clock_.set_earliest(earliest);
}

void Journal::flush_if_due(Instant now) {
  if (at_writer_) return;
  // The message that was due may have been settled in time: then nothing is written, not even cursors.
  if (clock_.earliest_is_due(now)) find_earliest_due();
  const bool due = clock_.is_due(waiting(), now);
  const bool values_due = clock_.values_are_due(now);
  if (!due && !values_due) return;
  if (!due) clock_.pay_for_values(now);
  submit(draining_ || !due || clock_.retained_is_due(now), now);
}

void Journal::flush_all(Instant now) {
  draining_ = true;
  flush_if_due(now);
}

bool Journal::idle() const {
  return !at_writer_ && first_ == nullptr && gathering_tickets_.empty() && !has_rows();
}

Instant Journal::next_deadline() const {
  return at_writer_ ? kNever : clock_.next(waiting());  // handle_persisted() comes first
}

// --- a batch ---

// `all_values`: also the retained values that no publisher waits for.
void Journal::submit(bool all_values, Instant now) {
  const ClockStamp stamp = stamp_(now);
  Batch batch = std::exchange(gathering_, Batch{});
  session_places_ = {};
  gathering_.number = BatchNumber{batch.number.value + 1};
  Submitted plan;
  plan.number = batch.number;
  plan.exchanges = batch.exchanges.size();

  const bool resting = select(now);
  const bool complete = write_selected(batch, plan, stamp);
  write_retained(batch, plan, stamp, all_values);
  write_cursors(batch, plan);
  // Some of the tickets are for a PUBLISH that came again: they wait for the first one, which may be resting.
  if (complete && !resting) plan.tickets = std::exchange(gathering_tickets_, {});
  plan.row_tickets = std::exchange(gathering_row_tickets_, {});

  const bool says_ids = draining_ || !says_nothing(batch, plan);
  if (says_ids) heard_ids_.write(batch.heard);

  const bool more_retained = retained_.size() > plan.topics.size();
  clock_.handle_submitted(!complete, more_retained, now);
  find_earliest_due();
  if (complete && !resting && !more_retained) draining_ = false;

  if (says_nothing(batch, plan)) {
    // The messages that were due have been settled meanwhile: the next batch gets the number.
    gathering_.number = batch.number;
    for (Commitment* commitment : plan.commitments) {
      commitment->at_writer_ = false;
      enter_clock(*commitment);
      release(*commitment);
    }
    return;
  }
  at_writer_ = std::move(plan);
  store_.submit(std::move(batch));
}

// Nothing to write, and nobody to answer.
bool Journal::says_nothing(const Batch& batch, const Submitted& plan) const {
  const auto waits = [](const Commitment* commitment) { return static_cast<bool>(commitment->ticket_); };
  return batch.empty() && plan.tickets.empty() && plan.row_tickets.empty() &&
         std::ranges::none_of(plan.commitments, waits);
}

// Selects the commitments for the batch. Walks backwards: a message that shares a queue with a later selected one is
// selected, too, so that each queue is written in the order of its sequences. True when messages rest.
bool Journal::select(Instant now) {
  ++selection_;
  const bool messages_rest = clock_.messages_rest(now);
  bool resting = false;
  for (Commitment* commitment = last_; commitment != nullptr; commitment = commitment->previous_) {
    const std::size_t count = commitment->destination_count();
    commitment->selected_ = false;
    if (messages_rest && count > 0) {
      resting = true;
      continue;
    }
    bool selected = draining_ || commitment->due_ <= now || commitment->aged_ <= now;
    for (std::size_t i = 0; i < count && !selected; ++i) {
      selected = commitment->destination(i).outbox->selection_ == selection_;
    }
    commitment->selected_ = selected;
    for (std::size_t i = 0; i < count && selected; ++i) commitment->destination(i).outbox->selection_ = selection_;
  }
  return resting;
}

// False when the batch is full before all selected messages are in it: the others, in the same order, go with the next.
bool Journal::write_selected(Batch& batch, Submitted& plan, const ClockStamp& stamp) {
  std::optional<SegmentWriter> writer(std::in_place, stamp);
  const auto finish_segment = [&] {
    if (writer->empty()) return;
    last_segment_ = SegmentId{last_segment_.value + 1};
    batch.segments.push_back(writer->finish(last_segment_));
    writer.emplace(stamp);
  };
  for (Commitment* commitment = first_; commitment != nullptr; commitment = commitment->next_) {
    if (!commitment->selected_) continue;
    if (plan.bytes >= options_.batch_bytes_max) {
      finish_segment();
      return false;
    }
    leave_clock(*commitment);
    commitment->at_writer_ = true;
    plan.commitments.push_back(commitment);
    plan.bytes += commitment->message_->bytes_size();
    write_message(*commitment, *writer);
    if (commitment->exchange_) batch.exchanges.push_back(*commitment->exchange_);
    heard_ids_.note_safe(commitment->id_);
    if (writer->bytes() >= options_.segment_bytes_max) finish_segment();
  }
  finish_segment();
  return true;
}

// Writes the message for the queues that are to keep it, if there are any.
void Journal::write_message(Commitment& commitment, SegmentWriter& writer) {
  std::uint32_t kept = 0;
  for (std::size_t i = 0; i < commitment.destination_count(); ++i) {
    const Commitment::Destination& destination = commitment.destination(i);
    mark_touched(*destination.outbox, kNever);
    if (!destination.outbox->find(destination.sequence)->ephemeral) ++kept;
  }
  if (kept == 0) return;
  const Message& message = *commitment.message_;
  writer.add_message(message, kept);
  for (std::size_t i = 0; i < commitment.destination_count(); ++i) {
    const auto [outbox, sequence] = commitment.destination(i);
    const std::optional<DeliveryOptions> form = outbox->written_form(sequence);
    if (!form) continue;
    writer.add_delivery(outbox->queue(), sequence, *form);
    ++outbox->added_;
    outbox->added_bytes_ += message.bytes_size();
  }
}

void Journal::write_retained(Batch& batch, Submitted& plan, const ClockStamp& stamp, bool all_values) {
  // The values that publishers of this batch wait for; none where an earlier batch had the value already.
  for (const Commitment* commitment : plan.commitments) {
    if (!commitment->retained_) continue;
    const auto changed = retained_.find(std::string(commitment->message_->topic()));
    if (changed != retained_.end()) write_retained(batch, plan, changed->first, changed.value(), stamp);
  }
  if (!all_values) return;
  for (auto changed = retained_.begin(); changed != retained_.end(); ++changed) {
    if (batch.retained.size() >= options_.retained_rows_max) return;
    write_retained(batch, plan, changed->first, changed.value(), stamp);
  }
}

// The newest value of the topic, once a batch.
void Journal::write_retained(Batch& batch, Submitted& plan, const std::string& topic, Retained& value,
                             const ClockStamp& stamp) {
  if (std::exchange(value.at_writer, true)) return;
  batch.retained.push_back(retained_row(topic, value.message, stamp));
  plan.topics.push_back(topic);
}

void Journal::write_cursors(Batch& batch, Submitted& plan) {
  for (Outbox* outbox : std::exchange(touched_, {})) {
    outbox->touched_ = false;
    batch.cursors.push_back(outbox->cursor(std::exchange(outbox->added_, 0), std::exchange(outbox->added_bytes_, 0)));
    plan.queues.push_back(outbox->queue());
  }
  settled_unwritten_ = 0;
}

}  // namespace furrow::broker
