#include "gateway/status/sys_counters.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>
#include <utility>

#include "broker-core/mqtt/topic.h"

namespace furrow::gateway {
namespace {

constexpr std::string_view kPrefix = "$SYS/broker/";

class Topics {
 public:
  void add(std::string_view name, std::string value) {
    all_.push_back({std::string(kPrefix) + std::string(name), std::move(value)});
  }
  void add(std::string_view name, std::uint64_t value) { add(name, std::to_string(value)); }
  void add_load(std::string_view name, const LoadAverage& load) {
    const std::string path = "load/" + std::string(name);
    add(path + "/1min", two_decimals(load.over_1_minute()));
    add(path + "/5min", two_decimals(load.over_5_minutes()));
    add(path + "/15min", two_decimals(load.over_15_minutes()));
  }
  std::vector<StatusTopic> take() { return std::move(all_); }

 private:
  static std::string two_decimals(double value) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.2f", value);
    return text.data();
  }

  std::vector<StatusTopic> all_;
};

void add_clients(const StatusModel& model, Topics& topics) {
  const ClientStatus& clients = model.clients;
  const std::uint64_t away = clients.sessions - std::min(clients.connected, clients.sessions);
  topics.add("clients/total", clients.sessions);
  topics.add("clients/maximum", model.stats.clients_maximum);
  topics.add("clients/connected", clients.connected);
  topics.add("clients/active", clients.connected);
  topics.add("clients/disconnected", away);
  topics.add("clients/inactive", away);
  topics.add("clients/expired", model.stats.sessions_expired);
  topics.add("connections/socket/count", model.stats.connections_offered);
  topics.add("subscriptions/count", clients.subscriptions.own);
  topics.add("shared_subscriptions/count", clients.subscriptions.shared);
}

void add_traffic(const StatusModel& model, Topics& topics) {
  const broker::Stats& stats = model.stats;
  topics.add("messages/received", stats.packets_received);
  topics.add("messages/sent", stats.packets_sent);
  topics.add("publish/messages/received", stats.publishes_received);
  topics.add("publish/messages/sent", stats.messages_sent);
  topics.add("publish/messages/dropped", model.messages_dropped());
  topics.add("publish/bytes/received", stats.payload_bytes_received);
  topics.add("publish/bytes/sent", stats.payload_bytes_sent);
  topics.add("bytes/received", stats.bytes_received);
  topics.add("bytes/sent", stats.bytes_sent);
}

// What waits is what is kept for sessions and bridges; the retained messages are kept, too.
void add_stored(const StatusModel& model, Topics& topics) {
  const std::uint64_t messages = model.store.messages + model.retained.messages;
  topics.add("messages/stored", messages);
  topics.add("store/messages/count", messages);
  topics.add("store/messages/bytes", model.store.bytes + model.retained.bytes);
  topics.add("retained messages/count", model.retained.messages);
}

void add_loads(const LoadStatus& load, Topics& topics) {
  topics.add_load("messages/received", load.messages_received);
  topics.add_load("messages/sent", load.messages_sent);
  topics.add_load("publish/received", load.publish_received);
  topics.add_load("publish/sent", load.publish_sent);
  topics.add_load("publish/dropped", load.publish_dropped);
  topics.add_load("bytes/received", load.bytes_received);
  topics.add_load("bytes/sent", load.bytes_sent);
  topics.add_load("sockets", load.sockets);
  topics.add_load("connections", load.connections);
}

}  // namespace

std::vector<StatusTopic> sys_counters(const StatusModel& model) {
  const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(model.moment.now - model.gateway.started);
  Topics topics;
  topics.add("version", "furrow version " + model.gateway.version);
  topics.add("uptime", std::to_string(uptime.count()) + " seconds");
  add_clients(model, topics);
  add_traffic(model, topics);
  add_stored(model, topics);
  topics.add("heap/current", model.memory.heap_bytes);
  topics.add("heap/maximum", model.memory.heap_bytes_maximum);
  add_loads(model.load, topics);
  std::vector<StatusTopic> all = topics.take();
  for (const BridgeStatus& bridge : model.bridges) {
    if (auto state = connection_state(bridge)) all.push_back(*std::move(state));
  }
  return all;
}

std::optional<StatusTopic> connection_state(const BridgeStatus& bridge) {
  const bridge::Snapshot& snapshot = bridge.snapshot;
  if (snapshot.client_id.empty()) return std::nullopt;
  std::string topic = std::string(kPrefix) + "connection/" + snapshot.client_id + "/state";
  if (!mqtt::is_valid_name(topic)) return std::nullopt;
  return StatusTopic{std::move(topic), snapshot.connected ? "1" : "0"};
}

}  // namespace furrow::gateway
