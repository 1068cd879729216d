#include "broker-core/session/topic_aliases.h"

#include <algorithm>

namespace furrow::broker {

void TopicAliases::reset(std::uint16_t maximum) {
  maximum_ = std::min(maximum, kAliasesMax);
  by_topic_.clear();
  slots_.clear();
}

std::optional<TopicAliases::Alias> TopicAliases::use(std::string_view topic) {
  if (maximum_ == 0 || topic.size() > kTopicBytesMax) return std::nullopt;
  if (const auto found = by_topic_.find(topic); found != by_topic_.end()) {
    slots_.splice(slots_.begin(), slots_, found->second);
    return Alias{found->second->number, true};
  }
  if (slots_.size() < maximum_) {
    slots_.push_front({std::string(topic), static_cast<std::uint16_t>(slots_.size() + 1)});
  } else {
    by_topic_.erase(slots_.back().topic);
    slots_.splice(slots_.begin(), slots_, std::prev(slots_.end()));
    slots_.front().topic = topic;
  }
  by_topic_.emplace(slots_.front().topic, slots_.begin());
  return Alias{slots_.front().number, false};
}

void TopicAliases::forget(std::string_view topic) {
  const auto found = by_topic_.find(topic);
  if (found == by_topic_.end()) return;
  // The number is kept for the next topic that finds no free one: it is the least recently used now.
  const auto slot = found->second;
  by_topic_.erase(found);
  slot->topic.clear();
  slots_.splice(slots_.end(), slots_, slot);
}

void ReceivedAliases::set(std::uint16_t number, std::string_view topic) {
  if (topics_.size() < number) topics_.resize(number);
  topics_[number - 1U] = topic;
}

std::string_view ReceivedAliases::topic(std::uint16_t number) const {
  return number == 0 || number > topics_.size() ? std::string_view() : topics_[number - 1U];
}

}  // namespace furrow::broker
