#include "bridge/topic_map.h"

#include <algorithm>
#include <utility>

#include "broker-core/base/check.h"
#include "broker-core/mqtt/topic.h"

namespace furrow::bridge {

namespace {

// The first character that the topic has on the other side; nothing when that is no topic at all.
std::optional<char> first_of(const TopicMap::Mapping& mapping) {
  for (const std::string_view part : {mapping.prefix, std::string_view(mapping.made), mapping.rest}) {
    if (!part.empty()) return part.front();
  }
  return std::nullopt;
}

// Whether the rule, whose filter on that side this is, names the topic there: it is not empty, and begins with `$` only
// if the rule says so, since wildcards do not match those [MQTT-4.7.2-1]. Else who publishes
// `barn-7/$SYS/furrow/gateway` at the far side would speak for the gateway.
bool is_named(const TopicMap::Mapping& mapping, std::string_view filter) {
  const auto first = first_of(mapping);
  return first && (*first != '$' || filter.starts_with('$'));
}

const std::string* find_exception(const Rule& rule, std::string_view x) {
  const auto found =
      std::ranges::find_if(rule.except, [&](const std::string& exception) { return mqtt::matches(exception, x); });
  return found == rule.except.end() ? nullptr : &*found;
}

mqtt::TopicPattern pattern_of(const Rule& rule) {
  auto pattern = mqtt::TopicPattern::parse(rule.filter, rule.remote);
  FURROW_CHECK(pattern.has_value());
  return *std::move(pattern);
}

}  // namespace

std::string Rule::remote_filter() const {
  return remote.empty() ? remote_prefix + filter : pattern_of(*this).made_filter();
}

// FNV-1a.
std::uint64_t Rule::names_hash() const {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const std::string_view part : {std::string_view(filter), std::string_view(local_prefix),
                                      std::string_view(remote_prefix), std::string_view(remote)}) {
    for (const char one : part) hash = (hash ^ static_cast<std::uint8_t>(one)) * 0x100000001b3;
    hash = (hash ^ 0xff) * 0x100000001b3;  // no byte of UTF-8
  }
  return hash;
}

TopicMap::TopicMap(std::vector<Rule> rules) : rules_(std::move(rules)) {
  for (const Rule& rule : rules_) names_.push_back(names_of(rule));
}

bool TopicMap::may_come_back() const {
  const auto comes_back = [&](const Rule& up) {
    return up.goes_up() && std::ranges::any_of(rules_, [&](const Rule& down) {
             return down.comes_down() && mqtt::overlaps(up.remote_filter(), down.remote_filter());
           });
  };
  return std::ranges::any_of(rules_, comes_back);
}

TopicMap::Names TopicMap::names_of(const Rule& rule) {
  Names names{rule.local_filter(), rule.remote_filter(), {}, {}};
  if (rule.remote.empty()) return names;
  names.to_remote = pattern_of(rule);
  if (names.to_remote->why_irreversible().empty()) names.to_local = names.to_remote->reversed();
  return names;
}

bool TopicMap::goes_up() const {
  return std::ranges::any_of(rules_, &Rule::goes_up);
}
bool TopicMap::comes_down() const {
  return std::ranges::any_of(rules_, &Rule::comes_down);
}

// Matches with the prefix on, since the rule about `$` is for the whole topic [MQTT-4.7.2-1].
std::optional<std::string_view> TopicMap::find_x_here(std::size_t rule, std::string_view local) const {
  const std::string& prefix = rules_[rule].local_prefix;
  if (!local.starts_with(prefix) || !mqtt::matches(names_[rule].local_filter, local)) return std::nullopt;
  return local.substr(prefix.size());
}

std::optional<std::string_view> TopicMap::find_x_there(std::size_t rule, std::string_view remote,
                                                       std::string& made) const {
  const std::string& prefix = rules_[rule].remote_prefix;
  const Names& names = names_[rule];
  if (!remote.starts_with(prefix) || !mqtt::matches(names.remote_filter, remote)) return std::nullopt;
  if (!names.to_remote) return remote.substr(prefix.size());
  auto x = names.to_local ? names.to_local->make(remote) : std::nullopt;
  if (!x) return std::nullopt;
  made = *std::move(x);
  return made;
}

const std::string* TopicMap::exception_here(std::size_t rule, std::string_view local) const {
  const auto x = find_x_here(rule, local);
  return x ? find_exception(rules_[rule], *x) : nullptr;
}

const std::string* TopicMap::exception_there(std::size_t rule, std::string_view remote) const {
  std::string made;
  const auto x = find_x_there(rule, remote, made);
  return x ? find_exception(rules_[rule], *x) : nullptr;
}

std::optional<TopicMap::Mapping> TopicMap::to_remote(std::size_t rule, std::string_view local) const {
  const auto x = find_x_here(rule, local);
  if (!x || find_exception(rules_[rule], *x) != nullptr) return std::nullopt;
  Mapping mapping{rule, rules_[rule].remote_prefix, {}, {}};
  if (const auto& pattern = names_[rule].to_remote) {
    auto made = pattern->make(*x);
    if (!made) return std::nullopt;
    mapping.made = *std::move(made);
  } else {
    mapping.rest = *x;
  }
  if (!is_named(mapping, names_[rule].remote_filter)) return std::nullopt;
  return mapping;
}

std::optional<TopicMap::Mapping> TopicMap::to_local(std::size_t rule, std::string_view remote) const {
  Mapping mapping{rule, rules_[rule].local_prefix, {}, {}};
  const auto x = find_x_there(rule, remote, mapping.made);
  if (!x || find_exception(rules_[rule], *x) != nullptr) return std::nullopt;
  if (!names_[rule].to_remote) mapping.rest = *x;
  // Topics that begin with `$` are the gateway's own here, whatever a rule says: a far broker is a client like others.
  if (first_of(mapping).value_or('$') == '$') return std::nullopt;
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

// What both filters have in common has the levels of the rule's, with narrower wildcards, so it is renamed as a topic
// is.
std::optional<std::string> TopicMap::down_to(std::size_t rule, std::string_view local_filter) const {
  const Names& names = names_[rule];
  const std::string& prefix = rules_[rule].local_prefix;
  const auto both = mqtt::intersection(names.local_filter, local_filter);
  // `a/#` has `a` in common with `a`, which does not come of the prefix `a/`.
  if (!both || !both->starts_with(prefix)) return std::nullopt;
  const std::string x = both->substr(prefix.size());
  const auto remote = names.to_remote ? names.to_remote->make(x) : rules_[rule].remote_prefix + x;
  // Behind a prefix here a topic may begin with `$` which at the far side no wildcard names.
  const bool is_named = remote && mqtt::is_valid_filter(*remote) && mqtt::covers(names.remote_filter, *remote);
  return is_named ? remote : std::nullopt;
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
