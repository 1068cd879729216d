// Random topic names and filters over few level names, so that they often match, for comparison with mqtt::matches().
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "broker-core/base/random.h"

namespace furrow::broker {

// Names that are prefixes of each other, sort around the slash, are empty or begin with `$`: where mistakes hide.
inline constexpr std::array<std::string_view, 10> kLevelNames = {
    "a", "b", "a-b", "a0", "", "$a", "a$", "é", "abc", "a-level-of-more-than-eighteen-bytes"};

inline std::string_view random_level(Random& random) {
  return kLevelNames[random.below(random.chance(60) ? 3 : kLevelNames.size())];
}

inline std::string random_name(Random& random) {
  std::string name(random_level(random));
  for (std::uint64_t more = random.below(4); more > 0; --more) name.append("/").append(random_level(random));
  return name.empty() ? "a" : name;
}

inline std::string random_filter(Random& random) {
  std::string filter;
  const std::uint64_t levels = 1 + random.below(4);
  for (std::uint64_t i = 0; i < levels; ++i) {
    if (i > 0) filter += '/';
    if (i + 1 == levels && random.chance(25)) return filter + '#';
    filter += random.chance(30) ? "+" : random_level(random);
  }
  return filter.empty() ? "a" : filter;
}

}  // namespace furrow::broker
