#include "gateway/status/json.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "broker-core/session/session_record.h"
#include "gateway/clock.h"

namespace furrow::gateway {
namespace {

using Json = nlohmann::ordered_json;  // fields in the order of the contract

constexpr int kSchema = 1;
// A person needs no more, and the document stays below 100 KiB.
constexpr std::size_t kAlarmsMax = 100;
// The same for a region, over a link that is paid for by the byte.
constexpr std::size_t kAlarmsFarMax = 10;

// Names come from peers and files: what is not UTF-8 is replaced rather than refused, so nothing throws.
std::string text_of(const Json& document) {
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

double rounded_seconds(Duration duration) {
  return std::round(std::chrono::duration<double>(duration).count() * 1000) / 1000;
}

Json seconds_since(const std::optional<Instant>& then, Instant now) {
  return then ? Json(rounded_seconds(now - *then)) : Json();
}

Json seconds_until(const std::optional<Instant>& then, Instant now) {
  return then ? Json(rounded_seconds(std::max(*then - now, Duration::zero()))) : Json();
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

Json clients_json(const StatusModel& model) {
  return {{"connected", model.clients.connected},
          {"sessions", model.clients.sessions},
          {"maximum", model.stats.clients_maximum},
          {"expired", model.stats.sessions_expired}};
}

Json connections_json(const broker::Stats& stats) {
  return {
      {"offered", stats.connections_offered},
      {"accepted", stats.connects_accepted},
      {"refused", stats.connects_refused},
      {"connect_timeouts", stats.connect_timeouts},
      {"keep_alive_timeouts", stats.keep_alive_timeouts},
      {"protocol_errors", stats.protocol_errors},
      {"takeovers", stats.takeovers},
      {"sessions_of_others", stats.sessions_of_others},
      {"logins",
       {{"checked", stats.logins_checked}, {"failed", stats.logins_failed}, {"overloaded", stats.logins_overloaded}}}};
}

Json traffic_json(const broker::Stats& stats) {
  return {{"packets_received", stats.packets_received},
          {"packets_sent", stats.packets_sent},
          {"publishes_received", stats.publishes_received},
          {"payload_bytes_received", stats.payload_bytes_received},
          {"payload_bytes_sent", stats.payload_bytes_sent},
          {"bytes_received", stats.bytes_received},
          {"bytes_sent", stats.bytes_sent}};
}

// What was dropped before it came to a queue.
Json dropped_json(const broker::Stats& stats) {
  return {{"qos0_slow", stats.dropped_qos0_slow},
          {"too_large", stats.dropped_too_large},
          {"refused", stats.dropped_refused},
          {"not_authorized", stats.dropped_not_authorized},
          {"over_limit", stats.dropped_over_limit}};
}

// What access rules have refused; messages of publishers are among the dropped ones.
Json access_json(const broker::Stats& stats) {
  return {{"subscriptions", stats.subscriptions_not_authorized},
          {"wills", stats.wills_not_authorized},
          {"deliveries", stats.deliveries_not_authorized}};
}

Json retained_json(const StatusModel& model) {
  return {{"messages", model.retained.messages},
          {"bytes", model.retained.bytes},
          {"own_messages", model.retained.own_messages},
          {"own_bytes", model.retained.own_bytes},
          {"overtaken", model.stats.retained_overtaken}};
}

Json store_json(const StatusModel& model) {
  const StoreStatus& store = model.store;
  const StatusMoment& moment = model.moment;
  return {{"state", name(store.health.state)},
          {"reason", text_or_null(store.health.reason)},
          {"since_at", utc_text(moment.wall_at(store.since))},
          {"messages", store.messages},
          {"bytes", store.bytes},
          {"file_bytes", store.health.file_bytes},
          {"bytes_written", store.health.bytes_written},
          {"commits", store.health.commits},
          {"queues_orphaned", model.stats.queues_orphaned}};
}

Json listeners_json(const std::vector<ListenerStatus>& listeners) {
  Json all = Json::array();
  for (const ListenerStatus& one : listeners) {
    const bool waits = !one.waiting.empty();
    all.push_back({{"name", one.name},
                   {"protocol", one.protocol},
                   {"address", one.address},
                   {"tls", text_or_null(one.tls)},
                   {"state", waits ? "waiting" : "listening"},
                   {"reason", waits ? Json(one.waiting) : Json()}});
  }
  return all;
}

Json certificates_json(const std::vector<CertificateStatus>& certificates) {
  Json all = Json::array();
  for (const CertificateStatus& one : certificates) {
    all.push_back({{"name", one.name},
                   {"file", one.file},
                   {"subject", one.subject},
                   {"not_after", utc_text(one.not_after)},
                   {"days", one.days}});
  }
  return all;
}

Json links_json(const LinkStats& links) {
  return {{"strangers", links.strangers},
          {"not_allowed", links.not_allowed},
          {"openings_failed", links.openings_failed},
          {"openings_timed_out", links.openings_timed_out},
          {"openings_over_limit", links.openings_over_limit},
          {"descriptors_short", links.descriptors_short},
          {"accepts_late", links.accepts_late},
          {"control_over_limit", links.control_over_limit},
          {"questions", links.questions}};
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

const char* direction_name(bridge::Direction direction) {
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
    all.push_back(
        {{"filter", one.filter}, {"direction", direction_name(one.direction)}, {"up", one.up}, {"down", one.down}});
    if (one.wanted) all.back()["wanted"] = *one.wanted;
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
  document["uptime_s"] = rounded_seconds(moment.now - gateway.started);
  document["acknowledge"] = gateway.acknowledge;
  document["clients"] = clients_json(model);
  document["messages"] = {{"received", model.stats.messages_received},
                          {"sent", model.stats.messages_sent},
                          {"dropped", model.messages_dropped()},
                          {"dropped_by", dropped_json(model.stats)}};
  document["retained"] = retained_json(model);
  document["store"] = store_json(model);
  document["listeners"] = listeners_json(model.listeners);
  document["certificates"] = certificates_json(model.certificates);
  document["memory_bytes"] = model.memory.resident_bytes ? Json(*model.memory.resident_bytes) : Json();
  document["clock"] = {{"trusted", model.clock.trusted}, {"expired_by_correction", model.clock.expired_by_correction}};
  document["limits_reached"] = limits_json(model);
  document["wills"] = {{"waiting", model.clients.wills_waiting},
                       {"over_limit", model.stats.wills_over_limit},
                       {"not_stored", model.stats.wills_not_stored}};
  document["access_refused"] = access_json(model.stats);
  document["connections"] = connections_json(model.stats);
  document["traffic"] = traffic_json(model.stats);
  document["sessions"] = {{"accepted", model.sessions.accepted},
                          {"delivered", model.sessions.delivered},
                          {"expired", model.sessions.expired},
                          {"dropped", dropped_json(model.sessions)}};
  document["mesh"] = {{"had", model.stats.mesh_had}, {"older", model.stats.mesh_older}};
  document["heap"] = {{"bytes", model.memory.heap_bytes}, {"bytes_maximum", model.memory.heap_bytes_maximum}};
  document["links"] = links_json(model.links);
  document["watch"] = {{"topics", model.silence.topics},
                       {"silent", model.silence.silent.size()},
                       {"over_limit", model.silence.over_limit}};
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
  document["drain_eta_s"] = bridge.drain_eta ? Json(rounded_seconds(*bridge.drain_eta)) : Json();
  document["connects"] = bridge.connects;
  document["last_ack_s"] = seconds_since(bridge.last_ack, moment.now);
  document["next_attempt_s"] = seconds_until(bridge.next_attempt, moment.now);
  return text_of(document);
}

std::string client_json(const ClientDetails& client, const StatusMoment& moment) {
  Json document = head(moment);
  document["id"] = client.id;
  document["connected"] = client.connected;
  document["since_at"] = utc_text(moment.wall_at(client.since));
  document["user"] = client.user ? Json(*client.user) : Json();
  document["listener"] = text_or_null(client.listener);
  document["address"] = text_or_null(client.address);
  document["version"] = text_or_null(client.version);
  document["expiry_s"] = client.expiry_s == broker::kExpiryNever ? Json() : Json(client.expiry_s);
  document["subscriptions"] = client.subscriptions;
  document["queue"] = {{"messages", client.queue_messages}, {"bytes", client.queue_bytes}};
  document["inflight"] = client.inflight;
  return text_of(document);
}

std::string alarms_json(const std::vector<Alarm>& alarms, const StatusMoment& moment) {
  Json list = Json::array();
  for (const Alarm& one : std::span(alarms).first(std::min(alarms.size(), kAlarmsMax))) {
    list.push_back({{"id", one.id},
                    {"severity", name(one.severity)},
                    {"since_at", utc_text(moment.wall_at(one.since))},
                    {"what", one.what},
                    {"about", one.about},
                    {"do", one.todo}});
  }
  Json document = head(moment);
  document["alarms"] = std::move(list);
  document["more"] = alarms.size() - std::min(alarms.size(), kAlarmsMax);
  return text_of(document);
}

namespace {

// By hand: there are thousands of them, and the loop waits.
void append_point(std::string& text, const StatusHistory::Point& point, const StatusMoment& moment) {
  std::array<char, 96> numbers{};
  const double since_ack = point.since_ack ? rounded_seconds(*point.since_ack) : 0;
  std::snprintf(numbers.data(), numbers.size(), R"(","up_per_s":%.1f,"backlog":%llu,"last_ack_s":)",
                static_cast<double>(point.up_per_s), static_cast<unsigned long long>(point.backlog));
  text.append(R"({"time":")").append(utc_text(moment.wall_at(point.time))).append(numbers.data());
  std::snprintf(numbers.data(), numbers.size(), "%.1f", since_ack);
  text.append(point.since_ack ? numbers.data() : "null").append("}");
}

}  // namespace

std::string history_json(const StatusHistory::Points& points, const StatusMoment& moment) {
  constexpr auto kIntervalSeconds = std::chrono::duration_cast<std::chrono::seconds>(StatusHistory::kInterval).count();
  std::string text = R"({"schema":1,"interval_s":)" + std::to_string(kIntervalSeconds) + R"(,"bridges":{)";
  bool is_first = true;
  for (const auto& [name, of_bridge] : points) {
    if (!std::exchange(is_first, false)) text += ',';
    text += text_of(Json(name)) + ":[";
    for (const StatusHistory::Point& point : of_bridge) {
      if (&point != &of_bridge.front()) text += ',';
      append_point(text, point, moment);
    }
    text += ']';
  }
  return text + "}}";
}

std::string presence_json(const StatusModel& model) {
  Json ids = Json::array();
  for (const Alarm& one : std::span(model.alarms).first(std::min(model.alarms.size(), kAlarmsFarMax))) {
    ids.push_back(one.id);
  }
  Json bridges = Json::array();
  for (const BridgeStatus& one : model.bridges) {
    bridges.push_back(
        {{"name", one.name}, {"state", bridge::name(one.snapshot.state)}, {"backlog", one.snapshot.backlog_messages}});
  }
  Json document = {{"schema", kSchema}, {"id", model.gateway.id}, {"state", "online"}};
  document["time"] = utc_text(model.moment.wall);
  document["version"] = model.gateway.version;
  document["started_at"] = utc_text(model.moment.wall_at(model.gateway.started));
  document["alarms"] = {{"count", model.alarms.size()}, {"ids", std::move(ids)}};
  document["bridges"] = std::move(bridges);
  return text_of(document);
}

std::string offline_json(const GatewayFacts& gateway, std::string_view reason) {
  return text_of({{"schema", kSchema},
                  {"id", gateway.id},
                  {"state", "offline"},
                  {"time", nullptr},
                  {"version", gateway.version},
                  {"reason", reason}});
}

std::string status_json(const StatusModel& model) {
  std::string text = R"({"gateway":)" + gateway_json(model) + R"(,"bridges":{)";
  for (const BridgeStatus& one : model.bridges) {
    if (&one != &model.bridges.front()) text += ',';
    text += text_of(Json(one.name)) + ":" + bridge_json(one, model.moment);
  }
  return text + R"(},"alarms":)" + alarms_json(model.alarms, model.moment) + "}";
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
