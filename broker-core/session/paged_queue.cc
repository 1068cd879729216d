#include "broker-core/session/paged_queue.h"

#include <algorithm>
#include <utility>

#include "broker-core/session/journal.h"

namespace furrow::broker {

// --- accepting ---

PagedQueue::Entry& PagedQueue::append(MessageRef message, const DeliveryOptions& options, bool in_memory) {
  const bool in_order = gap_messages_ == 0 && tail_.empty();
  const bool in_front = in_memory || (in_order && front_bytes_ < kFrontBytesMax);
  Entry& entry = (in_front ? front_ : tail_).emplace_back();
  entry.subscription_ids = SubscriptionIds(options.subscription_ids);
  entry.sequence = next_;
  entry.qos = options.qos;
  entry.retain = options.retain;
  entry.ages = options.ages;
  entry.message = std::move(message);
  next_.value += 1;
  if (in_front) {
    front_bytes_ += memory_bytes(entry);
    ++waiting_;
  }
  return entry;
}

void PagedQueue::restore(const CursorRow& cursor) {
  gap_first_ = Sequence{cursor.settled.value + 1};
  gap_end_ = next_ = cursor.next;
  gap_messages_ = cursor.messages;
  gap_bytes_ = cursor.bytes;
  holes_ = decode_holes(cursor.settled, cursor.holes);
}

void PagedQueue::skip_to(Sequence next) {
  if (next <= next_) return;
  if (gap_messages_ > 0) holes_.push_back({gap_end_, next});
  next_ = next;
}

// --- sending ---

PagedQueue::Entry* PagedQueue::next_waiting() {
  if (send_index_ >= inflight_ * 2 + kSettledMax) compact();
  if (!tail_.empty()) refill();
  while (send_index_ < front_.size() && front_[send_index_].state != State::Waiting) ++send_index_;
  if (send_index_ < front_.size()) return &front_[send_index_];
  pop_settled();
  return nullptr;
}

PagedQueue::Entry* PagedQueue::find(Sequence sequence) {
  Ring<Entry>& ring = !tail_.empty() && sequence >= tail_.front().sequence ? tail_ : front_;
  if (ring.empty() || sequence < ring.front().sequence) return nullptr;
  Entry& entry = ring[index_near(ring, sequence)];
  return entry.sequence == sequence && entry.state != State::Settled ? &entry : nullptr;
}

PagedQueue::Entry& PagedQueue::send_next() {
  Entry& entry = front_[send_index_];
  send(entry);
  return entry;
}

void PagedQueue::send(Entry& entry) {
  FURROW_CHECK(entry.state == State::Waiting);
  entry.state = State::InFlight;
  front_bytes_ -= memory_bytes(entry);
  --waiting_;
  ++inflight_;
  inflight_bytes_ += entry.message->bytes_size();
}

void PagedQueue::give_back(Entry& entry) {
  FURROW_CHECK(entry.state == State::InFlight);
  entry.state = State::Waiting;
  front_bytes_ += memory_bytes(entry);
  ++waiting_;
  --inflight_;
  inflight_bytes_ -= entry.message->bytes_size();
  send_index_ = std::min(send_index_, index_near(front_, entry.sequence));
}

void PagedQueue::settle(Entry& entry) {
  FURROW_CHECK(entry.state != State::Settled);
  if (entry.state == State::Waiting) {
    front_bytes_ -= memory_bytes(entry);
    --waiting_;
  } else {
    --inflight_;
    inflight_bytes_ -= entry.message->bytes_size();
  }
  entry.state = State::Settled;
  entry.message = {};
  pop_settled();
}

void PagedQueue::pop_settled() {
  while (!front_.empty() && front_.front().state == State::Settled) {
    front_.drop_front();
    if (send_index_ > 0) --send_index_;
  }
}

// Takes settled entries out from between those in flight: behind a message that is never answered, the entries of
// others that expire or are dropped would pile up. Waits until the settled ones are the larger part, so each is passed
// once.
void PagedQueue::compact() {
  std::size_t place = send_index_;
  for (std::size_t i = send_index_; i-- > 0;) {
    if (front_[i].state == State::Settled) continue;
    --place;
    if (place != i) front_[place] = std::move(front_[i]);
  }
  for (; place > 0; --place, --send_index_) front_.drop_front();
}

void PagedQueue::clear() {
  front_.clear();
  tail_.clear();
  send_index_ = front_bytes_ = 0;
  waiting_ = inflight_ = inflight_bytes_ = 0;
  (void)clear_gap();
}

PagedQueue::Counts PagedQueue::clear_gap() {
  holes_ = {};
  return {std::exchange(gap_messages_, 0), std::exchange(gap_bytes_, 0)};
}

std::optional<Instant> PagedQueue::oldest() const {
  if (!front_.empty() && front_.front().message) return front_.front().message->received();
  if (!tail_.empty()) return tail_.front().message->received();
  return std::nullopt;
}

Sequence PagedQueue::first_in_memory() const {
  if (!front_.empty()) return front_.front().sequence;
  return tail_.empty() ? next_ : tail_.front().sequence;
}

// Where `sequence` is in the ring, or would be.
std::size_t PagedQueue::index_near(const Ring<Entry>& ring, Sequence sequence) {
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

// --- memory and the store ---

// With nothing between them, the tail continues the front.
void PagedQueue::refill() {
  while (gap_messages_ == 0 && !tail_.empty() && front_bytes_ < kFrontBytesMax) {
    front_bytes_ += memory_bytes(tail_.front());
    ++waiting_;
    front_.push_back(tail_.pop_front());
  }
}

void PagedQueue::spill() {
  refill();
  while (!tail_.empty() && tail_.front().on_disk) {
    const Entry entry = tail_.pop_front();
    if (gap_messages_ == 0) gap_first_ = entry.sequence;
    gap_end_ = Sequence{entry.sequence.value + 1};
    ++gap_messages_;
    gap_bytes_ += entry.message->bytes_size();
  }
  if (tail_.empty()) tail_.release();
}

std::optional<ReadRequest> PagedQueue::read_request(QueueId queue) {
  if (gap_messages_ == 0 || reading_ || front_bytes_ > kFrontBytesMax / 2) return std::nullopt;
  read_end_ = gap_end_;
  return ReadRequest{.queue = queue,
                     .from = gap_first_,
                     .after = read_after_,
                     .bytes_max = (kFrontBytesMax - front_bytes_) / kPageShare};
}

PagedQueue::Counts PagedQueue::take(const Page& page, QueueId queue, const ClockStamp& now) {
  if (!reading_ || page.number != reading_) return {};
  reading_ = {};
  bool whole = true;
  for (const SegmentRow& segment : page.segments) {
    whole = take_segment(segment, queue, now);
    if (!whole) break;
    read_after_ = segment.id;
  }
  if (page.segments.empty()) read_after_ = page.last;
  const bool lost = page.end && whole && gap_messages_ > 0 && read_end_ == gap_end_;
  return lost || gap_messages_ == 0 ? clear_gap() : Counts{};
}

std::uint64_t PagedQueue::settle_unread(Sequence sequence) {
  const auto place = std::ranges::lower_bound(holes_, sequence, {}, &Hole::first);
  holes_.insert(place, {sequence, Sequence{sequence.value + 1}});
  --gap_messages_;
  return gap_messages_ == 0 ? clear_gap().bytes : 0;
}

// Takes the segment's messages of the gap. False when it stopped before the end, as the gap is empty, the front is
// full, or the next messages are still in the tail; the segment is read again when it is needed.
bool PagedQueue::take_segment(const SegmentRow& segment, QueueId queue, const ClockStamp& now) {
  SegmentReader reader(segment.directory, segment.records, queue, now);
  SegmentReader::Record record;
  const Sequence first = gap_first_;
  bool whole = false;
  while (!whole && gap_messages_ > 0 && front_bytes_ < kFrontBytesMax) {
    whole = !reader.next(gap_first_, record);
    if (whole || record.sequence >= gap_end_) break;
    gap_first_ = Sequence{record.sequence.value + 1};
    if (!is_in_hole(holes_, record.sequence)) take(std::move(record));
  }
  const bool doubtful = !now.trusted && reader.stamp().trusted && reader.stamp().boot != now.boot;
  if (doubtful && first < gap_first_) doubtful_ages_.note(first, gap_first_, reader.stamp(), *this);
  return whole;
}

void PagedQueue::take(SegmentReader::Record&& record) {
  Entry entry;
  entry.subscription_ids = SubscriptionIds(record.subscription_ids);
  entry.sequence = record.sequence;
  entry.qos = record.qos;
  entry.retain = record.retain;
  entry.message = std::move(record.message);
  entry.on_disk = true;
  --gap_messages_;
  gap_bytes_ -= std::min<std::uint64_t>(gap_bytes_, entry.message->bytes_size());
  front_bytes_ += memory_bytes(entry);
  ++waiting_;
  front_.push_back(std::move(entry));
}

void PagedQueue::write_cursor(CursorRow& row) const {
  row.next = first_unwritten();
  HoleWriter writer(row);
  for (std::size_t i = 0; i < front_.size() && front_[i].sequence < row.next; ++i) {
    const Entry& entry = front_[i];
    if (entry.state == State::Settled || entry.ephemeral) continue;
    writer.add_unsettled(entry.sequence, Sequence{entry.sequence.value + 1});
  }
  if (gap_messages_ > 0) {
    Sequence first = gap_first_;
    for (const Hole& hole : holes_) {
      if (first < hole.first) writer.add_unsettled(first, hole.first);
      first = std::max(first, hole.end);
    }
    if (first < gap_end_) writer.add_unsettled(first, gap_end_);
  }
  if (!tail_.empty() && tail_.front().sequence < row.next) writer.add_unsettled(tail_.front().sequence, row.next);
  writer.finish();
}

// A queue is written in the order of its sequences: looks back from the end, to the last message that is written.
Sequence PagedQueue::first_unwritten() const {
  Sequence first = next_;
  for (const Ring<Entry>* const ring : {&tail_, &front_}) {
    for (std::size_t i = ring->size(); i-- > 0;) {
      const Entry& entry = (*ring)[i];
      if (entry.state == State::Settled || entry.ephemeral) continue;
      if (entry.on_disk || (entry.commitment != nullptr && entry.commitment->at_writer())) return first;
      first = entry.sequence;
    }
  }
  return first;
}

}  // namespace furrow::broker
