#include "gateway/status/json.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "gateway/clock.h"

namespace furrow::gateway {
namespace {

using Json = nlohmann::ordered_json;  // fields in the order of the contract

constexpr int kSchema = 1;

// Names come from peers and files: what is not UTF-8 is replaced rather than refused, so nothing throws.
std::string text_of(const Json& document) {
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

double seconds(Duration duration) {
  return std::round(std::chrono::duration<double>(duration).count() * 1000) / 1000;
}

Json seconds_since(const std::optional<Instant>& then, Instant now) {
  return then ? Json(seconds(now - *then)) : Json();
}

Json seconds_until(const std::optional<Instant>& then, Instant now) {
  return then ? Json(seconds(std::max(*then - now, Duration::zero()))) : Json();
}

Json text_or_null(const std::string& text) {
  return text.empty() ? Json() : Json(text);
}

double per_second(double rate) {
  return std::round(rate * 10) / 10;
}

Json head(const StatusMoment& moment) {
  return {{"schema", kSchema}, {"seq", moment.seq}, {"time", utc_text(moment.wall)}};
}

Json store_json(const StoreStatus& store, const StatusMoment& moment) {
  return {{"state", name(store.health.state)},
          {"reason", text_or_null(store.health.reason)},
          {"since_at", utc_text(moment.wall_at(store.since))},
          {"messages", store.messages},
          {"bytes", store.bytes},
          {"file_bytes", store.health.file_bytes},
          {"bytes_written", store.health.bytes_written},
          {"commits", store.health.commits}};
}

Json listeners_json(const std::vector<ListenerStatus>& listeners) {
  Json all = Json::array();
  for (const ListenerStatus& one : listeners) {
    all.push_back({{"name", one.name}, {"protocol", one.protocol}, {"address", one.address}});
  }
  return all;
}

Json limits_json(const StatusModel& model) {
  Json limits = Json::object();
  for (const LimitStatus& limit : model.limits()) limits[std::string(limit.key)] = limit.reached;
  return limits;
}

Json dropped_json(const broker::Books& books) {
  Json dropped = Json::object();
  for (std::size_t i = 0; i < broker::kDropReasonCount; ++i) {
    const auto reason = static_cast<broker::DropReason>(i);
    dropped[std::string(broker::name(reason))] = books.drops(reason);
  }
  return dropped;
}

const char* name(bridge::Direction direction) {
  switch (direction) {
    case bridge::Direction::Up:
      return "up";
    case bridge::Direction::Down:
      return "down";
    case bridge::Direction::Both:
      return "both";
  }
  return "up";
}

Json rules_json(const std::vector<bridge::RuleStatus>& rules) {
  Json all = Json::array();
  for (const bridge::RuleStatus& one : rules) {
    all.push_back({{"filter", one.filter}, {"direction", name(one.direction)}, {"up", one.up}, {"down", one.down}});
  }
  return all;
}

}  // namespace

std::string gateway_json(const StatusModel& model) {
  const GatewayFacts& gateway = model.gateway;
  const StatusMoment& moment = model.moment;
  Json document = head(moment);
  document["id"] = gateway.id;
  document["version"] = gateway.version;
  document["started_at"] = utc_text(moment.wall_at(gateway.started));
  document["uptime_s"] = seconds(moment.now - gateway.started);
  document["acknowledge"] = gateway.acknowledge;
  document["clients"] = {{"connected", model.clients.connected}, {"sessions", model.clients.sessions}};
  document["messages"] = {{"received", model.stats.messages_received},
                          {"sent", model.stats.messages_sent},
                          {"dropped", model.messages_dropped()}};
  document["retained"] = {{"messages", model.retained.messages}, {"bytes", model.retained.bytes}};
  document["store"] = store_json(model.store, moment);
  document["listeners"] = listeners_json(model.listeners);
  document["certificates"] = Json::array();  // no listener or bridge has one
  document["memory_bytes"] = model.memory_bytes ? Json(*model.memory_bytes) : Json();
  document["clock"] = {{"trusted", model.clock.trusted}, {"expired_by_correction", model.clock.expired_by_correction}};
  document["limits_reached"] = limits_json(model);
  document["wills"] = {{"waiting", model.clients.wills_waiting},
                       {"over_limit", model.stats.wills_over_limit},
                       {"not_stored", model.stats.wills_not_stored}};
  return text_of(document);
}

std::string bridge_json(const BridgeStatus& status, const StatusMoment& moment) {
  const bridge::Snapshot& bridge = status.snapshot;
  Json document = head(moment);
  document["name"] = status.name;
  document["state"] = bridge::name(bridge.state);
  document["reason"] = text_or_null(bridge.reason);
  document["since_at"] = utc_text(moment.wall_at(bridge.since));
  document["remote"] = text_or_null(bridge.remote);
  document["backlog"] = {{"messages", bridge.backlog_messages},
                         {"bytes", bridge.backlog_bytes},
                         {"oldest_s", seconds_since(bridge.oldest, moment.now)},
                         {"disk_messages", bridge.disk_messages}};
  document["inflight"] = bridge.inflight;
  document["accepted"] = bridge.accepted;
  document["delivered"] = bridge.delivered;
  document["received"] = bridge.received;
  document["routed"] = bridge.routed;
  document["received_dropped"] = bridge.received_dropped;
  document["expired"] = bridge.expired;
  document["quarantined"] = bridge.quarantined;
  document["dropped"] = dropped_json(bridge.books);
  document["rules"] = rules_json(bridge.rules);
  document["rate"] = {{"up_per_s", per_second(bridge.up_per_s)}, {"down_per_s", per_second(bridge.down_per_s)}};
  document["drain_eta_s"] = bridge.drain_eta ? Json(seconds(*bridge.drain_eta)) : Json();
  document["connects"] = bridge.connects;
  document["last_ack_s"] = seconds_since(bridge.last_ack, moment.now);
  document["next_attempt_s"] = seconds_until(bridge.next_attempt, moment.now);
  return text_of(document);
}

std::optional<BridgeSummary> read_bridge_status(std::string_view document) {
  const Json parsed = Json::parse(document, nullptr, false);
  try {
    return BridgeSummary{.state = parsed.at("state").get<std::string>(),
                         .backlog = parsed.at("backlog").at("messages").get<std::uint64_t>(),
                         .inflight = parsed.at("inflight").get<std::uint64_t>()};
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

}  // namespace furrow::gateway
