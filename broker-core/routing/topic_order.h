// The slots of a message table in the byte order of their topics, to be walked forward from any topic.
//
// Blocks of up to 512 slot numbers: four to eight bytes a topic (a std::set takes 48), a search over blocks and then
// within one, and an insert moves two kilobytes at most. Seeking from a place gallops, so a target that is near costs
// little more than a step. Two neighbouring blocks are merged when they fit into half of one, so that churn does not
// leave crumbs. Thread: loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "broker-core/message.h"

namespace furrow::broker {

class TopicOrder {
 public:
  // Borrows `messages`, where the topic of a slot is read; a slot that is in the order holds a message.
  explicit TopicOrder(const std::vector<MessageRef>& messages) : messages_(messages) {}
  TopicOrder(const TopicOrder&) = delete;
  TopicOrder& operator=(const TopicOrder&) = delete;

  // A place in the order, valid until it changes. The end is behind the last block.
  struct Place {
    std::size_t block = 0;
    std::size_t offset = 0;
  };

  // REQUIRES: no other slot in the order has the same topic.
  void insert(std::uint32_t slot);
  // REQUIRES: `slot` is in the order.
  void erase(std::uint32_t slot);

  Place begin() const { return {}; }
  bool is_end(Place place) const { return place.block == blocks_.size(); }
  // REQUIRES: !is_end(place).
  std::uint32_t slot(Place place) const { return blocks_[place.block][place.offset]; }
  Place next(Place place) const;

  // The first place at or after `from` whose topic is not less than `topic`.
  Place seek(Place from, std::string_view topic) const;

  std::size_t memory_bytes() const;

 private:
  using Block = std::vector<std::uint32_t>;  // never empty
  static constexpr std::size_t kBlockMax = 512;

  std::string_view topic(std::uint32_t slot) const { return messages_[slot]->topic(); }
  // Appends the block after `block` to it if both fit into half of one.
  bool merge_with_next(std::size_t block);

  const std::vector<MessageRef>& messages_;
  std::vector<Block> blocks_;
};

}  // namespace furrow::broker
