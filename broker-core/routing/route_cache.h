// The subscribers of a topic, merged to one entry each and remembered until a subscription changes.
//
// A sensor publishes to the same topic again and again, while subscriptions change rarely: a walk of the tree and the
// merging are paid once, then one hash of the topic finds the answer. Topics without a subscriber are remembered too.
// Valid for one generation of the tree; dropped as a whole when that changes or the cache is full, which needs no order
// of use and no freeing one by one. Owns no heap before the first lookup. Thread: loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <string_view>
#include <vector>

#include "broker-core/base/bytes.h"
#include "broker-core/routing/hash_index.h"
#include "broker-core/routing/subscription.h"
#include "broker-core/routing/subscription_tree.h"

namespace furrow::broker {

// One subscriber of a topic, with its overlapping subscriptions as one [MQTT-3.3.4-2, -3]. Where only some of these say
// no-local they give two routes: the subscriber gets its own messages as the others ask for them [MQTT-3.8.3-3].
struct Route {
  enum class From : std::uint8_t { Anyone, Others, Itself };

  // Whether a message of `origin` takes this route.
  bool takes(SubscriberId origin) const {
    return from == From::Anyone || (from == From::Itself) == (origin == subscriber);
  }

  SubscriberId subscriber;
  mqtt::Qos qos = mqtt::Qos::AtMostOnce;  // the highest of all
  From from = From::Anyone;
  bool retain_as_published = false;                 // if any says so
  std::span<const std::uint32_t> subscription_ids;  // of all that have one, in ascending order [MQTT-3.3.4-4]
};

class RouteCache {
 public:
  // Ten thousand connections (`limits.connections`) with a topic each fit, and half as many again: a cache that is
  // smaller than what goes round in a circle would never hit.
  static constexpr std::size_t kEntriesMax = 16'384;
  // 256 bytes for each of those: a topic of 100 bytes and its few subscribers. The heap behind it, which grows by
  // halves, may take half as much again.
  static constexpr std::size_t kBytesMax = 4 * MiB;

  // Borrows `tree`, which must live longer.
  explicit RouteCache(const SubscriptionTree& tree);
  RouteCache(const RouteCache&) = delete;
  RouteCache& operator=(const RouteCache&) = delete;

  // The routes of `topic` in the order of their subscribers, valid until the next lookup or change of the tree.
  // No allocation for a topic that is remembered. REQUIRES: mqtt::is_valid_name(topic).
  std::span<const Route> lookup(std::string_view topic);

  // How many topics are remembered, and the bytes that their names and routes take. One topic may exceed kBytesMax
  // by itself (its subscribers are bounded elsewhere); it is then the only one.
  std::size_t entries() const { return entries_.size(); }
  std::size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    std::string_view topic;
    std::span<const Route> routes;
  };
  static constexpr std::uint32_t kNone = HashIndex::kNone;

  std::uint32_t add(std::string_view topic, std::uint32_t hash);
  std::span<const Route> merge_matches();
  void clear();
  template <typename T>
  std::span<T> allocate(std::size_t count);

  // Constant after construction.
  const SubscriptionTree& tree_;
  // Changes with lookup(). Invariant: all entries are answers of the tree's generation `generation_`.
  std::uint64_t generation_;
  std::pmr::monotonic_buffer_resource memory_;  // topics, routes and identifiers of all entries
  std::size_t bytes_ = 0;
  std::vector<Entry> entries_;
  HashIndex by_topic_;
  std::uint32_t last_ = kNone;  // the entry of the last lookup: bursts repeat their topic
  std::vector<Match> matches_;  // what the tree answered; kept for its memory only
};

}  // namespace furrow::broker
