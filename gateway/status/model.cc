#include "gateway/status/model.h"

#include <numeric>

namespace furrow::gateway {

std::array<LimitStatus, 10> StatusModel::limits() const {
  return {{{"connections", stats.connections_over_limit},
           {"connections_per_address", stats.connections_over_address_limit},
           {"packet", stats.packets_over_limit},
           {"inflight", stats.inflight_over_limit},
           {"topic_levels", stats.topic_levels_over_limit},
           {"subscriptions", stats.subscriptions_over_limit},
           {"user_properties", stats.user_properties_over_limit},
           {"retained", stats.retained_over_limit},
           {"commit_waiting", stats.reading_paused},
           {"memory", stats.memory_over_limit}}};
}

std::uint64_t StatusModel::messages_dropped() const {
  return std::accumulate(sessions.dropped.begin(), sessions.dropped.end(), stats.dropped());
}

std::string_view name(broker::StoreState state) {
  switch (state) {
    case broker::StoreState::Ok:
      return "ok";
    case broker::StoreState::Slow:
      return "slow";
    case broker::StoreState::Full:
      return "full";
    case broker::StoreState::ReadOnly:
      return "read_only";
    case broker::StoreState::Failing:
      return "failing";
    case broker::StoreState::Salvaging:
      return "salvaging";
  }
  return "failing";
}

}  // namespace furrow::gateway
