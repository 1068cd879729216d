#include "gateway/status/metrics.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <utility>

namespace furrow::gateway {
namespace {

// A label's value in quotes, with what the format wants escaped.
std::string quoted(std::string_view value) {
  std::string text = "\"";
  for (const char c : value) {
    if (c == '\n') {
      text += "\\n";
    } else {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
  }
  return text + '"';
}

std::string number(double value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}
std::string number(std::uint64_t value) {
  return std::to_string(value);
}

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

struct Label {
  std::string_view name;
  std::string_view value;
};
using Labels = std::initializer_list<Label>;

// Metrics one after another, each with its samples behind it.
class Exposition {
 public:
  void counter(std::string_view name, std::string_view help) { begin(name, "counter", help); }
  void gauge(std::string_view name, std::string_view help) { begin(name, "gauge", help); }
  void histogram(std::string_view name, std::string_view help) { begin(name, "histogram", help); }

  template <typename Number>
  void sample(Labels labels, Number value) {
    sample("", labels, number(value));
  }
  template <typename Number>
  void sample(Number value) {
    sample({}, value);
  }
  // A counter, or a gauge, without labels.
  void count(std::string_view name, std::string_view help, std::uint64_t value) {
    counter(name, help);
    sample(value);
  }
  template <typename Number>
  void measure(std::string_view name, std::string_view help, Number value) {
    gauge(name, help);
    sample(value);
  }
  // `of`: what is measured, if there are several.
  void sample(const Histogram& histogram, std::optional<Label> of = std::nullopt) {
    std::uint64_t count = 0;
    for (std::size_t i = 0; i <= Histogram::kBounds.size(); ++i) {
      count += histogram.count(i);
      const std::string bound = i < Histogram::kBounds.size() ? number(seconds(Histogram::kBounds[i])) : "+Inf";
      if (of) {
        sample("_bucket", {*of, {"le", bound}}, number(count));
      } else {
        sample("_bucket", {{"le", bound}}, number(count));
      }
    }
    const auto total = [&](std::string_view what, const std::string& value) {
      if (of) {
        sample(what, {*of}, value);
      } else {
        sample(what, {}, value);
      }
    };
    total("_sum", number(seconds(histogram.sum())));
    total("_count", number(count));
  }

  std::string take() { return std::move(text_); }

 private:
  void begin(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text_.append("# HELP ").append(name).append(" ").append(help).append("\n");
    text_.append("# TYPE ").append(name).append(" ").append(type).append("\n");
  }
  void sample(std::string_view what, Labels labels, const std::string& value) {
    text_.append(name_).append(what);
    char before = '{';
    for (const Label& one : labels) {
      text_ += before;
      text_.append(one.name).append("=").append(quoted(one.value));
      before = ',';
    }
    if (labels.size() > 0) text_ += '}';
    text_.append(" ").append(value).append("\n");
  }

  std::string text_;
  std::string_view name_;
};

void add_gateway(Exposition& all, const StatusModel& model) {
  all.gauge("furrow_info", "What runs here, always 1.");
  all.sample({{"gateway", model.gateway.id}, {"version", model.gateway.version}}, std::uint64_t{1});
  all.measure("furrow_uptime_seconds", "Time since the gateway was started.",
              seconds(model.moment.now - model.gateway.started));
  if (model.memory.resident_bytes) {
    all.measure("furrow_memory_resident_bytes", "Memory that the process has.", *model.memory.resident_bytes);
  }
  all.measure("furrow_memory_heap_bytes", "Memory that is allocated and not freed.", model.memory.heap_bytes);
  all.measure("furrow_clock_trusted", "Whether the wall clock is believed.", std::uint64_t{model.clock.trusted});
  all.histogram("furrow_loop_lateness_seconds", "How late the loop comes to what is due.");
  all.sample(model.timing.loop_lateness);
}

void add_clients(Exposition& all, const StatusModel& model) {
  const broker::Stats& stats = model.stats;
  all.measure("furrow_clients_connected", "Clients that are connected.", model.clients.connected);
  all.measure("furrow_sessions", "Sessions, of connected clients and of others.", model.clients.sessions);
  all.count("furrow_messages_received_total", "Messages that clients and bridges have published.",
            stats.messages_received);
  all.count("furrow_messages_sent_total", "Messages that were sent to clients.", stats.messages_sent);
  all.counter("furrow_messages_dropped_total", "Messages that clients did not get, or did not bring in.");
  const std::array before_queues = {
      std::pair{"qos0_slow", stats.dropped_qos0_slow}, std::pair{"packet_too_large", stats.dropped_too_large},
      std::pair{"refused", stats.dropped_refused}, std::pair{"publish_not_authorized", stats.dropped_not_authorized},
      std::pair{"over_limit", stats.dropped_over_limit}};
  for (const auto& [reason, count] : before_queues) all.sample({{"reason", reason}}, count);
  for (std::size_t i = 0; i < broker::kDropReasonCount; ++i) {
    const auto reason = static_cast<broker::DropReason>(i);
    all.sample({{"reason", broker::name(reason)}}, model.sessions.drops(reason));
  }
  all.count("furrow_mesh_had_total", "Messages that had come another way before, and were not routed again.",
            stats.mesh_had);
  all.count("furrow_mesh_older_total", "Messages routed whose ids are older than what is known of their origin.",
            stats.mesh_older);
  all.count("furrow_received_bytes_total", "Bytes that came from clients.", stats.bytes_received);
  all.count("furrow_sent_bytes_total", "Bytes that went to clients.", stats.bytes_sent);
  all.count("furrow_connections_total", "Network connections of clients.", stats.connections_offered);
  all.count("furrow_connects_refused_total", "CONNECT packets that were answered with an error.",
            stats.connects_refused);
  all.count("furrow_logins_failed_total", "Logins that were refused for what they proved, or did not.",
            stats.logins_failed);
  all.count("furrow_protocol_errors_total", "Connections that were closed for what they sent.", stats.protocol_errors);
  all.count("furrow_takeovers_total", "Connections that gave way to another one with their client identifier.",
            stats.takeovers);
  all.measure("furrow_retained_messages", "Retained messages.", model.retained.messages);
  all.measure("furrow_retained_bytes", "Bytes of retained messages.", model.retained.bytes);
  all.counter("furrow_limit_reached_total", "How often a limit of the configuration was reached.");
  for (const LimitStatus& one : model.limits()) all.sample({{"limit", one.key}}, one.reached);
}

void add_store(Exposition& all, const StatusModel& model) {
  using broker::StoreState;
  all.gauge("furrow_store_state", "The state of the store: 1 for the one that it is in.");
  for (const StoreState state : {StoreState::Ok, StoreState::Slow, StoreState::Full, StoreState::ReadOnly,
                                 StoreState::Failing, StoreState::Salvaging}) {
    all.sample({{"state", name(state)}}, std::uint64_t{model.store.health.state == state});
  }
  all.measure("furrow_store_messages", "Messages that wait on disk or on their way to it.", model.store.messages);
  all.measure("furrow_store_waiting_bytes", "Bytes of these.", model.store.bytes);
  all.measure("furrow_store_file_bytes", "Size of the store's files.", model.store.health.file_bytes);
  all.count("furrow_store_written_bytes_total", "Bytes that were written to the store.",
            model.store.health.bytes_written);
  all.count("furrow_store_commits_total", "Commits of the store.", model.store.health.commits);
  all.histogram("furrow_store_commit_seconds", "How long commits take.");
  all.sample(model.timing.commits);
}

void add_listeners(Exposition& all, const StatusModel& model) {
  all.gauge("furrow_listener_up", "Whether the listener accepts: 0 while it waits for its address.");
  for (const ListenerStatus& one : model.listeners) {
    all.sample({{"listener", one.name}}, std::uint64_t{one.waiting.empty()});
  }
  if (model.certificates.empty()) return;
  all.gauge("furrow_certificate_not_after_timestamp_seconds", "When our own certificate ends.");
  for (const CertificateStatus& one : model.certificates) {
    all.sample({{"certificate", one.name}, {"file", one.file}}, seconds(one.not_after.time_since_epoch()));
  }
}

void add_alarms(Exposition& all, const StatusModel& model) {
  all.gauge("furrow_alarms", "How many alarms are raised.");
  for (const Alarm::Severity severity : {Alarm::Severity::Error, Alarm::Severity::Warning}) {
    const auto count = std::ranges::count(model.alarms, severity, &Alarm::severity);
    all.sample({{"severity", name(severity)}}, static_cast<std::uint64_t>(count));
  }
  if (model.alarms.empty()) return;
  all.gauge("furrow_alarm", "An alarm that is raised, always 1; see $SYS/furrow/alarms.");
  for (const Alarm& one : model.alarms) {
    all.sample({{"id", one.id}, {"severity", name(one.severity)}}, std::uint64_t{1});
  }
}

// One metric of all bridges; `value` is what a snapshot has of it, or nothing.
template <typename Value>
void add_of_bridges(Exposition& all, const StatusModel& model, Value value) {
  for (const BridgeStatus& one : model.bridges) {
    if (const auto had = value(one.snapshot)) all.sample({{"bridge", one.name}}, *had);
  }
}

void add_bridge_counter(Exposition& all, const StatusModel& model, std::string_view name, std::string_view help,
                        std::uint64_t bridge::Snapshot::*count) {
  all.counter(name, help);
  add_of_bridges(all, model, [count](const bridge::Snapshot& one) { return std::optional(one.*count); });
}
void add_bridge_gauge(Exposition& all, const StatusModel& model, std::string_view name, std::string_view help,
                      std::uint64_t bridge::Snapshot::*count) {
  all.gauge(name, help);
  add_of_bridges(all, model, [count](const bridge::Snapshot& one) { return std::optional(one.*count); });
}

std::optional<double> age_in_seconds(const std::optional<Instant>& then, Instant now) {
  return then ? std::optional(seconds(now - *then)) : std::nullopt;
}

void add_bridge_states(Exposition& all, const StatusModel& model) {
  using bridge::State;
  all.gauge("furrow_bridge_state", "The state of the bridge, judged by progress: 1 for the one that it is in.");
  for (const BridgeStatus& one : model.bridges) {
    for (const State state : {State::Connecting, State::Online, State::Draining, State::Stalled, State::Backoff,
                              State::Waiting, State::Disabled}) {
      all.sample({{"bridge", one.name}, {"state", bridge::name(state)}}, std::uint64_t{one.snapshot.state == state});
    }
  }
}

// Where each message is: accepted = delivered + backlog + inflight + quarantined + expired + dropped.
void add_bridge_books(Exposition& all, const StatusModel& model) {
  using bridge::Snapshot;
  add_bridge_counter(all, model, "furrow_bridge_accepted_total", "Messages taken for the far side.",
                     &Snapshot::accepted);
  add_bridge_counter(all, model, "furrow_bridge_delivered_total", "Messages that the far side has acknowledged.",
                     &Snapshot::delivered);
  add_bridge_gauge(all, model, "furrow_bridge_backlog_messages", "Messages that wait and were not sent yet.",
                   &Snapshot::backlog_messages);
  add_bridge_gauge(all, model, "furrow_bridge_backlog_bytes", "Bytes of these and of those in flight.",
                   &Snapshot::backlog_bytes);
  add_bridge_gauge(all, model, "furrow_bridge_inflight_messages", "Messages sent and not acknowledged yet.",
                   &Snapshot::inflight);
  add_bridge_gauge(all, model, "furrow_bridge_quarantined_messages", "Messages that the far side will not take.",
                   &Snapshot::quarantined);
  add_bridge_counter(all, model, "furrow_bridge_expired_total", "Messages that expired while they waited.",
                     &Snapshot::expired);
  all.counter("furrow_bridge_dropped_total", "Messages that were lost on the way up, by reason.");
  for (const BridgeStatus& one : model.bridges) {
    for (std::size_t i = 0; i < broker::kDropReasonCount; ++i) {
      const auto reason = static_cast<broker::DropReason>(i);
      all.sample({{"bridge", one.name}, {"reason", broker::name(reason)}}, one.snapshot.books.drops(reason));
    }
  }
  add_bridge_counter(all, model, "furrow_bridge_received_total", "Messages that came down from the far side.",
                     &Snapshot::received);
  add_bridge_counter(all, model, "furrow_bridge_received_dropped_total", "Messages of these that went nowhere.",
                     &Snapshot::received_dropped);
}

void add_bridge_rules(Exposition& all, const StatusModel& model) {
  all.counter("furrow_bridge_rule_messages_total", "Messages that a rule has taken, by direction.");
  for (const BridgeStatus& one : model.bridges) {
    std::map<std::pair<std::string_view, std::string_view>, std::uint64_t> counts;
    for (const bridge::RuleStatus& rule : one.snapshot.rules) {
      if (rule.direction != bridge::Direction::Down) counts[{rule.filter, "up"}] += rule.up;
      if (rule.direction != bridge::Direction::Up) counts[{rule.filter, "down"}] += rule.down;
    }
    for (const auto& [rule, count] : counts) {
      all.sample({{"bridge", one.name}, {"rule", rule.first}, {"direction", rule.second}}, count);
    }
  }
}

void add_bridge_pace(Exposition& all, const StatusModel& model) {
  using bridge::Snapshot;
  const Instant now = model.moment.now;
  all.gauge("furrow_bridge_oldest_message_age_seconds", "How long the oldest message waits.");
  add_of_bridges(all, model, [now](const Snapshot& one) { return age_in_seconds(one.oldest, now); });
  all.gauge("furrow_bridge_last_acknowledgement_age_seconds", "Time since the far side acknowledged a message.");
  add_of_bridges(all, model, [now](const Snapshot& one) { return age_in_seconds(one.last_ack, now); });
  all.gauge("furrow_bridge_drain_eta_seconds", "When the backlog will be gone, while it drains.");
  add_of_bridges(all, model, [](const Snapshot& one) {
    return one.drain_eta ? std::optional(seconds(*one.drain_eta)) : std::nullopt;
  });
  add_bridge_counter(all, model, "furrow_bridge_connects_total", "Connections that the far side has accepted.",
                     &Snapshot::connects);
  all.histogram("furrow_bridge_acknowledgement_seconds",
                "From a PUBLISH to the first answer of the far side; one message is timed at a time.");
  for (const BridgeStatus& one : model.bridges) {
    all.sample(one.snapshot.acknowledgement_times, Label{"bridge", one.name});
  }
}

}  // namespace

std::string metrics_text(const StatusModel& model) {
  Exposition all;
  add_gateway(all, model);
  add_clients(all, model);
  add_store(all, model);
  add_listeners(all, model);
  add_alarms(all, model);
  if (!model.bridges.empty()) {
    add_bridge_states(all, model);
    add_bridge_books(all, model);
    add_bridge_rules(all, model);
    add_bridge_pace(all, model);
  }
  return all.take();
}

}  // namespace furrow::gateway
