// Topic names and topic filters: what is valid, and what matches what. Spec: MQTT 5.0 §4.7; 3.1.1 §4.7.
//
// Levels are walked in place: no string per level is ever made.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace furrow::mqtt {

// Walks "a/b//c" as "a", "b", "", "c". A level may be empty; a topic has at least one.
class TopicLevels {
 public:
  explicit TopicLevels(std::string_view topic) : rest_(topic) {}

  // Sets `level` to the next one; false when all were given.
  bool next(std::string_view& level) {
    if (done_) return false;
    const std::size_t slash = rest_.find('/');
    level = rest_.substr(0, slash);
    done_ = slash == std::string_view::npos;
    if (!done_) rest_.remove_prefix(slash + 1);
    return true;
  }

 private:
  std::string_view rest_;
  bool done_ = false;
};

// Whether this level of a filter stands for any other.
inline bool is_wildcard(std::string_view level) {
  return level == "+" || level == "#";
}

// How many levels `topic` has: one more than it has slashes.
std::size_t level_count(std::string_view topic);

// A name to publish to: not empty [MQTT-4.7.3-1], no wildcard [MQTT-3.3.2-2], well-formed UTF-8 without U+0000
// [MQTT-1.5.4-1, MQTT-4.7.3-2], at most 65,535 bytes [MQTT-4.7.3-3].
bool is_valid_name(std::string_view topic);

// A filter to subscribe to: `#` alone in the last level [MQTT-4.7.1-1], `+` alone in its level [MQTT-4.7.1-2], else as
// a name. `$share/…` is a filter like any other here; parse_shared() knows its parts.
bool is_valid_filter(std::string_view filter);

// Whether `topic` matches `filter`. A filter that begins with a wildcard does not match a topic that begins
// with `$` [MQTT-4.7.2-1]. REQUIRES: both valid.
bool matches(std::string_view filter, std::string_view topic);

// Whether every topic that `inner` matches is matched by `outer`. REQUIRES: both valid filters.
bool covers(std::string_view outer, std::string_view inner);

// Whether some topic matches both. REQUIRES: both valid filters.
bool overlaps(std::string_view one, std::string_view other);

// The filter of the topics that match both; nothing when there are none. One filter always is enough: in each level one
// of the two says what the other lets through. REQUIRES: both valid filters.
std::optional<std::string> intersection(std::string_view one, std::string_view other);

// `$share/GROUP/FILTER` taken apart [MQTT 5.0 §4.8.2]; `group` is empty for an ordinary filter.
struct SharedFilter {
  std::string_view group;
  std::string_view filter;
};
// True when `filter` begins with `$share/`; then `shared` is set if it is well-formed (group not empty and without
// wildcards [MQTT-4.8.2-1, -2], the rest a valid filter), else both parts are empty. False for an ordinary filter,
// which is `shared.filter` then, unchecked.
bool parse_shared(std::string_view filter, SharedFilter& shared);

inline bool is_shared(std::string_view filter) {
  return filter.starts_with("$share/");
}

}  // namespace furrow::mqtt
