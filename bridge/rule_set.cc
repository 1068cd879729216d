#include "bridge/rule_set.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace furrow::bridge {

namespace {

bool is_same(const Rule& one, const Rule& other) {
  const auto identity = [](const Rule& rule) {
    return std::tie(rule.direction, rule.filter, rule.local_prefix, rule.remote_prefix, rule.remote);
  };
  return identity(one) == identity(other);
}

}  // namespace

void RuleSet::set(std::vector<Rule> rules) {
  std::vector<Counts> counts(rules.size());
  std::vector<bool> found(counts_.size());
  for (std::size_t i = 0; i < rules.size(); ++i) {
    for (std::size_t old = 0; old < counts_.size(); ++old) {
      if (found[old] || !is_same(map_.rules()[old], rules[i])) continue;
      counts[i] = counts_[old];
      found[old] = true;
      break;
    }
    if (counts[i].key == 0) counts[i].key = ++last_key_;
  }
  expires_ = std::ranges::any_of(rules, [](const Rule& rule) { return rule.expire_after > Duration::zero(); });
  keeps_latest_ = std::ranges::any_of(rules, &Rule::keep_latest);
  thins_ = keeps_latest_ || std::ranges::any_of(rules, [](const Rule& rule) { return rule.thinning.any(); });
  additions_.clear();
  for (const Rule& rule : rules) additions_.emplace_back(rule.properties);
  map_ = TopicMap(std::move(rules));
  counts_ = std::move(counts);
}

std::optional<std::size_t> RuleSet::find(std::uint32_t key) const {
  const auto found = std::ranges::find(counts_, key, &Counts::key);
  if (found == counts_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - counts_.begin());
}

std::vector<RuleStatus> RuleSet::status() const {
  std::vector<RuleStatus> status;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    const Rule& rule = map_.rules()[i];
    status.push_back({rule.filter, rule.direction, counts_[i].up, counts_[i].down});
  }
  return status;
}

}  // namespace furrow::bridge
