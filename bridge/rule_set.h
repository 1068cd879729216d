// The rules of a bridge as they are now, and how many messages each has taken, over changes of the rules.
//
// A rule is known by what it connects: direction, filter and names. One that is found again in a new set keeps its
// counters, wherever it stands and whatever else has changed of it. Thread: loop.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "bridge/snapshot.h"
#include "bridge/topic_map.h"

namespace furrow::bridge {

class RuleSet {
 public:
  // REQUIRES: as TopicMap.
  void set(std::vector<Rule> rules);

  // Its place does not change.
  const TopicMap& map() const { return map_; }
  // Whether any rule has expire_after; whether any lets messages give way to newer ones; whether any keeps the latest.
  bool expires() const { return expires_; }
  bool thins() const { return thins_; }
  bool keeps_latest() const { return keeps_latest_; }
  // What the rule adds to its messages.
  const UserProperties& additions(std::size_t rule) const { return additions_[rule]; }
  void count_up(std::size_t rule) { ++counts_[rule].up; }
  void count_down(std::size_t rule) { ++counts_[rule].down; }
  // A name for the rule that lasts longer than a call, and the place of that rule now, if it is still there.
  std::uint32_t key(std::size_t rule) const { return counts_[rule].key; }
  std::optional<std::size_t> find(std::uint32_t key) const;
  std::vector<RuleStatus> status() const;

 private:
  struct Counts {
    std::uint64_t up = 0;
    std::uint64_t down = 0;
    std::uint32_t key = 0;
  };

  TopicMap map_;
  std::vector<UserProperties> additions_;  // of each rule of the map
  std::vector<Counts> counts_;             // likewise
  bool expires_ = false;
  bool thins_ = false;
  bool keeps_latest_ = false;
  std::uint32_t last_key_ = 0;
};

}  // namespace furrow::bridge
