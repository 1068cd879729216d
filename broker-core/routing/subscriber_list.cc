#include "broker-core/routing/subscriber_list.h"

#include <algorithm>

#include "broker-core/base/check.h"

namespace furrow::broker {

static_assert(sizeof(SubscriberList) == 8);

SubscriberLists::Change SubscriberLists::insert(SubscriberList& list, SubscriberId subscriber,
                                                const SubscriptionOptions& options) {
  const PackedSubscription wanted{.subscriber = subscriber.value, .options = pack_options(options)};
  if (list.empty()) {
    list.content_ = wanted;
    return Change::Added;
  }
  PackedSubscription* existing = nullptr;
  if (list.has_many()) {
    Array& array = many_[list.content_.subscriber];
    const auto place = find_place(array, subscriber);
    if (place == array.end() || place->subscriber != subscriber.value) {
      array.insert(place, wanted);
      return Change::Added;
    }
    existing = &*place;
  } else {
    if (list.content_.subscriber != subscriber.value) {
      Array& array = spread(list);
      array.insert(find_place(array, subscriber), wanted);
      return Change::Added;
    }
    existing = &list.content_;
  }
  const bool same = existing->options == wanted.options;
  existing->options = wanted.options;
  return same ? Change::Unchanged : Change::Replaced;
}

bool SubscriberLists::erase(SubscriberList& list, SubscriberId subscriber) {
  if (list.empty()) return false;
  if (!list.has_many()) {
    if (list.content_.subscriber != subscriber.value) return false;
    list = SubscriberList();
    return true;
  }
  Array& array = many_[list.content_.subscriber];
  const auto place = find_place(array, subscriber);
  if (place == array.end() || place->subscriber != subscriber.value) return false;
  array.erase(place);
  shrink(list);
  return true;
}

void SubscriberLists::append_many(const Array& array, std::vector<Match>& out) {
  for (const PackedSubscription& subscription : array) out.push_back(subscription.unpack());
}

SubscriberLists::Array::iterator SubscriberLists::find_place(Array& array, SubscriberId subscriber) {
  return std::ranges::lower_bound(array, subscriber.value, {}, &PackedSubscription::subscriber);
}

// Moves the one subscription of `list` into an array of its own.
SubscriberLists::Array& SubscriberLists::spread(SubscriberList& list) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(many_.size()));
    many_.emplace_back();
  }
  const std::uint32_t number = free_.back();
  free_.pop_back();
  many_[number].push_back(list.content_);
  list.content_ = {.subscriber = number, .options = SubscriberList::kMany};
  return many_[number];
}

// Gives back what the array of `list` no longer needs, and the array with its last but one subscription.
void SubscriberLists::shrink(SubscriberList& list) {
  const std::uint32_t number = list.content_.subscriber;
  Array& array = many_[number];
  if (array.size() == 1) {
    list.content_ = array.front();
    array = Array();
    free_.push_back(number);
  } else if (array.size() * 4 < array.capacity()) {
    array.shrink_to_fit();
  }
}

std::size_t SubscriberLists::memory_bytes() const {
  std::size_t bytes = many_.capacity() * sizeof(Array) + free_.capacity() * sizeof(std::uint32_t);
  for (const Array& array : many_) bytes += array.capacity() * sizeof(PackedSubscription);
  return bytes;
}

}  // namespace furrow::broker
