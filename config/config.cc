#include "config/config.h"

namespace furrow::config {

Config embedded_default() {
  Config config;
  config.gateway.data = "furrow-data";
  Listener& websocket = config.listeners.emplace_back();
  websocket.bind.port = kWebSocketPort;
  websocket.protocol = Protocol::WebSocket;
  return config;
}

std::string listener_name(const Config& config, std::size_t place) {
  const Listener& listener = config.listeners[place];
  if (!listener.name.empty()) return listener.name;
  const std::string protocol = listener.protocol == Protocol::Mqtt ? "mqtt" : "websocket";
  return place == 0 ? protocol : protocol + "-" + std::to_string(place + 1);
}

std::string expand_names(std::string_view pattern, std::string_view gateway_id, std::string_view bridge_name) {
  constexpr std::string_view kGateway = "{gateway}";
  constexpr std::string_view kBridge = "{bridge}";
  std::string expanded;
  while (!pattern.empty()) {
    if (pattern.starts_with(kGateway)) {
      expanded += gateway_id;
      pattern.remove_prefix(kGateway.size());
    } else if (pattern.starts_with(kBridge)) {
      expanded += bridge_name;
      pattern.remove_prefix(kBridge.size());
    } else {
      expanded += pattern.front();
      pattern.remove_prefix(1);
    }
  }
  return expanded;
}

std::string client_id_of(const Bridge& bridge, std::string_view gateway_id) {
  return expand_names(bridge.client_id, gateway_id, bridge.renamed_from.empty() ? bridge.name : bridge.renamed_from);
}

bool Config::anonymous_by_default() const {
  if (access.anonymous) return *access.anonymous;
  return std::all_of(listeners.begin(), listeners.end(),
                     [](const Listener& one) { return one.bind.is_loopback() && one.proxy_protocol.from.empty(); });
}

}  // namespace furrow::config
