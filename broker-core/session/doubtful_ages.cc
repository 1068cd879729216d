#include "broker-core/session/doubtful_ages.h"

#include <utility>

#include "broker-core/session/paged_queue.h"

namespace furrow::broker {

void DoubtfulAges::note(Sequence first, Sequence end, const ClockStamp& written, const PagedQueue& queue) {
  // Runs whose messages are all gone would pile up during a long drain.
  std::erase_if(runs_, [&](const Run& run) { return run.end <= queue.first_in_memory(); });
  runs_.push_back({first, end, written});
}

void DoubtfulAges::correct(const PagedQueue& queue, const ClockStamp& now) {
  for (const Run& run : std::exchange(runs_, {})) {
    const Duration by = uncounted(run.written, now);
    queue.for_each_between(run.first, run.end, [by](const PagedQueue::Entry& entry) { entry.message->age(by); });
  }
}

}  // namespace furrow::broker
