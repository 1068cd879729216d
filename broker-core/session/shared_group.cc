#include "broker-core/session/shared_group.h"

#include <algorithm>

namespace furrow::broker {

SharedGroup::SharedGroup(GroupId id, std::string filter, SubscriberId subscriber, Session::Shared& shared)
    : id_(id),
      filter_(std::move(filter)),
      subscriber_(subscriber),
      shared_(shared),
      outbox_(std::make_unique<Outbox>(options(QueueId{}), shared.journal, shared.books)) {
  shared_.groups.emplace(id.value, this);
  shared_.groups_by_filter.emplace(filter_, this);
}

SharedGroup::~SharedGroup() {
  shared_.groups.erase(id_.value);
  shared_.groups_by_filter.erase(filter_);
}

Outbox::Options SharedGroup::options(QueueId queue) {
  return {.limits = shared_.queue_limits, .queue = queue, .owner = this, .stores_books = false};
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

void SharedGroup::remove_member(Session& session) {
  if (std::erase_if(members_, [&](const Member& member) { return member.session == &session; }) > 0) {
    session.leave(*this);
  }
}

mqtt::Qos SharedGroup::qos() const {
  auto highest = mqtt::Qos::AtMostOnce;
  for (const Member& member : members_) highest = std::max(highest, member.options.qos);
  return highest;
}

SharedGroup::Member* SharedGroup::pick(bool needs_room) {
  Member* best = nullptr;
  std::size_t best_at = 0;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const std::size_t at = (turn_ + i) % members_.size();
    Member& member = members_[at];
    if (!(needs_room ? member.session->has_room() : member.session->reads())) continue;
    if (best != nullptr && member.session->inflight_count() >= best->session->inflight_count()) continue;
    best = &member;
    best_at = at;
  }
  if (best != nullptr) turn_ = best_at + 1;
  return best;
}

// --- messages ---

void SharedGroup::deliver(Publication& publication, const RoutedDelivery& delivery) {
  const Instant now = publication.now();
  const bool acknowledged = delivery.qos != mqtt::Qos::AtMostOnce;
  const bool others_wait = acknowledged && outbox_->next_waiting(now) != nullptr;
  Member* member = others_wait ? nullptr : pick(acknowledged);
  if (member != nullptr) {
    const std::uint32_t id = member->options.subscription_id;
    const RoutedDelivery own{
        .qos = std::min(delivery.qos, member->options.qos),
        .retain = publication.fields().retain && member->options.retain_as_published,
        .subscription_ids = {&id, id == 0 ? 0U : 1U},
        .group = id_,
    };
    member->session->deliver(publication, own);
    return;
  }
  // Everybody is away or busy. QoS 0 is not kept for clients that are away.
  if (!acknowledged) return;
  if (shared_.short_of_memory && !durable()) {
    outbox_->pass(Outbox::Outcome::Dropped, now, DropReason::QueueFull);
    return;
  }
  outbox_->push(publication.message(), {.qos = delivery.qos, .retain = publication.fields().retain}, Duration::zero(),
                now, [&]() -> Commitment& { return publication.commitment(); });
}

bool SharedGroup::refuses(const Publication& publication, const RoutedDelivery& delivery) const {
  if (delivery.qos == mqtt::Qos::AtMostOnce) return false;
  const bool taken = !outbox_->has_waiting() && std::ranges::any_of(members_, [&](const Member& member) {
    return member.session->has_room() && !member.session->refuses(publication, delivery);
  });
  if (taken) return false;
  return (durable() && shared_.journal.failing()) || outbox_->refuses(publication.bytes_size());
}

void SharedGroup::pull(Instant now) {
  if (pulling_) return;
  pulling_ = true;
  while (Outbox::Entry* entry = outbox_->next_waiting(now)) {
    Member* member = pick(true);
    if (member == nullptr) break;
    give(*entry, *member, now);
  }
  pulling_ = false;
}

void SharedGroup::give(Outbox::Entry& entry, Member& member, Instant now) {
  const std::uint32_t id = member.options.subscription_id;
  const DeliveryOptions options{.qos = std::min(entry.qos, member.options.qos),
                                .retain = entry.retain && member.options.retain_as_published,
                                .subscription_ids = {&id, id == 0 ? 0U : 1U},
                                .group = id_};
  const MessageRef message = entry.message;
  const Sequence sequence = entry.sequence;
  entry.state = Outbox::State::Sent;
  outbox_->advance();
  const Sequence theirs = member.session->next_sequence(now);
  pulled_[{member.session->subscriber().value, theirs.value}] = sequence;
  // What it does not keep, it has sent at QoS 0, or counted.
  if (!member.session->take(message, options, now)) handle_safe(*member.session, theirs, now);
}

void SharedGroup::handle_safe(const Session& session, Sequence sequence, Instant now) {
  const auto found = pulled_.find(Pulled{session.subscriber().value, sequence.value});
  if (found == pulled_.end()) return;  // it never was in this queue
  const Sequence own = found->second;
  pulled_.erase(found);
  if (const auto index = outbox_->index_of(own)) outbox_->settle(*index, Outbox::Outcome::Moved, now);
}

bool SharedGroup::requeue(const Session& session, Sequence sequence) {
  const auto found = pulled_.find(Pulled{session.subscriber().value, sequence.value});
  if (found == pulled_.end()) return false;
  const Sequence own = found->second;
  pulled_.erase(found);
  if (const auto index = outbox_->index_of(own)) outbox_->requeue(*index);
  return true;
}

void SharedGroup::take_back(const Outbox::Entry& entry, AckTicket ticket, Instant now) {
  Commitment* commitment = nullptr;
  outbox_->push(entry.message, {.qos = entry.qos, .retain = entry.retain}, Duration::zero(), now,
                [&]() -> Commitment& { return *(commitment = &shared_.journal.open(entry.message)); });
  if (commitment == nullptr) {
    ticket.complete(mqtt::ReasonCode::Success);
    return;
  }
  shared_.journal.seal(*commitment, std::move(ticket), mqtt::ReasonCode::Success);
  shared_.journal.hasten(*commitment, now);
}

// --- durability ---

void SharedGroup::make_durable(QueueId queue, Instant now) {
  const std::unique_ptr<Outbox> former = std::exchange(outbox_, nullptr);
  shared_.journal.put_lazy(QueueRow{queue, QueueKind::Group, filter_}, now);
  outbox_ = std::make_unique<Outbox>(options(queue), shared_.journal, shared_.books);
  pulled_.clear();
  for (std::size_t i = 0; i < former->front_size(); ++i) {
    if (former->entry(i).state == Outbox::State::Waiting) take_back(former->entry(i), {}, now);
  }
  for (std::size_t i = former->front_size(); i-- > 0;) {
    if (former->entry(i).state != Outbox::State::Settled) former->settle(i, Outbox::Outcome::Moved, now);
  }
}

void SharedGroup::restore(QueueId queue, const CursorRow& cursor) {
  outbox_ = std::make_unique<Outbox>(options(queue), cursor, shared_.journal, shared_.books);
}

}  // namespace furrow::broker
