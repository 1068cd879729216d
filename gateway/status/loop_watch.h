// How late the loop comes to what is due: by its timer, which fires late when a turn takes long or the processor is
// busy.
//
// A gateway with nothing to do has few timers, and nobody is kept waiting. Thread: loop. Time: passed in.
#pragma once

#include "broker-core/base/histogram.h"
#include "broker-core/base/time.h"

namespace furrow::gateway {

class LoopWatch {
 public:
  // The worst of this long is remembered; twice as long, when nothing comes.
  static constexpr Duration kMemory = std::chrono::seconds(10);

  // The timer has fired `late` after it was due.
  void note(Duration late, Instant now);

  const Histogram& lateness() const { return lateness_; }
  // The most of the last ten to twenty seconds.
  Duration late_by(Instant now) const;

 private:
  Histogram lateness_;
  Instant period_{};   // when the current one began
  Duration worst_{};   // of it
  Duration before_{};  // of the one before it
};

}  // namespace furrow::gateway
