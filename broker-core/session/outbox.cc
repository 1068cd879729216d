#include "broker-core/session/outbox.h"

#include <algorithm>
#include <utility>

#include "broker-core/base/varint.h"

namespace furrow::broker {

Outbox::Outbox(const Options& options, Journal& journal, Books& books)
    : queue_(options.queue),
      stores_books_(options.stores_books && options.queue),
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
  holes_ = decode_holes(cursor.settled, cursor.holes);
  if (stores_books_) {
    books_ = decode_books(cursor.counters, cursor.messages);
  } else {
    books_.accepted += cursor.messages;
  }
}

Outbox::~Outbox() {
  const auto end = [this](Ring<Entry>& ring) {
    for (std::size_t i = 0; i < ring.size(); ++i) {
      if (ring[i].commitment != nullptr) journal_.settled(*ring[i].commitment, *this, ring[i].sequence);
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
  drop_oldest(1, bytes, now);
  // The oldest that wait may be on disk only: then the limit is exceeded until the page that is being read arrives.
  return !over_limit(messages_ + 1, bytes_ + bytes) || gap_messages_ > 0;
}

// Drops the oldest that are not in flight until so much more fits; gives up where none of them is in memory.
void Outbox::drop_oldest(std::uint64_t messages, std::uint64_t bytes, Instant now) {
  while (over_limit(messages_ + messages, bytes_ + bytes)) {
    const Entry* entry = next_waiting(now);
    // What has expired makes room, too.
    if (!over_limit(messages_ + messages, bytes_ + bytes)) return;
    if (entry == nullptr || is_protected(entry->sequence)) return;
    settle(send_index_, Outcome::Dropped, now, DropReason::QueueFull);
  }
}

bool Outbox::is_protected(Sequence sequence) const {
  return std::ranges::binary_search(protected_, sequence);
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
  entry.group = options.group;
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
    case Outcome::Delivered:
      books_.delivered += messages;
      break;
    case Outcome::Expired:
      books_.expired += messages;
      break;
    case Outcome::Quarantined:
      books_.quarantined += messages;
      break;
    case Outcome::Dropped:
      books_.drops(reason) += messages;
      break;
    case Outcome::Moved:
      books_.accepted -= messages;
      break;
  }
  const bool expired = outcome == Outcome::Expired || (outcome == Outcome::Dropped && reason == DropReason::Age);
  if (expired) journal_.note_expired(messages, now);
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
  if (Commitment* commitment = std::exchange(entry.commitment, nullptr))
    journal_.settled(*commitment, *this, entry.sequence);
  if (entry.group) owner_->handle_group_safe(std::exchange(entry.group, {}), entry.sequence, now);
  if (limits_.when_full == WhenFull::Refuse) journal_.note_room();
  entry.state = State::Settled;
  entry.resend = false;
  entry.message = {};
}

void Outbox::settle(std::size_t index, Outcome outcome, Instant now, DropReason reason) {
  Entry& entry = front_[index];
  FURROW_CHECK(entry.state != State::Settled);
  if (entry.state == State::Waiting) {
    front_bytes_ -= entry_bytes(entry);
  } else {
    --inflight_;
  }
  finish(entry, outcome, reason, now);
  pop_settled();
}

void Outbox::pop_settled() {
  while (!front_.empty() && front_.front().state == State::Settled) {
    (void)front_.pop_front();
    if (send_index_ > 0) --send_index_;
  }
}

// Takes the settled ones out from between those in flight: behind one that is never answered, what expires or is
// dropped would pile up. Done when they are the larger part, so each is moved past once.
void Outbox::compact() {
  if (send_index_ < inflight_ * 2 + kSettledMax) return;
  std::size_t place = send_index_;
  for (std::size_t i = send_index_; i-- > 0;) {
    if (front_[i].state == State::Settled) continue;
    --place;
    if (place != i) front_[place] = std::move(front_[i]);
  }
  for (; place > 0; --place, --send_index_) (void)front_.pop_front();
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
  if (gap_messages_ > 0) drop_gap(reason, now);
}

Instant Outbox::expire(Instant now) {
  const Entry* entry = next_waiting(now);
  if (entry == nullptr || is_protected(entry->sequence)) return kNever;
  const Instant expires = entry->message->expires_at();
  if (limits_.age_max == Duration::zero()) return expires;
  return std::min(expires, entry->message->received() + limits_.age_max + Duration(1));
}

// --- sending ---

Outbox::Entry* Outbox::next_waiting(Instant now) {
  compact();
  refill();
  while (send_index_ < front_.size()) {
    Entry& entry = front_[send_index_];
    if (entry.state != State::Waiting) {
      ++send_index_;
    } else if (is_protected(entry.sequence)) {
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
  const Entry& entry = front_[send_index_];
  FURROW_CHECK(entry.state != State::Waiting);
  FURROW_CHECK(entry.state != State::Settled);
  front_bytes_ -= entry_bytes(entry);
  ++send_index_;
  ++inflight_;
}

void Outbox::requeue(std::size_t index) {
  Entry& entry = front_[index];
  FURROW_CHECK(entry.state != State::Waiting);
  FURROW_CHECK(entry.state != State::Settled);
  entry.state = State::Waiting;
  --inflight_;
  front_bytes_ += entry_bytes(entry);
  send_index_ = std::min(send_index_, index);
}

void Outbox::rewind() {
  for (std::size_t i = 0; i < send_index_; ++i) {
    Entry& entry = front_[i];
    if (entry.state == State::Settled) continue;
    entry.state = State::Waiting;
    entry.packet_id = {};
    entry.resend = false;
    front_bytes_ += entry_bytes(entry);
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
  journal_.read({queue_, gap_first_, read_after_, (kFrontBytesMax - front_bytes_) / kPageShare});
}

void Outbox::take(SegmentReader::Record&& record) {
  Entry entry;
  entry.subscription_ids = SubscriptionIds(record.subscription_ids);
  entry.sequence = record.sequence;
  entry.qos = record.qos;
  entry.retain = record.retain;
  entry.message = std::move(record.message);
  if (!record.group.empty()) entry.group = owner_->group_of(record.group);
  entry.on_disk = true;
  --gap_messages_;
  gap_bytes_ -= std::min<std::uint64_t>(gap_bytes_, entry.message->bytes_size());
  front_bytes_ += entry_bytes(entry);
  front_.push_back(std::move(entry));
}

void Outbox::handle_page(const Page& page, const ClockStamp& now) {
  FURROW_CHECK(reading_);
  reading_ = false;
  bool whole = true;
  for (const SegmentRow& segment : page.segments) {
    whole = take_segment(segment, now);
    if (!whole) break;
    read_after_ = segment.id;
  }
  if (page.segments.empty()) read_after_ = page.last;
  // The store has nothing more of what it should hold: it was damaged. Said by the books.
  if (page.end && whole && gap_messages_ > 0 && read_end_ == gap_end_) drop_gap(DropReason::SalvageLost, now.monotonic);
  if (gap_messages_ == 0) holes_ = {};
  // What was on disk only can be dropped now.
  if (limits_.when_full == WhenFull::DropOldest) drop_oldest(0, 0, now.monotonic);
}

// Takes what the segment holds of the gap. False when it stopped before the end: the gap is empty, the front is full,
// or what follows is still in the tail; the segment is read again when it is needed.
bool Outbox::take_segment(const SegmentRow& segment, const ClockStamp& now) {
  SegmentReader reader(segment.directory, segment.records, queue_, now);
  SegmentReader::Record record;
  const Sequence first = gap_first_;
  bool whole = false;
  while (!whole && gap_messages_ > 0 && front_bytes_ < kFrontBytesMax) {
    whole = !reader.next(gap_first_, record);
    if (whole || record.sequence >= gap_end_) break;
    gap_first_ = Sequence{record.sequence.value + 1};
    if (!is_in_hole(holes_, record.sequence)) take(std::move(record));
  }
  const bool undated = !now.trusted && reader.stamp().trusted && reader.stamp().boot != now.boot;
  if (undated && first < gap_first_) note_undated({first, gap_first_, reader.stamp()});
  return whole;
}

void Outbox::note_undated(const Undated& read) {
  if (front_.empty()) return;
  std::erase_if(undated_, [&](const Undated& old) { return old.end <= front_.front().sequence; });
  undated_.push_back(read);
}

void Outbox::correct_ages(const ClockStamp& now) {
  for (const Undated& read : std::exchange(undated_, {})) {
    if (front_.empty() || read.end <= front_.front().sequence) continue;
    const Duration by = uncounted(read.written, now);
    std::size_t i = find(front_, std::max(read.first, front_.front().sequence));
    for (; i < front_.size() && front_[i].sequence < read.end; ++i) {
      if (front_[i].sequence >= read.first && front_[i].message) front_[i].message->age(by);
    }
  }
}

// Everything that is in the store only, told by its counts alone.
void Outbox::drop_gap(DropReason reason, Instant now) {
  count(Outcome::Dropped, reason, now, gap_messages_);
  messages_ -= gap_messages_;
  bytes_ -= gap_bytes_;
  disk_messages_ -= gap_messages_;
  disk_bytes_ -= gap_bytes_;
  gap_messages_ = gap_bytes_ = 0;
  holes_ = {};
  journal_.touch(*this, now);
}

std::size_t Outbox::find(const Ring<Entry>& ring, Sequence sequence) const {
  std::size_t low = 0;
  // Sequences rise by at least one an entry, so the distance to the first bounds the index.
  std::size_t high =
      static_cast<std::size_t>(std::min<std::uint64_t>(ring.size() - 1, sequence.value - ring.front().sequence.value));
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

std::optional<std::size_t> Outbox::index_of(Sequence sequence) const {
  if (front_.empty() || sequence < front_.front().sequence) return std::nullopt;
  const std::size_t index = find(front_, sequence);
  const bool found = front_[index].sequence == sequence && front_[index].state != State::Settled;
  return found ? std::optional(index) : std::nullopt;
}

Outbox::Entry& Outbox::at(Sequence sequence) {
  Ring<Entry>& ring = !tail_.empty() && sequence >= tail_.front().sequence ? tail_ : front_;
  Entry& entry = ring[find(ring, sequence)];
  FURROW_CHECK(entry.sequence == sequence);
  return entry;
}

// The entry of `sequence` if it is in memory and not settled.
Outbox::Entry* Outbox::find_left(Sequence sequence) {
  Ring<Entry>& ring = !tail_.empty() && sequence >= tail_.front().sequence ? tail_ : front_;
  if (ring.empty() || sequence < ring.front().sequence) return nullptr;
  Entry& entry = ring[find(ring, sequence)];
  return entry.sequence == sequence && entry.state != State::Settled ? &entry : nullptr;
}

DeliveryOptions Outbox::mark_written(Sequence sequence, Batch& batch) {
  Entry& entry = at(sequence);
  entry.commitment = nullptr;
  entry.on_disk = true;
  if (entry.state == State::Reserved) {
    entry.waits_for = batch.number;
    batch.exchanges.push_back(
        {queue_, ExchangeRow::Direction::Outbound, entry.packet_id, ExchangeRow::State::Published, sequence});
  }
  ++disk_messages_;
  disk_bytes_ += entry.message->bytes_size();
  DeliveryOptions options{.qos = entry.qos,
                          .retain = entry.retain,
                          .subscription_ids = entry.subscription_ids.view(),
                          .group = entry.group};
  if (entry.group) {
    options.group_filter = owner_->filter_of(entry.group);
    journal_.note_group_written(*this, entry.group, sequence);
  }
  return options;
}

bool Outbox::mark_unwritten(Sequence sequence, Commitment& commitment) {
  Entry* const entry = find_left(sequence);
  if (entry == nullptr) return false;
  entry->commitment = &commitment;
  entry->on_disk = false;
  --disk_messages_;
  disk_bytes_ -= entry->message->bytes_size();
  return true;
}

void Outbox::handle_durable(Sequence sequence) {
  durable_ = sequence;
  spill();
}

CursorRow Outbox::cursor() const {
  CursorRow row;
  row.queue = queue_;
  row.next = next_;
  row.messages = disk_messages_;
  row.bytes = disk_bytes_;
  if (stores_books_) row.counters = encode(books_);

  // Whatever lies between those that are left is settled: told by `settled` before the first, by holes behind it.
  ByteBuffer holes;
  Sequence hole_end;
  Sequence end;  // of those that are left so far; 0 before the first
  const auto left = [&](Sequence first, Sequence behind) {
    if (!end) {
      row.settled = Sequence{first.value - 1};
      hole_end = first;
    } else if (end < first) {
      put_varint(holes, end.value - hole_end.value);
      put_varint(holes, first.value - end.value);
      hole_end = first;
    }
    end = behind;
  };
  for (std::size_t i = 0; i < front_.size(); ++i) {
    const Sequence sequence = front_[i].sequence;
    if (front_[i].state != State::Settled) left(sequence, Sequence{sequence.value + 1});
  }
  if (gap_messages_ > 0) {
    Sequence first = gap_first_;
    for (const Hole& hole : holes_) {
      if (first < hole.first) left(first, hole.first);
      first = std::max(first, hole.end);
    }
    if (first < gap_end_) left(first, gap_end_);
  }
  if (!tail_.empty()) left(tail_.front().sequence, next_);
  left(next_, next_);
  row.holes.assign(holes.view().begin(), holes.view().end());
  return row;
}

}  // namespace furrow::broker
