// Deadlines of many things behind one real timer, kept lazily.
//
// Moving a deadline back costs nothing: when an old one comes up, its owner looks whether it is really due and, if not,
// adds it again. So a keep-alive costs no work per packet. What ends before its deadline leaves that here, until its
// owner prunes. Thread: loop.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "broker-core/base/time.h"

namespace furrow {

template <typename Key>
class Deadlines {
 public:
  void add(Instant when, Key key) {
    if (when == kNever) return;
    heap_.push_back({when, std::move(key)});
    std::push_heap(heap_.begin(), heap_.end());
  }

  Instant next() const { return heap_.empty() ? kNever : heap_.front().when; }
  std::size_t size() const { return heap_.size(); }

  // Takes one key whose deadline has come; false when there is none.
  bool pop_due(Instant now, Key& key) {
    if (heap_.empty() || heap_.front().when > now) return false;
    std::pop_heap(heap_.begin(), heap_.end());
    key = std::move(heap_.back().key);
    heap_.pop_back();
    return true;
  }

  // Keeps those for which `is_wanted(when, key)`. Looks at all: for when many are not.
  template <typename IsWanted>
  void prune(IsWanted is_wanted) {
    std::erase_if(heap_, [&](const Item& item) { return !is_wanted(item.when, item.key); });
    std::make_heap(heap_.begin(), heap_.end());
  }

 private:
  struct Item {
    Instant when;
    Key key;
    bool operator<(const Item& other) const { return when > other.when; }  // the earliest on top
  };
  std::vector<Item> heap_;
};

}  // namespace furrow
