// Deadlines of many things behind one real timer, kept lazily.
//
// Moving a deadline back costs nothing: when an old one comes up, its owner looks whether it is really due and, if not,
// adds it again. So a keep-alive costs no work per packet. Thread: loop.
#pragma once

#include <queue>
#include <utility>

#include "broker-core/base/time.h"

namespace furrow {

template <typename Key>
class Deadlines {
 public:
  void add(Instant when, Key key) {
    if (when != kNever) heap_.push({when, std::move(key)});
  }

  Instant next() const { return heap_.empty() ? kNever : heap_.top().when; }

  // Takes one key whose deadline has come; false when there is none.
  bool pop_due(Instant now, Key& key) {
    if (heap_.empty() || heap_.top().when > now) return false;
    key = heap_.top().key;
    heap_.pop();
    return true;
  }

 private:
  struct Item {
    Instant when;
    Key key;
    bool operator<(const Item& other) const { return when > other.when; }  // the earliest on top
  };
  std::priority_queue<Item> heap_;
};

}  // namespace furrow
