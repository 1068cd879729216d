#include "gateway/status/sys_counters.h"

#include <string_view>
#include <utility>

namespace furrow::gateway {

std::vector<StatusTopic> sys_counters(const StatusModel& model) {
  const broker::Stats& stats = model.stats;
  const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(model.moment.now - model.gateway.started);
  std::vector<StatusTopic> topics;
  const auto add = [&topics](std::string_view name, std::string value) {
    topics.push_back({"$SYS/broker/" + std::string(name), std::move(value)});
  };
  const auto add_number = [&add](std::string_view name, std::uint64_t value) { add(name, std::to_string(value)); };

  add("version", "furrow version " + model.gateway.version);
  add("uptime", std::to_string(uptime.count()) + " seconds");
  add_number("clients/connected", model.clients.connected);
  add_number("clients/total", model.clients.sessions);
  add_number("clients/maximum", model.clients.maximum);
  add_number("messages/received", stats.messages_received);
  add_number("messages/sent", stats.messages_sent);
  add_number("publish/messages/received", stats.messages_received);
  add_number("publish/messages/sent", stats.messages_sent);
  add_number("publish/messages/dropped", model.messages_dropped());
  add_number("bytes/received", stats.bytes_received);
  add_number("bytes/sent", stats.bytes_sent);
  add_number("subscriptions/count", model.clients.subscriptions);
  add_number("retained messages/count", model.retained.messages);
  add_number("store/messages/count", model.store.messages);
  add_number("store/messages/bytes", model.store.bytes);
  return topics;
}

}  // namespace furrow::gateway
