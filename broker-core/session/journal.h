// What waits to become safe, and when it is written.
//
// A message that durable outboxes took, or that is retained, or whose QoS 2 packet identifier must be remembered, has
// one Commitment here. It ends in one of two ways: every destination settles the message before it is durable, or a
// batch that holds it becomes durable. Either way the publisher's acknowledgement leaves then, not before.
//
//   waiting ──all destinations settled──────────────► ended (nothing written)
//      │ due, or the writer is idle and nobody should wait longer
//      ▼
//   at the writer ──all destinations settled────────► ended, though the batch brings it
//      │   │ the batch is durable───────────────────► ended
//      │ the store could not write the batch
//      ▼
//   waiting, not written again before the store has had a rest; rows without messages go on
//
// A batch is a plan: submitting one marks what is in it and changes nothing else. The store's yes makes true what it
// says, its no clears the marks. Between the two nothing in memory says that the batch is durable.
//
// A message of a mesh (message_id.h) says its id here, so that the store knows with the message that it was had, and
// not before. Where nothing is written for messages, the ids that are safe wait for the next batch.
//
// The messages of a queue are written in the order of their sequences: with one go all before it that are not yet
// settled. One batch is at the writer at a time; while it syncs, the next gathers (group commit).
// Thread: loop. Time: passed in. Owns commitments; refers to outboxes by registration, which an outbox ends in its
// destructor.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "broker-core/base/ids.h"
#include "broker-core/base/time.h"
#include "broker-core/message.h"
#include "broker-core/session/ack_queue.h"
#include "broker-core/session/commit_clock.h"
#include "broker-core/session/heard_ids.h"
#include "broker-core/session/store_condition.h"
#include "broker-core/store.h"
#include "tsl/robin_map.h"

namespace furrow::broker {

class Journal;
class Outbox;
class SegmentWriter;

// One message on its way to safety. Made by Journal::open(); ended by the journal.
class Commitment {
 public:
  const MessageRef& message() const { return message_; }
  // Whether a batch that the store has not answered holds the message: it may come to lie on disk.
  bool at_writer() const { return at_writer_; }

 private:
  friend class Journal;
  struct Destination {
    Outbox* outbox = nullptr;
    Sequence sequence;
  };
  static constexpr std::size_t kInline = 2;

  std::size_t destination_count() const { return inline_count_ + more_.size(); }
  Destination& destination(std::size_t index) {
    return index < inline_count_ ? inline_[index] : more_[index - inline_count_];
  }
  // Nothing has to become durable (any more).
  bool is_empty() const { return destination_count() == 0 && !retained_ && !exchange_; }
  void add(Destination destination);
  // False when there is no such destination.
  bool remove(const Outbox& outbox, Sequence sequence);
  // The memory that it takes while it waits, with the entry of a first destination.
  std::size_t memory_bytes() const { return kOverhead + message_->bytes_size(); }
  static const std::size_t kOverhead;

  MessageRef message_;
  AckTicket ticket_;
  mqtt::ReasonCode reason_ = mqtt::ReasonCode::Success;  // what the ticket is completed with
  Instant due_ = kNever;                                 // when it must be written
  Instant aged_ = kNever;                                // from this moment it joins any batch that is written anyway
  Instant due_max_ = kNever;  // upper bounds of both, however long a destination added later is willing to wait
  Instant aged_max_ = kNever;
  Duration wait_{};              // the longest of its destinations
  bool retained_ = false;        // its topic's retained row must be durable
  bool first_of_topic_ = false;  // the topic had no value before
  bool paced_ = false;           // a publisher waits for the retained row alone
  bool sealed_ = false;          // in the list of those that wait; before that it cannot end
  bool selected_ = false;        // goes into the batch being built
  bool at_writer_ = false;       // in the batch at the writer
  bool ended_ = false;           // while at the writer: every destination has settled it
  bool gathers_ = false;         // a destination is away
  std::uint8_t inline_count_ = 0;
  std::optional<ExchangeRow> exchange_;  // the inbound packet identifier that must be durable with it
  HeardIds::Mark id_;                    // becomes safe when it ends, or with the batch that has it
  std::array<Destination, kInline> inline_{};
  std::vector<Destination> more_;
  Commitment* previous_ = nullptr;
  Commitment* next_ = nullptr;
};

// Is told, once for each time that it has asked, when a batch has become durable or a page was read.
class StoreWaiter {
 public:
  virtual void handle_store_progress(Instant now) = 0;

 protected:
  ~StoreWaiter() = default;
};

class Journal {
 public:
  struct Options {
    // `store.acknowledge: received`: acknowledge at once; the loss in a crash is bounded by the flush.
    bool acknowledge_when_received = false;
    // `store.retained: lazy`: acknowledgements do not wait for the retained row.
    bool retained_lazy = false;
    // In the long run one commit each interval is made for retained values alone (retained_pace.h), and a value waits
    // no longer than that for a newer one of its topic.
    Duration retained_interval = std::chrono::seconds(1);
    // How long messages gather for a destination that is away, unless somebody waits: fewer, larger commits wear the
    // flash less, and each message shares its commit with more others.
    Duration gather_interval = std::chrono::milliseconds(100);
    // Bounds that end the gathering early.
    CommitClock::Options clock = {};
    // A cursor may stay unwritten for this long, and for this many settled messages that are on disk: a crash repeats
    // them, which is allowed at QoS 1.
    Duration cursor_interval = std::chrono::seconds(1);
    std::size_t cursor_messages_max = 2'000;
    // Counters may stay unwritten for this long when nothing else is written.
    Duration books_interval = std::chrono::minutes(10);
    // Messages that the store could not write rest for this long before they are tried again.
    Duration retry_interval = std::chrono::seconds(1);
    // Retained rows of one batch; more go with the following ones.
    std::size_t retained_rows_max = 1'000;
    // Bytes of records in one segment row; more are split.
    std::size_t segment_bytes_max = 64 * KiB;
    // Bytes of messages in one batch: bounds the time that a commit takes, and its memory.
    std::size_t batch_bytes_max = 1 * MiB;
  };

  using StampClock = std::function<ClockStamp(Instant)>;

  // `stamp` tells the wall clock and boot id that go with a moment of the monotonic clock.
  Journal(Options options, Store& store, StampClock stamp, SegmentId last_segment);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // Kept for those who refuse messages; the journal itself does not ask.
  StoreCondition& condition() { return condition_; }
  const StoreCondition& condition() const { return condition_; }
  const Options& options() const { return options_; }
  // Commitments that wait keep their deadlines; their answers may come as before.
  void set_options(const Options& options) {
    options_ = options;
    clock_.set_options(options.clock, options.retained_interval);
  }
  // The wall clock and boot that go with a moment of the monotonic clock.
  ClockStamp stamp(Instant now) const { return stamp_(now); }

  // --- outboxes ---
  void attach(Outbox& outbox);
  void detach(Outbox& outbox);
  // `outbox` has settled a message that is on disk: its cursor goes with the next batch, or with one of its own after
  // Options::cursor_interval or `cursor_messages_max` such messages.
  void touch(Outbox& outbox, Instant now);
  // Only its books have changed: as touch(), after Options::books_interval.
  void touch_books(Outbox& outbox, Instant now);
  // Every durable outbox.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (const auto& [queue, outbox] : outboxes_) visit(*outbox);
  }

  // --- messages: open, add what must be durable, then seal ---
  Commitment& open(MessageRef message);
  // The destination is willing to wait `wait` for its own acknowledgement; 0 = it is away.
  void add_destination(Commitment& commitment, Outbox& outbox, Sequence sequence, Duration wait, Instant now);
  // `first_of_topic`: the topic had no value before.
  void add_retained(Commitment& commitment, bool first_of_topic, Instant now);
  void add_exchange(Commitment& commitment, const ExchangeRow& row, Instant now);
  // The message has this id among those of heard_ids().
  static void set_id(Commitment& commitment, HeardIds::Mark id) { commitment.id_ = id; }
  // From now on the commitment may end at any time; `ticket` is then completed with `reason`.
  void seal(Commitment& commitment, AckTicket ticket, mqtt::ReasonCode reason);

  // `outbox` has settled the message `sequence`: it was acknowledged, dropped or has expired. The commitment may end
  // here.
  void settled(Commitment& commitment, Outbox& outbox, Sequence sequence);
  // `outbox` needs the message on disk now (QoS 2: before the PUBLISH leaves).
  void hasten(Commitment& commitment, Instant now);

  // --- ids of a mesh ---
  // Which messages were had. What changes there is written with the next batch that is written anyway, or by
  // flush_all().
  HeardIds& heard_ids() { return heard_ids_; }
  const HeardIds& heard_ids() const { return heard_ids_; }
  // Ids of our own below `end` may be given once the batch that is returned is durable.
  BatchNumber reserve_ids(std::uint64_t end);

  // --- other rows: they go with the next batch, which is written as soon as the writer is idle ---
  BatchNumber put(QueueRow row);
  BatchNumber put(SessionRow row);
  BatchNumber put(const ExchangeRow& row);
  // Takes a row away that was found at start.
  void erase(ExchangeRow row) {
    row.state = ExchangeRow::State::Erased;
    (void)put(row);
  }
  // The peer of `queue` may use these inbound identifiers for other messages. Commitments that wait with one are
  // written without it: behind the row that erases it, theirs would bring it back. Looks at each that waits.
  void release_identifiers(QueueId queue, const std::unordered_set<PacketId>& identifiers);
  BatchNumber remove_queue(QueueId queue);
  // As put(), without haste: the row goes with the next batch that is written anyway, or after
  // Options::cursor_interval.
  void put_lazy(QueueRow row, Instant now);
  void put_lazy(SessionRow row, Instant now);
  void put_lazy(const ExchangeRow& row, Instant now);
  // Rows that were put without haste until now go with the next batch, as those of put() do.
  BatchNumber hasten_rows() {
    clock_.need_rows_now();
    return gathering_.number;
  }
  // The cursor of `outbox` goes with the next batch, as a row of put() does.
  BatchNumber touch_now(Outbox& outbox);
  // Completes `ticket` when all messages that wait now, and all rows put until now, are durable.
  void complete_when_durable(AckTicket ticket);
  // Completes `ticket` when all rows put until now are durable, whatever becomes of messages.
  void complete_with_rows(AckTicket ticket);

  // The retained message of `topic` has changed (empty: was removed); `message` lives in the retained store. Only the
  // newest value is written, within Options::retained_interval, or before that when a publisher waits for it and
  // RetainedPace allows it.
  void retained_changed(std::string_view topic, MessageRef message, Instant now);
  // Whether the newest value of the topic may not be durable yet, here or at the far side: a crash may bring back a
  // settled message, and with it an older value.
  bool retained_unsafe(std::string_view topic) const {
    return at_writer_.has_value() || settled_unwritten_ > 0 || retained_.contains(std::string(topic));
  }

  // --- time ---
  // The wall clock is trusted now: messages that were read before get the time spent powered off added to their age.
  void correct_ages(Instant now);
  // For outboxes: messages have expired, or have become too old.
  void note_expired(std::uint64_t messages, Instant now) {
    if (now < corrected_until_) expired_by_correction_ += messages;
  }
  // Messages that have expired within a minute of such a correction: to an operator they seem to have expired at once.
  std::uint64_t expired_by_correction() const { return expired_by_correction_; }

  // --- progress ---
  BatchNumber durable() const { return durable_; }
  bool is_durable(BatchNumber batch) const { return batch <= durable_; }
  // A publisher can go no further before it is acknowledged: the next batch does not wait for more messages.
  void hurry() { clock_.hurry(); }
  // The same for a publisher of retained values: the next batch does not wait for newer ones.
  void hurry_retained() { clock_.hurry_values(); }
  // How often add_retained() was called.
  std::uint64_t retained_added() const { return retained_added_; }
  // Every batch up to `watermark` is durable: what it says is true now, and those who waited for it go on.
  void handle_persisted(BatchNumber watermark, Instant now);
  // The store could write nothing of `batch`, the one at the writer, and has forgotten it. Its messages rest for a
  // while, and its other rows go with the next batch: so queues drain while messages cannot be written.
  void handle_not_persisted(Batch batch, Instant now);
  // Tells `waiter`, once, when a batch has become durable or a page was read.
  void wake_on_progress(StoreWaiter& waiter) { waiters_.push_back(&waiter); }
  void forget(StoreWaiter& waiter) { std::erase(waiters_, &waiter); }
  // For outboxes: asks the store for a page. The answer has the number returned here, and reaches the outbox and then
  // its owner.
  ReadNumber read(ReadRequest request) {
    request.number = ReadNumber{++last_read_.value};
    store_.read(request);
    return request.number;
  }
  void handle_page(const Page& page, Instant now);
  // Submits a batch if one is due and the writer is idle. Call once a loop turn and at next_deadline().
  void flush_if_due(Instant now);
  // Submits everything that waits, due or not (clean stop, link loss): a batch as soon as the one before is answered.
  void flush_all(Instant now);
  // Whether nothing waits and nothing is at the writer.
  bool idle() const;
  Instant next_deadline() const;

  // Memory of messages that wait or are at the writer: what `limits.commit_waiting` bounds.
  std::size_t waiting_bytes() const { return waiting_bytes_; }

 private:
  // The batch at the writer, as far as its answer needs it.
  struct Submitted {
    BatchNumber number;
    std::vector<Commitment*> commitments;  // in the order of their arrival
    std::vector<QueueId> queues;           // of its cursors
    std::vector<std::string> topics;       // of its retained rows
    std::vector<AckTicket> tickets;        // of complete_when_durable()
    std::vector<AckTicket> row_tickets;    // of complete_with_rows()
    std::size_t exchanges = 0;             // the first exchange rows are those put; the others are of commitments
    std::size_t bytes = 0;                 // of its messages
  };
  struct Retained {
    MessageRef message;      // empty: the topic has none any more
    bool at_writer = false;  // the batch at the writer has it
  };

  static constexpr Duration kCorrectionTime = std::chrono::seconds(60);
  // This many commitments are kept to be used again: those of a few full batches of small messages.
  static constexpr std::size_t kSpareMax = 4096;

  CommitClock::Waiting waiting() const;
  bool has_rows() const;
  void release(Commitment& commitment);
  void unlink(Commitment& commitment);
  void enter_clock(const Commitment& commitment);
  void leave_clock(const Commitment& commitment);
  void recycle(Commitment& commitment);
  void limit_wait(Commitment& commitment, Instant due, Instant aged);
  void find_earliest_due();
  void mark_touched(Outbox& outbox, Instant due);
  void gather(SessionRow row);
  void wake_waiters(Instant now);
  Outbox* find(QueueId queue) const;

  void wait_for_value(Commitment& commitment);
  void submit(bool all_values, Instant now);
  bool select(Instant now);
  bool write_selected(Batch& batch, Submitted& plan, const ClockStamp& stamp);
  void write_message(Commitment& commitment, SegmentWriter& writer);
  void write_retained(Batch& batch, Submitted& plan, const ClockStamp& stamp, bool all_values);
  void write_retained(Batch& batch, Submitted& plan, const std::string& topic, Retained& value,
                      const ClockStamp& stamp);
  void write_cursors(Batch& batch, Submitted& plan);
  bool says_nothing(const Batch& batch, const Submitted& plan) const;

  Options options_;
  Store& store_;
  const StampClock stamp_;
  StoreCondition condition_;

  tsl::robin_map<std::uint64_t, Outbox*> outboxes_;
  std::vector<Outbox*> touched_;
  std::vector<StoreWaiter*> waiters_;

  // Commitments in order of arrival, waiting or at the writer.
  Commitment* first_ = nullptr;
  Commitment* last_ = nullptr;
  std::size_t waiting_bytes_ = 0;
  Commitment* spare_ = nullptr;
  std::size_t spares_ = 0;

  CommitClock clock_;
  std::uint64_t retained_added_ = 0;
  bool draining_ = false;              // flush_all() has more to submit
  std::uint64_t selection_ = 0;        // marks outboxes while a batch is selected
  std::size_t settled_unwritten_ = 0;  // settled messages whose cursor is not written yet; a queue may count as one
  Instant corrected_until_ = Instant::min();
  std::uint64_t expired_by_correction_ = 0;

  HeardIds heard_ids_;
  tsl::robin_map<std::string, Retained> retained_;  // changed topics that are not durable yet

  Batch gathering_;                                          // rows of the next batch
  tsl::robin_map<std::string, std::size_t> session_places_;  // in gathering_.sessions, by client identifier
  std::vector<AckTicket> gathering_tickets_;
  std::vector<AckTicket> gathering_row_tickets_;
  std::optional<Submitted> at_writer_;
  BatchNumber durable_;
  SegmentId last_segment_;
  ReadNumber last_read_;
};

}  // namespace furrow::broker
