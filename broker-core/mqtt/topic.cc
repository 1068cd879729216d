#include "broker-core/mqtt/topic.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "broker-core/mqtt/protocol.h"
#include "broker-core/mqtt/utf8.h"

namespace furrow::mqtt {
namespace {

constexpr std::string_view kWildcards = "+#";

// Whether no byte of `word` is zero, `+`, `#` or beyond ASCII. As long as no byte has its high bit set, subtracting one
// from each byte sets a high bit just when a byte was zero: so `word` itself finds U+0000 and `word ^ c` finds `c`.
template <typename Word>
bool is_plain_word(const char* at) {
  constexpr auto kOnes = static_cast<Word>(0x0101010101010101U);
  Word word = 0;
  std::memcpy(&word, at, sizeof word);
  const Word found =
      word | (word - kOnes) | ((word ^ (kOnes * Word{'+'})) - kOnes) | ((word ^ (kOnes * Word{'#'})) - kOnes);
  return (found & (kOnes * Word{0x80})) == 0;
}

// Whether all of `text` is such words. The last word overlaps the one before it.
template <typename Word>
bool is_plain(std::string_view text) {
  const char* const last = text.data() + text.size() - sizeof(Word);
  for (const char* at = text.data(); at < last; at += sizeof(Word)) {
    if (!is_plain_word<Word>(at)) return false;
  }
  return is_plain_word<Word>(last);
}

// Nearly all topics: ASCII without wildcards. False also for what is too short to tell.
bool is_plain_name(std::string_view topic) {
  if (topic.size() >= sizeof(std::uint64_t)) return is_plain<std::uint64_t>(topic);
  if (topic.size() >= sizeof(std::uint32_t)) return is_plain<std::uint32_t>(topic);
  return false;
}

bool begins_with_wildcard(std::string_view filter) {
  return filter.starts_with('+') || filter.starts_with('#');
}

// Whether one of them is about topics that begin with `$`, which the other does not match [MQTT-4.7.2-1].
bool are_parted_by_dollar(std::string_view one, std::string_view other) {
  return (one.starts_with('$') && begins_with_wildcard(other)) || (other.starts_with('$') && begins_with_wildcard(one));
}

}  // namespace

std::size_t level_count(std::string_view topic) {
  return 1 + static_cast<std::size_t>(std::count(topic.begin(), topic.end(), '/'));
}

bool is_valid_name(std::string_view topic) {
  if (topic.size() > kStringBytesMax) return false;
  if (is_plain_name(topic)) return true;
  return !topic.empty() && topic.find_first_of(kWildcards) == std::string_view::npos && is_valid_utf8(topic);
}

bool is_valid_filter(std::string_view filter) {
  if (filter.empty() || filter.size() > kStringBytesMax || !is_valid_utf8(filter)) return false;
  TopicLevels levels(filter);
  bool ended = false;  // by `#`
  for (std::string_view level; levels.next(level);) {
    if (ended) return false;
    if (level.find_first_of(kWildcards) != std::string_view::npos && !is_wildcard(level)) return false;
    ended = level == "#";
  }
  return true;
}

bool matches(std::string_view filter, std::string_view topic) {
  if (topic.starts_with('$') && begins_with_wildcard(filter)) return false;
  TopicLevels filter_levels(filter);
  TopicLevels topic_levels(topic);
  std::string_view level;
  for (std::string_view wanted; filter_levels.next(wanted);) {
    if (wanted == "#") return true;  // also the parent level: `sport/#` matches `sport` [MQTT 5.0 §4.7.1.2]
    if (!topic_levels.next(level)) return false;
    if (wanted != "+" && wanted != level) return false;
  }
  return !topic_levels.next(level);
}

bool covers(std::string_view outer, std::string_view inner) {
  if (inner.starts_with('$') && begins_with_wildcard(outer)) return false;
  // `#` has no parent level to match besides, so `+/#` is the same set of topics.
  if (inner == "#") return outer == "#" || outer == "+/#";
  TopicLevels outer_levels(outer);
  TopicLevels inner_levels(inner);
  std::string_view level;
  for (std::string_view wanted; outer_levels.next(wanted);) {
    if (wanted == "#") return true;
    if (!inner_levels.next(level) || level == "#") return false;
    if (wanted != "+" && wanted != level) return false;
  }
  return !inner_levels.next(level);
}

bool overlaps(std::string_view one, std::string_view other) {
  if (are_parted_by_dollar(one, other)) return false;
  TopicLevels one_levels(one);
  TopicLevels other_levels(other);
  std::string_view a;
  std::string_view b;
  while (true) {
    const bool has_a = one_levels.next(a);
    const bool has_b = other_levels.next(b);
    if ((has_a && a == "#") || (has_b && b == "#")) return true;  // also where the other one ends: the parent level
    if (!has_a || !has_b) return has_a == has_b;
    if (a != b && a != "+" && b != "+") return false;
  }
}

std::optional<std::string> intersection(std::string_view one, std::string_view other) {
  if (are_parted_by_dollar(one, other)) return std::nullopt;
  std::string both;
  TopicLevels one_levels(one);
  TopicLevels other_levels(other);
  std::string_view a;
  std::string_view b;
  for (bool first = true;; first = false) {
    const bool has_a = one_levels.next(a);
    const bool has_b = other_levels.next(b);
    // `#` takes all that the other one has left, and the parent level where that ends here.
    const bool takes_rest = (has_a && a == "#") || (has_b && b == "#");
    if (!takes_rest && has_a != has_b) return std::nullopt;
    if (!has_a || !has_b) break;
    if (!first) both += '/';
    if (takes_rest) {
      const std::string_view left = a == "#" ? b : a;
      const std::string_view whole = a == "#" ? other : one;
      both += whole.substr(static_cast<std::size_t>(left.data() - whole.data()));
      break;
    }
    if (a != b && a != "+" && b != "+") return std::nullopt;
    both += a == "+" ? b : a;
  }
  if (both.empty()) return std::nullopt;  // `/#` and `+` have the topic without a character in common, which is none
  return both;
}

bool parse_shared(std::string_view filter, SharedFilter& shared) {
  constexpr std::string_view kPrefix = "$share/";
  if (!is_shared(filter)) {
    shared = {.group = {}, .filter = filter};
    return false;
  }
  shared = {};
  const std::string_view rest = filter.substr(kPrefix.size());
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos) return true;
  const std::string_view group = rest.substr(0, slash);
  const std::string_view inner = rest.substr(slash + 1);
  // [MQTT-4.8.2-1, -2]
  if (group.empty() || group.find_first_of(kWildcards) != std::string_view::npos || !is_valid_utf8(group)) return true;
  if (!is_valid_filter(inner)) return true;
  shared = {.group = group, .filter = inner};
  return true;
}

}  // namespace furrow::mqtt
