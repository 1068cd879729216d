// The queues of sessions as found at the start, each claimed by the session that names it.
//
// Refers to the rows: lives no longer than they stay where they are. Thread: loop.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "broker-core/base/ids.h"
#include "broker-core/store.h"
#include "tsl/robin_map.h"

namespace furrow::broker {

// `Equal` compares queue ids.
template <typename Equal>
class BasicSessionQueues {
 public:
  explicit BasicSessionQueues(const std::vector<RestoredQueue>& queues) {
    for (const RestoredQueue& queue : queues) {
      if (queue.row.kind == QueueKind::Session) unclaimed_.emplace(queue.row.id.value, &queue.cursor);
    }
  }

  // nullptr when the store has no such queue, or it was claimed already.
  const CursorRow* claim(QueueId queue) {
    const auto found = unclaimed_.find(queue.value);
    if (found == unclaimed_.end()) return nullptr;
    const CursorRow* const cursor = found->second;
    unclaimed_.erase(found);
    return cursor;
  }
  // Whether nobody has claimed the queue.
  bool contains(QueueId queue) const { return unclaimed_.contains(queue.value); }

 private:
  tsl::robin_map<std::uint64_t, const CursorRow*, std::hash<std::uint64_t>, Equal> unclaimed_;
};

using SessionQueues = BasicSessionQueues<std::equal_to<std::uint64_t>>;

}  // namespace furrow::broker
