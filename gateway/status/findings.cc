#include "gateway/status/findings.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <optional>
#include <utility>

#include "broker-core/base/printable.h"

namespace furrow::gateway {
namespace {

using Severity = Alarm::Severity;

// Each of these is a rule of thumb for a site that nobody watches: long enough for what mends itself.
constexpr Duration kAwayLong = std::chrono::minutes(5);
constexpr Duration kStoreSlowLong = std::chrono::minutes(5);
// NTP takes a minute or two after a boot.
constexpr Duration kClockWrongLong = std::chrono::minutes(3);
// A network comes up shortly after the gateway.
constexpr Duration kListenerWaitingLong = std::chrono::seconds(30);
// A client that was thrown out comes back after a minute at most.
constexpr Duration kContestedKept = std::chrono::minutes(10);
constexpr std::int64_t kCertificateDaysWarning = 30;
constexpr std::int64_t kCertificateDaysError = 1;
constexpr std::uint64_t kFullPercent = 80;
constexpr std::uint64_t kFullPercentKept = 70;
// Of what is nearly full.
constexpr std::uint64_t kFullPercentError = 95;

constexpr std::size_t kReasonBytesMax = 400;
constexpr std::size_t kNameBytesMax = 256;

std::string shown(const std::string& name) {
  return printable(name, kNameBytesMax);
}

std::string because(const std::string& reason) {
  return reason.empty() ? "" : ": " + printable(reason, kReasonBytesMax);
}

std::string counted(std::uint64_t count, const std::string& thing) {
  return std::to_string(count) + " " + thing + (count == 1 ? "" : "s");
}

// How much of `limit` is used; nothing without a limit.
std::optional<std::uint64_t> percent(std::uint64_t used, std::uint64_t limit) {
  if (limit == 0) return std::nullopt;
  return static_cast<std::uint64_t>(100.0 * static_cast<double>(used) / static_cast<double>(limit));
}

void find_bridge_without_progress(const BridgeStatus& bridge, Instant now, std::vector<Finding>& all) {
  const bridge::Snapshot& snapshot = bridge.snapshot;
  const bool is_away = snapshot.state == bridge::State::Backoff || snapshot.state == bridge::State::Connecting;
  const bool is_stalled = snapshot.state == bridge::State::Stalled;
  if (!is_away && !is_stalled) return;
  const std::string where = "and at " + snapshot.remote + "; what comes meanwhile is buffered";
  // Between two connections that stall the bridge is away for a moment, and nothing is better.
  if (is_stalled || now - snapshot.since < kAwayLong) {
    all.push_back({.alarm = {.id = "bridge_stalled/" + bridge.name,
                             .severity = Severity::Error,
                             .since = snapshot.since,
                             .about = "bridge " + bridge.name,
                             .what = "is connected, but the region acknowledges nothing" + because(snapshot.reason),
                             .todo = "look at the broker of the region " + where},
                   .only_keeps = is_away});
  }
  if (!is_away) return;
  all.push_back({.alarm = {.id = "bridge_away/" + bridge.name,
                           .severity = Severity::Warning,
                           .since = snapshot.since,
                           .about = "bridge " + bridge.name,
                           .what = "has no connection to its region" + because(snapshot.reason),
                           .todo = "look at the link " + where},
                 .raise_after = kAwayLong});
}

void find_full_buffer(const BridgeStatus& bridge, Instant now, std::vector<Finding>& all) {
  const bridge::Snapshot& snapshot = bridge.snapshot;
  const std::uint64_t used = std::max(percent(snapshot.backlog_bytes, snapshot.bytes_max).value_or(0),
                                      percent(snapshot.backlog_messages, snapshot.messages_max).value_or(0));
  if (used < kFullPercentKept) return;
  all.push_back({.alarm = {.id = "buffer/" + bridge.name,
                           .severity = used >= kFullPercentError ? Severity::Error : Severity::Warning,
                           .since = now,
                           .about = "bridge " + bridge.name,
                           .what = "has a buffer that is " + std::to_string(used) + " % full",
                           .todo = "get the link up, or raise bridges[].buffer; buffer.when_full says what goes first"},
                 .only_keeps = used < kFullPercent});
}

void find_quarantine(const BridgeStatus& bridge, Instant now, std::vector<Finding>& all) {
  const std::uint64_t count = bridge.snapshot.quarantined;
  if (count == 0) return;
  all.push_back({.alarm = {.id = "quarantine/" + bridge.name,
                           .severity = Severity::Warning,
                           .since = now,
                           .about = "bridge " + bridge.name,
                           .what = "has " + counted(count, "message") +
                                   " in quarantine: the region ends the connection when it gets them",
                           .todo = "furrow buffer show --quarantine --bridge " + bridge.name}});
}

// A far broker need not say that it ended a connection for another one.
void find_contested_session(const BridgeStatus& bridge, Instant now, std::vector<Finding>& all) {
  const bridge::Snapshot& snapshot = bridge.snapshot;
  const auto is_recent = [now](std::optional<Instant> at) { return at && now - *at <= kContestedKept; };
  if (!is_recent(snapshot.contested) && !is_recent(snapshot.pushed_out)) return;
  const std::string id = shown(snapshot.client_id);
  Alarm alarm{.id = "client_id/bridge " + bridge.name,
              .severity = Severity::Error,
              .since = now,
              .about = "bridge " + bridge.name,
              .what = "and another client take the client id " + id + " from each other at " + snapshot.remote,
              .todo = "give each gateway a gateway.id of its own, or this bridge another client_id"};
  if (!is_recent(snapshot.contested)) {
    alarm.severity = Severity::Warning;
    alarm.what = "loses its connection to " + snapshot.remote +
                 " soon after each CONNACK: does another client use client id " + id + "?";
  }
  all.push_back({.alarm = std::move(alarm)});
}

void find_of_bridges(const StatusModel& model, std::vector<Finding>& all) {
  const Instant now = model.moment.now;
  for (const BridgeStatus& bridge : model.bridges) {
    find_bridge_without_progress(bridge, now, all);
    find_full_buffer(bridge, now, all);
    find_quarantine(bridge, now, all);
    find_contested_session(bridge, now, all);
  }
}

std::string advice(broker::StoreState state) {
  using broker::StoreState;
  switch (state) {
    case StoreState::Full:
      return "make room on the disk; the gateway goes on by itself";
    case StoreState::ReadOnly:
      return "look at the mount of gateway.data, and at the kernel's log: a card that fails becomes read-only";
    case StoreState::Failing:
      return "look at the disk and at the kernel's log; what is not on disk yet is not acknowledged";
    case StoreState::Slow:
      return "look at the disk: a commit takes longer than 2 s";
    case StoreState::Salvaging:
    case StoreState::Ok:
      break;
  }
  return "wait: what can be read of a damaged file is taken over";
}

void find_of_store(const StatusModel& model, std::vector<Finding>& all) {
  using broker::StoreState;
  const broker::StoreHealth& health = model.store.health;
  if (health.state == StoreState::Ok) return;
  const bool works = health.state == StoreState::Slow || health.state == StoreState::Salvaging;
  all.push_back({.alarm = {.id = "store",
                           .severity = works ? Severity::Warning : Severity::Error,
                           .since = model.store.since,
                           .about = "store",
                           .what = "is " + std::string(name(health.state)) + because(health.reason),
                           .todo = advice(health.state)},
                 .raise_after = health.state == StoreState::Slow ? kStoreSlowLong : Duration::zero()});
}

void find_of_certificates(const StatusModel& model, std::vector<Finding>& all) {
  for (const CertificateStatus& one : model.certificates) {
    if (one.days > kCertificateDaysWarning) continue;
    const std::string end = one.days < 0
                                ? "has expired " + counted(static_cast<std::uint64_t>(-one.days), "day") + " ago"
                                : "ends in " + counted(static_cast<std::uint64_t>(one.days), "day");
    all.push_back({.alarm = {.id = "certificate/" + one.name,
                             .severity = one.days <= kCertificateDaysError ? Severity::Error : Severity::Warning,
                             .since = model.moment.now,
                             .about = one.name,
                             .what = "has a certificate that " + end + ": " + one.file,
                             .todo = "put a new one there; it is taken within a minute"}});
  }
}

void find_of_listeners(const StatusModel& model, std::vector<Finding>& all) {
  for (const ListenerStatus& one : model.listeners) {
    if (one.waiting.empty()) continue;
    all.push_back({.alarm = {.id = "listener/" + one.name,
                             .severity = Severity::Warning,
                             .since = model.moment.now,
                             .about = "listener " + one.name,
                             .what = "waits for its address" + because(one.waiting),
                             .todo = "bring its network up, or correct listeners[].bind"},
                   .raise_after = kListenerWaitingLong});
  }
}

void find_of_clients(const StatusModel& model, std::vector<Finding>& all) {
  for (const std::string& id : model.clients.contested) {
    all.push_back(
        {.alarm = {.id = "client_id/" + shown(id),
                   .severity = Severity::Warning,
                   .since = model.moment.now,
                   .about = "client " + shown(id),
                   .what = "is thrown out by another connection with its client id, again and again",
                   .todo = "give each device a client id of its own; if there is only one, look at its network"}});
  }
}

std::string about_time(Duration duration) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration).count();
  if (seconds < 120) return std::to_string(seconds) + " s";
  if (seconds < 2 * 3600) return std::to_string(seconds / 60) + " min";
  if (seconds < 48 * 3600) return std::to_string(seconds / 3600) + " h";
  return std::to_string(seconds / (24 * 3600)) + " d";
}

void find_of_topics(const StatusModel& model, std::vector<Finding>& all) {
  for (const SilentTopic& one : model.silence.silent) {
    all.push_back({.alarm = {.id = "silent/" + shown(one.topic),
                             .severity = Severity::Warning,
                             .since = one.since,
                             .about = "topic " + shown(one.topic),
                             .what = "is silent for " + about_time(model.moment.now - one.last),
                             .todo = "look at its sensor and at the network between; to give the topic up, publish an "
                                     "empty retained message on it"}});
  }
}

void find_of_machine(const StatusModel& model, std::vector<Finding>& all) {
  if (!model.clock.trusted) {
    all.push_back({.alarm = {.id = "clock",
                             .severity = Severity::Warning,
                             .since = model.moment.now,
                             .about = "clock",
                             .what = "is not trusted: it is not synchronised, and may be wrong",
                             .todo = "run an NTP client, or fit a real-time clock; until then nothing expires for time "
                                     "spent powered off"},
                   .raise_after = kClockWrongLong});
  }
  const auto used = percent(model.memory.heap_bytes, model.memory.limit_bytes);
  if (!used || *used < kFullPercentKept) return;
  all.push_back({.alarm = {.id = "memory",
                           .severity = *used >= kFullPercentError ? Severity::Error : Severity::Warning,
                           .since = model.moment.now,
                           .about = "memory",
                           .what = "is used for " + std::to_string(*used) + " % of limits.memory",
                           .todo = "raise limits.memory where the machine has more, or lower limits.connections and "
                                   "sessions.queue"},
                 .only_keeps = *used < kFullPercent});
}

}  // namespace

std::vector<Finding> findings(const StatusModel& model) {
  std::vector<Finding> all;
  find_of_store(model, all);
  find_of_bridges(model, all);
  find_of_listeners(model, all);
  find_of_certificates(model, all);
  find_of_clients(model, all);
  find_of_topics(model, all);
  find_of_machine(model, all);
  return all;
}

}  // namespace furrow::gateway
