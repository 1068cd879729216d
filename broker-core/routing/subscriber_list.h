// The subscriptions of one filter: eight bytes for none or one, a sorted array beyond.
//
// Most filters belong to one client (`command/barn-7/#`), a few to thousands (`alarm/#`). Both ends matter: ten
// thousand idle clients pay for the first kind, inserting and erasing must not crawl through the second.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "broker-core/routing/subscription.h"

namespace furrow::broker {

// A subscription in eight bytes. QoS 3 does not exist, so a word of options with it can tell a list what else the
// number beside it means.
struct PackedSubscription {
  std::uint32_t subscriber;
  std::uint32_t options;

  Match unpack() const { return {.subscriber = SubscriberId{subscriber}, .options = unpack_options(options)}; }
};

// Says where the subscriptions of one filter are; read and changed by the SubscriberLists that it belongs to.
class SubscriberList {
 public:
  bool empty() const { return content_.options == kNone; }

 private:
  friend class SubscriberLists;
  static constexpr std::uint32_t kNone = 0xFFFF'FFFF;
  static constexpr std::uint32_t kMany = 0xFFFF'FFFE;  // `subscriber` is the number of an array

  bool has_many() const { return content_.options == kMany; }

  PackedSubscription content_{.subscriber = 0, .options = kNone};
};

// Owns what the lists of one tree keep beyond their eight bytes.
class SubscriberLists {
 public:
  enum class Change : std::uint8_t { Added, Replaced, Unchanged };

  // Adds the subscription, or replaces the options of the one that `subscriber` has in `list`.
  Change insert(SubscriberList& list, SubscriberId subscriber, const SubscriptionOptions& options);

  // Removes the subscription of `subscriber`; false when there is none.
  bool erase(SubscriberList& list, SubscriberId subscriber);

  // Appends all subscriptions of `list`, in the order of their subscribers.
  void append_to(const SubscriberList& list, std::vector<Match>& out) const {
    if (list.empty()) return;
    if (!list.has_many()) {
      out.push_back(list.content_.unpack());
      return;
    }
    append_many(many_[list.content_.subscriber], out);
  }

  std::size_t memory_bytes() const;

 private:
  // In the order of the subscribers. Inserting moves up to half of them, 40 KB for ten thousand: a microsecond or two.
  using Array = std::vector<PackedSubscription>;

  static void append_many(const Array& array, std::vector<Match>& out);
  static Array::iterator find_place(Array& array, SubscriberId subscriber);

  Array& spread(SubscriberList& list);
  void shrink(SubscriberList& list);

  std::vector<Array> many_;
  std::vector<std::uint32_t> free_;  // numbers of unused arrays
};

}  // namespace furrow::broker
