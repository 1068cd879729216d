#include "broker-core/groups.h"

#include <algorithm>
#include <utility>

#include "broker-core/mqtt/topic.h"

namespace furrow::broker {

// --- members ---

void Groups::join(Session& session, const Subscription& subscription, Instant now) {
  SharedGroup& group = of(subscription.filter());
  group.set_member(session, subscription.options());
  if (session.durable() && !group.durable()) group.make_durable(shared_.new_queue(), now);
  route_to(group);
  group.hand_out(now);
}

void Groups::leave(Session& session, std::string_view filter, Instant now) {
  SharedGroup& group = *by_filter_.find(std::string(filter))->second;
  group.remove_member(session, now);
  route_to(group);
  const bool listed = std::ranges::find(memberless_, &group) != memberless_.end();
  if (!group.has_members() && !listed) memberless_.push_back(&group);
}

void Groups::end_memberless() {
  std::erase_if(memberless_, [this](SharedGroup* group) {
    if (group->has_members()) return true;
    if (!group->has_ended()) return false;
    router_.remove(group->subscriber());
    if (group->durable()) shared_.journal.remove_queue(group->outbox().queue());
    by_filter_.erase(by_filter_.find(group->filter()));
    return true;
  });
}

SharedGroup& Groups::of(std::string_view filter) {
  const auto found = by_filter_.find(std::string(filter));
  if (found != by_filter_.end()) return *found->second;
  return add(std::make_unique<SharedGroup>(std::string(filter), router_.reserve(), shared_));
}

SharedGroup& Groups::add(std::unique_ptr<SharedGroup> group) {
  router_.set(group->subscriber(), *group);
  std::string filter = group->filter();
  return *by_filter_.emplace(std::move(filter), std::move(group)).first->second;
}

// Gives the group its place in the tree, with the options that its members ask for together.
void Groups::route_to(SharedGroup& group) {
  mqtt::SharedFilter shared;
  (void)mqtt::parse_shared(group.filter(), shared);
  if (!group.has_members()) {
    router_.unsubscribe(group.subscriber(), shared.filter);
  } else {
    router_.subscribe(group.subscriber(), shared.filter, {.qos = group.qos(), .retain_as_published = true});
  }
}

// --- at start ---

// A group that has ended and begun anew within a batch has two queues when the power failed before the removal, which
// comes last: the younger is the group's, and nothing was left in the other.
void Groups::restore(const std::vector<RestoredQueue>& queues) {
  std::unordered_map<std::string_view, QueueId> youngest;
  for (const RestoredQueue& queue : queues) {
    if (queue.row.kind != QueueKind::Group) continue;
    QueueId& id = youngest[queue.row.name];
    id = std::max(id, queue.row.id);
  }
  for (const RestoredQueue& queue : queues) {
    if (queue.row.kind != QueueKind::Group) continue;
    if (queue.row.id == youngest[queue.row.name]) {
      add(std::make_unique<SharedGroup>(queue.row.name, router_.reserve(), queue.row.id, queue.cursor, shared_));
    } else {
      shared_.journal.remove_queue(queue.row.id);
    }
  }
}

std::unordered_map<std::uint64_t, SharedGroup*> Groups::by_queue() const {
  std::unordered_map<std::uint64_t, SharedGroup*> groups;
  for (const auto& [filter, group] : by_filter_) groups[group->outbox().queue().value] = group.get();
  return groups;
}

void Groups::finish_restore(Instant now) {
  for (const auto& [filter, group] : by_filter_) {
    if (group->has_members()) continue;
    memberless_.push_back(group.get());
    group->hand_out(now);
  }
}

SubscriptionCounts Groups::count(std::size_t subscriptions) const {
  SubscriptionCounts counts{.own = subscriptions};
  for (const auto& [filter, group] : by_filter_) {
    counts.shared += group->members();
    if (group->has_members()) --counts.own;  // its place in the table
  }
  return counts;
}

void Groups::handle_limits_changed() {
  for (const auto& [filter, group] : by_filter_) group->outbox().set_limits(shared_.limits.session_queue);
}

void Groups::handle_rules_changed(Instant now) {
  for (const auto& [filter, group] : by_filter_) group->hand_out(now);
}

}  // namespace furrow::broker
