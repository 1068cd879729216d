// The filters that a rule means on either side, and how two rules relate.
#pragma once

#include <string>

#include "config/config.h"

namespace furrow::config {

// The topics that the rule takes here, and at the far side.
std::string local_filter(const TopicRule& rule);
std::string remote_filter(const TopicRule& rule);

// Whether the rule can be compared: its filter, the filters of both sides, and its exceptions are valid.
bool has_valid_filters(const TopicRule& rule);

// Whether nothing is left for `later` because `earlier` takes it all, in the direction that compares these filters.
// REQUIRES of all functions from here: both rules have valid filters.
bool shadows_on_the_way_up(const TopicRule& earlier, const TopicRule& later);
bool shadows_on_the_way_down(const TopicRule& earlier, const TopicRule& later);

enum class Circle : unsigned char {
  None,
  Possible,  // the filters overlap on both sides, but the prefixes move a topic each time around
  Certain,   // what comes down goes up under the same name
};

// Whether a message that `down` brings in leaves again by `up`, a rule of another connection to the same broker.
Circle circle_of(const TopicRule& down, const TopicRule& up);

}  // namespace furrow::config
