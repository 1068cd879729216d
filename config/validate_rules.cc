#include "config/validate_rules.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "broker-core/mqtt/topic.h"
#include "broker-core/mqtt/topic_pattern.h"
#include "config/messages.h"
#include "config/rule_filters.h"

namespace furrow::config {
namespace {

constexpr std::string_view kShare = "$share/";

bool is_shared(const std::string& text) {
  return text.starts_with(kShare) || text == "$share";
}

// The filter of a shared subscription without its group; empty when there is none.
std::string without_group(const std::string& filter) {
  const std::size_t slash = filter.find('/', std::min(kShare.size(), filter.size()));
  return slash == std::string::npos ? "" : filter.substr(slash + 1);
}

std::string explain_shared(const std::string& filter) {
  const std::string plain = without_group(filter);
  return "a bridge has no shared subscriptions ($share/GROUP/FILTER): each bridge gets every message that its rules "
         "name" +
         (plain.empty() ? "" : "; write " + as_written(plain));
}

std::string_view first_level(std::string_view filter) {
  return filter.substr(0, filter.find('/'));
}

// Only the gateway itself publishes on such topics, and what arrives under $SYS/ would be taken for its status.
void check_way_down(const TopicRule& rule, const std::string& filter_path, Report& report) {
  const std::string local = local_filter(rule);
  if (!rule.comes_down() || !local.starts_with('$')) return;
  const bool is_status = first_level(local) == "$SYS";
  report.error(filter_path,
               "bridges[].topics[].filter: " + in_quotes(local) + " comes down into " +
                   (is_status ? "$SYS/, where the far side could forge this gateway's status"
                              : "topics that begin with $, which nobody but the gateway itself may write") +
                   "; give it another place here with local_prefix, or direction: up");
}

// Clients may not publish to what begins with `$`, and of it the gateway publishes $SYS/ alone.
void check_way_up(const TopicRule& rule, const std::string& filter_path, Report& report) {
  const std::string local = local_filter(rule);
  if (!rule.goes_up() || !local.starts_with('$') || first_level(local) == "$SYS") return;
  const std::size_t level = local.find('/');
  const bool can_move =
      rule.local_prefix.empty() && rule.remote_prefix.empty() && rule.remote.empty() && level + 1 < local.size();
  std::string advice;
  if (level != std::string::npos && can_move) {
    advice = "; write filter: " + as_written(local.substr(level + 1)) +
             ", remote_prefix: " + as_written(local.substr(0, level + 1));
  }
  report.warning(filter_path,
                 "bridges[].topics[].filter: nothing goes up by this rule, because no client here may "
                 "publish to " +
                     in_quotes(local) + ", which begins with $" + advice);
}

void check_prefix(const TopicRule& rule, const std::string& prefix, const std::string& path, const std::string& name,
                  Report& report) {
  const std::string key = "bridges[].topics[]." + name + ": ";
  const std::string prefix_path = path + "." + name;
  if (is_shared(prefix)) {
    report.error(prefix_path, key + explain_shared(prefix));
  } else if (prefix.find_first_of("+#") != std::string::npos) {
    report.error(prefix_path, key + in_quotes(prefix) + " has a wildcard, and a prefix is plain text");
  } else if (!mqtt::is_valid_filter(prefix + rule.filter)) {
    report.error(prefix_path, key + in_quotes(prefix) + " before " + in_quotes(rule.filter) + " makes no topic filter" +
                                  (prefix.ends_with('/') ? "" : "; write " + as_written(prefix + "/")));
  } else if (!prefix.empty() && !prefix.ends_with('/')) {
    report.warning(prefix_path,
                   key + in_quotes(prefix) + " does not end in '/': the rule takes " + in_quotes(prefix + rule.filter));
  }
}

void check_remote(const TopicRule& rule, const std::string& path, Report& report) {
  if (rule.remote.empty()) return;
  const std::string remote_path = path + ".remote";
  const std::string key = "bridges[].topics[].remote: ";
  if (!rule.remote_prefix.empty()) {
    return report.error(remote_path,
                        "bridges[].topics[].remote is the whole remote topic, so remote_prefix does not go with "
                        "it; write " +
                            in_quotes(rule.remote_prefix) + " at its front");
  }
  if (is_shared(rule.remote)) return report.error(remote_path, key + explain_shared(rule.remote));
  const auto pattern = mqtt::TopicPattern::parse(rule.filter, rule.remote);
  if (!pattern) return report.error(remote_path, key + pattern.error().message());
  const std::string why = pattern->why_irreversible();
  if (rule.comes_down() && !why.empty()) {
    return report.error(remote_path, key + "what comes down by it cannot be named here, because " + why +
                                         "; write {1} for each + of the filter and {rest} for #, each once and as a "
                                         "whole level, or direction: up");
  }
  if (const std::string missing = pattern->left_out(); !missing.empty()) {
    report.warning(remote_path, key + "without " + missing + " topics that differ only there become one at the far " +
                                    "side; if " + in_quotes(rule.remote) + " is to stand before them, write it as " +
                                    "remote_prefix");
  }
}

void check_exceptions(const TopicRule& rule, const std::string& path, Report& report) {
  for (std::size_t i = 0; i < rule.except.size(); ++i) {
    const std::string& exception = rule.except[i];
    const std::string exception_path = path + ".except[" + std::to_string(i) + "]";
    const std::string subject = "bridges[].topics[].except: " + in_quotes(exception);
    if (!mqtt::is_valid_filter(exception)) {
      report.error(exception_path, subject + " is not a topic filter");
    } else if (mqtt::covers(exception, rule.filter)) {
      report.warning(exception_path, subject + " takes in the whole filter: nothing is left for the rule");
    } else if (!mqtt::overlaps(exception, rule.filter)) {
      report.warning(exception_path, subject + " has nothing in common with the filter " + in_quotes(rule.filter) +
                                         " (prefixes do not belong into it)");
    }
  }
}

// What is about messages on their way up alone.
void check_way_up_options(const TopicRule& rule, const std::string& path, Report& report) {
  const auto warn = [&](bool is_set, const std::string& name, const std::string& why) {
    if (is_set) report.warning(path + "." + name, "bridges[].topics[]." + name + " has no effect " + why);
  };
  const bool is_down = !rule.goes_up();
  const std::string way_down = "on the way down";
  warn(is_down && rule.buffer_qos0, "buffer_qos0", way_down);
  warn(is_down && rule.expire_after > Duration::zero(), "expire_after", way_down);
  warn(is_down && rule.every > Duration::zero(), "every", way_down);
  warn(is_down && rule.changed_only, "changed_only", way_down);
  warn(is_down && rule.messages_per_second > 0, "messages_per_second", way_down);
  warn(is_down && !rule.properties.empty(), "properties", way_down);
  warn(rule.heartbeat > Duration::zero() && !rule.changed_only, "heartbeat", "without changed_only: true");
}

// Without a subscription the far side does not show what it retains, so a value of ours would take the place of a newer
// one there.
void check_wanted(const TopicRule& rule, bool retain_sync, const std::string& path, Report& report) {
  if (rule.subscribe == Subscribe::Always) return;
  const std::string subject = "bridges[].topics[].subscribe: wanted ";
  if (!rule.comes_down()) {
    report.warning(path + ".subscribe", subject + "has no effect on the way up");
  } else if (rule.goes_up() && retain_sync) {
    report.error(path + ".subscribe",
                 subject +
                     "does not go with retain_sync where messages go both ways: a value retained here could take "
                     "the place of a newer one at the far side, which is not seen while nobody wants it; write "
                     "subscribe: always");
  }
}

// Rules whose filters cannot be compared were reported already.
std::vector<bool> comparable_rules(const Bridge& bridge) {
  std::vector<bool> comparable;
  for (const TopicRule& rule : bridge.topics) comparable.push_back(has_valid_filters(rule));
  return comparable;
}

}  // namespace

void check_rule(const TopicRule& rule, bool retain_sync, const std::string& path, Report& report) {
  const std::string filter_path = path + ".filter";
  if (report.places().is_spoiled(filter_path)) return;
  if (!report.places().is_written(filter_path)) {
    return report.error(path, "bridges[].topics[] needs a filter, such as farm/#");
  }
  if (rule.filter.empty()) {
    return report.error(filter_path, "bridges[].topics[].filter is empty: write " + as_written("#") +
                                         " for every topic, or the topics that cross, such as farm/#");
  }
  if (is_shared(rule.filter)) {
    return report.error(filter_path, "bridges[].topics[].filter: " + explain_shared(rule.filter));
  }
  if (!mqtt::is_valid_filter(rule.filter)) {
    return report.error(filter_path, "bridges[].topics[].filter: " + in_quotes(rule.filter) +
                                         " is not a topic filter: + and # stand alone in their level, # in the last");
  }
  check_prefix(rule, rule.local_prefix, path, "local_prefix", report);
  check_prefix(rule, rule.remote_prefix, path, "remote_prefix", report);
  check_remote(rule, path, report);
  check_exceptions(rule, path, report);
  check_way_down(rule, filter_path, report);
  check_way_up(rule, filter_path, report);
  if (rule.qos_min > rule.qos) {
    report.error(path + ".qos_min", "bridges[].topics[].qos_min is more than qos, which is the highest that crosses: " +
                                        std::to_string(rule.qos_min) + " and " + std::to_string(rule.qos));
  }
  check_way_up_options(rule, path, report);
  check_wanted(rule, retain_sync, path, report);
}

void check_shadowed_rules(const Bridge& bridge, std::size_t index, Report& report) {
  const std::vector<bool> comparable = comparable_rules(bridge);
  const auto shadowing = [&](std::size_t later, auto shadows) -> const TopicRule* {
    for (std::size_t earlier = 0; earlier < later; ++earlier) {
      if (comparable[earlier] && shadows(bridge.topics[earlier], bridge.topics[later])) return &bridge.topics[earlier];
    }
    return nullptr;
  };
  for (std::size_t later = 0; later < bridge.topics.size(); ++later) {
    if (!comparable[later]) continue;
    const auto warn = [&](const TopicRule* earlier, std::string_view direction) {
      if (earlier == nullptr) return;
      report.warning(rule_path(index, later) + ".filter",
                     "on the way " + std::string(direction) + " this rule never takes anything: the rule " +
                         in_line(earlier->place) + " stands before it and takes all of it");
    };
    warn(shadowing(later, shadows_on_the_way_up), "up");
    warn(shadowing(later, shadows_on_the_way_down), "down");
  }
}

// MQTT 5 has No Local [MQTT 5.0 §3.8.3.1] against getting back what was sent; 3.1.1 has only a convention.
void check_echo(const Bridge& bridge, std::size_t index, Report& report) {
  if (bridge.mqtt_version != MqttVersion::V311) return;
  const std::vector<bool> comparable = comparable_rules(bridge);
  for (std::size_t up = 0; up < bridge.topics.size(); ++up) {
    for (std::size_t down = 0; down < bridge.topics.size(); ++down) {
      if (!comparable[up] || !comparable[down]) continue;
      if (circle_of(bridge.topics[down], bridge.topics[up]) == Circle::None) continue;
      report.warning(
          rule_path(index, up) + ".filter",
          "what this rule sends up comes back down by the rule " + in_line(bridge.topics[down].place) +
              " unless the far broker knows bridges: MQTT 3.1.1 has no No Local; then what equals a message that has "
              "just gone up is taken for its echo");
      break;
    }
  }
}

// Nothing stops such a message, because No Local works within one connection.
void check_circles(const Config& config, std::size_t down_bridge, std::size_t up_bridge, Report& report) {
  const Bridge& from = config.bridges[down_bridge];
  const Bridge& to = config.bridges[up_bridge];
  const std::vector<bool> down_comparable = comparable_rules(from);
  const std::vector<bool> up_comparable = comparable_rules(to);
  for (std::size_t up = 0; up < to.topics.size(); ++up) {
    for (std::size_t down = 0; down < from.topics.size(); ++down) {
      if (!up_comparable[up] || !down_comparable[down]) continue;
      const Circle circle = circle_of(from.topics[down], to.topics[up]);
      if (circle == Circle::None) continue;
      const std::string path = rule_path(up_bridge, up) + ".filter";
      const std::string story = "what bridge " + in_quotes(from.name) + " brings down by the rule " +
                                in_line(from.topics[down].place) + " goes up again to the same broker by this rule";
      const std::string way_out = "; narrow a filter, or leave it out with 'except'";
      if (circle == Circle::Certain) {
        report.error(path, "messages would circle forever: " + story + way_out);
      } else {
        report.warning(path, "messages may circle: " + story + ", under another name" + way_out);
      }
      break;
    }
  }
}

}  // namespace furrow::config
