// Which message it is that a far broker ends the connection for, each time that it gets it.
//
//   closes   in a row, each soon after a message was sent, with messages in flight
//   0, 1     all that the window allows
//   from 2   one message at a time; the one that was alone in flight at three closes is the culprit
//
// All is well again once everything that was in flight at the last close was answered. Only what the far broker does in
// order counts: a link that breaks says nothing of a message. A far broker that takes nothing at all, as one in
// maintenance may, must not have a whole buffer set aside: there is no second culprit before another message was
// answered, or before some time has passed. Two kinds follow at their first close: what equals the last culprit, as a
// message may that was published again or was brought back by a crash, and after a message that the far broker has
// already, and whose PUBREL it does not bear, others that it has. Pure. Thread: loop. Time: passed in.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "broker-core/base/ids.h"
#include "broker-core/base/time.h"

namespace furrow::bridge {

class Suspects {
 public:
  // A message, by its place in a queue.
  struct Message {
    QueueId queue;
    Sequence sequence;
    bool operator==(const Message&) const = default;
  };

  unsigned closes() const { return closes_; }
  // Whether one message at a time is to be sent.
  bool one_at_a_time() const { return closes_ >= kClosesBefore; }

  // What was sent on a connection with nothing else unanswered beside it.
  struct Alone {
    Message message;
    std::uint64_t hash = 0;  // of its topic and payload
    bool is_there = false;   // PUBREL was sent: the far broker has the message
  };
  // The far broker has ended the connection. `in_flight` is what it had to answer, in the order of sending and not
  // empty. Returns the message that is to be set aside.
  std::optional<Message> handle_close(std::deque<Message> in_flight, const std::optional<Alone>& alone, Instant now);
  // A message was answered. `is_open`: whether a message is still to be delivered.
  template <typename IsOpen>
  void handle_answer(IsOpen is_open) {
    has_answered_ = true;
    while (!in_flight_.empty() && !is_open(in_flight_.front())) in_flight_.pop_front();
    if (in_flight_.empty()) forget();
  }
  // What closes have told so far says nothing any more.
  void forget();

 private:
  bool is_like_the_last(const Alone& alone) const;

  static constexpr unsigned kClosesBefore = 2;
  static constexpr unsigned kClosesAlone = 3;
  static constexpr Duration kNextCulpritAfter = std::chrono::minutes(10);

  unsigned closes_ = 0;
  std::deque<Message> in_flight_;  // at the last close, and unanswered since
  std::optional<Message> suspect_;
  unsigned closes_of_suspect_ = 0;
  bool has_answered_ = true;  // since the last culprit
  std::optional<Alone> last_culprit_;
  Instant next_culprit_from_ = Instant::min();
};

}  // namespace furrow::bridge
