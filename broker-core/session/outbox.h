// The one kind of queue there is: messages on their way to one receiver, or to the members of a shared subscription;
// bounded, in order, durable when its owner is.
//
// An outbox keeps each message until it is settled, exactly once: delivered, expired, or dropped for a reason; the
// books say which. A sender takes the first waiting message in flight, and settles it or gives it back. Meanwhile the
// message stays here, so that one in flight is as safe as one that waits (session/inflight.h has the exchanges). Where
// messages are, in memory or in the store, is session/paged_queue.h. Thread: loop. Time: passed in. Knows neither
// connection nor protocol version.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "broker-core/base/ids.h"
#include "broker-core/base/time.h"
#include "broker-core/message.h"
#include "broker-core/session/books.h"
#include "broker-core/session/journal.h"
#include "broker-core/session/outbox_owner.h"
#include "broker-core/session/paged_queue.h"
#include "broker-core/session/segment.h"
#include "broker-core/store.h"

namespace furrow::broker {

enum class WhenFull : std::uint8_t { DropOldest, DropNewest, Refuse };

struct OutboxLimits {
  std::uint64_t messages_max = 0;  // 0 = no limit
  std::uint64_t bytes_max = 0;     // of Message::bytes_size(); 0 = no limit. An empty queue takes any one message
  Duration age_max{};              // 0 = no limit
  WhenFull when_full = WhenFull::DropOldest;
  // Of all outboxes with the same books; 0 = no limit. Then none grows: what comes takes the place of what waits, under
  // DropOldest, or is dropped. One in which nothing waits takes a message all the same.
  std::uint64_t bytes_max_together = 0;
};

class Outbox {
 public:
  using Entry = PagedQueue::Entry;

  struct Options {
    OutboxLimits limits;
    QueueId queue;                     // 0: memory only
    OutboxOwner* owner = nullptr;      // told when a page was read
    bool stores_books = false;         // the books are this outbox's own and go with its cursor row; only with a queue
    bool bounds_waiting_only = false;  // the limits do not count messages in flight: several windows bound those
  };

  // A durable outbox registers itself with `journal` for its lifetime. `books` and `journal` must outlive it.
  Outbox(const Options& options, Journal& journal, Books& books);
  // A queue found at start: every message that is stored and not settled waits, and counts as accepted.
  Outbox(const Options& options, const CursorRow& cursor, Journal& journal, Books& books);
  // Messages that are still here are dropped, counted as `session_ended`.
  ~Outbox();
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  bool durable() const { return static_cast<bool>(queue_); }
  QueueId queue() const { return queue_; }
  // Messages over a lowered limit stay until others come that need their room.
  void set_limits(OutboxLimits limits) { limits_ = limits; }
  // From now on messages are kept in the store, and so are those that are here already. REQUIRES: !durable().
  void make_durable(QueueId queue, Instant now);

  // Whether a message of `bytes` is to be refused: only under WhenFull::Refuse.
  bool refuses(std::size_t bytes) const;
  // Whether this many more messages and bytes fit without a drop. One message alone always fits.
  bool has_place(std::uint64_t messages, std::uint64_t bytes) const { return !over_limit(messages, bytes); }
  // Whether a limit is reached, under any policy.
  bool full() const { return over_limit(1, 1); }

  // Accepts `message`, and drops the oldest to make room, or `message` itself, as the policy says; the books count it.
  // `commitment` is called once the message has a place, if the outbox is durable. The message must be written when its
  // acknowledgement takes longer than `wait` (0 = the receiver is away). REQUIRES: !refuses(message size).
  template <typename CommitmentOf>
  void push(MessageRef message, const DeliveryOptions& options, Duration wait, Instant now, CommitmentOf&& commitment) {
    ++books_.accepted;
    if (!make_room(*message, now)) {
      count(Outcome::Dropped, DropReason::QueueFull, now);
      return;
    }
    Entry& entry = append(std::move(message), options);
    if (!durable()) return;
    Commitment& waiting = commitment();
    entry.commitment = &waiting;
    journal_.add_destination(waiting, *this, entry.sequence, wait, now);
  }

  // --- sending ---
  // The next message to send, after dropping what has expired or is too old; nullptr when none is in memory. Valid
  // until the next call that changes anything.
  const Entry* next_waiting(Instant now);
  // Takes the message that next_waiting() has returned in flight. REQUIRES: nothing has changed since.
  const Entry& take() { return contents_.send_next(); }
  // The message, if it is in memory and not settled. Valid until the next call that changes anything.
  const Entry* find(Sequence sequence) const { return contents_.find(sequence); }
  // Whether a message that was in flight before a restart is neither in memory nor in the store any more.
  bool has_lost(Sequence sequence) const { return find(sequence) == nullptr && !contents_.in_gap(sequence); }
  // Takes a message in flight that no window sends yet. REQUIRES: it waits in memory, before what waits on disk.
  void hold(Sequence sequence) { contents_.send(*contents_.find(sequence)); }
  // A message that was in flight waits again, in its place. Nobody is told: see wake_owner().
  void give_back(Sequence sequence);
  void wake_owner(Instant now) {
    if (owner_ != nullptr) owner_->handle_progress(now);
  }
  // At start: some window had the message in flight, and has it again. The message neither expires nor makes room.
  // False when another exchange, of this window or another one, has it already: a damaged row says so.
  [[nodiscard]] bool lease_restored(Sequence sequence);

  // Whether any window has a message in flight, or had one before a restart that was not read yet.
  bool has_leases() const { return inflight() > 0 || !restored_.empty(); }

  // HandedOver: the message leaves the books, and its new keeper says with pass() what became of it.
  enum class Outcome : std::uint8_t { Delivered, Expired, Dropped, HandedOver };
  // Ends a message; `reason` counts for Outcome::Dropped. REQUIRES: it waits in memory, or is in flight.
  void settle(Sequence sequence, Outcome outcome, Instant now, DropReason reason = DropReason::QueueFull);
  // Counts a message that did not come through the queue: QoS 0 written to the socket, or dropped.
  void pass(Outcome outcome, Instant now, DropReason reason = DropReason::QueueFull);
  // Settles waiting messages as expired for which `is_outdated` says so. Goes on, as far as messages are in memory,
  // until `count` of QoS 1 and 2 have been found that are not outdated.
  template <typename Predicate>
  void expire_if(Predicate is_outdated, std::size_t count, Instant now);

  // Drops waiting messages for which `is_unwanted` says so, as far as they are in memory.
  template <typename Predicate>
  void drop_waiting_if(Predicate is_unwanted, DropReason reason, Instant now);

  // Asks the journal to write the message now (QoS 2), unless it is on disk or on its way there.
  void hasten(Sequence sequence, Instant now);
  // Whether the message is on disk, or was settled, or is of an outbox in memory: nothing is to be waited for.
  bool is_safe(Sequence sequence) const;
  // The message, which is in flight, is no longer kept in the store: its receiver would be gone after a crash, and the
  // message with it. Returns the batch that says so.
  BatchNumber forgo(Sequence sequence);

  // Has what was settled so far written soon. Returns the batch that says so.
  BatchNumber write_settled() { return durable() ? journal_.touch_now(*this) : BatchNumber{}; }

  // --- what waits ---
  std::uint64_t messages() const { return messages_; }  // accepted and not settled
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t inflight() const { return contents_.inflight(); }   // of messages(): sent, or about to be
  std::uint64_t backlog() const { return messages_ - inflight(); }  // of messages(): not yet sent
  std::uint64_t disk_messages() const { return disk_messages_; }
  // Messages that were dropped or have expired since this object was made: the books may be those of many.
  std::uint64_t dropped() const { return dropped_; }
  bool has_waiting() const { return contents_.has_waiting(); }
  // The oldest message in memory; nothing when empty.
  std::optional<Instant> oldest() const { return contents_.oldest(); }
  // What the next accepted message gets; and from now on no less than `sequence`.
  Sequence next_sequence() const { return contents_.next_sequence(); }
  Sequence last_sequence() const { return Sequence{next_sequence().value - 1}; }
  void skip_to(Sequence sequence) { contents_.skip_to(sequence); }
  const Books& books() const { return books_; }
  const PagedQueue& contents() const { return contents_; }

  // --- the journal's side ---
  // A page that was asked for.
  void handle_page(const Page& page, const ClockStamp& now);
  // The wall clock is trusted now: messages that were read before get the time spent powered off added to their age.
  void correct_ages(const ClockStamp& now) { contents_.correct_ages(now); }
  // How the message is to be written; nothing when the store is not to keep it.
  std::optional<DeliveryOptions> written_form(Sequence sequence) const;
  // The batch that has the message is durable.
  void mark_stored(Sequence sequence);
  // Messages have been marked as stored: those beyond the budget leave memory.
  void spill() { contents_.spill(); }
  // The row that says how far the queue is settled. `added` and `added_bytes` are the messages that its batch brings.
  CursorRow cursor(std::uint64_t added, std::uint64_t added_bytes) const;

  // Drops all messages, counted under `reason`.
  void drop_all(DropReason reason, Instant now);
  // Settles waiting messages at the front that have expired or are too old. Returns when to look again.
  Instant expire(Instant now);

 private:
  friend class Journal;

  bool over_limit(std::uint64_t more_messages, std::uint64_t more_bytes) const;
  bool make_room(const Message& message, Instant now);
  // The same in OutboxLimits::bytes_max_together.
  bool make_room_together(std::uint64_t bytes, Instant now);
  void drop_oldest(std::uint64_t messages, std::uint64_t bytes, Instant now);
  void add_bytes(std::uint64_t bytes);
  void take_bytes(std::uint64_t bytes);
  Entry& append(MessageRef message, const DeliveryOptions& options);
  void count(Outcome outcome, DropReason reason, Instant now, std::uint64_t messages = 1);
  void finish(Entry& entry, Outcome outcome, DropReason reason, Instant now);
  void account(Entry& entry, Outcome outcome, DropReason reason, Instant now);
  void leave_gap(PagedQueue::Counts gone, Outcome outcome, DropReason reason, Instant now);
  bool too_old(const Entry& entry, Instant now) const;
  void read_ahead();
  void take_restored();
  std::vector<Sequence>::iterator find_restored(Sequence sequence);

  // Constant after construction, but for a queue that becomes durable.
  QueueId queue_;
  const bool stores_books_;
  const bool bounds_waiting_only_;
  bool owes_room_ = false;  // more was taken than the limits allow: what is read from the store makes room for it
  OutboxOwner* const owner_;
  Journal& journal_;
  Books& books_;
  OutboxLimits limits_;

  PagedQueue contents_;
  std::vector<Sequence> restored_;  // in flight before a restart, and not read yet; in order
  std::uint64_t messages_ = 0;
  std::uint64_t bytes_ = 0;  // as a part of Books::waiting_bytes
  std::uint64_t disk_messages_ = 0;
  std::uint64_t disk_bytes_ = 0;
  std::uint64_t dropped_ = 0;

  // The journal's.
  bool touched_ = false;
  std::uint64_t selection_ = 0;  // the journal's selection that this outbox was marked in
  std::uint64_t added_ = 0;      // messages of the batch being built
  std::uint64_t added_bytes_ = 0;
};

template <typename Predicate>
void Outbox::expire_if(Predicate is_outdated, std::size_t count, Instant now) {
  if (next_waiting(now) == nullptr) return;
  std::vector<Sequence> outdated;
  const Ring<Entry>& front = contents_.front();
  for (std::size_t i = contents_.send_index(); i < front.size() && count > 0; ++i) {
    const Entry& entry = front[i];
    if (entry.state != PagedQueue::State::Waiting) continue;
    if (is_outdated(entry)) {
      outdated.push_back(entry.sequence);
    } else if (entry.qos != mqtt::Qos::AtMostOnce) {
      --count;
    }
  }
  for (const Sequence sequence : outdated) settle(sequence, Outcome::Expired, now);
}

template <typename Predicate>
void Outbox::drop_waiting_if(Predicate is_unwanted, DropReason reason, Instant now) {
  if (next_waiting(now) == nullptr) return;
  std::vector<Sequence> unwanted;
  const Ring<Entry>& front = contents_.front();
  for (std::size_t i = contents_.send_index(); i < front.size(); ++i) {
    if (front[i].state == PagedQueue::State::Waiting && is_unwanted(front[i])) unwanted.push_back(front[i].sequence);
  }
  for (const Sequence sequence : unwanted) settle(sequence, Outcome::Dropped, now, reason);
}

}  // namespace furrow::broker
