// Topic filters and who subscribed with them; answers which subscriptions a topic name matches.
//
// A tree of levels: a filter is a path, one node for each level. `+` and `#` are fields of their parent, because a walk
// asks for them at every node; all other children are in one hash table for the whole tree, keyed by parent and level,
// so that a leaf owns no container. A unique filter costs about 61 bytes for each level that it shares with no other.
// Walks go level by level over a list of nodes: no recursion, no string, and each level is hashed once.
// Shared subscriptions come here without `$share/GROUP/`, with the group as their subscriber.
// Nothing is bounded here: the owner limits subscriptions and levels. Thread: loop. Memory is kept for the next
// subscription, not given back. Spec: MQTT 5.0 §4.7.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker-core/base/short_text.h"
#include "broker-core/routing/hash_index.h"
#include "broker-core/routing/keyed_hash.h"
#include "broker-core/routing/subscriber_list.h"
#include "broker-core/routing/subscription.h"

namespace furrow::broker {

class SubscriptionTree {
 public:
  // `hash_seed` is secret and drawn at start: peers that know it could make look-ups slow.
  explicit SubscriptionTree(std::uint64_t hash_seed);
  SubscriptionTree(const SubscriptionTree&) = delete;
  SubscriptionTree& operator=(const SubscriptionTree&) = delete;

  // Adds a subscription, or replaces the options of the one that `subscriber` has with the same filter
  // [MQTT-3.8.4-3]. True when it is new. REQUIRES: mqtt::is_valid_filter(filter).
  bool insert(std::string_view filter, SubscriberId subscriber, SubscriptionOptions options);

  // Removes a subscription; false when there is none.
  bool erase(std::string_view filter, SubscriberId subscriber);

  // Appends every subscription whose filter matches `topic`; a subscriber appears once for each. Filters that begin
  // with a wildcard match no topic that begins with `$` [MQTT-4.7.2-1]. REQUIRES: mqtt::is_valid_name(topic).
  void match(std::string_view topic, std::vector<Match>& out) const;

  // Calls `visit` with each subscription, in no order. Walks the whole tree. `visit` may change nothing of it.
  void for_each(const std::function<void(std::string_view filter, SubscriberId subscriber)>& visit) const;

  // The number of subscriptions.
  std::size_t size() const { return size_; }

  // Another number after each insert and erase that altered something, so that answers can be kept in the meantime.
  std::uint64_t generation() const { return generation_; }

  // For tables beside this one that are keyed by what peers choose.
  HashKey hash_key() const { return hash_key_; }

  std::size_t memory_bytes() const;

 private:
  using NodeIndex = std::uint32_t;
  static constexpr NodeIndex kRoot = 0;
  static constexpr NodeIndex kNone = 0;  // the root is nobody's child

  struct Node {
    NodeIndex parent = kNone;  // of a free node: the next free one
    NodeIndex plus = kNone;    // the child for `+`
    std::uint32_t named_children = 0;
    SubscriberList here;   // the filter ends with this level
    SubscriberList below;  // the filter ends with `#` after this level
    ShortText level;       // empty for `+`
  };
  static_assert(sizeof(Node) == 48);

  // Nodes live in blocks, which never move: a growing vector would copy them and keep up to twice what is needed.
  static constexpr std::size_t kBlockNodes = 256;

  Node& node(NodeIndex index) { return blocks_[index / kBlockNodes][index % kBlockNodes]; }
  const Node& node(NodeIndex index) const { return blocks_[index / kBlockNodes][index % kBlockNodes]; }

  std::uint32_t child_hash(NodeIndex parent, std::uint64_t level_hash) const;
  NodeIndex find_named(NodeIndex parent, std::string_view level, std::uint64_t level_hash) const;
  NodeIndex find_path(std::string_view nodes) const;
  NodeIndex find_child(NodeIndex parent, std::string_view level) const;
  NodeIndex make_child(NodeIndex parent, std::string_view level);
  NodeIndex take_node();
  void give_node(NodeIndex index);
  void prune(NodeIndex index);
  std::string levels_to(NodeIndex index) const;
  void descend(std::string_view level, bool with_plus) const;

  // Constant after construction.
  const HashKey hash_key_;
  const std::uint64_t parent_factor_;

  // Changes with insert() and erase().
  std::vector<std::unique_ptr<Node[]>> blocks_;
  NodeIndex nodes_used_ = 0;  // nodes ever taken from the blocks
  NodeIndex free_ = kNone;    // a list through `parent`
  HashIndex named_;           // nodes by parent and level, but for `+` and the root
  SubscriberLists lists_;
  std::size_t level_heap_bytes_ = 0;
  std::size_t size_ = 0;
  std::uint64_t generation_ = 0;

  // The nodes that match() stands on, and those it goes to next. Kept for their memory only.
  mutable std::vector<NodeIndex> standing_;
  mutable std::vector<NodeIndex> next_;
};

}  // namespace furrow::broker
