// Topic aliases of one network connection: ours, and those of the peer.
//
// The topic name is most of a 12-byte reading; an alias takes its place from the second message on. Our aliases are
// bounded by the maximum given and by topics of kTopicBytesMax, and the least recently used makes room; the peer's are
// bounded by the maximum that we announced. Neither class owns heap before the first alias. Spec: MQTT 5.0 §3.3.2.3.4.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace furrow::broker {

// The aliases that we assign.
class TopicAliases {
 public:
  static constexpr std::uint16_t kAliasesMax = 1024;
  static constexpr std::size_t kTopicBytesMax = 1024;

  struct Alias {
    std::uint16_t number = 0;
    bool known = false;  // the far side has been told: the topic may be left out
  };

  // A new connection: nothing is assigned. `maximum` is the peer's topic alias maximum; 0 = none [MQTT-3.3.2-9].
  void reset(std::uint16_t maximum);
  // The alias for a PUBLISH to `topic`, assigned now if it has none.
  std::optional<Alias> use(std::string_view topic);
  // The PUBLISH that was to tell of the alias for `topic` was not sent.
  void forget(std::string_view topic);
  // Calls `visit` with the number and the topic of each alias that is assigned.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (const auto& [topic, slot] : by_topic_) visit(slot->number, topic);
  }

 private:
  struct Slot {
    std::string topic;
    std::uint16_t number;
  };

  std::uint16_t maximum_ = 0;
  std::list<Slot> slots_;                                                     // the most recently used first
  std::unordered_map<std::string_view, std::list<Slot>::iterator> by_topic_;  // keys point into slots_
};

// The aliases that the peer assigns.
class ReceivedAliases {
 public:
  // From now on `number` stands for `topic` [MQTT-3.3.2-12]. REQUIRES: number > 0, within what was announced.
  void set(std::uint16_t number, std::string_view topic);
  // Empty when the peer has not assigned it. Valid until the next set().
  std::string_view topic(std::uint16_t number) const;

 private:
  std::vector<std::string> topics_;  // by number, from 1
};

}  // namespace furrow::broker
