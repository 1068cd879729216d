// The last hour of each bridge, so that plots of a page that is just opened are not empty.
//
// A point is taken each kInterval while the gateway has something to do; an idle one is not woken for it. Bounded:
// 12 KiB for each of at most kBridgesMax bridges. Thread: loop. Time: passed in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "broker-core/base/time.h"
#include "gateway/status/model.h"
#include "gateway/status/sources.h"

namespace furrow::gateway {

class StatusHistory {
 public:
  static constexpr Duration kInterval = std::chrono::seconds(10);
  static constexpr std::size_t kPoints = 360;
  static constexpr std::size_t kBridgesMax = 20;

  struct Point {
    Instant time;
    float up_per_s = 0;
    std::uint64_t backlog = 0;
    std::optional<Duration> since_ack;
  };
  using Points = std::map<std::string, std::deque<Point>>;  // by bridge

  bool is_due(Instant now) const { return taken_at_ + kInterval <= now; }
  void take(const StatusSources& sources, Instant now);

  // Rises with each take().
  std::uint64_t changes() const { return changes_; }
  const Points& points() const { return points_; }

 private:
  void add(const BridgeStatus& bridge, Instant now);

  Points points_;
  Instant taken_at_ = Instant(-kInterval);
  std::uint64_t changes_ = 0;
};

}  // namespace furrow::gateway
