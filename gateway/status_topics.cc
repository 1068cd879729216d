#include "gateway/status_topics.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "broker-core/session/books.h"
#include "gateway/sys_counters.h"
#include "gateway/text_file.h"

namespace furrow::gateway {
namespace {

constexpr std::string_view kGatewayTopic = "$SYS/furrow/gateway";
constexpr std::string_view kBridgeTopics = "$SYS/furrow/bridge/";

// The resident set: the second number of statm (proc(5)), in pages.
std::optional<std::uint64_t> memory_bytes() {
  const auto line = read_first_line("/proc/self/statm");
  if (!line) return std::nullopt;
  const std::size_t space = line->find(' ');
  if (space == std::string::npos) return std::nullopt;
  std::uint64_t pages = 0;
  const auto read = std::from_chars(line->data() + space + 1, line->data() + line->size(), pages);
  if (read.ec != std::errc{}) return std::nullopt;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::uint64_t dropped(const broker::Books& books) {
  std::uint64_t sum = 0;
  for (const std::uint64_t count : books.dropped) sum += count;
  return sum;
}

}  // namespace

StatusTopics::StatusTopics(Options options, broker::Broker& broker, const Clock& clock, Instant now)
    : options_(std::move(options)), broker_(broker), clock_(clock), started_(now), pace_(options_.interval) {
  store_.since = now;
}

void StatusTopics::add(const bridge::Buffer& buffer, bridge::Bridge* bridge) {
  bridges_.push_back({.buffer = &buffer, .bridge = bridge, .snapshot = {}, .pace = StatusPace(options_.interval)});
}

void StatusTopics::note_store(const broker::StoreHealth& health, Instant now) {
  if (health.state != store_.health.state) store_.since = now;
  if (health.state != store_.health.state || health.reason != store_.health.reason) pace_.note_change();
  store_.health = health;
}

void StatusTopics::publish(Instant now) {
  clients_maximum_ = std::max<std::uint64_t>(clients_maximum_, broker_.clients());
  for (BridgeTopic& topic : bridges_) {
    if (topic.bridge != nullptr && topic.bridge->poll_status_change()) topic.pace.note_change();
    if (topic.pace.is_due(now)) publish_bridge(topic, now);
  }
  if (pace_.is_due(now)) publish_gateway(now);
}

void StatusTopics::publish_bridge(BridgeTopic& topic, Instant now) {
  topic.snapshot = topic.bridge != nullptr ? topic.bridge->snapshot() : snapshot_of(*topic.buffer);
  topic.pace.published(now);
  const std::string& name = topic.buffer->name();
  broker_.publish_status(std::string(kBridgeTopics) + name, to_json(name, topic.snapshot, moment(now)), now);
}

// For as long as no bridge sends from it.
bridge::Snapshot StatusTopics::snapshot_of(const bridge::Buffer& buffer) const {
  bridge::Snapshot snapshot;
  buffer.describe(snapshot);
  snapshot.state = bridge::State::Disabled;
  snapshot.reason = "not in configuration, " + std::to_string(snapshot.backlog_messages) + " waiting";
  snapshot.since = started_;
  return snapshot;
}

void StatusTopics::publish_gateway(Instant now) {
  const broker::Books& sessions = broker_.session_books();
  store_.messages = sessions.accepted - sessions.left();
  store_.bytes = broker_.session_queue_bytes();
  for (const BridgeTopic& topic : bridges_) {
    store_.messages += topic.snapshot.backlog_messages + topic.snapshot.inflight;
    store_.bytes += topic.snapshot.backlog_bytes;
  }
  pace_.published(now);
  broker_.publish_status(kGatewayTopic, to_json(gateway_status(), moment(now)), now);
  const SysFacts facts{.version = options_.version,
                       .uptime = now - started_,
                       .clients_maximum = clients_maximum_,
                       .messages_dropped = messages_dropped(),
                       .stored_messages = store_.messages,
                       .stored_bytes = store_.bytes};
  for (const SysCounter& counter : sys_counters(broker_, facts)) {
    broker_.publish_status(counter.topic, counter.value, now);
  }
}

std::uint64_t StatusTopics::messages_dropped() const {
  return broker_.stats().dropped() + dropped(broker_.session_books());
}

GatewayStatus StatusTopics::gateway_status() const {
  const broker::Stats& stats = broker_.stats();
  return {.id = options_.gateway_id,
          .version = options_.version,
          .started = started_,
          .acknowledge = options_.acknowledge,
          .clients_connected = broker_.clients(),
          .sessions = broker_.sessions(),
          .messages_received = stats.messages_received,
          .messages_sent = stats.messages_sent,
          .messages_dropped = messages_dropped(),
          .retained_messages = broker_.retained().messages(),
          .retained_bytes = broker_.retained().bytes(),
          .stats = stats,
          .store = store_,
          .listeners = options_.listeners,
          .memory_bytes = memory_bytes(),
          .clock_trusted = clock_.trusted(),
          .expired_by_correction = broker_.journal().expired_by_correction(),
          .wills_waiting = broker_.wills().waiting()};
}

StatusMoment StatusTopics::moment(Instant now) {
  return {.seq = ++seq_, .now = now, .wall = clock_.wall_at(now)};
}

Instant StatusTopics::next_deadline() const {
  Instant next = pace_.next();
  for (const BridgeTopic& topic : bridges_) next = std::min(next, topic.pace.next());
  return next;
}

std::string StatusTopics::summary() const {
  std::string line = std::to_string(broker_.clients()) + " clients";
  for (const BridgeTopic& topic : bridges_) {
    line += ", bridge " + topic.buffer->name() + " " + std::string(bridge::name(topic.snapshot.state));
  }
  return line;
}

}  // namespace furrow::gateway
