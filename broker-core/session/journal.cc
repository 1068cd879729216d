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

// What is older goes before what is being gathered.
template <typename Rows>
void put_before(Rows& older, Rows& newer) {
  older.insert(older.end(), std::make_move_iterator(newer.begin()), std::make_move_iterator(newer.end()));
  newer = std::move(older);
}

}  // namespace

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
    remove(i);
    return true;
  }
  return false;
}

void Commitment::remove_all(const Outbox& outbox) {
  for (std::size_t i = destination_count(); i-- > 0;) {
    if (destination(i).outbox == &outbox) remove(i);
  }
}

// Those behind it keep their order: a queue that is there twice is written in the order of its sequences.
void Commitment::remove(std::size_t index) {
  for (; index + 1 < destination_count(); ++index) destination(index) = destination(index + 1);
  if (more_.empty()) {
    --inline_count_;
  } else {
    more_.pop_back();
  }
}

Journal::Journal(Options options, Store& store, StampClock stamp, SegmentId last_segment)
    : options_(options), store_(store), stamp_(std::move(stamp)), last_segment_(last_segment) {
  gathering_.number = BatchNumber{1};
}

Journal::~Journal() {
  while (first_ != nullptr) {
    Commitment& commitment = *first_;
    unlink(commitment);
    delete &commitment;
  }
  while (!submitted_.empty()) {
    for (const Commitment* commitment : submitted_.pop_front().commitments) delete commitment;
  }
  while (free_ != nullptr) delete std::exchange(free_, free_->next_);
}

// --- outboxes ---

void Journal::attach(Outbox& outbox) {
  outboxes_[outbox.queue().value] = &outbox;
}

void Journal::detach(Outbox& outbox) {
  outboxes_.erase(outbox.queue().value);
  if (outbox.touched_) std::erase(touched_, &outbox);
  std::erase(held_cursors_, &outbox);
  for (std::size_t i = 0; i < submitted_.size(); ++i) {
    for (Commitment* commitment : submitted_[i].commitments) commitment->remove_all(outbox);
  }
}

void Journal::mark_touched(Outbox& outbox, Instant due) {
  if (!outbox.touched_) {
    outbox.touched_ = true;
    touched_.push_back(&outbox);
  }
  cursors_due_ = std::min(cursors_due_, due);
}

void Journal::touch(Outbox& outbox, Instant now) {
  if (building_ != nullptr) building_->left.push_back(outbox.queue());
  ++settled_unwritten_;
  const bool enough = settled_unwritten_ >= options_.cursor_messages_max;
  mark_touched(outbox, enough ? now : now + options_.cursor_interval);
}

void Journal::touch_books(Outbox& outbox, Instant now) {
  mark_touched(outbox, now + options_.books_interval);
}

// --- messages ---

Commitment& Journal::open(MessageRef message) {
  Commitment* commitment = free_;
  if (commitment != nullptr) {
    free_ = commitment->next_;
    commitment->next_ = nullptr;
  } else {
    commitment = new Commitment;
  }
  commitment->message_ = std::move(message);
  return *commitment;
}

void Journal::add_destination(Commitment& commitment, Outbox& outbox, Sequence sequence, Duration wait, Instant now) {
  commitment.add({&outbox, sequence});
  if (wait <= Duration::zero()) {
    commitment.gathered_ = true;
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

void Journal::add_retained(Commitment& commitment, Instant now) {
  commitment.retained_ = true;
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
  waiting_bytes_ += commitment.message_->bytes_size();
  if (commitment.gathered_) gathered_bytes_ += commitment.message_->bytes_size();
  earliest_due_ = std::min(earliest_due_, commitment.due_);
  if (commitment.is_empty()) release(commitment);
}

void Journal::settled(Commitment& commitment, Outbox& outbox, Sequence sequence) {
  FURROW_CHECK(commitment.remove(outbox, sequence));
  commitment.copied_ = commitment.copied_ || building_ != nullptr;
  // A destination may drop the message at once, while others are still being asked.
  if (commitment.sealed_ && commitment.is_empty()) release(commitment);
}

void Journal::hasten(Commitment& commitment, Instant now) {
  limit_wait(commitment, now, now);
  earliest_due_ = std::min(earliest_due_, commitment.due_);
}

void Journal::unlink(Commitment& commitment) {
  (commitment.previous_ != nullptr ? commitment.previous_->next_ : first_) = commitment.next_;
  (commitment.next_ != nullptr ? commitment.next_->previous_ : last_) = commitment.previous_;
  waiting_bytes_ -= commitment.message_->bytes_size();
  if (commitment.gathered_) gathered_bytes_ -= commitment.message_->bytes_size();
  if (first_ == nullptr) earliest_due_ = kNever;
}

void Journal::recycle(Commitment& commitment) {
  commitment = Commitment{};
  commitment.next_ = free_;
  free_ = &commitment;
}

void Journal::release(Commitment& commitment) {
  unlink(commitment);
  AckTicket ticket = std::move(commitment.ticket_);
  const mqtt::ReasonCode reason = commitment.reason_;
  recycle(commitment);
  if (building_ == nullptr) {
    ticket.complete(reason);
  } else if (ticket) {
    building_->tickets.push_back(std::move(ticket));
  }
}

// --- other rows ---

BatchNumber Journal::put(QueueRow row) {
  gathering_.queues_created.push_back(std::move(row));
  rows_due_ = true;
  return gathering_.number;
}

BatchNumber Journal::put(SessionRow row) {
  gathering_.sessions.push_back(std::move(row));
  rows_due_ = true;
  return gathering_.number;
}

BatchNumber Journal::put(const ExchangeRow& row) {
  gathering_.exchanges.push_back(row);
  rows_due_ = true;
  return gathering_.number;
}

BatchNumber Journal::remove_queue(QueueId queue) {
  gathering_.queues_removed.push_back(queue);
  rows_due_ = true;
  return gathering_.number;
}

void Journal::put_lazy(QueueRow row, Instant now) {
  gathering_.queues_created.push_back(std::move(row));
  cursors_due_ = std::min(cursors_due_, now + options_.cursor_interval);
}

void Journal::put_lazy(SessionRow row, Instant now) {
  gathering_.sessions.push_back(std::move(row));
  cursors_due_ = std::min(cursors_due_, now + options_.cursor_interval);
}

void Journal::put_lazy(const ExchangeRow& row, Instant now) {
  gathering_.exchanges.push_back(row);
  cursors_due_ = std::min(cursors_due_, now + options_.cursor_interval);
}

void Journal::complete_when_durable(AckTicket ticket) {
  gathering_tickets_.push_back(std::move(ticket));
  rows_due_ = true;
}

void Journal::complete_with_rows(AckTicket ticket) {
  gathering_row_tickets_.push_back(std::move(ticket));
  rows_due_ = true;
}

void Journal::retained_changed(std::string_view topic, MessageRef message, Instant now) {
  retained_.insert_or_assign(std::string(topic), std::move(message));
  retained_due_ = std::min(retained_due_, now + options_.retained_interval);
}

void Journal::correct_ages(Instant now) {
  corrected_until_ = now + kCorrectionTime;
  const ClockStamp stamp = stamp_(now);
  for (const auto& [queue, outbox] : outboxes_) outbox->correct_ages(stamp);
}

// --- progress ---

void Journal::wake(QueueId queue, Instant now) {
  const auto outbox = outboxes_.find(queue.value);
  if (outbox != outboxes_.end() && outbox->second->owner_ != nullptr) outbox->second->owner_->handle_progress(now);
}

void Journal::handle_page(const Page& page, Instant now) {
  const auto outbox = outboxes_.find(page.queue.value);
  if (outbox == outboxes_.end()) return;
  outbox->second->handle_page(page, stamp_(now));
  wake(page.queue, now);
}

void Journal::handle_persisted(BatchNumber watermark, Instant now) {
  FURROW_CHECK(watermark >= durable_);
  durable_ = watermark;
  std::size_t answered_bytes = 0;
  while (!submitted_.empty() && submitted_.front().number <= watermark) {
    Submitted batch = submitted_.pop_front();
    submitted_bytes_ -= batch.bytes;
    answered_bytes += batch.bytes;
    for (const auto& [queue, sequence] : batch.written) {
      const auto outbox = outboxes_.find(queue.value);
      if (outbox != outboxes_.end()) outbox->second->handle_durable(sequence);
    }
    for (Commitment* commitment : batch.commitments) {
      AckTicket ticket = std::move(commitment->ticket_);
      const mqtt::ReasonCode reason = commitment->reason_;
      recycle(*commitment);
      ticket.complete(reason);
    }
    for (AckTicket& ticket : batch.tickets) ticket.complete(mqtt::ReasonCode::Success);
    for (AckTicket& ticket : batch.row_tickets) ticket.complete(mqtt::ReasonCode::Success);
    for (const QueueId queue : batch.exchanged) wake(queue, now);
  }
  expect_publishers(answered_bytes, now);
}

void Journal::expect_publishers(std::size_t answered_bytes, Instant now) {
  rejoined_bytes_ = gathered_bytes_ + answered_bytes;
  rejoined_by_ = now + std::clamp((now - submitted_at_) / 4, options_.rejoin_time_min, options_.rejoin_time_max);
}

// Whether somebody waits for us, and those who are to go with him are there.
bool Journal::hurries(Instant now) const {
  return hurried_ && gathered_bytes_ > 0 && (gathered_bytes_ >= rejoined_bytes_ || rejoined_by_ <= now);
}

void Journal::take_back(Batch batch, Instant now) {
  FURROW_CHECK(submitted_.size() == 1);
  FURROW_CHECK(submitted_.front().number == batch.number);
  Submitted taken = submitted_.pop_front();
  submitted_bytes_ -= taken.bytes;
  messages_not_before_ = now + options_.retry_interval;
  for (const QueueId queue : taken.left) {
    const auto outbox = outboxes_.find(queue.value);
    if (outbox != outboxes_.end()) outbox->second->cursor_held_ = true;
  }

  // Steps of messages that are not stored: they come again with their messages.
  const auto forget = [&](ExchangeRow::Direction direction, QueueId queue, const auto& same) {
    for (auto* rows : {&batch.exchanges, &gathering_.exchanges}) {
      std::erase_if(
          *rows, [&](const ExchangeRow& row) { return row.direction == direction && row.queue == queue && same(row); });
    }
  };
  for (std::size_t i = taken.commitments.size(); i-- > 0;) {
    Commitment& commitment = *taken.commitments[i];
    for (std::size_t k = commitment.destination_count(); k-- > 0;) {
      const Commitment::Destination destination = commitment.destination(k);
      if (!destination.outbox->mark_unwritten(destination.sequence, commitment)) {
        commitment.remove(k);
        commitment.copied_ = commitment.copied_ || destination.outbox->cursor_held_;
      } else if (!batch.exchanges.empty() || !gathering_.exchanges.empty()) {
        forget(ExchangeRow::Direction::Outbound, destination.outbox->queue(),
               [&](const ExchangeRow& row) { return row.sequence == destination.sequence; });
      }
    }
    if (commitment.exchange_) {
      forget(ExchangeRow::Direction::Inbound, commitment.exchange_->queue,
             [&](const ExchangeRow& row) { return row.packet_id == commitment.exchange_->packet_id; });
    }
    commitment.due_ = Instant::min();  // with the next batch that has messages, as the cursors held above
    link_first(commitment);
  }
  put_before(taken.tickets, gathering_tickets_);
  put_before(taken.row_tickets, gathering_row_tickets_);
  take_back_rows(std::move(batch));
  // What every destination has settled meanwhile is done, but for what has left its group: the copy was taken back,
  // too.
  for (Commitment* commitment : taken.commitments) {
    if (!commitment->is_empty()) continue;
    if (commitment->copied_ && commitment->ticket_) gathering_tickets_.push_back(std::move(commitment->ticket_));
    release(*commitment);
  }
}

// Cursors are told anew.
void Journal::take_back_rows(Batch batch) {
  put_before(batch.queues_created, gathering_.queues_created);
  put_before(batch.exchanges, gathering_.exchanges);
  put_before(batch.sessions, gathering_.sessions);
  put_before(batch.retained, gathering_.retained);
  put_before(batch.queues_removed, gathering_.queues_removed);
  for (const CursorRow& row : batch.cursors) {
    const auto outbox = outboxes_.find(row.queue.value);
    if (outbox != outboxes_.end()) mark_touched(*outbox->second, Instant::min());
  }
  settled_unwritten_ += batch.cursors.size();
  rows_due_ = has_rows();
}

void Journal::link_first(Commitment& commitment) {
  commitment.previous_ = nullptr;
  commitment.next_ = first_;
  (first_ != nullptr ? first_->previous_ : last_) = &commitment;
  first_ = &commitment;
  waiting_bytes_ += commitment.message_->bytes_size();
  if (commitment.gathered_) gathered_bytes_ += commitment.message_->bytes_size();
  earliest_due_ = std::min(earliest_due_, commitment.due_);
}

// Whether there is something to write beside messages.
bool Journal::has_rows() const {
  return !gathering_.empty() || !gathering_row_tickets_.empty() || !retained_.empty() || !touched_.empty();
}

void Journal::find_earliest_due() {
  earliest_due_ = kNever;
  for (const Commitment* waiting = first_; waiting != nullptr; waiting = waiting->next_) {
    earliest_due_ = std::min(earliest_due_, waiting->due_);
  }
}

bool Journal::is_due(Instant now) {
  if (rows_due_) return true;
  if (now < messages_not_before_) {
    return draining_ ? has_rows() : std::min(cursors_due_, retained_due_) <= now;
  }
  if (draining_ || !gathering_tickets_.empty()) return true;
  // The one that this was for may have been settled in time; then nothing is written, cursors neither.
  if (earliest_due_ <= now) find_earliest_due();
  if (std::min({earliest_due_, cursors_due_, retained_due_}) <= now) return true;
  return gathered_bytes_ >= options_.gather_bytes_max || hurries(now);
}

void Journal::flush_if_due(Instant now) {
  if (!writer_idle() || !is_due(now)) return;
  submit(now, draining_);
}

void Journal::flush_all(Instant now) {
  draining_ = true;
  flush_if_due(now);
}

bool Journal::idle() const {
  return submitted_.empty() && first_ == nullptr && gathering_tickets_.empty() && !has_rows();
}

Instant Journal::next_deadline() const {
  if (!writer_idle()) return kNever;  // handle_persisted() comes first
  if (rows_due_ || (draining_ && has_rows())) return Instant::min();
  Instant messages_due = draining_ || !gathering_tickets_.empty() ? Instant::min() : earliest_due_;
  if (hurried_ && gathered_bytes_ > 0) messages_due = std::min(messages_due, rejoined_by_);
  return std::min({std::max(messages_due, messages_not_before_), cursors_due_, retained_due_});
}

// Selects what goes into the batch. Walking backwards, whatever shares a queue with a later selected message is pulled
// along, so that each queue is written in the order of its sequences.
void Journal::select(Instant now, bool all) {
  ++selection_;
  const bool hold_messages = now < messages_not_before_;
  for (Commitment* commitment = last_; commitment != nullptr; commitment = commitment->previous_) {
    const std::size_t count = commitment->destination_count();
    if (hold_messages && (count > 0 || commitment->copied_)) {
      commitment->selected_ = false;
      continue;
    }
    bool selected = all || commitment->due_ <= now || commitment->aged_ <= now;
    for (std::size_t i = 0; i < count && !selected; ++i) {
      selected = commitment->destination(i).outbox->selection_ == selection_;
    }
    commitment->selected_ = selected;
    for (std::size_t i = 0; i < count && selected; ++i) commitment->destination(i).outbox->selection_ = selection_;
  }
}

void Journal::submit(Instant now, bool all) {
  const ClockStamp stamp = stamp_(now);
  Submitted submitted;
  submitted.number = gathering_.number;
  Batch batch = std::move(gathering_);
  gathering_ = Batch{};
  gathering_.number = BatchNumber{batch.number.value + 1};

  select(now, all);
  const bool complete = write_selected(batch, submitted, stamp);
  leave_groups(submitted, now);
  // Some of the tickets are for a PUBLISH that came again: they wait for the first one, which may be held back.
  const bool holding = now < messages_not_before_ && first_ != nullptr;
  if (complete && !holding) submitted.tickets = std::exchange(gathering_tickets_, {});
  submitted.row_tickets = std::exchange(gathering_row_tickets_, {});
  for (const ExchangeRow& row : batch.exchanges) {
    const bool step = row.direction == ExchangeRow::Direction::Outbound && row.state != ExchangeRow::State::Erased;
    if (step) submitted.exchanged.push_back(row.queue);
  }
  std::ranges::sort(submitted.exchanged);
  submitted.exchanged.erase(std::unique(submitted.exchanged.begin(), submitted.exchanged.end()),
                            submitted.exchanged.end());
  if (all || retained_due_ <= now) {
    std::size_t count = 0;
    for (auto row = retained_.begin(); row != retained_.end() && count < options_.retained_rows_max; ++count) {
      batch.retained.push_back(retained_row(row->first, row->second, stamp));
      row = retained_.erase(row);
    }
    // Its table too: after a burst of new topics it is larger than all that the retained store keeps of them.
    if (retained_.empty()) decltype(retained_)().swap(retained_);
  }
  write_cursors(batch, submitted, holding);

  hurried_ = false;
  rows_due_ = !complete;
  if (retained_.empty()) retained_due_ = kNever;
  find_earliest_due();
  if (first_ == nullptr && retained_.empty()) draining_ = false;

  const auto waits = [](const Commitment* commitment) { return static_cast<bool>(commitment->ticket_); };
  const bool answers = !submitted.tickets.empty() || !submitted.row_tickets.empty();
  if (batch.empty() && !answers && std::ranges::none_of(submitted.commitments, waits)) {
    // What was due has been settled meanwhile: the number is given to the next batch.
    gathering_.number = batch.number;
    for (Commitment* commitment : submitted.commitments) recycle(*commitment);
    return;
  }
  submitted_at_ = now;
  submitted_bytes_ += submitted.bytes;
  submitted_.push_back(std::move(submitted));
  store_.submit(std::move(batch));
}

// False when the batch is full before everything selected is in it: the rest, in the same order, goes with the next
// one.
bool Journal::write_selected(Batch& batch, Submitted& submitted, const ClockStamp& stamp) {
  std::optional<SegmentWriter> writer(std::in_place, stamp);
  LastWritten last;
  const auto finish_segment = [&] {
    if (writer->empty()) return;
    last_segment_ = SegmentId{last_segment_.value + 1};
    batch.segments.push_back(writer->finish(last_segment_));
    writer.emplace(stamp);
  };
  bool complete = true;
  std::size_t bytes = 0;
  Commitment* next = nullptr;
  for (Commitment* commitment = first_; commitment != nullptr; commitment = next) {
    next = commitment->next_;
    if (!commitment->selected_) continue;
    if (bytes >= options_.batch_bytes_max) {
      complete = false;
      break;
    }
    for (std::size_t begin = 0; begin < commitment->destination_count();) {
      begin = write_record(*commitment, begin, *writer, batch, last);
    }
    bytes += commitment->message_->bytes_size();
    if (commitment->exchange_) batch.exchanges.push_back(*commitment->exchange_);
    if (commitment->retained_) write_retained(batch, commitment->message_->topic(), stamp);
    unlink(*commitment);
    submitted.commitments.push_back(commitment);
    if (writer->bytes() >= options_.segment_bytes_max) finish_segment();
  }
  finish_segment();
  submitted.bytes = bytes;
  for (const auto& [queue, sequence] : last) submitted.written.emplace_back(QueueId{queue}, sequence);
  return complete;
}

// Writes a record for the destinations from `begin` on that are all different, and returns where the next one begins: a
// segment names a queue once in a record.
std::size_t Journal::write_record(Commitment& commitment, std::size_t begin, SegmentWriter& writer, Batch& batch,
                                  LastWritten& last) {
  ++record_;
  std::size_t end = begin;
  for (; end < commitment.destination_count(); ++end) {
    if (std::exchange(commitment.destination(end).outbox->record_, record_) == record_) break;
  }
  writer.add_message(*commitment.message_, static_cast<std::uint32_t>(end - begin));
  for (std::size_t i = begin; i < end; ++i) {
    const Commitment::Destination destination = commitment.destination(i);
    const DeliveryOptions options = destination.outbox->mark_written(destination.sequence, batch);
    writer.add_delivery(destination.outbox->queue(), destination.sequence, options);
    last[destination.outbox->queue().value] = destination.sequence;
    mark_touched(*destination.outbox, kNever);
  }
  return end;
}

// A message that a member of a shared subscription pulled leaves the group's queue in the batch that puts it into the
// member's. What ends with that is durable with this batch, not now.
void Journal::leave_groups(Submitted& submitted, Instant now) {
  building_ = &submitted;
  for (const auto& [outbox, group, sequence] : std::exchange(group_written_, {})) {
    outbox->owner_->handle_group_safe(group, sequence, now);
  }
  building_ = nullptr;
}

// The newest value of the topic; nothing when this or an earlier batch has it already.
void Journal::write_retained(Batch& batch, std::string_view topic, const ClockStamp& stamp) {
  const auto changed = retained_.find(std::string(topic));
  if (changed == retained_.end()) return;
  batch.retained.push_back(retained_row(changed->first, changed->second, stamp));
  retained_.erase(changed);
}

// `holding`: messages that were written once, and taken back, are not in the batch; nor may the cursors be of the
// queues that they had left with it. They leave once more with the batch that has them again: all of them, as they are
// the first. Nor may these cursors wait longer, since the batch may have messages of their queues, too.
void Journal::write_cursors(Batch& batch, Submitted& submitted, bool holding) {
  if (!holding) {
    touched_.insert(touched_.end(), held_cursors_.begin(), held_cursors_.end());
    held_cursors_.clear();
  }
  for (Outbox* outbox : std::exchange(touched_, {})) {
    if (holding && outbox->cursor_held_) {
      held_cursors_.push_back(outbox);
      continue;
    }
    if (outbox->cursor_held_) submitted.left.push_back(outbox->queue());
    outbox->touched_ = outbox->cursor_held_ = false;
    batch.cursors.push_back(outbox->cursor());
  }
  settled_unwritten_ = std::min(settled_unwritten_, held_cursors_.size());
  cursors_due_ = kNever;
}

}  // namespace furrow::broker
