#include "broker-core/routing/subscription_tree.h"

#include <string>
#include <utility>

#include "broker-core/base/check.h"
#include "broker-core/mqtt/topic.h"

namespace furrow::broker {

namespace {

// A filter as the tree keeps it: the levels that are nodes, and whether `#` follows them.
struct FilterPath {
  explicit FilterPath(std::string_view filter) : has_nodes(filter != "#"), takes_below(filter.ends_with('#')) {
    if (takes_below && has_nodes) filter.remove_suffix(2);  // with the slash before it
    nodes = filter;
  }

  std::string_view nodes;
  bool has_nodes;
  bool takes_below;
};

}  // namespace

SubscriptionTree::SubscriptionTree(std::uint64_t hash_seed)
    : hash_key_(HashKey::from_seed(hash_seed)), parent_factor_(SipState(hash_key_).finish()) {
  (void)take_node();  // the root
}

bool SubscriptionTree::insert(std::string_view filter, SubscriberId subscriber, SubscriptionOptions options) {
  FURROW_CHECK(!filter.empty());
  const FilterPath path(filter);
  NodeIndex at = kRoot;
  if (path.has_nodes) {
    mqtt::TopicLevels levels(path.nodes);
    for (std::string_view level; levels.next(level);) {
      const NodeIndex child = find_child(at, level);
      at = child != kNone ? child : make_child(at, level);
    }
  }
  const auto change = lists_.insert(path.takes_below ? node(at).below : node(at).here, subscriber, options);
  if (change != SubscriberLists::Change::Unchanged) ++generation_;
  if (change != SubscriberLists::Change::Added) return false;
  ++size_;
  return true;
}

// The node at the end of these levels; kNone when there is none.
SubscriptionTree::NodeIndex SubscriptionTree::find_path(std::string_view nodes) const {
  NodeIndex at = kRoot;
  mqtt::TopicLevels levels(nodes);
  for (std::string_view level; levels.next(level);) {
    at = find_child(at, level);
    if (at == kNone) break;
  }
  return at;
}

bool SubscriptionTree::erase(std::string_view filter, SubscriberId subscriber) {
  const FilterPath path(filter);
  const NodeIndex at = path.has_nodes ? find_path(path.nodes) : kRoot;
  if (path.has_nodes && at == kNone) return false;
  if (!lists_.erase(path.takes_below ? node(at).below : node(at).here, subscriber)) return false;
  prune(at);
  --size_;
  ++generation_;
  return true;
}

void SubscriptionTree::match(std::string_view topic, std::vector<Match>& out) const {
  bool with_wildcards = !topic.starts_with('$');  // [MQTT-4.7.2-1] speaks of the first level only
  standing_.assign(1, kRoot);
  if (with_wildcards) lists_.append_to(node(kRoot).below, out);
  mqtt::TopicLevels levels(topic);
  for (std::string_view level; !standing_.empty() && levels.next(level); with_wildcards = true) {
    descend(level, with_wildcards);
    // `#` takes the parent level too, so a node's own come with the first step onto it [MQTT 5.0 §4.7.1.2].
    for (const NodeIndex index : standing_) lists_.append_to(node(index).below, out);
  }
  for (const NodeIndex index : standing_) lists_.append_to(node(index).here, out);
}

// The levels from the first one down to this node, as a filter has them; empty for the root.
std::string SubscriptionTree::levels_to(NodeIndex index) const {
  std::vector<std::string_view> levels;
  for (; index != kRoot; index = node(index).parent) {
    const bool is_plus = node(node(index).parent).plus == index;
    levels.push_back(is_plus ? "+" : node(index).level.view());
  }
  std::string filter;
  for (auto level = levels.rbegin(); level != levels.rend(); ++level) {
    if (level != levels.rbegin()) filter += '/';
    filter += *level;
  }
  return filter;
}

void SubscriptionTree::for_each(
    const std::function<void(std::string_view filter, SubscriberId subscriber)>& visit) const {
  std::vector<Match> ends;
  const auto visit_all = [&](const SubscriberList& list, const std::string& filter) {
    ends.clear();
    lists_.append_to(list, ends);
    for (const Match& end : ends) visit(filter, end.subscriber);
  };
  for (NodeIndex index = 0; index < nodes_used_; ++index) {
    const Node& one = node(index);
    if (one.here.empty() && one.below.empty()) continue;  // free ones, too
    const std::string levels = levels_to(index);
    visit_all(one.here, levels);
    visit_all(one.below, index == kRoot ? "#" : levels + "/#");
  }
}

// Moves from the nodes stood on to those of their children that take `level`.
void SubscriptionTree::descend(std::string_view level, bool with_plus) const {
  const std::uint64_t level_hash = keyed_hash(hash_key_, level);
  next_.clear();
  for (const NodeIndex index : standing_) {
    const Node& parent = node(index);
    if (with_plus && parent.plus != kNone) next_.push_back(parent.plus);
    if (parent.named_children == 0) continue;
    const NodeIndex child = find_named(index, level, level_hash);
    if (child != kNone) next_.push_back(child);
  }
  std::swap(standing_, next_);
}

// Multiply-shift with a secret factor is universal: the children of one level name under parents of a peer's
// choice spread as well as random ones, and the level needs to be hashed only once for all of them.
// Source: Dietzfelbinger, "Universal hashing and k-wise independent random variables via integer arithmetic", 1996.
std::uint32_t SubscriptionTree::child_hash(NodeIndex parent, std::uint64_t level_hash) const {
  return static_cast<std::uint32_t>((parent_factor_ * parent + level_hash) >> 32U);
}

SubscriptionTree::NodeIndex SubscriptionTree::find_named(NodeIndex parent, std::string_view level,
                                                         std::uint64_t level_hash) const {
  const std::uint32_t found = named_.find(child_hash(parent, level_hash), [&](std::uint32_t index) {
    const Node& candidate = node(index);
    return candidate.parent == parent && candidate.level.view() == level;
  });
  return found == HashIndex::kNone ? kNone : found;
}

SubscriptionTree::NodeIndex SubscriptionTree::find_child(NodeIndex parent, std::string_view level) const {
  return level == "+" ? node(parent).plus : find_named(parent, level, keyed_hash(hash_key_, level));
}

SubscriptionTree::NodeIndex SubscriptionTree::make_child(NodeIndex parent, std::string_view level) {
  const NodeIndex child = take_node();
  node(child).parent = parent;
  if (level == "+") {
    node(parent).plus = child;
    return child;
  }
  node(child).level.assign(level);
  level_heap_bytes_ += node(child).level.heap_bytes();
  named_.insert(child_hash(parent, keyed_hash(hash_key_, level)), child);
  ++node(parent).named_children;
  return child;
}

SubscriptionTree::NodeIndex SubscriptionTree::take_node() {
  if (free_ != kNone) return std::exchange(free_, node(free_).parent);
  if (nodes_used_ % kBlockNodes == 0) blocks_.push_back(std::make_unique<Node[]>(kBlockNodes));
  return nodes_used_++;
}

void SubscriptionTree::give_node(NodeIndex index) {
  Node& given = node(index);
  level_heap_bytes_ -= given.level.heap_bytes();
  given.level.clear();
  given.parent = std::exchange(free_, index);
}

// Removes `index` and its ancestors as far as nothing ends at them or passes through them.
void SubscriptionTree::prune(NodeIndex index) {
  while (index != kRoot) {
    const Node& last = node(index);
    if (!last.here.empty() || !last.below.empty() || last.plus != kNone || last.named_children > 0) return;
    const NodeIndex parent = last.parent;
    if (node(parent).plus == index) {
      node(parent).plus = kNone;
    } else {
      named_.erase(child_hash(parent, keyed_hash(hash_key_, last.level.view())), index);
      --node(parent).named_children;
    }
    give_node(index);
    index = parent;
  }
}

std::size_t SubscriptionTree::memory_bytes() const {
  return blocks_.capacity() * sizeof(blocks_[0]) + blocks_.size() * kBlockNodes * sizeof(Node) + named_.memory_bytes() +
         lists_.memory_bytes() + level_heap_bytes_ + (standing_.capacity() + next_.capacity()) * sizeof(NodeIndex);
}

}  // namespace furrow::broker
