// When a commit is made for nothing but retained values, so that flash is spared and nobody is held for that.
//
// Such commits are paid from a budget that fills by one each interval and holds a few hundred: a value whose publisher
// waits for its answer is written at once while there is a commit left, and when there is none, as soon as the next one
// is: an interval later at most. So only publishers that renew their topics steadily, and together faster than once an
// interval, wait, and then each commit has the values of all of them. Free are
//   - values that go with a commit that is made anyway, for messages or other rows
//   - the first value of a topic: it renews nothing, and the number of topics is limited
//   - publishers that have used up their windows: they would only stand still, and each commit answers many values
// Owned by the journal, which says who waits. Thread: loop. Time: passed in.
#pragma once

#include <cstddef>

#include "broker-core/base/time.h"

namespace furrow::broker {

class RetainedPace {
 public:
  // What a site that is started, or a person who tries things, needs at once.
  static constexpr int kCommitsMax = 256;

  // `interval` between two commits in the long run; 0: no limit.
  explicit RetainedPace(Duration interval) : interval_(interval) {}

  // A publisher waits for a value of this many bytes, and for nothing else.
  void add(std::size_t bytes, bool first_of_topic);
  // Its value goes into a commit. REQUIRES: add() had said so.
  void remove(std::size_t bytes) { bytes_ -= bytes; }
  // A publisher of such values has used up its window.
  void hurry() { at_once_ = true; }
  std::size_t bytes() const { return bytes_; }

  // When a commit is to be made for those who wait, unless one is made before; kNever while nobody does.
  Instant due() const;
  // A commit is made for retained values alone: pays for it. REQUIRES: it is due, here or for values that nobody waits
  // for.
  void pay(Instant now);
  // A commit is made, for whatever reason: who waits from now on waits for the next one.
  void begin_next() { at_once_ = false; }

 private:
  // Constant after construction.
  const Duration interval_;

  std::size_t bytes_ = 0;  // of those who wait
  bool at_once_ = false;
  Instant empty_at_ = Instant::min();  // when the budget was empty, as far as it has filled since
};

}  // namespace furrow::broker
