#include "broker-core/session/shared_group.h"

#include <algorithm>
#include <utility>

namespace furrow::broker {

SharedGroup::SharedGroup(std::string filter, SubscriberId subscriber, Session::Shared& shared)
    : filter_(std::move(filter)),
      subscriber_(subscriber),
      shared_(shared),
      outbox_(options(QueueId{}, shared, *this), shared.journal, shared.books) {}

SharedGroup::SharedGroup(std::string filter, SubscriberId subscriber, QueueId queue, const CursorRow& cursor,
                         Session::Shared& shared)
    : filter_(std::move(filter)),
      subscriber_(subscriber),
      shared_(shared),
      outbox_(options(queue, shared, *this), cursor, shared.journal, shared.books) {}

// The limits are for messages that wait: the windows of the members bound those in flight.
Outbox::Options SharedGroup::options(QueueId queue, const Session::Shared& shared, OutboxOwner& owner) {
  return {.limits = shared.limits.session_queue, .queue = queue, .owner = &owner, .bounds_waiting_only = true};
}

// --- members ---

void SharedGroup::set_member(Session& session, const SubscriptionOptions& options) {
  const auto found = std::ranges::find(members_, &session, &Member::session);
  if (found != members_.end()) {
    found->options = options;
    return;
  }
  members_.push_back({&session, options});
  session.join(*this);
}

void SharedGroup::remove_member(Session& session, Instant now) {
  std::erase_if(members_, [&](const Member& member) { return member.session == &session; });
  session.leave(*this);
  hand_out(now);
}

mqtt::Qos SharedGroup::qos() const {
  auto highest = mqtt::Qos::AtMostOnce;
  for (const Member& member : members_) highest = std::max(highest, member.options.qos);
  return highest;
}

bool SharedGroup::any_may_have(std::string_view topic) const {
  if (!shared_.access.has_rules()) return true;
  return std::ranges::any_of(members_, [&](const Member& member) { return member.session->may_have(topic); });
}

SharedGroup::Member* SharedGroup::pick(bool needs_room, std::string_view topic) {
  Member* best = nullptr;
  std::size_t best_at = 0;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const std::size_t at = (turn_ + i) % members_.size();
    Member& member = members_[at];
    if (!(needs_room ? member.session->has_room() : member.session->reads())) continue;
    if (best != nullptr && member.session->inflight_count() >= best->session->inflight_count()) continue;
    if (!member.session->may_have(topic)) continue;
    best = &member;
    best_at = at;
  }
  if (best != nullptr) turn_ = best_at + 1;
  return best;
}

void SharedGroup::make_durable(QueueId queue, Instant now) {
  shared_.journal.put_lazy(QueueRow{queue, QueueKind::Group, filter_}, now);
  outbox_.make_durable(queue, now);
}

// --- messages ---

void SharedGroup::deliver(Publication& publication, const RoutedDelivery& delivery) {
  const Instant now = publication.now();
  const bool retain = publication.fields().retain;
  const std::string_view topic = publication.fields().topic;
  if (!any_may_have(topic)) {
    ++shared_.stats.deliveries_not_authorized;
    return;
  }
  if (delivery.qos == mqtt::Qos::AtMostOnce) {
    // QoS 0 is not kept for clients that are away.
    if (Member* const member = pick(false, topic)) {
      const std::uint32_t id = member->options.subscription_id;
      member->session->deliver(publication, {.qos = delivery.qos,
                                             .retain = retain && member->options.retain_as_published,
                                             .subscription_ids = {&id, id == 0 ? 0U : 1U}});
    }
    return;
  }
  const bool others_wait = outbox_.next_waiting(now) != nullptr || outbox_.has_waiting();
  Member* const member = others_wait ? nullptr : pick(true, topic);
  if (member == nullptr && shared_.conditions.short_of_memory && !durable()) {
    outbox_.pass(Outbox::Outcome::Dropped, now, DropReason::QueueFull);
    return;
  }
  const Duration wait = member == nullptr ? Duration::zero() : member->session->commit_wait();
  outbox_.push(publication.message(), {.qos = delivery.qos, .retain = retain}, wait, now,
               [&]() -> Commitment& { return publication.commitment(); });
  if (member != nullptr && outbox_.next_waiting(now) != nullptr) give_next(*member, now);
}

bool SharedGroup::refuses(const Publication& publication, const RoutedDelivery& delivery) const {
  if (delivery.qos == mqtt::Qos::AtMostOnce || !any_may_have(publication.fields().topic)) return false;
  if (durable() && shared_.journal.condition().failing()) {
    // QoS 2 is written before it is sent; QoS 1 unless its acknowledgement can be expected.
    const auto has_room = [](const Member& member) { return member.session->has_room(); };
    const bool expected = !outbox_.has_waiting() && std::ranges::any_of(members_, has_room);
    if (delivery.qos == mqtt::Qos::ExactlyOnce || !expected) return true;
  }
  return outbox_.refuses(publication.bytes_size());
}

void SharedGroup::hand_out(Instant now) {
  if (std::exchange(handing_out_, true)) return;
  if (members_.empty()) drop_waiting(now);
  while (const Outbox::Entry* const entry = outbox_.next_waiting(now)) {
    if (Member* const member = pick(true, entry->message->topic())) {
      give_next(*member, now);
    } else if (has_members() && !any_may_have(entry->message->topic())) {
      outbox_.settle(entry->sequence, Outbox::Outcome::Dropped, now, DropReason::NotAuthorized);
    } else {
      break;
    }
  }
  handing_out_ = false;
}

void SharedGroup::give_next(Member& member, Instant now) {
  const Outbox::Entry& entry = *outbox_.next_waiting(now);
  const std::uint32_t id = member.options.subscription_id;
  const DeliveryOptions options{.qos = std::min(entry.qos, member.options.qos),
                                .retain = entry.retain && member.options.retain_as_published,
                                .subscription_ids = {&id, id == 0 ? 0U : 1U}};
  if (options.qos != mqtt::Qos::AtMostOnce) {
    member.session->take(outbox_, options, now);
    return;
  }
  const Sequence sequence = entry.sequence;
  const bool written = member.session->write_once(*entry.message, options, now);
  outbox_.settle(sequence, written ? Outbox::Outcome::Delivered : Outbox::Outcome::Dropped, now, DropReason::TooLarge);
}

// No member is left to take the messages.
void SharedGroup::drop_waiting(Instant now) {
  if (!outbox_.has_leases()) {
    outbox_.drop_all(DropReason::SessionEnded, now);
    return;
  }
  while (const Outbox::Entry* const entry = outbox_.next_waiting(now)) {
    outbox_.settle(entry->sequence, Outbox::Outcome::Dropped, now, DropReason::SessionEnded);
  }
}

}  // namespace furrow::broker
