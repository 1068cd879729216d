#include "broker-core/session/outbox.h"

#include <algorithm>
#include <utility>

namespace furrow::broker {

using State = PagedQueue::State;

namespace {

// A damaged cursor may count fewer bytes than its messages have.
void take_off(std::uint64_t& total, std::uint64_t bytes) {
  total -= std::min(total, bytes);
}

}  // namespace

Outbox::Outbox(const Options& options, Journal& journal, Books& books)
    : queue_(options.queue),
      stores_books_(options.stores_books && options.queue),
      bounds_waiting_only_(options.bounds_waiting_only),
      owner_(options.owner),
      journal_(journal),
      books_(books),
      limits_(options.limits) {
  if (durable()) journal_.attach(*this);
}

Outbox::Outbox(const Options& options, const CursorRow& cursor, Journal& journal, Books& books)
    : Outbox(options, journal, books) {
  contents_.restore(cursor);
  messages_ = disk_messages_ = cursor.messages;
  disk_bytes_ = cursor.bytes;
  if (stores_books_) {
    books_ = decode_books(cursor.counters, cursor.messages);
  } else {
    books_.accepted += cursor.messages;
  }
  add_bytes(cursor.bytes);
  owes_room_ = over_limit(0, 0);  // the limits may have been lowered since it was written
}

Outbox::~Outbox() {
  contents_.for_each([this](Entry& entry) {
    if (entry.commitment != nullptr) journal_.settled(*entry.commitment, *this, entry.sequence);
  });
  books_.drops(DropReason::SessionEnded) += messages_;
  take_bytes(bytes_);
  if (durable()) journal_.detach(*this);
}

void Outbox::make_durable(QueueId queue, Instant now) {
  FURROW_CHECK(!durable());
  queue_ = queue;
  journal_.attach(*this);
  contents_.for_each([&](Entry& entry) {
    if (entry.state == State::Settled || entry.ephemeral) return;
    Commitment& commitment = journal_.open(entry.message);
    entry.commitment = &commitment;
    journal_.add_destination(commitment, *this, entry.sequence, Duration::zero(), now);
    journal_.seal(commitment, {}, mqtt::ReasonCode::Success);
  });
}

// --- limits ---

// One message alone is never over the limit: an empty queue takes whatever a client may send, or it would never arrive.
bool Outbox::over_limit(std::uint64_t more_messages, std::uint64_t more_bytes) const {
  const std::uint64_t messages = messages_ - (bounds_waiting_only_ ? inflight() : 0) + more_messages;
  const std::uint64_t bytes = bytes_ - (bounds_waiting_only_ ? contents_.inflight_bytes() : 0) + more_bytes;
  return messages > 1 && ((limits_.messages_max > 0 && messages > limits_.messages_max) ||
                          (limits_.bytes_max > 0 && bytes > limits_.bytes_max));
}

bool Outbox::refuses(std::size_t bytes) const {
  return limits_.when_full == WhenFull::Refuse && over_limit(1, bytes);
}

void Outbox::add_bytes(std::uint64_t bytes) {
  bytes_ += bytes;
  books_.waiting_bytes += bytes;
}

// A damaged cursor may count fewer bytes than its messages have.
void Outbox::take_bytes(std::uint64_t bytes) {
  const std::uint64_t taken = std::min(bytes_, bytes);
  bytes_ -= taken;
  books_.waiting_bytes -= taken;
}

bool Outbox::make_room_together(std::uint64_t bytes, Instant now) {
  const std::uint64_t limit = limits_.bytes_max_together;
  if (limit == 0 || books_.waiting_bytes + bytes <= limit) return true;
  ++books_.not_grown;
  const std::uint64_t goal = bytes_ - std::min(bytes_, bytes);
  while (limits_.when_full == WhenFull::DropOldest && bytes_ > goal) {
    const Entry* const entry = next_waiting(now);
    if (entry == nullptr) break;
    settle(entry->sequence, Outcome::Dropped, now, DropReason::QueueFull);
  }
  return bytes_ <= goal || backlog() == 0;
}

bool Outbox::make_room(const Message& message, Instant now) {
  const std::size_t bytes = message.bytes_size();
  if (!make_room_together(bytes, now)) return false;
  if (!over_limit(1, bytes)) return true;
  const bool fits = limits_.bytes_max == 0 || bytes <= limits_.bytes_max;
  if (limits_.when_full != WhenFull::DropOldest || !fits) return false;
  drop_oldest(1, bytes, now);
  if (!over_limit(1, bytes)) return true;
  // The oldest messages may be on disk only: then the limit is exceeded until the page that is being read arrives.
  owes_room_ = contents_.gap_messages() > 0;
  return owes_room_;
}

// Drops the oldest waiting messages until this many more fit; gives up where none of them is in memory.
void Outbox::drop_oldest(std::uint64_t messages, std::uint64_t bytes, Instant now) {
  while (over_limit(messages, bytes)) {
    const Entry* entry = next_waiting(now);
    // Messages that have expired make room, too.
    if (!over_limit(messages, bytes) || entry == nullptr) return;
    settle(entry->sequence, Outcome::Dropped, now, DropReason::QueueFull);
  }
}

bool Outbox::too_old(const Entry& entry, Instant now) const {
  return limits_.age_max > Duration::zero() && entry.ages && now - entry.message->received() > limits_.age_max;
}

// --- accepting and settling ---

Outbox::Entry& Outbox::append(MessageRef message, const DeliveryOptions& options) {
  ++messages_;
  add_bytes(message->bytes_size());
  return contents_.append(std::move(message), options, !durable());
}

void Outbox::count(Outcome outcome, DropReason reason, Instant now, std::uint64_t messages) {
  if (outcome == Outcome::Expired || outcome == Outcome::Dropped) dropped_ += messages;
  switch (outcome) {
    case Outcome::Delivered:
      books_.delivered += messages;
      break;
    case Outcome::Expired:
      books_.expired += messages;
      break;
    case Outcome::Dropped:
      books_.drops(reason) += messages;
      break;
    case Outcome::HandedOver:
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

// Ends the message, but for its place among the others.
void Outbox::account(Entry& entry, Outcome outcome, DropReason reason, Instant now) {
  Commitment* const commitment = std::exchange(entry.commitment, nullptr);
  const std::size_t bytes = entry.message->bytes_size();
  --messages_;
  take_bytes(bytes);
  if (entry.on_disk) {
    --disk_messages_;
    take_off(disk_bytes_, bytes);
  }
  count(outcome, reason, now);
  if (entry.on_disk || (commitment != nullptr && commitment->at_writer())) journal_.touch(*this, now);
  if (commitment != nullptr) journal_.settled(*commitment, *this, entry.sequence);
  if (limits_.when_full == WhenFull::Refuse) journal_.condition().note_opening();
}

void Outbox::finish(Entry& entry, Outcome outcome, DropReason reason, Instant now) {
  account(entry, outcome, reason, now);
  contents_.settle(entry);
}

void Outbox::settle(Sequence sequence, Outcome outcome, Instant now, DropReason reason) {
  if (Entry* const entry = contents_.find(sequence)) {
    finish(*entry, outcome, reason, now);
    return;
  }
  const auto restored = find_restored(sequence);
  if (restored == restored_.end()) return;
  restored_.erase(restored);
  leave_gap({.messages = 1, .bytes = contents_.settle_unread(sequence)}, outcome, reason, now);
  // Where a damaged cursor has counted fewer messages than were in flight, the others are lost.
  if (contents_.gap_messages() == 0) restored_.clear();
}

void Outbox::drop_all(DropReason reason, Instant now) {
  contents_.for_each([&](Entry& entry) {
    if (entry.state != State::Settled) account(entry, Outcome::Dropped, reason, now);
  });
  leave_gap(contents_.clear_gap(), Outcome::Dropped, reason, now);
  contents_.clear();
  restored_.clear();
}

Instant Outbox::expire(Instant now) {
  const Entry* entry = next_waiting(now);
  if (entry == nullptr) return kNever;
  const Instant expires = entry->message->expires_at();
  if (limits_.age_max == Duration::zero()) return expires;
  return std::min(expires, entry->message->received() + limits_.age_max + Duration(1));
}

// --- sending ---

const Outbox::Entry* Outbox::next_waiting(Instant now) {
  Entry* entry = nullptr;
  while ((entry = contents_.next_waiting()) != nullptr) {
    if (entry->message->expires_at() <= now) {
      finish(*entry, Outcome::Expired, {}, now);
    } else if (too_old(*entry, now)) {
      finish(*entry, Outcome::Dropped, DropReason::Age, now);
    } else {
      break;
    }
  }
  read_ahead();
  return entry;
}

void Outbox::give_back(Sequence sequence) {
  if (Entry* const entry = contents_.find(sequence)) {
    contents_.give_back(*entry);
    return;
  }
  const auto restored = find_restored(sequence);
  if (restored != restored_.end()) restored_.erase(restored);
}

void Outbox::hasten(Sequence sequence, Instant now) {
  const Entry* const entry = find(sequence);
  if (entry != nullptr && entry->commitment != nullptr) journal_.hasten(*entry->commitment, now);
}

bool Outbox::is_safe(Sequence sequence) const {
  const Entry* const entry = find(sequence);
  return entry == nullptr || entry->commitment == nullptr;
}

BatchNumber Outbox::forgo(Sequence sequence) {
  Entry* const entry = contents_.find(sequence);
  FURROW_CHECK(entry != nullptr);
  entry->ephemeral = true;
  if (std::exchange(entry->on_disk, false)) {
    --disk_messages_;
    take_off(disk_bytes_, entry->message->bytes_size());
  }
  return write_settled();
}

// --- what was in flight before a restart ---

std::vector<Sequence>::iterator Outbox::find_restored(Sequence sequence) {
  const auto found = std::ranges::lower_bound(restored_, sequence);
  return found != restored_.end() && *found == sequence ? found : restored_.end();
}

bool Outbox::lease_restored(Sequence sequence) {
  if (find_restored(sequence) != restored_.end()) return false;
  if (contents_.in_gap(sequence)) restored_.insert(std::ranges::lower_bound(restored_, sequence), sequence);
  return true;
}

// Messages that a page has brought, and that were in flight, are so again.
void Outbox::take_restored() {
  for (const Sequence sequence : std::exchange(restored_, {})) {
    if (Entry* const entry = contents_.find(sequence)) {
      contents_.send(*entry);
    } else if (contents_.in_gap(sequence)) {
      restored_.push_back(sequence);
    }
  }
}

// --- the store ---

void Outbox::read_ahead() {
  if (const std::optional<ReadRequest> request = contents_.read_request(queue_)) {
    contents_.note_asked(journal_.read(*request));
  }
}

void Outbox::handle_page(const Page& page, const ClockStamp& now) {
  leave_gap(contents_.take(page, queue_, now), Outcome::Dropped, DropReason::SalvageLost, now.monotonic);
  if (!restored_.empty()) take_restored();
  // Messages that were on disk only can be dropped now.
  if (owes_room_ && limits_.when_full == WhenFull::DropOldest) drop_oldest(0, 0, now.monotonic);
  owes_room_ = owes_room_ && over_limit(0, 0);
}

// Settles messages that were in the store only, known by their counts.
void Outbox::leave_gap(PagedQueue::Counts gone, Outcome outcome, DropReason reason, Instant now) {
  messages_ -= gone.messages;
  take_bytes(gone.bytes);
  disk_messages_ -= gone.messages;
  take_off(disk_bytes_, gone.bytes);
  if (gone.messages == 0) return;
  count(outcome, reason, now, gone.messages);
  journal_.touch(*this, now);
}

std::optional<DeliveryOptions> Outbox::written_form(Sequence sequence) const {
  const Entry* const entry = find(sequence);
  FURROW_CHECK(entry != nullptr);
  if (entry->ephemeral) return std::nullopt;
  return DeliveryOptions{
      .qos = entry->qos, .retain = entry->retain, .subscription_ids = entry->subscription_ids.view()};
}

void Outbox::mark_stored(Sequence sequence) {
  Entry* const entry = contents_.find(sequence);
  FURROW_CHECK(entry != nullptr);
  entry->commitment = nullptr;
  if (entry->ephemeral) return;
  entry->on_disk = true;
  ++disk_messages_;
  disk_bytes_ += entry->message->bytes_size();
}

CursorRow Outbox::cursor(std::uint64_t added, std::uint64_t added_bytes) const {
  CursorRow row;
  row.queue = queue_;
  row.messages = disk_messages_ + added;
  row.bytes = disk_bytes_ + added_bytes;
  if (stores_books_) row.counters = encode(books_);
  contents_.write_cursor(row);
  return row;
}

}  // namespace furrow::broker
