#include "broker-core/session/outbox.h"

#include <algorithm>

#include "broker-core/base/varint.h"

namespace furrow::broker {

Outbox::Outbox(const Options& options, Journal& journal, Books& books)
    : queue_(options.queue),
      stores_books_(options.stores_books),
      owner_(options.owner),
      journal_(journal),
      books_(books),
      limits_(options.limits) {
  if (durable()) journal_.attach(*this);
}

Outbox::Outbox(const Options& options, const CursorRow& cursor, Journal& journal, Books& books)
    : Outbox(options, journal, books) {
  gap_first_ = Sequence{cursor.settled.value + 1};
  gap_end_ = next_ = cursor.next;
  durable_ = Sequence{cursor.next.value - 1};
  gap_messages_ = messages_ = disk_messages_ = cursor.messages;
  gap_bytes_ = bytes_ = disk_bytes_ = cursor.bytes;
  ByteView holes(cursor.holes);
  Sequence hole = cursor.settled;
  std::uint64_t distance = 0;
  while (take_varint(holes, distance)) {
    hole.value += distance;
    holes_.push_back(hole);
  }
  if (stores_books_) {
    books_ = decode_books(cursor.counters, cursor.messages);
  } else {
    books_.accepted += cursor.messages;
  }
}

Outbox::~Outbox() {
  const auto end = [this](Ring<Entry>& ring) {
    for (std::size_t i = 0; i < ring.size(); ++i) {
      if (ring[i].commitment != nullptr) journal_.settled(*ring[i].commitment, *this);
    }
  };
  end(front_);
  end(tail_);
  books_.drops(DropReason::SessionEnded) += messages_;
  if (durable()) journal_.detach(*this);
}

// --- limits ---

bool Outbox::over_limit(std::uint64_t messages, std::uint64_t bytes) const {
  return (limits_.messages_max > 0 && messages > limits_.messages_max) ||
         (limits_.bytes_max > 0 && bytes > limits_.bytes_max);
}

bool Outbox::refuses(std::size_t bytes) const {
  return limits_.when_full == WhenFull::Refuse && over_limit(messages_ + 1, bytes_ + bytes);
}

bool Outbox::make_room(const Message& message, Instant now) {
  const std::size_t bytes = message.bytes_size();
  if (!over_limit(messages_ + 1, bytes_ + bytes)) return true;
  if (limits_.when_full != WhenFull::DropOldest || over_limit(1, bytes)) return false;
  while (over_limit(messages_ + 1, bytes_ + bytes) && drop_oldest(now)) {
  }
  // The oldest that wait may be on disk only: then the limit is exceeded until the page that is being read arrives.
  return !over_limit(messages_ + 1, bytes_ + bytes) || gap_messages_ > 0;
}

// Brings the queue back below its limits once what was on disk only can be dropped.
void Outbox::trim(Instant now) {
  if (limits_.when_full != WhenFull::DropOldest) return;
  while (over_limit(messages_, bytes_) && drop_oldest(now)) {
  }
}

// Drops the oldest message that is not in flight; false when none is in memory.
bool Outbox::drop_oldest(Instant now) {
  const Entry* entry = next_waiting(now);
  if (entry == nullptr || entry->sequence <= protected_) return false;
  settle(send_index_, Outcome::Dropped, now, DropReason::QueueFull);
  return true;
}

bool Outbox::too_old(const Entry& entry, Instant now) const {
  return limits_.age_max > Duration::zero() && now - entry.message->received() > limits_.age_max;
}

// --- accepting ---

Outbox::Entry& Outbox::append(MessageRef message, const DeliveryOptions& options) {
  Entry entry;
  entry.subscription_ids = SubscriptionIds(options.subscription_ids);
  entry.sequence = next_;
  entry.qos = options.qos;
  entry.retain = options.retain;
  entry.message = std::move(message);
  next_.value += 1;
  ++messages_;
  bytes_ += entry.message->bytes_size();

  const bool in_order = gap_messages_ == 0 && tail_.empty();
  if (!durable() || (in_order && front_bytes_ < kFrontBytesMax)) {
    front_bytes_ += entry_bytes(entry);
    return front_.push_back(std::move(entry));
  }
  return tail_.push_back(std::move(entry));
}

// --- settling ---

void Outbox::count(Outcome outcome, DropReason reason, Instant now, std::uint64_t messages) {
  switch (outcome) {
    case Outcome::Delivered: books_.delivered += messages; break;
    case Outcome::Expired: books_.expired += messages; break;
    case Outcome::Quarantined: books_.quarantined += messages; break;
    case Outcome::Dropped: books_.drops(reason) += messages; break;
  }
  if (stores_books_) journal_.touch_books(*this, now);
}

void Outbox::pass(Outcome outcome, Instant now, DropReason reason) {
  ++books_.accepted;
  count(outcome, reason, now);
}

void Outbox::finish(Entry& entry, Outcome outcome, DropReason reason, Instant now) {
  const std::size_t bytes = entry.message->bytes_size();
  --messages_;
  bytes_ -= bytes;
  count(outcome, reason, now);
  if (entry.on_disk) {
    --disk_messages_;
    disk_bytes_ -= bytes;
    journal_.touch(*this, now);
  }
  if (Commitment* commitment = std::exchange(entry.commitment, nullptr)) journal_.settled(*commitment, *this);
  entry.state = State::Settled;
  entry.message = {};
}

void Outbox::settle(std::size_t index, Outcome outcome, Instant now, DropReason reason) {
  Entry& entry = front_[index];
  FURROW_CHECK(entry.state != State::Settled);
  if (index < send_index_) --inflight_;
  front_bytes_ -= entry_bytes(entry);
  finish(entry, outcome, reason, now);
  pop_settled();
}

void Outbox::pop_settled() {
  while (!front_.empty() && front_.front().state == State::Settled) {
    (void)front_.pop_front();
    if (send_index_ > 0) --send_index_;
  }
}

void Outbox::drop_all(DropReason reason, Instant now) {
  const auto drop = [&](Ring<Entry>& ring) {
    for (std::size_t i = 0; i < ring.size(); ++i) {
      if (ring[i].state != State::Settled) finish(ring[i], Outcome::Dropped, reason, now);
    }
    ring.clear();
  };
  drop(front_);
  drop(tail_);
  send_index_ = 0;
  inflight_ = 0;
  front_bytes_ = 0;
  if (gap_messages_ > 0) {
    count(Outcome::Dropped, reason, now, gap_messages_);
    messages_ -= gap_messages_;
    bytes_ -= gap_bytes_;
    disk_messages_ -= gap_messages_;
    disk_bytes_ -= gap_bytes_;
    gap_messages_ = gap_bytes_ = 0;
    journal_.touch(*this, now);
  }
}

Instant Outbox::expire(Instant now) {
  const Entry* entry = next_waiting(now);
  if (entry == nullptr) return kNever;
  const Instant expires = entry->message->expires_at();
  if (limits_.age_max == Duration::zero()) return expires;
  return std::min(expires, entry->message->received() + limits_.age_max + Duration(1));
}

// --- sending ---

Outbox::Entry* Outbox::next_waiting(Instant now) {
  refill();
  while (send_index_ < front_.size()) {
    Entry& entry = front_[send_index_];
    if (entry.state == State::Settled) {
      ++send_index_;
    } else if (entry.sequence <= protected_) {
      return &entry;
    } else if (entry.message->expires_at() <= now) {
      settle(send_index_, Outcome::Expired, now);
    } else if (too_old(entry, now)) {
      settle(send_index_, Outcome::Dropped, now, DropReason::Age);
    } else {
      return &entry;
    }
    if (send_index_ == front_.size()) refill();
  }
  pop_settled();
  return nullptr;
}

void Outbox::advance() {
  FURROW_CHECK(front_[send_index_].state != State::Waiting);
  ++send_index_;
  ++inflight_;
}

void Outbox::rewind() {
  for (std::size_t i = 0; i < send_index_; ++i) {
    Entry& entry = front_[i];
    if (entry.state == State::Settled) continue;
    entry.state = State::Waiting;
    entry.packet_id = {};
    entry.resend = false;
  }
  send_index_ = 0;
  inflight_ = 0;
  pop_settled();
}

void Outbox::hasten(Entry& entry, Instant now) {
  if (entry.commitment != nullptr) journal_.hasten(*entry.commitment, now);
}

std::optional<Instant> Outbox::oldest() const {
  if (!front_.empty()) return front_.front().message->received();
  if (!tail_.empty()) return tail_.front().message->received();
  return std::nullopt;
}

// --- memory and the store ---

// With nothing between them, the tail continues the front.
void Outbox::refill() {
  while (gap_messages_ == 0 && !tail_.empty() && front_bytes_ < kFrontBytesMax) {
    front_bytes_ += entry_bytes(tail_.front());
    front_.push_back(tail_.pop_front());
  }
  read_ahead();
}

// What is durable behind a full front leaves memory.
void Outbox::spill() {
  refill();
  while (!tail_.empty() && tail_.front().on_disk && tail_.front().sequence <= durable_) {
    const Entry entry = tail_.pop_front();
    if (gap_messages_ == 0) gap_first_ = entry.sequence;
    gap_end_ = Sequence{entry.sequence.value + 1};
    ++gap_messages_;
    gap_bytes_ += entry.message->bytes_size();
  }
  if (tail_.empty()) tail_.release();
}

// Asks for the next page while the front still has something to send.
void Outbox::read_ahead() {
  if (gap_messages_ == 0 || reading_ || front_bytes_ > kFrontBytesMax / 2) return;
  reading_ = true;
  read_end_ = gap_end_;
  journal_.read({queue_, gap_first_, read_after_, kFrontBytesMax});
}

void Outbox::take(SegmentReader::Record&& record) {
  Entry entry;
  entry.subscription_ids = SubscriptionIds(record.subscription_ids);
  entry.sequence = record.sequence;
  entry.qos = record.qos;
  entry.retain = record.retain;
  entry.message = std::move(record.message);
  entry.on_disk = true;
  --gap_messages_;
  gap_bytes_ -= std::min<std::uint64_t>(gap_bytes_, entry.message->bytes_size());
  front_bytes_ += entry_bytes(entry);
  front_.push_back(std::move(entry));
}

void Outbox::handle_page(const Page& page, const ClockStamp& now) {
  FURROW_CHECK(reading_);
  reading_ = false;
  bool reached_tail = false;
  for (const SegmentRow& segment : page.segments) {
    SegmentReader reader(segment.directory, segment.records, queue_, now);
    SegmentReader::Record record;
    while (gap_messages_ > 0 && reader.next(gap_first_, record)) {
      if (record.sequence >= gap_end_) {
        reached_tail = true;  // still in memory: this segment is read again once it has left
        break;
      }
      gap_first_ = Sequence{record.sequence.value + 1};
      if (!std::binary_search(holes_.begin(), holes_.end(), record.sequence)) take(std::move(record));
    }
    if (reached_tail || gap_messages_ == 0) break;
    read_after_ = segment.id;
  }
  if (page.segments.empty()) read_after_ = page.last;
  if (page.end && !reached_tail && gap_messages_ > 0 && read_end_ == gap_end_) lose_gap(now.monotonic);
  if (!holes_.empty() && holes_.back() < gap_first_) holes_ = {};
  trim(now.monotonic);
}

// The store has nothing more of what it should hold: it was damaged. Said by the books.
void Outbox::lose_gap(Instant now) {
  count(Outcome::Dropped, DropReason::SalvageLost, now, gap_messages_);
  messages_ -= gap_messages_;
  bytes_ -= gap_bytes_;
  disk_messages_ -= gap_messages_;
  disk_bytes_ -= gap_bytes_;
  gap_messages_ = gap_bytes_ = 0;
  journal_.touch(*this, now);
}

std::size_t Outbox::find(const Ring<Entry>& ring, Sequence sequence) const {
  std::size_t low = 0;
  // Sequences rise by at least one an entry, so the distance to the first bounds the index.
  std::size_t high = static_cast<std::size_t>(
      std::min<std::uint64_t>(ring.size() - 1, sequence.value - ring.front().sequence.value));
  if (ring[high].sequence == sequence) return high;
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (ring[middle].sequence < sequence) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

Outbox::Entry& Outbox::at(Sequence sequence) {
  Ring<Entry>& ring = !tail_.empty() && sequence >= tail_.front().sequence ? tail_ : front_;
  Entry& entry = ring[find(ring, sequence)];
  FURROW_CHECK(entry.sequence == sequence);
  return entry;
}

DeliveryOptions Outbox::mark_written(Sequence sequence, BatchNumber batch) {
  Entry& entry = at(sequence);
  entry.commitment = nullptr;
  entry.on_disk = true;
  if (entry.state == State::Reserved) entry.waits_for = std::max(entry.waits_for, batch);
  ++disk_messages_;
  disk_bytes_ += entry.message->bytes_size();
  return {entry.qos, entry.retain, entry.subscription_ids.view()};
}

void Outbox::handle_durable(Sequence sequence) {
  durable_ = sequence;
  spill();
}

CursorRow Outbox::cursor() const {
  Sequence settled{next_.value - 1};
  if (!tail_.empty()) settled.value = tail_.front().sequence.value - 1;
  if (gap_messages_ > 0) settled.value = gap_first_.value - 1;
  if (!front_.empty()) settled.value = front_.front().sequence.value - 1;

  CursorRow row;
  row.queue = queue_;
  row.settled = settled;
  row.next = next_;
  row.messages = disk_messages_;
  row.bytes = disk_bytes_;
  ByteBuffer holes;
  Sequence previous = settled;
  const auto hole = [&](Sequence sequence) {
    put_varint(holes, sequence.value - previous.value);
    previous = sequence;
  };
  for (std::size_t i = 0; i < front_.size(); ++i) {
    if (front_[i].state == State::Settled && front_[i].on_disk) hole(front_[i].sequence);
  }
  for (const Sequence sequence : holes_) {
    if (sequence > previous && sequence >= gap_first_) hole(sequence);
  }
  row.holes.assign(holes.view().begin(), holes.view().end());
  if (stores_books_) row.counters = encode(books_);
  return row;
}

}  // namespace furrow::broker
