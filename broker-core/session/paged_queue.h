// Messages in the order of their sequences, of which memory holds a bounded part.
//
//   [ settled ][ in flight ][ waiting          ]   front: in memory
//                                               ┊  gap: in the store only, known by count
//                                               [ waiting ]   tail: in memory until it is on disk
//
// Once the front is larger than a fixed budget, the messages behind it leave memory as soon as they are on disk, and
// are read back in pages as the front drains: memory does not grow with the backlog. A queue in memory has nothing but
// a front. A sequence number that is missing between two entries is settled. Limits and books are those of
// session/outbox.h. Thread: loop.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "broker-core/base/ids.h"
#include "broker-core/base/ring.h"
#include "broker-core/message.h"
#include "broker-core/session/doubtful_ages.h"
#include "broker-core/session/hole.h"
#include "broker-core/session/segment.h"
#include "broker-core/session/subscription_ids.h"
#include "broker-core/store.h"

namespace furrow::broker {

class Commitment;

class PagedQueue {
 public:
  enum class State : std::uint8_t {
    Waiting,   // to be sent
    InFlight,  // some window has it
    Settled,   // done with, and behind a message that is not
  };
  struct Entry {
    MessageRef message;                // empty once settled
    Commitment* commitment = nullptr;  // while it waits in the journal
    SubscriptionIds subscription_ids;
    Sequence sequence;
    mqtt::Qos qos = mqtt::Qos::AtMostOnce;
    State state = State::Waiting;
    bool retain = false;
    bool on_disk = false;
    bool ages = true;        // may become too old; a retained value may not
    bool ephemeral = false;  // no longer kept in the store: see Outbox::forgo()
  };

  // --- accepting ---
  // `in_memory`: the queue has no store, and so no gap.
  Entry& append(MessageRef message, const DeliveryOptions& options, bool in_memory);
  // A queue found at start: everything stored and not settled is its gap. REQUIRES: nothing was appended.
  void restore(const CursorRow& cursor);
  // The next message gets no sequence below this one. REQUIRES: nothing was appended.
  void skip_to(Sequence next);

  // --- sending ---
  // The first waiting entry in memory; nullptr when there is none. A page may have to be read: see read_request().
  Entry* next_waiting();
  // The unsettled entry of `sequence`, if it is in memory.
  Entry* find(Sequence sequence);
  const Entry* find(Sequence sequence) const { return const_cast<PagedQueue*>(this)->find(sequence); }
  // Whether the message can still come from the store.
  bool in_gap(Sequence sequence) const {
    return gap_messages_ > 0 && sequence >= gap_first_ && sequence < gap_end_ && !is_in_hole(holes_, sequence);
  }

  // References to entries are invalid after each of these.
  void send(Entry& entry);       // waiting → in flight
  Entry& send_next();            // the same for what next_waiting() has returned. REQUIRES: nothing has changed since
  void give_back(Entry& entry);  // in flight → waiting, in its place
  void settle(Entry& entry);     // lets go of the message. REQUIRES: an entry of the front
  // Forgets all messages, in memory and in the gap.
  void clear();
  // Forgets the messages of the gap, which are known by their counts alone.
  struct Counts {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
  };
  Counts clear_gap();

  bool has_waiting() const { return waiting_ > 0 || gap_messages_ > 0 || !tail_.empty(); }
  std::uint64_t inflight() const { return inflight_; }
  std::uint64_t inflight_bytes() const { return inflight_bytes_; }
  // The oldest message in memory; nothing when there is none.
  std::optional<Instant> oldest() const;
  // The sequence of the next accepted message.
  Sequence next_sequence() const { return next_; }

  // --- the store ---
  // The page to read next, if the front has room for it. Its answer goes to take(), by the number of note_asked().
  std::optional<ReadRequest> read_request(QueueId queue);
  void note_asked(ReadNumber number) { reading_ = number; }
  // Settles a message of the gap before it was read. Its bytes are not known: returns none, or with the last message
  // all that the gap still counts. REQUIRES: in_gap(sequence).
  [[nodiscard]] std::uint64_t settle_unread(Sequence sequence);
  // Takes the messages of the gap that the answer to read_request() has; a page that was not asked for, or not by this
  // queue, has none. Messages that were in flight before a restart wait, too. Returns the messages that a damaged store
  // should have had and has not; the gap is empty then. Bytes without messages are those of messages settled unread.
  Counts take(const Page& page, QueueId queue, const ClockStamp& now);
  // Entries have been marked as on disk: those behind a full front leave memory.
  void spill();
  std::uint64_t gap_messages() const { return gap_messages_; }
  std::uint64_t gap_bytes() const { return gap_bytes_; }
  // in_gap() knows no message from this sequence on.
  Sequence gap_end() const { return gap_messages_ > 0 ? gap_end_ : Sequence{}; }
  // Fills row.settled, row.next and row.holes: which sequences are settled, of those that are in the store or in the
  // batch being built.
  void write_cursor(CursorRow& row) const;
  // The wall clock is trusted now.
  void correct_ages(const ClockStamp& now) { doubtful_ages_.correct(*this, now); }

  // --- looking ---
  // The sequence of the oldest entry in memory; next_sequence() when there is none.
  Sequence first_in_memory() const;
  // Unsettled entries of the front with a sequence in [first, end), in order.
  template <typename Visit>
  void for_each_between(Sequence first, Sequence end, Visit visit) const {
    if (front_.empty() || end <= front_.front().sequence) return;
    for (std::size_t i = index_near(front_, std::max(first, front_.front().sequence)); i < front_.size(); ++i) {
      const Entry& entry = front_[i];
      if (entry.sequence >= end) return;
      if (entry.sequence >= first && entry.state != State::Settled) visit(entry);
    }
  }
  // Every entry of the front, also settled ones, and then of the tail.
  template <typename Visit>
  void for_each(Visit visit) {
    for (std::size_t i = 0; i < front_.size(); ++i) visit(front_[i]);
    for (std::size_t i = 0; i < tail_.size(); ++i) visit(tail_[i]);
  }
  const Ring<Entry>& front() const { return front_; }
  // No entry of the front before this one waits.
  std::size_t send_index() const { return send_index_; }
  const Ring<Entry>& tail() const { return tail_; }

 private:
  // With more than this in memory, waiting messages leave it as soon as they are on disk.
  static constexpr std::size_t kFrontBytesMax = 1 * MiB;
  // A small message takes several times its share of a page in memory.
  static constexpr std::size_t kPageShare = 4;
  // Up to this many settled entries may lie between those in flight before the others are moved.
  static constexpr std::size_t kSettledMax = 64;
  static constexpr std::size_t kEntryOverhead = sizeof(Entry) + sizeof(Message) + 16;

  static std::size_t memory_bytes(const Entry& entry) { return kEntryOverhead + entry.message->bytes_size(); }
  static std::size_t index_near(const Ring<Entry>& ring, Sequence sequence);
  void refill();
  void pop_settled();
  Sequence first_unwritten() const;
  void compact();
  bool take_segment(const SegmentRow& segment, QueueId queue, const ClockStamp& now);
  void take(SegmentReader::Record&& record);

  Ring<Entry> front_;
  std::size_t send_index_ = 0;   // no entry before it waits
  std::size_t front_bytes_ = 0;  // memory of waiting entries of front_; windows bound those in flight
  std::uint64_t waiting_ = 0;    // entries of front_
  std::uint64_t inflight_ = 0;   // entries of front_
  std::uint64_t inflight_bytes_ = 0;

  // The gap: sequences [gap_first_, gap_end_), of which gap_messages_ are stored and not settled.
  Sequence gap_first_{1};
  Sequence gap_end_{1};
  std::uint64_t gap_messages_ = 0;
  std::uint64_t gap_bytes_ = 0;
  std::vector<Hole> holes_;  // settled before the restart, in the gap; in order
  SegmentId read_after_;
  Sequence read_end_;   // gap_end_ when the page under way was asked for
  ReadNumber reading_;  // the page under way; 0 = none
  DoubtfulAges doubtful_ages_;

  Ring<Entry> tail_;
  Sequence next_{1};
};

}  // namespace furrow::broker
