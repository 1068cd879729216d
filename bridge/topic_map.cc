#include "bridge/topic_map.h"

#include <algorithm>

#include "broker-core/mqtt/topic.h"

namespace furrow::bridge {

namespace {

// A rule seen from one side.
struct Side {
  const std::string& prefix;
  const std::string& filter;
};

// Whether X behind the prefix of `there` is a topic that the rule names on that side: not an empty one, and not one
// that begins with `$` unless the rule says so, since wildcards do not match those [MQTT-4.7.2-1]. Else who publishes
// `barn-7/$SYS/furrow/gateway` at the far side would speak for the gateway.
bool is_named(const Side& there, std::string_view rest) {
  if (!there.prefix.empty()) return true;
  return !rest.empty() && (rest.front() != '$' || there.filter.starts_with('$'));
}

// Sets `rest` to X. Matches with the prefix on, since the rule about `$` is for the whole topic [MQTT-4.7.2-1].
bool takes(const Rule& rule, const Side& here, const Side& there, std::string_view topic, std::string_view& rest) {
  if (!topic.starts_with(here.prefix) || !mqtt::matches(here.filter, topic)) return false;
  rest = topic.substr(here.prefix.size());
  if (!is_named(there, rest)) return false;
  return std::ranges::none_of(rule.except,
                              [&](const std::string& exception) { return mqtt::matches(exception, rest); });
}

}  // namespace

TopicMap::TopicMap(std::vector<Rule> rules) : rules_(std::move(rules)) {
  for (const Rule& rule : rules_) {
    local_filters_.push_back(rule.local_filter());
    remote_filters_.push_back(rule.remote_filter());
  }
}

bool TopicMap::goes_up() const {
  return std::ranges::any_of(rules_, &Rule::goes_up);
}
bool TopicMap::comes_down() const {
  return std::ranges::any_of(rules_, &Rule::comes_down);
}

std::optional<TopicMap::Mapping> TopicMap::to_remote(std::size_t rule, std::string_view local) const {
  const Side here{rules_[rule].local_prefix, local_filters_[rule]};
  const Side there{rules_[rule].remote_prefix, remote_filters_[rule]};
  Mapping mapping{rule, there.prefix, {}};
  if (!takes(rules_[rule], here, there, local, mapping.rest)) return std::nullopt;
  return mapping;
}

std::optional<TopicMap::Mapping> TopicMap::to_local(std::size_t rule, std::string_view remote) const {
  const Side here{rules_[rule].remote_prefix, remote_filters_[rule]};
  const Side there{rules_[rule].local_prefix, local_filters_[rule]};
  Mapping mapping{rule, there.prefix, {}};
  if (!takes(rules_[rule], here, there, remote, mapping.rest)) return std::nullopt;
  // Topics that begin with `$` are the gateway's own here, whatever a rule says: a far broker is a client like others.
  if (mapping.topic().starts_with('$')) return std::nullopt;
  return mapping;
}

std::optional<TopicMap::Mapping> TopicMap::up(std::string_view local) const {
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    if (!rules_[i].goes_up()) continue;
    if (auto mapping = to_remote(i, local)) return mapping;
  }
  return std::nullopt;
}

std::optional<TopicMap::Mapping> TopicMap::down(std::string_view remote) const {
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    if (auto mapping = down_by(i, remote)) return mapping;
  }
  return std::nullopt;
}

std::optional<TopicMap::Mapping> TopicMap::down_by(std::size_t rule, std::string_view remote) const {
  if (rule >= rules_.size() || !rules_[rule].comes_down()) return std::nullopt;
  return to_local(rule, remote);
}

std::optional<TopicMap::Mapping> TopicMap::answer_up(std::string_view local) const {
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    if (!rules_[i].comes_down()) continue;
    if (auto mapping = to_remote(i, local)) return mapping;
  }
  return std::nullopt;
}

std::optional<TopicMap::Mapping> TopicMap::answer_down(std::string_view remote) const {
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    if (!rules_[i].goes_up()) continue;
    if (auto mapping = to_local(i, remote)) return mapping;
  }
  return std::nullopt;
}

}  // namespace furrow::bridge
