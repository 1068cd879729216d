#include "broker-core/routing/topic_order.h"

#include <algorithm>

#include "broker-core/base/check.h"

namespace furrow::broker {

void TopicOrder::insert(std::uint32_t slot) {
  const std::string_view topic = this->topic(slot);
  Place place = seek(begin(), topic);
  if (is_end(place)) {
    // Behind the last topic. A full block stays full there: a table restored in order is packed tight.
    if (blocks_.empty() || blocks_.back().size() == kBlockMax) blocks_.emplace_back();
    blocks_.back().push_back(slot);
    return;
  }
  if (blocks_[place.block].size() == kBlockMax) {
    Block& full = blocks_[place.block];
    const auto middle = full.begin() + kBlockMax / 2;
    Block upper(middle, full.end());
    full.erase(middle, full.end());
    full.shrink_to_fit();
    blocks_.insert(blocks_.begin() + static_cast<std::ptrdiff_t>(place.block) + 1, std::move(upper));
    if (place.offset >= kBlockMax / 2) place = {place.block + 1, place.offset - kBlockMax / 2};
  }
  Block& block = blocks_[place.block];
  block.insert(block.begin() + static_cast<std::ptrdiff_t>(place.offset), slot);
}

void TopicOrder::erase(std::uint32_t slot) {
  const Place place = seek(begin(), topic(slot));
  FURROW_CHECK(!is_end(place));
  FURROW_CHECK(this->slot(place) == slot);
  Block& block = blocks_[place.block];
  block.erase(block.begin() + static_cast<std::ptrdiff_t>(place.offset));
  if (block.empty()) {
    blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(place.block));
  } else if (!merge_with_next(place.block) && place.block > 0) {
    merge_with_next(place.block - 1);
  }
}

TopicOrder::Place TopicOrder::next(Place place) const {
  ++place.offset;
  return place.offset < blocks_[place.block].size() ? place : Place{.block = place.block + 1, .offset = 0};
}

TopicOrder::Place TopicOrder::seek(Place from, std::string_view topic) const {
  if (is_end(from)) return from;
  const auto is_less = [&](std::uint32_t slot) { return this->topic(slot) < topic; };
  if (is_less(blocks_[from.block].back())) {
    const auto rest = blocks_.begin() + static_cast<std::ptrdiff_t>(from.block) + 1;
    const auto block = std::partition_point(rest, blocks_.end(), [&](const Block& b) { return is_less(b.back()); });
    from = {.block = static_cast<std::size_t>(block - blocks_.begin()), .offset = 0};
    if (is_end(from)) return from;
  }
  const Block& block = blocks_[from.block];
  // Everything before `low` is less. Steps double until the last of the next one is not less, or not there.
  std::size_t low = from.offset;
  std::size_t step = 1;
  for (; low + step <= block.size() && is_less(block[low + step - 1]); step *= 2) low += step;
  const auto first = block.begin() + static_cast<std::ptrdiff_t>(low);
  const auto last = block.begin() + static_cast<std::ptrdiff_t>(std::min(low + step - 1, block.size()));
  from.offset = static_cast<std::size_t>(std::partition_point(first, last, is_less) - block.begin());
  return from;
}

bool TopicOrder::merge_with_next(std::size_t block) {
  if (block + 1 >= blocks_.size()) return false;
  Block& lower = blocks_[block];
  const Block& upper = blocks_[block + 1];
  if (lower.size() + upper.size() > kBlockMax / 2) return false;
  lower.insert(lower.end(), upper.begin(), upper.end());
  blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(block) + 1);
  return true;
}

std::size_t TopicOrder::memory_bytes() const {
  std::size_t bytes = blocks_.capacity() * sizeof(Block);
  for (const Block& block : blocks_) bytes += block.capacity() * sizeof(std::uint32_t);
  return bytes;
}

}  // namespace furrow::broker
