#include "broker-core/access/rights.h"

#include <utility>

#include "broker-core/mqtt/topic.h"

namespace furrow::access {

using Why = Decision::Why;

Rights::Rights(const Rules& rules, const Subject& subject, broker::HashKey key) : key_(key) {
  std::uint32_t number = 0;
  for (const Rule& rule : rules.list()) {
    const Fit fit = fit_of(rule, subject);
    if (fit == Fit::Yes) {
      add(rule.deny_publish, Why::Denied, rule, number, subject, publish_);
      add(rule.deny_subscribe, Why::Denied, rule, number, subject, receive_);
    }
    if (fit != Fit::No) {
      add(rule.publish, Why::Granted, rule, number, subject, publish_);
      add(rule.subscribe, Why::Granted, rule, number, subject, receive_);
    }
    ++number;
  }
}

// The entries that grant something come before those of the same rule with a name that does not fit.
void Rights::add(const std::vector<Entry>& entries, Why why, const Rule& rule, std::uint32_t number,
                 const Subject& subject, Lines& lines) {
  const auto keep = [this](std::string text) -> std::string_view {
    return *expanded_.emplace_back(std::make_unique<const std::string>(std::move(text)));
  };
  Lines unfit;
  for (const Entry& entry : entries) {
    if (!entry.has_placeholder()) {
      lines.push_back({entry.text(), entry.text(), number, why, rule.may_retain});
    } else if (std::optional<std::string> filter = entry.expand(subject)) {
      lines.push_back({keep(*std::move(filter)), entry.text(), number, why, rule.may_retain});
    } else {
      unfit.push_back({keep(entry.reach()), entry.text(), number, Why::NameUnfit, false});
    }
  }
  lines.insert(lines.end(), unfit.begin(), unfit.end());
}

Decision Rights::publish(std::string_view topic, bool retain) const {
  if (topic.starts_with('$')) return {Why::Reserved};
  for (const Line& line : publish_) {
    if (!mqtt::matches(line.filter, topic)) continue;
    const bool granted = line.why == Why::Granted;
    return {granted && retain && !line.may_retain ? Why::NotRetained : line.why, line.rule, line.entry};
  }
  return {};
}

Decision Rights::receive(std::string_view topic) const {
  for (const Line& line : receive_) {
    if (mqtt::matches(line.filter, topic)) return {line.why, line.rule, line.entry};
  }
  return {};
}

Decision Rights::subscribe(std::string_view filter) const {
  for (const Line& line : receive_) {
    const bool decides = line.why == Why::Granted ? mqtt::covers(line.filter, filter)  //
                                                  : mqtt::overlaps(line.filter, filter);
    if (decides) return {line.why, line.rule, line.entry};
  }
  return {};
}

std::uint64_t Rights::hash_of(std::string_view topic, Action action) const {
  const std::uint64_t hash = broker::keyed_hash(key_, topic) ^ static_cast<std::uint64_t>(action);
  return hash == 0 ? 1 : hash;
}

// Two topics with one hash would be taken for each other. Nobody can look for such a pair without the key, and among
// the few that are remembered one comes by chance once in 10^18 topics.
bool Rights::may_publish(std::string_view topic, bool retain) {
  const std::uint64_t hash = hash_of(topic, retain ? Action::PublishRetained : Action::Publish);
  if (remembered(hash) == hash) return true;
  if (!publish(topic, retain).is_granted()) return false;
  remembered(hash) = hash;
  return true;
}

bool Rights::may_receive(std::string_view topic) {
  const std::uint64_t hash = hash_of(topic, Action::Receive);
  if (remembered(hash) == hash) return true;
  if (!receive(topic).is_granted()) return false;
  remembered(hash) = hash;
  return true;
}

}  // namespace furrow::access
