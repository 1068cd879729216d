#include "broker-core/session/departure.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "broker-core/session/shared_group.h"

namespace furrow::broker {

Departure::Departure(std::unique_ptr<Session> session, const Session::Shared& shared, Instant now)
    : session_(std::move(session)), shared_(shared) {
  return_pulled(now);
  session_->inflight()->abandon();
}

Departure::~Departure() {
  acknowledgements_->detach();
}

// What the session has pulled and not yet finished, or written.
void Departure::return_pulled(Instant now) {
  Outbox& outbox = *session_->outbox();
  for (std::size_t i = 0; i < outbox.front_size(); ++i) {
    Outbox::Entry& entry = outbox.entry(i);
    SharedGroup* const group = entry.group ? shared_.find_group(entry.group) : nullptr;
    if (group == nullptr || entry.state == Outbox::State::Settled) continue;
    if (entry.qos == mqtt::Qos::ExactlyOnce) {
      group->handle_safe(*session_, entry.sequence, now);  // it ends with this session
    } else if (group->requeue(*session_, entry.sequence)) {
      entry.group = {};
      const std::size_t size = outbox.front_size();
      outbox.settle(i, Outbox::Outcome::Moved, now);
      i -= std::min(i + 1, size - outbox.front_size());  // settled ones at the front are gone
    }
  }
}

SharedGroup* Departure::group_for(const Outbox::Entry& entry) const {
  return entry.group && entry.qos == mqtt::Qos::AtLeastOnce ? shared_.find_group(entry.group) : nullptr;
}

void Departure::proceed(Instant now) {
  Outbox& outbox = *session_->outbox();
  for (; safe_ > 0; --safe_) {
    const auto index = outbox.index_of(moving_.pop_front());
    if (index) outbox.settle(*index, Outbox::Outcome::Moved, now);
  }
  if (!moving_.empty()) return;
  std::vector<SharedGroup*> groups;
  while (Outbox::Entry* entry = outbox.next_waiting(now)) {
    SharedGroup* const group = group_for(*entry);
    entry->group = {};
    if (group == nullptr) {
      outbox.settle(outbox.send_index(), Outbox::Outcome::Dropped, now, DropReason::SessionEnded);
      continue;
    }
    entry->state = Outbox::State::Sent;
    outbox.advance();
    moving_.push_back(entry->sequence);
    const AckTicket ticket{acknowledgements_, acknowledgements_->open(mqtt::PacketType::Puback, PacketId{})};
    group->take_back(*entry, ticket, now);
    if (std::ranges::find(groups, group) == groups.end()) groups.push_back(group);
  }
  for (SharedGroup* group : groups) group->pull(now);
}

}  // namespace furrow::broker
