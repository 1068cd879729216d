#include "gateway/status/model.h"

#include <numeric>

namespace furrow::gateway {

std::array<LimitStatus, 17> StatusModel::limits() const {
  return {{{"connections", stats.connections_over_limit},
           {"connections_per_address", stats.connections_over_address_limit},
           {"connections_per_second", links.accepts_paced},
           {"packet", stats.packets_over_limit},
           {"inflight", stats.inflight_over_limit},
           {"topic_levels", stats.topic_levels_over_limit},
           {"topic", stats.topics_over_limit},
           {"client_id", stats.client_ids_over_limit},
           {"sessions", stats.sessions_over_limit},
           {"sessions_per_user", stats.sessions_over_user_limit},
           {"subscriptions", stats.subscriptions_over_limit},
           {"user_properties", stats.user_properties_over_limit},
           {"publish", stats.publishes_paced},
           {"retained", stats.retained_over_limit},
           {"queued", sessions.not_grown},
           {"commit_waiting", stats.reading_paused},
           {"memory", stats.memory_over_limit}}};
}

std::uint64_t StatusModel::messages_dropped() const {
  return std::accumulate(sessions.dropped.begin(), sessions.dropped.end(), stats.dropped());
}

void LoadStatus::move(const StatusModel& model, Duration passed) {
  const broker::Stats& stats = model.stats;
  messages_received.move(stats.packets_received, passed);
  messages_sent.move(stats.packets_sent, passed);
  publish_received.move(stats.publishes_received, passed);
  publish_sent.move(stats.messages_sent, passed);
  publish_dropped.move(model.messages_dropped(), passed);
  bytes_received.move(stats.bytes_received, passed);
  bytes_sent.move(stats.bytes_sent, passed);
  sockets.move(stats.connections_offered, passed);
  connections.move(stats.connects_accepted + stats.connects_refused, passed);
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

std::string_view name(Alarm::Severity severity) {
  return severity == Alarm::Severity::Error ? "error" : "warning";
}

}  // namespace furrow::gateway
