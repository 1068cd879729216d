#include "broker-core/routing/filter_walk.h"

#include "broker-core/mqtt/topic.h"

namespace furrow::broker {

FilterWalk::Verdict FilterWalk::judge(std::string_view topic) {
  if (begins_with_wildcard_ && topic.starts_with('$')) return seek("%");  // the character after `$`
  mqtt::TopicLevels wanted_levels(filter_);
  mqtt::TopicLevels levels(topic);
  std::string_view wanted;
  std::string_view level;
  while (wanted_levels.next(wanted)) {
    if (wanted == "#") return Verdict::Match;
    if (!levels.next(level)) return Verdict::Next;
    if (wanted != "+" && wanted != level) return skip_to(wanted, topic, level);
  }
  const auto matched = static_cast<std::size_t>(level.data() + level.size() - topic.data());
  if (matched == topic.size()) return Verdict::Match;
  return seek(topic.substr(0, matched), "0");
}

// `topic` has `level` where the filter wants `wanted`.
FilterWalk::Verdict FilterWalk::skip_to(std::string_view wanted, std::string_view topic, std::string_view level) {
  const std::string_view before = topic.substr(0, static_cast<std::size_t>(level.data() - topic.data()));
  const std::string_view rest = topic.substr(before.size());
  if (rest < wanted) return seek(before, wanted);
  // Between `wanted` and `wanted/` lie others, such as `wanted-2`.
  if (rest.starts_with(wanted) && rest.substr(wanted.size()) < "/") return seek(before, wanted, "/");
  if (before.empty()) return Verdict::End;
  return seek(before.substr(0, before.size() - 1), "0");
}

FilterWalk::Verdict FilterWalk::seek(std::string_view first, std::string_view second, std::string_view third) {
  target_.assign(first).append(second).append(third);
  return Verdict::Seek;
}

}  // namespace furrow::broker
