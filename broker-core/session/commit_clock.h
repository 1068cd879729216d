// When the journal writes: how long messages and rows may wait, and how commits bring publishers together.
//
// A message names its own moment. A message that waits for a destination that is away gathers with others, for an
// interval or until there are enough bytes. A publisher that is blocked on us ends that: then the batch leaves as soon
// as the messages that should share it are there. Commits for retained values alone have a pace of their own
// (retained_pace.h). Messages that the store could not write rest for a while, and rows without messages go on. Knows
// no messages: the journal says what it adds. Thread: loop. Time: passed in.
#pragma once

#include <algorithm>
#include <cstddef>

#include "broker-core/base/bytes.h"
#include "broker-core/base/time.h"
#include "broker-core/session/retained_pace.h"

namespace furrow::broker {

class CommitClock {
 public:
  struct Options {
    // This much gathered is written without waiting longer: a batch gains little beyond it.
    std::size_t gather_bytes_max = 256 * KiB;
    // The publishers answered by a commit send again while others already wait. To bring both into one commit, a
    // hurried flush waits until as many bytes have gathered as there were, or for a quarter of the last commit's
    // duration, clamped to these bounds.
    Duration rejoin_time_min = std::chrono::milliseconds(1);
    Duration rejoin_time_max = std::chrono::milliseconds(5);
  };
  CommitClock(const Options& options, Duration retained_interval) : options_(options), pace_(retained_interval) {}
  void set_options(const Options& options, Duration retained_interval) {
    options_ = options;
    pace_.set_interval(retained_interval);
  }

  // --- messages ---
  // A message must be written at `due`, if it is still there then.
  void note_message(Instant due) { earliest_due_ = std::min(earliest_due_, due); }
  // The earliest moment of all messages that wait.
  void set_earliest(Instant due) { earliest_due_ = due; }
  // Whether a message was due by `now`; it may have been settled since.
  bool earliest_is_due(Instant now) const { return earliest_due_ <= now; }
  // Bytes of messages for a destination that is away.
  void add_gathered(std::size_t bytes) { gathered_bytes_ += bytes; }
  void remove_gathered(std::size_t bytes) { gathered_bytes_ -= bytes; }
  // A publisher is blocked on us.
  void hurry() { hurried_ = true; }
  // The store could not write messages: none before `until`.
  void rest_messages(Instant until) { messages_not_before_ = until; }
  bool messages_rest(Instant now) const { return now < messages_not_before_; }

  // --- retained values whose publishers wait for nothing else ---
  void add_value(std::size_t bytes, bool first_of_topic) { pace_.add(bytes, first_of_topic); }
  void remove_value(std::size_t bytes) { pace_.remove(bytes); }
  void hurry_values() { pace_.hurry(); }
  // Whether a batch is due for retained values alone; then, that it is submitted.
  bool values_are_due(Instant now) const { return values_due() <= now; }
  void pay_for_values(Instant now) { pace_.pay(now); }

  // --- rows ---
  void need_rows_now() { rows_due_ = true; }
  void need_rows(Instant due) { rows_due_by_ = std::min(rows_due_by_, due); }
  void need_retained(Instant due) { retained_due_ = std::min(retained_due_, due); }
  bool retained_is_due(Instant now) const { return retained_due_ <= now; }

  // The journal's part in the decisions below.
  struct Waiting {
    bool rows = false;     // rows wait, beside messages
    bool tickets = false;  // acknowledgements wait until all messages and rows of now are durable
    bool all = false;      // everything is to be written, due or not
  };
  // Whether a batch is to be submitted now.
  bool is_due(const Waiting& waiting, Instant now) const;
  // When to ask again if nothing happens; kNever when nothing waits.
  Instant next(const Waiting& waiting) const;

  // --- the writer ---
  // A batch was submitted. `more`: selected messages did not fit. `more_retained`: not all retained rows did.
  void handle_submitted(bool more, bool more_retained, Instant now);
  // The batch is durable, and has answered publishers of this many bytes.
  void handle_durable(std::size_t answered_bytes, Instant now);

 private:
  // When a hurried flush stops waiting for others: at once when as many bytes have gathered as last time.
  Instant rejoined() const {
    return gathered_bytes_ + pace_.bytes() >= rejoined_bytes_ ? Instant::min() : rejoined_by_;
  }
  // When messages are written because a publisher waits for them.
  Instant hurry_due() const { return hurried_ && gathered_bytes_ > 0 ? rejoined() : kNever; }
  // When retained values are written for their own sake.
  Instant values_due() const { return std::min(retained_due_, std::max(pace_.due(), rejoined())); }

  Options options_;

  Instant earliest_due_ = kNever;  // not later than the earliest message; too early after that one has ended
  std::size_t gathered_bytes_ = 0;
  bool hurried_ = false;
  // A hurried flush waits until this many bytes have gathered, or until then.
  std::size_t rejoined_bytes_ = 0;
  Instant rejoined_by_ = Instant::min();
  Instant submitted_at_{};  // the batch at the writer, or the last one
  Instant messages_not_before_ = Instant::min();

  bool rows_due_ = false;
  Instant rows_due_by_ = kNever;
  Instant retained_due_ = kNever;
  RetainedPace pace_;
};

}  // namespace furrow::broker
