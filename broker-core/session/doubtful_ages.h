// Runs of messages whose true age was unknown when they were read: they were stored in an earlier boot of the machine,
// and the time that it was off since is unknown until the wall clock is trusted.
//
// Until then their age is a lower bound; correct() adds what was left out. Owned by an outbox. Thread: loop.
#pragma once

#include <vector>

#include "broker-core/base/ids.h"
#include "broker-core/base/time.h"

namespace furrow::broker {

class PagedQueue;

class DoubtfulAges {
 public:
  // Messages [first, end) of `queue` were read; their segment was stored at `written`.
  void note(Sequence first, Sequence end, const ClockStamp& written, const PagedQueue& queue);
  // The wall clock is trusted now: messages that are still in memory get the time spent powered off added.
  void correct(const PagedQueue& queue, const ClockStamp& now);

 private:
  struct Run {
    Sequence first;
    Sequence end;
    ClockStamp written;
  };
  std::vector<Run> runs_;  // in order
};

}  // namespace furrow::broker
