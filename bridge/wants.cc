#include "bridge/wants.h"

#include <algorithm>

#include "broker-core/base/check.h"
#include "broker-core/base/printable.h"
#include "broker-core/mqtt/topic.h"
#include "broker-core/mqtt/utf8.h"

namespace furrow::bridge {

namespace {

// Whether no broker takes it for more than it bears, or for malformed: some end the connection at a character that is
// advised against [MQTT 5.0 §1.5.4], and clients here may have subscribed to it.
bool is_undisputed(std::string_view filter, const WantedTerms& terms) {
  if (filter.size() > terms.bytes_max || mqtt::level_count(filter) > terms.levels_max) return false;
  if (mqtt::has_control_character(filter)) return false;
  while (!filter.empty()) {
    const char32_t code = take_character(filter).code;
    const bool is_no_character = (code & 0xFFFEU) == 0xFFFEU || (code >= 0xFDD0 && code <= 0xFDEF);
    if (is_no_character) return false;
  }
  return true;
}

}  // namespace

void Wants::handle_rules_changed(const std::vector<std::string>& present) {
  rules_.assign(map_.rules().size(), {});
  any_ = false;
  left_.clear();
  lingering_.clear();
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    const Rule& rule = map_.rules()[i];
    if (!rule.comes_down_if_wanted()) continue;
    any_ = true;
    rules_[i].changed = true;
    const std::string whole = rule.remote_filter();
    for (const std::string& filter : present) {
      if (!mqtt::covers(whole, filter)) continue;
      rules_[i].wants.try_emplace(filter);
      left_.emplace_back(i, filter);
    }
  }
  due_ = any_ ? Instant::min() : kNever;
}

void Wants::add(std::string_view local_filter) {
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    if (!map_.rules()[i].comes_down_if_wanted()) continue;
    auto remote = map_.down_to(i, local_filter);
    if (!remote) continue;
    const auto [entry, is_new] = rules_[i].wants.try_emplace(*std::move(remote));
    Want& want = entry->second;
    if (want.until != kNever) lingering_.erase({std::exchange(want.until, kNever), i, entry->first});
    ++want.count;
    if (!is_new) continue;
    rules_[i].changed = true;
    due_ = Instant::min();
  }
}

void Wants::remove(std::string_view local_filter) {
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    if (!map_.rules()[i].comes_down_if_wanted()) continue;
    const auto remote = map_.down_to(i, local_filter);
    if (!remote) continue;
    OfRule& rule = rules_[i];
    const auto entry = rule.wants.find(*remote);
    FURROW_CHECK(entry != rule.wants.end());
    FURROW_CHECK(entry->second.count > 0);
    if (--entry->second.count > 0) continue;
    due_ = Instant::min();
    if (rule.wants.size() > map_.rules()[i].wanted.filters_max) {
      rule.wants.erase(entry);  // the whole filter lingers
      rule.changed = true;
    } else {
      left_.emplace_back(i, *remote);
    }
  }
}

// What has left begins to linger, and what has lingered goes.
void Wants::linger(Instant now) {
  for (auto& [rule, filter] : std::exchange(left_, {})) {
    const auto entry = rules_[rule].wants.find(filter);
    if (entry == rules_[rule].wants.end()) continue;
    Want& want = entry->second;
    if (want.count > 0 || want.until != kNever) continue;
    want.until = now + kLingers;
    lingering_.emplace(want.until, rule, std::move(filter));
  }
  while (!lingering_.empty() && std::get<Instant>(*lingering_.begin()) <= now) {
    const auto& [until, rule, filter] = *lingering_.begin();
    rules_[rule].wants.erase(filter);
    rules_[rule].changed = true;
    lingering_.erase(lingering_.begin());
  }
}

bool Wants::review(Instant now) {
  linger(now);
  bool changed = false;
  due_ = lingering_.empty() ? kNever : std::get<Instant>(*lingering_.begin());
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    OfRule& rule = rules_[i];
    const bool lingers_whole = rule.whole_until != Instant::min();
    if (rule.changed || (lingers_whole && rule.whole_until <= now)) {
      rule.changed = false;
      std::vector<std::string> filters = choose(i, now);
      changed = changed || filters != rule.filters;
      rule.filters = std::move(filters);
    }
    if (rule.whole_until != Instant::min()) due_ = std::min(due_, rule.whole_until);
  }
  return changed;
}

std::vector<std::string> Wants::choose(std::size_t place, Instant now) {
  OfRule& rule = rules_[place];
  const WantedTerms& terms = map_.rules()[place].wanted;
  const std::string whole = map_.rules()[place].remote_filter();
  const bool was_crowded = std::exchange(rule.crowded, rule.wants.size() > terms.filters_max);
  if (was_crowded && !rule.crowded) rule.whole_until = now + kLingers;
  if (rule.whole_until <= now) rule.whole_until = Instant::min();
  if (rule.crowded || rule.whole_until > now) return {whole};
  std::vector<std::string> chosen;
  for (const auto& want : rule.wants) {
    const std::string& filter = want.first;
    if (!is_undisputed(filter, terms)) return {whole};
    const auto covers_it = [&](const std::string& other) { return mqtt::covers(other, filter); };
    if (std::ranges::any_of(chosen, covers_it)) continue;
    std::erase_if(chosen, [&](const std::string& other) { return mqtt::covers(filter, other); });
    chosen.push_back(filter);
  }
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    for (std::size_t j = i + 1; j < chosen.size(); ++j) {
      if (mqtt::overlaps(chosen[i], chosen[j])) return {whole};
    }
  }
  return chosen;
}

}  // namespace furrow::bridge
