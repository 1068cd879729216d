#include "gateway/status/history.h"

#include <algorithm>

namespace furrow::gateway {

void StatusHistory::take(const StatusSources& sources, Instant now) {
  for (const StatusSources::Bridge& one : sources.bridges()) add(sources.take(one), now);
  // A bridge that is gone has no plot.
  std::erase_if(points_, [now](const auto& one) { return one.second.back().time != now; });
  taken_at_ = now;
  ++changes_;
}

void StatusHistory::add(const BridgeStatus& bridge, Instant now) {
  if (points_.size() >= kBridgesMax && !points_.contains(bridge.name)) return;
  std::deque<Point>& points = points_[bridge.name];
  const bridge::Snapshot& snapshot = bridge.snapshot;
  const auto since_ack = snapshot.last_ack ? std::optional(now - *snapshot.last_ack) : std::nullopt;
  points.push_back({.time = now,
                    .up_per_s = static_cast<float>(snapshot.up_per_s),
                    .backlog = snapshot.backlog_messages,
                    .since_ack = since_ack});
  if (points.size() > kPoints) points.pop_front();
}

}  // namespace furrow::gateway
