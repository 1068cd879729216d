#include "config/rule_filters.h"

#include <algorithm>

#include "broker-core/mqtt/topic.h"
#include "broker-core/mqtt/topic_pattern.h"

namespace furrow::config {
namespace {

bool shadows(const TopicRule& earlier, const std::string& prefix, const std::string& earlier_filter,
             const std::string& later_filter) {
  if (!mqtt::covers(earlier_filter, later_filter)) return false;
  // The later rule may be for just the topics that the earlier one leaves alone.
  return std::none_of(earlier.except.begin(), earlier.except.end(),
                      [&](const std::string& exception) { return mqtt::overlaps(prefix + exception, later_filter); });
}

bool excepts(const TopicRule& rule, const std::string& filter) {
  return std::any_of(rule.except.begin(), rule.except.end(),
                     [&](const std::string& exception) { return mqtt::covers(exception, filter); });
}

}  // namespace

std::string local_filter(const TopicRule& rule) {
  return rule.local_prefix + rule.filter;
}
std::string remote_filter(const TopicRule& rule) {
  if (rule.remote.empty()) return rule.remote_prefix + rule.filter;
  const auto pattern = mqtt::TopicPattern::parse(rule.filter, rule.remote);
  return pattern ? pattern->made_filter() : std::string();
}

bool has_valid_filters(const TopicRule& rule) {
  const auto is_comparable = [&](const std::string& filter) {
    return mqtt::is_valid_filter(filter) && mqtt::is_valid_filter(rule.local_prefix + filter) &&
           mqtt::is_valid_filter(rule.remote_prefix + filter);
  };
  return is_comparable(rule.filter) && mqtt::is_valid_filter(remote_filter(rule)) &&
         std::all_of(rule.except.begin(), rule.except.end(), is_comparable);
}

bool shadows_on_the_way_up(const TopicRule& earlier, const TopicRule& later) {
  return earlier.goes_up() && later.goes_up() &&
         shadows(earlier, earlier.local_prefix, local_filter(earlier), local_filter(later));
}

bool shadows_on_the_way_down(const TopicRule& earlier, const TopicRule& later) {
  // What a pattern makes of exceptions is not told: they may leave something.
  if (!earlier.remote.empty() && !earlier.except.empty()) return false;
  return earlier.comes_down() && later.comes_down() &&
         shadows(earlier, earlier.remote_prefix, remote_filter(earlier), remote_filter(later));
}

Circle circle_of(const TopicRule& down, const TopicRule& up) {
  if (!down.comes_down() || !up.goes_up()) return Circle::None;
  if (!mqtt::overlaps(local_filter(down), local_filter(up))) return Circle::None;
  if (!mqtt::overlaps(remote_filter(up), remote_filter(down))) return Circle::None;
  const bool same_prefixes = down.local_prefix == up.local_prefix && down.remote_prefix == up.remote_prefix;
  // A pattern means the same only with the same wildcards.
  const bool same_pattern = down.remote == up.remote && (down.remote.empty() || down.filter == up.filter);
  if (!same_prefixes || !same_pattern) return Circle::Possible;
  // With the same names X is the same on both ways, so an exception of either breaks the circle.
  if (excepts(down, up.filter) || excepts(up, down.filter)) return Circle::None;
  return Circle::Certain;
}

}  // namespace furrow::config
