// Tells the log when the state of the store changes, once each, and raises an alarm when a commit does not end.
//
// Thread: loop. Time: passed in.
#pragma once

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

 private:
  Log& log_;
  broker::StoreState state_ = broker::StoreState::Ok;
  Instant since_;
  bool alarmed_ = false;  // about the commit that is under way
};

}  // namespace furrow::gateway
