// A bridge as the store had it at start: its queues, half-done QoS 2 exchanges, its session at the far broker, and
// whether it is paused.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "broker-core/store.h"

namespace furrow::bridge {

struct Found {
  std::optional<broker::RestoredQueue> queue;  // that of its packet identifiers
  std::vector<broker::RestoredQueue> lanes;    // its others
  std::vector<broker::ExchangeRow> exchanges;  // of both directions
  std::optional<broker::Bytes> session;
  std::optional<broker::Bytes> pause;
};

// The bridge whose queue it is, of a row of QueueKind::Lane.
std::string_view bridge_of_lane(const broker::QueueRow& row);

// All of it is empty when the bridge is new.
Found find_bridge(const broker::Restored& restored, std::string_view name);

}  // namespace furrow::bridge
