#include "config/validate_bridges.h"

#include <algorithm>
#include <array>
#include <optional>

#include "config/messages.h"
#include "config/provider_limits.h"
#include "config/scalar.h"
#include "config/validate_link.h"
#include "config/validate_provider.h"
#include "config/validate_rules.h"

namespace furrow::config {
namespace {

bool share_an_address(const Bridge& one, const Bridge& other) {
  return std::find_first_of(one.connect.begin(), one.connect.end(), other.connect.begin(), other.connect.end()) !=
         one.connect.end();
}

// The text of the first `{…}` that is not a placeholder.
std::optional<std::string> unknown_placeholder(std::string_view pattern) {
  for (std::size_t open = pattern.find('{'); open != std::string_view::npos; open = pattern.find('{', open + 1)) {
    const std::string_view rest = pattern.substr(open);
    if (rest.starts_with("{gateway}") || rest.starts_with("{bridge}")) continue;
    return std::string(rest.substr(0, rest.find('}') == std::string_view::npos ? rest.size() : rest.find('}') + 1));
  }
  return std::nullopt;
}

void check_name(const Config& config, std::size_t index, Report& report) {
  const std::string path = bridge_path(index) + ".name";
  const std::string& name = config.bridges[index].name;
  if (!is_name(name)) return report.error(path, "bridges[].name: " + explain_name(name));
  for (std::size_t before = 0; before < index; ++before) {
    if (config.bridges[before].name != name || report.places().is_spoiled(bridge_path(before) + ".name")) continue;
    return report.error(path, "bridges[].name: " + in_quotes(name) + " is the name of the bridge " +
                                  in_line(config.bridges[before].place) + " too; give each its own");
  }
}

void check_connect(const Config& config, std::size_t index, Report& report) {
  const std::vector<Address>& connect = config.bridges[index].connect;
  const std::string path = bridge_path(index) + ".connect";
  if (report.places().is_spoiled(path)) return;
  if (connect.empty()) {
    return report.error(report.places().is_written(path) ? path : bridge_path(index),
                        "bridges[] needs an address in connect, such as mqtt://region.example.org:1883");
  }
  for (const Address& address : connect) {
    for (std::size_t i = 0; i < config.listeners.size(); ++i) {
      const Bind& bind = config.listeners[i].bind;
      if (report.places().is_spoiled(listener_path(i) + ".bind") || !bind.is_reached_by(address)) continue;
      report.error(path, "bridges[].connect: " + address.text() + " is this gateway's own listener on " + bind.text());
    }
  }
}

void check_identity(const Bridge& bridge, const std::string& path, Report& report) {
  if (bridge.client_id.empty()) {
    report.error(path + ".client_id", "bridges[].client_id must not be empty: the far side knows the session by it");
  }
  if (const auto unknown = unknown_placeholder(bridge.client_id); unknown.has_value()) {
    report.error(path + ".client_id",
                 "bridges[].client_id: " + in_quotes(*unknown) + " is not one of {gateway}, {bridge}");
  }
  const bool has_password_only = !bridge.password_from.empty() && bridge.username.empty();
  if (has_password_only && bridge.mqtt_version != MqttVersion::V5 && !report.places().is_spoiled(path + ".username")) {
    report.error(path + ".password_from",  // [MQTT-3.1.2-22] of 3.1.1
                 "bridges[].password_from needs a username: MQTT 3.1.1 sends no password without one");
  }
}

void check_times(const Bridge& bridge, const std::string& path, Report& report) {
  if (bridge.coalesce >= bridge.ack_timeout) {
    report.error(path + ".coalesce", "bridges[].coalesce must be less than ack_timeout, which is " +
                                         time_text(bridge.ack_timeout) + ": else nothing is acknowledged in time");
  }
  if (!is_whole_seconds(bridge.keepalive))
    report.error(path + ".keepalive", "bridges[].keepalive must be whole seconds");
  if (!is_whole_seconds(bridge.session_expiry)) {
    report.error(path + ".session_expiry", "bridges[].session_expiry must be whole seconds");
  }
  if (bridge.backoff.initial > bridge.backoff.max && !report.places().is_spoiled(path + ".backoff.initial")) {
    report.error(report.places().is_written(path + ".backoff.max") ? path + ".backoff.max" : path + ".backoff.initial",
                 "bridges[].backoff.initial is longer than bridges[].backoff.max");
  }
}

void check_stamp(const Bridge& bridge, const std::string& path, Report& report) {
  constexpr std::array<std::string_view, 3> kStamps{"received_at", "gateway", "sequence"};
  for (const std::string& stamp : bridge.stamp) {
    if (std::find(kStamps.begin(), kStamps.end(), stamp) != kStamps.end()) continue;
    report.error(path + ".stamp",
                 "bridges[].stamp: " + in_quotes(stamp) + " is not one of: received_at, gateway, sequence");
  }
}

// MQTT 3.1.1 has no properties.
void check_properties(const Bridge& bridge, std::size_t index, Report& report) {
  if (bridge.mqtt_version != MqttVersion::V311) return;
  const auto warn = [&](const std::string& path, const std::string& key) {
    report.warning(path, key + " has no effect in MQTT 3.1.1, which has no properties");
  };
  if (!bridge.stamp.empty()) warn(bridge_path(index) + ".stamp", "bridges[].stamp");
  if (bridge.loop_guard == LoopGuard::Always) warn(bridge_path(index) + ".loop_guard", "bridges[].loop_guard: always");
  for (std::size_t rule = 0; rule < bridge.topics.size(); ++rule) {
    if (bridge.topics[rule].properties.empty()) continue;
    warn(rule_path(index, rule) + ".properties", "bridges[].topics[].properties");
  }
}

// Ids and paths travel as user properties.
void check_mesh(const Bridge& bridge, const std::string& path, Report& report) {
  if (!bridge.mesh) return;
  const auto fail = [&](const std::string& why) { report.error(path + ".mesh", "bridges[].mesh: true " + why); };
  const bool is_spoiled = report.places().is_spoiled(path + ".mqtt_version");
  if (bridge.mqtt_version == MqttVersion::V311 && !is_spoiled) {
    fail("needs MQTT 5: 3.1.1 has no properties for the ids of messages");
  }
  if (bridge.loop_guard == LoopGuard::Off && !report.places().is_spoiled(path + ".loop_guard")) {
    fail("needs loop_guard: transit or always, which says to the far side that this is a gateway");
  } else if (within_provider(bridge).loop_guard == LoopGuard::Off) {
    fail("has no use with this provider, which takes no user properties");
  }
}

void check_bridge(const Config& config, std::size_t index, Report& report) {
  const Bridge& bridge = config.bridges[index];
  const std::string path = bridge_path(index);
  check_name(config, index, report);
  check_connect(config, index, report);
  check_identity(bridge, path, report);
  check_times(bridge, path, report);
  check_stamp(bridge, path, report);
  check_properties(bridge, index, report);
  check_mesh(bridge, path, report);
  if (bridge.topics.empty() && !report.places().is_spoiled(path + ".topics")) {
    report.warning(path, "bridge " + in_quotes(bridge.name) + " has no topics: nothing crosses it");
  }
  for (std::size_t rule = 0; rule < bridge.topics.size(); ++rule) {
    check_rule(bridge.topics[rule], bridge.retain_sync, rule_path(index, rule), report);
  }
  check_link(bridge, path, report);
  check_provider(config, index, report);
  check_shadowed_rules(bridge, index, report);
  check_echo(bridge, index, report);
}

void check_client_ids(const Config& config, std::size_t first, std::size_t second, Report& report) {
  const Bridge& one = config.bridges[first];
  const Bridge& other = config.bridges[second];
  const std::string id = client_id_of(other, "{gateway}");
  if (id != client_id_of(one, "{gateway}") || id.empty() || one.name == other.name) return;
  report.error(bridge_path(second) + ".client_id", "bridges[].client_id: " + in_quotes(other.client_id) +
                                                       " is also that of bridge " + in_quotes(one.name) +
                                                       " to the same broker: they would push each other out");
}

}  // namespace

void check_gateway_id(const std::string& id, Report& report) {
  if (!id.empty() && !is_name(id)) report.error("gateway.id", "gateway.id: " + explain_name(id));
}

void check_bridges(const Config& config, Report& report) {
  for (std::size_t index = 0; index < config.bridges.size(); ++index) check_bridge(config, index, report);
  check_renames(config, report);
  for (std::size_t second = 1; second < config.bridges.size(); ++second) {
    for (std::size_t first = 0; first < second; ++first) {
      const Bridge& one = config.bridges[first];
      const Bridge& other = config.bridges[second];
      if (!one.enabled || !other.enabled || !share_an_address(one, other)) continue;
      check_client_ids(config, first, second, report);
      check_circles(config, first, second, report);
      check_circles(config, second, first, report);
    }
  }
}

}  // namespace furrow::config
