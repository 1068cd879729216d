// How the store is, for those who refuse a message or have had one refused.
//
// Knows neither messages nor queues. Owned by the journal, which everybody has who asks; the broker says what it hears
// of the medium. Thread: loop.
#pragma once

#include <cstdint>

namespace furrow::broker {

class StoreCondition {
 public:
  // The medium takes no writes: nothing is to be accepted that would have to be written.
  bool failing() const { return failing_; }
  void set_failing(bool failing) {
    if (failing_ && !failing) note_opening();
    failing_ = failing;
  }

  // Counts the moments from which a message that was refused may be accepted: a queue has room again, the medium takes
  // writes, or the far side takes messages without any. Whoever tries refused messages again compares.
  std::uint64_t openings() const { return openings_; }
  void note_opening() { ++openings_; }

 private:
  bool failing_ = false;
  std::uint64_t openings_ = 0;
};

}  // namespace furrow::broker
