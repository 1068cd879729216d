#include "gateway/sys_counters.h"

namespace furrow::gateway {

std::vector<SysCounter> sys_counters(const broker::Broker& broker, const SysFacts& facts) {
  const broker::Stats& stats = broker.stats();
  const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(facts.uptime).count();
  std::vector<SysCounter> counters;
  const auto add = [&counters](std::string_view name, std::string value) {
    counters.push_back({"$SYS/broker/" + std::string(name), std::move(value)});
  };
  const auto add_number = [&add](std::string_view name, std::uint64_t value) { add(name, std::to_string(value)); };

  add("version", "furrow version " + facts.version);
  add("uptime", std::to_string(uptime) + " seconds");
  add_number("clients/connected", broker.clients());
  add_number("clients/total", broker.sessions());
  add_number("clients/maximum", facts.clients_maximum);
  add_number("messages/received", stats.messages_received);
  add_number("messages/sent", stats.messages_sent);
  add_number("publish/messages/received", stats.messages_received);
  add_number("publish/messages/sent", stats.messages_sent);
  add_number("publish/messages/dropped", facts.messages_dropped);
  add_number("bytes/received", stats.bytes_received);
  add_number("bytes/sent", stats.bytes_sent);
  add_number("subscriptions/count", broker.subscriptions());
  add_number("retained messages/count", broker.retained().messages());
  add_number("store/messages/count", facts.stored_messages);
  add_number("store/messages/bytes", facts.stored_bytes);
  return counters;
}

}  // namespace furrow::gateway
