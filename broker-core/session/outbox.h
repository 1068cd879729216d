// The one kind of queue there is: messages on their way to one receiver, bounded, in order, durable when its owner is.
//
//   [ settled ][ in flight ][ waiting          ]   front: in memory
//                                               ┊  gap: in the store only, known by count
//                                               [ waiting ]   tail: in memory until durable
//
// The front lives in memory; once it is larger than a fixed budget, what comes after it leaves memory as soon as it is
// durable and is read back in pages as the front drains. Memory does not grow with the backlog. A memory-only outbox
// (queue id 0) has only a front. A sequence that lies between those that are here, and is not, is settled. Each message
// is settled exactly once: delivered, expired, or dropped for a reason; the books say which. Thread: loop. Time: passed
// in. Knows neither connection nor protocol version; session/inflight.h moves what is sent.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "broker-core/base/ids.h"
#include "broker-core/base/ring.h"
#include "broker-core/base/time.h"
#include "broker-core/message.h"
#include "broker-core/session/books.h"
#include "broker-core/session/hole.h"
#include "broker-core/session/journal.h"
#include "broker-core/session/segment.h"
#include "broker-core/session/subscription_ids.h"
#include "broker-core/store.h"

namespace furrow::broker {

enum class WhenFull : std::uint8_t { DropOldest, DropNewest, Refuse };

struct OutboxLimits {
  std::uint64_t messages_max = 0;  // 0 = no limit
  std::uint64_t bytes_max = 0;     // of Message::bytes_size(); 0 = no limit
  Duration age_max{};              // 0 = no limit
  WhenFull when_full = WhenFull::DropOldest;
};

// Who sends from an outbox: told when more can be sent than before.
class OutboxOwner {
 public:
  virtual void handle_progress(Instant now) = 0;
  // The message that came by a shared subscription is settled, or written: its group need not keep it any more.
  virtual void handle_group_safe(GroupId, Sequence, Instant) {}
  // The `$share/GROUP/FILTER` of a group, for the store, and which group that is now; none when there is none.
  virtual std::string_view filter_of(GroupId) const { return {}; }
  virtual GroupId group_of(std::string_view) const { return {}; }

 protected:
  ~OutboxOwner() = default;
};

class Outbox {
 public:
  // How far one message is; the in-flight states are those of MQTT 5.0 §4.3.
  enum class State : std::uint8_t {
    Waiting,   // not sent on this or any earlier connection
    Reserved,  // QoS 2: has its packet identifier, which is not yet durable
    Sent,      // PUBLISH has left, no PUBACK or PUBREC yet
    Received,  // QoS 2: PUBREC came; that is not yet durable
    Released,  // QoS 2: PUBREL has left, no PUBCOMP yet
    Settled,   // done, and behind something that is not
  };
  struct Entry {
    MessageRef message;                // empty once settled
    Commitment* commitment = nullptr;  // while it waits in the journal
    SubscriptionIds subscription_ids;
    Sequence sequence;
    BatchNumber waits_for;  // Reserved, Received: must be durable before the next packet leaves
    GroupId group;          // of the shared subscription that it came by
    PacketId packet_id;
    mqtt::Qos qos = mqtt::Qos::AtMostOnce;
    State state = State::Waiting;
    bool retain = false;
    bool on_disk = false;
    bool resend = false;  // was in flight on an earlier connection and is not yet again on this one
  };

  struct Options {
    OutboxLimits limits;
    QueueId queue;                 // 0: memory only
    OutboxOwner* owner = nullptr;  // told when a page was read or a QoS 2 step became durable; and of groups
    bool stores_books = false;     // the books are this outbox's own and go with its cursor row; only with a queue
  };

  // A durable outbox registers itself with `journal` for its lifetime. `books` and `journal` must outlive it.
  Outbox(const Options& options, Journal& journal, Books& books);
  // A queue found at start: everything stored and not settled is its gap. Accepted counts what is left.
  Outbox(const Options& options, const CursorRow& cursor, Journal& journal, Books& books);
  // Messages left are dropped, counted as `session_ended`.
  ~Outbox();
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  bool durable() const { return static_cast<bool>(queue_); }
  QueueId queue() const { return queue_; }
  void set_limits(OutboxLimits limits) { limits_ = limits; }

  // Whether push() would refuse a message of `bytes`: only under WhenFull::Refuse.
  bool refuses(std::size_t bytes) const;
  // Whether the limit is reached, whatever happens then.
  bool full() const { return over_limit(messages_ + 1, bytes_ + 1); }

  // Accepts `message`; counts what was dropped to make room, or that it was itself dropped.
  // `commitment` is called for only when the message is taken and the outbox is durable; `wait` is how long the owner
  // would wait for the far acknowledgement before the message must be written (0 = it is away). REQUIRES:
  // !refuses(message size).
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

  // --- sending; indexes count from the front and shift when the front is popped ---
  // Entries [0, send_index) have been sent (or settled); the entry at send_index waits. So do those behind it, unless
  // one before them was requeued.
  std::size_t front_size() const { return front_.size(); }
  std::size_t send_index() const { return send_index_; }
  Entry& entry(std::size_t index) { return front_[index]; }
  const Entry& entry(std::size_t index) const { return front_[index]; }
  // Where the message with this sequence is, if it is in memory and not settled.
  std::optional<std::size_t> index_of(Sequence sequence) const;
  // What is kept in memory behind the gap, while it is not durable; indexes count from its front.
  std::size_t tail_size() const { return tail_.size(); }
  const Entry& tail_entry(std::size_t index) const { return tail_[index]; }
  // What the next accepted message gets.
  Sequence next_sequence() const { return next_; }
  // The next message to send, after dropping what has expired or is too old; nullptr when none is in memory.
  Entry* next_waiting(Instant now);
  // The entry at send_index is now sent (or reserved). REQUIRES: it is no longer Waiting.
  void advance();
  // Everything in flight waits again from the start, packet identifiers forgotten. For a peer that has lost the
  // session, or when that ends.
  void rewind();

  // Moved: it leaves the books; whoever has it now accepts it, or says with pass() what became of it.
  enum class Outcome : std::uint8_t { Delivered, Expired, Quarantined, Dropped, Moved };
  // The entry at `index`, which was sent, waits again.
  void requeue(std::size_t index);

  // Ends the entry at `index`; `reason` counts for Outcome::Dropped.
  void settle(std::size_t index, Outcome outcome, Instant now, DropReason reason = DropReason::QueueFull);
  // Counts a message that was accepted and done with at once: QoS 0 written to the socket, or not taken.
  void pass(Outcome outcome, Instant now, DropReason reason = DropReason::QueueFull);

  // The message was in flight before a restart: it neither expires nor makes room, until unprotect() or its end.
  // REQUIRES: in the order of the sequences.
  void protect(Sequence sequence) { protected_.push_back(sequence); }
  void unprotect(Sequence sequence) { std::erase(protected_, sequence); }
  // Asks the journal for the message on disk (QoS 2). Null effect when it is, or is on its way there.
  void hasten(Entry& entry, Instant now);

  // --- what waits ---
  std::uint64_t messages() const { return messages_; }  // accepted and not settled
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t inflight() const { return inflight_; }             // of messages(): sent, or about to be
  std::uint64_t backlog() const { return messages_ - inflight_; }  // of messages(): not yet sent
  std::uint64_t disk_messages() const { return disk_messages_; }
  bool has_waiting() const { return send_index_ < front_.size() || gap_messages_ > 0 || !tail_.empty(); }
  // The oldest message in memory; nothing when empty.
  std::optional<Instant> oldest() const;
  const Books& books() const { return books_; }

  // --- the store's side ---
  // Journal only: a page that refill() asked for.
  void handle_page(const Page& page, const ClockStamp& now);
  // Journal only: the wall clock is trusted again; what was read while it was not is as old as it should be.
  void correct_ages(const ClockStamp& now);
  // Journal only: the message goes into `batch`, and with it the packet identifier reserved for it, if any. Returns how
  // it is to be delivered.
  DeliveryOptions mark_written(Sequence sequence, Batch& batch);
  // Journal only: the batch that the message was in is taken back, so it waits in `commitment` again. False when it has
  // been settled meanwhile.
  [[nodiscard]] bool mark_unwritten(Sequence sequence, Commitment& commitment);
  // Journal only: everything written up to `sequence` is durable; memory beyond the front's budget is given back.
  void handle_durable(Sequence sequence);
  // Journal only: the row that says how far the queue is settled.
  CursorRow cursor() const;

  // Drops everything, counted under `reason`.
  void drop_all(DropReason reason, Instant now);
  // Settles what is waiting beyond age or expiry at the front. Returns when to look again.
  Instant expire(Instant now);

 private:
  friend class Journal;

  // Beyond this, what waits leaves memory as soon as it is durable.
  static constexpr std::size_t kFrontBytesMax = 1 * MiB;
  // A small message takes several times as much memory as it takes of a page.
  static constexpr std::size_t kPageShare = 4;
  // So many settled entries between those in flight are not worth moving the others.
  static constexpr std::size_t kSettledMax = 64;
  static constexpr std::size_t kEntryOverhead = sizeof(Entry) + sizeof(Message) + 16;

  // Messages [first, end) of the front were read when nobody knew how long before this boot they were written.
  struct Undated {
    Sequence first;
    Sequence end;
    ClockStamp written;
  };

  bool over_limit(std::uint64_t messages, std::uint64_t bytes) const;
  bool make_room(const Message& message, Instant now);
  void drop_oldest(std::uint64_t messages, std::uint64_t bytes, Instant now);
  Entry& append(MessageRef message, const DeliveryOptions& options);
  void count(Outcome outcome, DropReason reason, Instant now, std::uint64_t messages = 1);
  void finish(Entry& entry, Outcome outcome, DropReason reason, Instant now);
  bool too_old(const Entry& entry, Instant now) const;
  bool is_protected(Sequence sequence) const;
  void pop_settled();
  void compact();
  void spill();
  void refill();
  void read_ahead();
  bool take_segment(const SegmentRow& segment, const ClockStamp& now);
  void take(SegmentReader::Record&& record);
  void note_undated(const Undated& read);
  void drop_gap(DropReason reason, Instant now);
  std::size_t find(const Ring<Entry>& ring, Sequence sequence) const;
  Entry& at(Sequence sequence);
  Entry* find_left(Sequence sequence);
  std::size_t entry_bytes(const Entry& entry) const { return kEntryOverhead + entry.message->bytes_size(); }

  // Constant after construction.
  const QueueId queue_;
  const bool stores_books_;
  OutboxOwner* const owner_;
  Journal& journal_;
  Books& books_;
  OutboxLimits limits_;

  Ring<Entry> front_;
  std::size_t send_index_ = 0;
  std::size_t front_bytes_ = 0;  // memory of what waits in front_; what is in flight is bounded by the window

  // The gap: sequences [gap_first_, gap_end_), of which gap_messages_ are stored and not settled.
  Sequence gap_first_{1};
  Sequence gap_end_{1};
  std::uint64_t gap_messages_ = 0;
  std::uint64_t gap_bytes_ = 0;
  SegmentId read_after_;
  Sequence read_end_;  // gap_end_ when the page under way was asked for
  bool reading_ = false;
  std::vector<Hole> holes_;       // settled before the restart, in the gap; in order
  std::vector<Undated> undated_;  // in order

  Ring<Entry> tail_;
  Sequence durable_;  // written up to here and durable
  Sequence next_{1};
  std::vector<Sequence> protected_;  // in order

  std::uint64_t inflight_ = 0;
  std::uint64_t messages_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t disk_messages_ = 0;
  std::uint64_t disk_bytes_ = 0;

  // The journal's.
  bool touched_ = false;
  bool cursor_held_ = false;
  std::uint64_t selection_ = 0;  // the journal's selection that this outbox was marked in
  std::uint64_t record_ = 0;     // and its record
};

}  // namespace furrow::broker
