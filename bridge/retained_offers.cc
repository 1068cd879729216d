#include "bridge/retained_offers.h"

#include <algorithm>

namespace furrow::bridge {

using mqtt::Qos;

namespace {

broker::MessageRef removal_of(std::string_view topic, Instant now) {
  return broker::Message::make({.topic = topic,
                                .payload = {},
                                .properties = {},
                                .expiry_s = std::nullopt,
                                .received = now,
                                .qos = Qos::AtMostOnce,
                                .retain = true});
}

}  // namespace

void RetainedOffers::note_removed(std::string_view topic) {
  if (removed_.size() < kRemovalsMax && std::ranges::find(removed_, topic) == removed_.end()) {
    removed_.emplace_back(topic);
  }
}

void RetainedOffers::begin(const TopicMap& map, const Far& far, Instant now) {
  begun_ = true;
  queued_since_.reset();
  look_for_passes(map, far, now);
}

// What a new rule takes has not been in the queue.
void RetainedOffers::change_rules(const TopicMap& map, const Far& far, Instant now) {
  queued_since_ = now;
  look_for_passes(map, far, now);
}

void RetainedOffers::look_for_passes(const TopicMap& map, const Far& far, Instant now) {
  passes_.clear();
  told_ = false;
  unsure_since_ = far.unsure_since;
  begun_at_ = now;
  for (std::size_t i = map.rules().size(); i-- > 0;) {
    const Rule& rule = map.rules()[i];
    if (!rule.goes_up() || !rule.retain_keep) continue;
    const bool all = !far.has(rule);
    const bool may_lack = far.unsure_since != kNever && rule.qos_min == Qos::AtMostOnce && !rule.buffer_qos0;
    if (all || may_lack) passes_.push_back({.rule = i, .all = all});
  }
}

bool RetainedOffers::is_wanted(const Pass& pass, const TopicMap& map, const broker::Message& value) const {
  const auto mapping = map.up(value.topic());
  if (!mapping || mapping->rule != pass.rule) return false;
  const Rule& rule = map.rule(*mapping);
  const Instant received = value.received();
  if (received >= begun_at_) return false;  // it has gone up by itself
  const bool is_queued = rule.buffer_qos0 || rule.qos_of(value.qos()) != Qos::AtMostOnce;
  if (is_queued) return pass.all && received < *queued_since_;
  return pass.all || received >= unsure_since_;
}

broker::MessageRef RetainedOffers::next(const TopicMap& map, const broker::RetainedStore& retained, Instant sent_since,
                                        Instant now, std::size_t& steps) {
  if (!queued_since_) queued_since_ = sent_since;
  while (!removed_.empty()) {
    const std::string topic = std::move(removed_.back());
    removed_.pop_back();
    if (!retained.contains(topic)) return removal_of(topic, now);
  }
  while (!passes_.empty()) {
    Pass& pass = passes_.back();
    const std::string filter = map.rules()[pass.rule].local_filter();
    broker::RetainedStore::Walk walk(retained, filter, pass.from);
    while (const broker::MessageRef* const found = walk.next(steps)) {
      const broker::MessageRef value = *found;
      if (retained.is_own(value->topic()) || retained.expires_at(*value) <= now) continue;
      if (!is_wanted(pass, map, *value)) continue;
      if (walk.at_end()) {
        passes_.pop_back();
      } else {
        pass.from = walk.position();
      }
      return value;
    }
    if (!walk.at_end()) {
      pass.from = walk.position();
      return {};
    }
    passes_.pop_back();
  }
  return {};
}

}  // namespace furrow::bridge
