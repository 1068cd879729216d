// When a commit is made for nothing but retained values: flash is spared, and few publishers wait for that.
//
// Such commits are paid from a budget that fills by one each interval and has room for a few hundred. A value whose
// publisher waits for its answer is written at once while the budget lasts, else with the next commit that it allows,
// an interval later at most. So only publishers that renew their topics steadily, and together faster than once an
// interval, wait, and then each commit has the values of all of them. Free are
//   - values that go with a commit that is made anyway, for messages or other rows
//   - the first value of a topic: it renews nothing, and the number of topics is limited
//   - publishers that have used up their windows: they would only stand still, and each commit answers many values
// Owned by the journal, which says which publishers wait. Thread: loop. Time: passed in.
#pragma once

#include <cstddef>

#include "broker-core/base/time.h"

namespace furrow::broker {

class RetainedPace {
 public:
  // As many as a site needs at once when it is started, or a person who tries things.
  static constexpr int kCommitsMax = 256;

  // `interval` between two commits in the long run; 0: no limit.
  explicit RetainedPace(Duration interval) : interval_(interval) {}
  void set_interval(Duration interval) { interval_ = interval; }

  // A publisher waits for a value of this many bytes, and for nothing else.
  void add(std::size_t bytes, bool first_of_topic);
  // The publisher waits no more. REQUIRES: add() had said that it does.
  void remove(std::size_t bytes) { bytes_ -= bytes; }
  // A publisher of such values has used up its window.
  void hurry() { at_once_ = true; }
  std::size_t bytes() const { return bytes_; }

  // When a commit is to be made for the publishers that wait, unless one is made before; kNever while none waits.
  Instant due() const;
  // Pays for a commit that is made for retained values alone. REQUIRES: it is due, by due() or for values that no
  // publisher waits for.
  void pay(Instant now);
  // A commit is made, for whatever reason: publishers that wait from now on wait for the next one.
  void begin_next() { at_once_ = false; }

 private:
  Duration interval_;

  std::size_t bytes_ = 0;  // of values whose publishers wait
  bool at_once_ = false;
  Instant empty_at_ = Instant::min();  // when the budget was empty, as far as it has filled since
};

}  // namespace furrow::broker
