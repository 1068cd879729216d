#include "config/survival_notes.h"

#include <algorithm>

#include "config/messages.h"
#include "config/provider_limits.h"
#include "config/scalar.h"

namespace furrow::config {
namespace {

// "1GiB or 500 messages"; empty when there is no limit.
std::string limits_text(std::uint64_t bytes, std::uint64_t messages) {
  std::string text = bytes == 0 ? "" : size_text(bytes);
  if (messages != 0) text += (text.empty() ? "" : " or ") + std::to_string(messages) + " messages";
  return text;
}

std::string_view given_up_text(WhenFull when_full) {
  switch (when_full) {
    case WhenFull::DropOldest:
      return "the oldest messages are dropped first, and counted";
    case WhenFull::DropNewest:
      return "new messages are dropped, and counted, though their publishers are told success";
    case WhenFull::Refuse:
      return "MQTT 5 publishers are told 'quota exceeded', others have to wait, and QoS 0 messages are dropped";
  }
  return {};
}

void warn_about_store(const Store& store, Report& report) {
  if (store.acknowledge == Acknowledge::Received) {
    report.warning(
        "store.acknowledge",
        "store.acknowledge: received tells publishers that a message is safe before it is on disk: a kill -9 or a "
        "power cut loses what was acknowledged since the last flush");
  }
  if (store.retained == RetainedDurability::Lazy) {
    report.warning("store.retained", "store.retained: lazy: a power cut may bring back retained values up to " +
                                         time_text(store.retained_interval) + " old");
  }
}

void warn_about_rule(const TopicRule& rule, const std::string& path, Report& report) {
  if (rule.qos != 0) return;
  if (!rule.goes_up()) {
    report.warning(path + ".qos",
                   "bridges[].topics[].qos: 0: what the far side publishes while the link is down does not come down");
  } else if (rule.buffer_qos0) {
    report.warning(path + ".qos", "bridges[].topics[].qos: 0: what is on its way when the link breaks is lost");
  } else {
    report.warning(path + ".qos",
                   "bridges[].topics[].qos: 0: nothing is buffered during an outage: what is published while the link "
                   "is down is lost");
  }
}

void warn_about_bridge(const Bridge& bridge, const std::string& path, Report& report) {
  if (bridge.comes_down() && bridge.session_expiry == Duration::zero()) {
    report.warning(
        path + ".session_expiry",
        "bridges[].session_expiry: 0s: what the far side publishes while the link is down does not come down");
  }
  if (limits_text(bridge.buffer.bytes_max, bridge.buffer.messages_max).empty()) {
    report.warning(path + ".buffer",
                   "bridges[].buffer has no limit in bytes or messages: a long outage fills the disk");
  }
}

void note_buffer(const Bridge& bridge, const std::string& path, Report& report) {
  const Buffer& buffer = bridge.buffer;
  const std::string limits = limits_text(buffer.bytes_max, buffer.messages_max);
  if (!limits.empty()) {
    report.note(path + ".buffer", "bridge " + in_quotes(bridge.name) + " buffers " + limits +
                                      " during an outage; when full, " + std::string(given_up_text(buffer.when_full)));
  }
  if (buffer.age_max != Duration::zero()) {
    report.note(path + ".buffer", "bridge " + in_quotes(bridge.name) + " drops messages that have waited for " +
                                      time_text(buffer.age_max));
  }
}

void note_rules(const Bridge& bridge, std::size_t index, Report& report) {
  const auto loses_qos0 = [](const TopicRule& rule) {
    return rule.goes_up() && rule.qos > 0 && rule.qos_min == 0 && !rule.buffer_qos0;
  };
  const auto first = std::find_if(bridge.topics.begin(), bridge.topics.end(), loses_qos0);
  if (first != bridge.topics.end()) {
    report.note(rule_path(index, static_cast<std::size_t>(first - bridge.topics.begin())),
                "bridge " + in_quotes(bridge.name) +
                    " loses what is published at QoS 0 while the link is down, except by rules with qos_min: 1 or "
                    "buffer_qos0: true");
  }
  for (std::size_t i = 0; i < bridge.topics.size(); ++i) {
    if (bridge.topics[i].retain != RetainFlag::Clear) continue;
    report.note(rule_path(index, i) + ".retain",
                "bridges[].topics[].retain: clear: who subscribes later on the other side does not get the last value");
  }
}

void note_session(const Bridge& written, const std::string& path, Report& report) {
  const Bridge bridge = within_provider(written);
  if (!bridge.comes_down() || bridge.session_expiry == Duration::zero()) return;
  report.note(path + ".session_expiry", "after an outage of more than " + time_text(bridge.session_expiry) +
                                            " the far side has forgotten what should have come down by bridge " +
                                            in_quotes(bridge.name));
}

void note_mesh(const Bridge& bridge, std::size_t index, Report& report) {
  if (!bridge.mesh) return;
  const auto repeats = std::ranges::find_if(bridge.topics, [](const TopicRule& rule) { return rule.qos < 2; });
  if (repeats != bridge.topics.end()) {
    report.note(
        rule_path(index, static_cast<std::size_t>(repeats - bridge.topics.begin())),
        "bridges[].mesh: messages that cross at QoS 0 or 1 come once while all goes well, and may come twice after "
        "a crash; with qos: 2 they come once");
  }
  if (bridge.session_expiry == Duration::zero()) {
    report.note(bridge_path(index) + ".session_expiry",
                "bridges[].mesh with session_expiry: 0s: what comes down while the link is away has to come the other "
                "way round");
  }
}

void note_sessions(const Sessions& sessions, Report& report) {
  if (sessions.expiry_max == Duration::zero()) {
    return report.note("sessions.expiry_max", "clients that are away get nothing of what was published meanwhile");
  }
  const std::string limits = limits_text(sessions.queue.bytes_max, sessions.queue.messages_max);
  if (limits.empty()) return;
  report.note("sessions.queue", "a client that is away has " + limits + " kept for it, for at most " +
                                    time_text(sessions.expiry_max) + "; when full, " +
                                    std::string(given_up_text(sessions.queue.when_full)));
}

}  // namespace

void warn_about_losses(const Config& config, Report& report) {
  warn_about_store(config.store, report);
  for (std::size_t i = 0; i < config.bridges.size(); ++i) {
    const Bridge& bridge = config.bridges[i];
    warn_about_bridge(bridge, bridge_path(i), report);
    for (std::size_t rule = 0; rule < bridge.topics.size(); ++rule) {
      warn_about_rule(bridge.topics[rule], rule_path(i, rule), report);
    }
  }
}

void note_limits(const Config& config, Report& report) {
  note_sessions(config.sessions, report);
  for (std::size_t i = 0; i < config.bridges.size(); ++i) {
    const Bridge& bridge = config.bridges[i];
    note_buffer(bridge, bridge_path(i), report);
    note_rules(bridge, i, report);
    note_session(bridge, bridge_path(i), report);
    note_mesh(bridge, i, report);
  }
}

}  // namespace furrow::config
