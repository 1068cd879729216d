#include "gateway/status/documents.h"

#include <nlohmann/json.hpp>

namespace furrow::gateway {
namespace {

// The field of an object, if it is there and of that type; its exceptions stay in this file.
template <typename Value>
std::optional<Value> find(const nlohmann::json& object, const char* field) {
  if (!object.is_object()) return std::nullopt;
  const auto found = object.find(field);
  if (found == object.end() || found->is_null()) return std::nullopt;
  try {
    return found->get<Value>();
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

std::string text(const nlohmann::json& object, const char* field) {
  return find<std::string>(object, field).value_or("");
}
std::uint64_t count(const nlohmann::json& object, const char* field) {
  return find<std::uint64_t>(object, field).value_or(0);
}
double number(const nlohmann::json& object, const char* field) {
  return find<double>(object, field).value_or(0);
}
nlohmann::json part(const nlohmann::json& object, const char* field) {
  return object.is_object() && object.contains(field) ? object.at(field) : nlohmann::json();
}

}  // namespace

std::optional<GatewayDocument> read_gateway_document(std::string_view document) {
  const nlohmann::json json = nlohmann::json::parse(document, nullptr, false);
  if (!find<std::string>(json, "id")) return std::nullopt;
  const nlohmann::json store = part(json, "store");
  GatewayDocument gateway{.id = text(json, "id"),
                          .version = text(json, "version"),
                          .uptime_s = number(json, "uptime_s"),
                          .clients = count(part(json, "clients"), "connected"),
                          .sessions = count(part(json, "clients"), "sessions"),
                          .store_state = text(store, "state"),
                          .store_reason = text(store, "reason"),
                          .listeners = {},
                          .clock_trusted = find<bool>(part(json, "clock"), "trusted").value_or(true)};
  for (const nlohmann::json& one : part(json, "listeners")) {
    gateway.listeners.push_back({.name = text(one, "name"), .reason = text(one, "reason")});
  }
  return gateway;
}

std::optional<BridgeDocument> read_bridge_document(std::string_view document) {
  const nlohmann::json json = nlohmann::json::parse(document, nullptr, false);
  if (!find<std::string>(json, "name") || !find<std::string>(json, "state")) return std::nullopt;
  const nlohmann::json backlog = part(json, "backlog");
  BridgeDocument bridge{.name = text(json, "name"),
                        .state = text(json, "state"),
                        .reason = text(json, "reason"),
                        .remote = text(json, "remote"),
                        .backlog_messages = count(backlog, "messages"),
                        .backlog_bytes = count(backlog, "bytes"),
                        .oldest_s = find<double>(backlog, "oldest_s"),
                        .inflight = count(json, "inflight"),
                        .delivered = count(json, "delivered"),
                        .quarantined = count(json, "quarantined"),
                        .dropped = 0,
                        .up_per_s = number(part(json, "rate"), "up_per_s"),
                        .drain_eta_s = find<double>(json, "drain_eta_s"),
                        .next_attempt_s = find<double>(json, "next_attempt_s")};
  for (const nlohmann::json& one : part(json, "dropped")) {
    if (one.is_number_unsigned()) bridge.dropped += one.get<std::uint64_t>();
  }
  return bridge;
}

std::optional<AlarmsDocument> read_alarms_document(std::string_view document) {
  const nlohmann::json json = nlohmann::json::parse(document, nullptr, false);
  const nlohmann::json alarms = part(json, "alarms");
  if (!alarms.is_array()) return std::nullopt;
  AlarmsDocument all{.alarms = {}, .more = count(json, "more")};
  for (const nlohmann::json& one : alarms) {
    all.alarms.push_back({.severity = text(one, "severity"),
                          .since_at = text(one, "since_at"),
                          .about = text(one, "about"),
                          .what = text(one, "what"),
                          .todo = text(one, "do")});
  }
  return all;
}

std::optional<FleetDocument> read_fleet_document(std::string_view document) {
  const nlohmann::json json = nlohmann::json::parse(document, nullptr, false);
  if (!find<std::string>(json, "id") || !find<std::string>(json, "state")) return std::nullopt;
  const nlohmann::json alarms = part(json, "alarms");
  FleetDocument gateway{.id = text(json, "id"),
                        .state = text(json, "state"),
                        .version = text(json, "version"),
                        .reason = text(json, "reason"),
                        .is_online = text(json, "state") == "online",
                        .alarm_count = count(alarms, "count"),
                        .alarms = find<std::vector<std::string>>(alarms, "ids").value_or(std::vector<std::string>())};
  for (const nlohmann::json& one : part(json, "bridges")) {
    const std::string state = text(one, "state");
    ++gateway.bridges;
    if (state == "online" || state == "draining" || state == "waiting") ++gateway.bridges_well;
    gateway.backlog += count(one, "backlog");
  }
  return gateway;
}

}  // namespace furrow::gateway
