// The state of the store, as the loop last heard of it. Tells the log when that changes, once each, and raises an alarm
// when a commit does not end.
//
// Thread: loop. Time: passed in.
#pragma once

#include <cstdint>
#include <optional>

#include "broker-core/base/log.h"
#include "broker-core/base/time.h"
#include "broker-core/store.h"

namespace furrow::gateway {

class StoreWatch {
 public:
  // A process that waits for a card cannot be killed; somebody has to know.
  static constexpr Duration kAlarmAfter = std::chrono::minutes(5);

  StoreWatch(Log& log, Instant now) : log_(log), since_(now) {}

  // `commit_started`: when the commit that is under way began, if one is.
  void note(const broker::StoreHealth& health, std::optional<Instant> commit_started, Instant now);

  const broker::StoreHealth& health() const { return health_; }
  // Since when it is in this state.
  Instant since() const { return since_; }
  // Rises with each change of the state or its reason.
  std::uint64_t changes() const { return changes_; }

 private:
  void tell(broker::StoreState was, Instant now);

  Log& log_;
  broker::StoreHealth health_;
  Instant since_;
  std::uint64_t changes_ = 0;
  bool alarmed_ = false;  // about the commit that is under way
};

}  // namespace furrow::gateway
