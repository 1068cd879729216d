// Finds records that live elsewhere by the hash of their key: open addressing over (hash, index) pairs.
//
// Eight bytes a slot, between 3/8 and 3/4 full: 11 to 21 bytes a record, where a robin_map that keeps key and value
// takes 40 and more. The hash is kept, so that growing needs no key and most strangers are told apart without a look
// at their record. Linear probing; erasing moves the followers up, so churn leaves no tombstones. Never shrinks: what
// was needed once is needed again after the next outage.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "broker-core/base/check.h"

namespace furrow::broker {

class HashIndex {
 public:
  static constexpr std::uint32_t kNone = 0xFFFF'FFFF;

  // The index stored under `hash` for which `is_wanted(index)` holds; kNone when there is none.
  template <typename Predicate>
  std::uint32_t find(std::uint32_t hash, Predicate&& is_wanted) const {
    if (slots_.empty()) return kNone;
    for (std::size_t i = hash & mask(); slots_[i].index != kNone; i = (i + 1) & mask()) {
      if (slots_[i].hash == hash && is_wanted(slots_[i].index)) return slots_[i].index;
    }
    return kNone;
  }

  // REQUIRES: index != kNone, and it is not there yet.
  void insert(std::uint32_t hash, std::uint32_t index) {
    FURROW_CHECK(index != kNone);
    if ((size_ + 1) * 4 > slots_.size() * 3) grow();
    place({hash, index});
    ++size_;
  }

  // REQUIRES: `index` was inserted under `hash`.
  void erase(std::uint32_t hash, std::uint32_t index) {
    FURROW_CHECK(size_ > 0);
    std::size_t hole = hash & mask();
    while (slots_[hole].index != index) {
      FURROW_CHECK(slots_[hole].index != kNone);
      hole = (hole + 1) & mask();
    }
    for (std::size_t i = (hole + 1) & mask(); slots_[i].index != kNone; i = (i + 1) & mask()) {
      // A follower may move up unless its home lies behind the hole.
      const std::size_t distance_from_home = (i - slots_[i].hash) & mask();
      if (distance_from_home < ((i - hole) & mask())) continue;
      slots_[hole] = slots_[i];
      hole = i;
    }
    slots_[hole] = Slot{};
    --size_;
  }

  // Forgets all records and keeps the table.
  void clear() {
    std::ranges::fill(slots_, Slot{});
    size_ = 0;
  }

  std::size_t size() const { return size_; }
  std::size_t memory_bytes() const { return slots_.size() * sizeof(Slot); }

 private:
  struct Slot {
    std::uint32_t hash = 0;
    std::uint32_t index = kNone;
  };
  static constexpr std::size_t kSlotsMin = 16;

  std::size_t mask() const { return slots_.size() - 1; }

  void place(Slot slot) {
    std::size_t i = slot.hash & mask();
    while (slots_[i].index != kNone) i = (i + 1) & mask();
    slots_[i] = slot;
  }

  void grow() {
    const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(std::max(slots_.size() * 2, kSlotsMin)));
    for (const Slot& slot : old) {
      if (slot.index != kNone) place(slot);
    }
  }

  std::vector<Slot> slots_;  // a power of two, or none before the first insert
  std::size_t size_ = 0;
};

}  // namespace furrow::broker
