#include "broker-core/wills.h"

#include <algorithm>

#include "broker-core/router.h"
#include "broker-core/session/session_table.h"

namespace furrow::broker {

namespace {

Instant later(Instant when, std::uint32_t seconds) {
  return when + std::chrono::seconds(seconds);
}

}  // namespace

Wills::Wills(Router& router, Session::Shared& shared, const SessionTable& sessions, Instant started)
    : router_(router), shared_(shared), sessions_(sessions), started_(started) {}

Wills::~Wills() {
  acknowledgements_->detach();  // the journal may yet complete tickets
}

// --- clients without a durable session ---

void Wills::wait(const std::string& client_id, std::unique_ptr<Will> will, Identity owner, Instant due, Instant now) {
  if (!will->stored) shared_.journal.put_lazy(SessionRow{client_id, encode_will_alone(*will, owner)}, now);
  will->stored = true;
  (void)take(client_id);  // the newer one takes its place
  const auto waiting = waiting_.try_emplace(client_id, Waiting{std::move(will), std::move(owner), due}).first;
  waiting_by_due_.emplace(due, waiting->first);
}

const Identity* Wills::owner_of_waiting(std::string_view client_id) const {
  const auto waiting = waiting_.find(client_id);
  return waiting == waiting_.end() ? nullptr : &waiting->second.owner;
}

Wills::Taken Wills::take(std::string_view client_id) {
  const auto waiting = waiting_.find(client_id);
  if (waiting == waiting_.end()) return {};
  Taken taken{std::move(waiting->second.will), std::move(waiting->second.owner)};
  waiting_by_due_.erase({waiting->second.due, waiting->first});
  waiting_.erase(waiting);
  return taken;
}

void Wills::keep(Session& session, const Taken& stored, std::size_t clients, Instant now) {
  Will* const will = session.record().will.get();
  const bool is_stored = stored.will != nullptr;
  const bool differs = is_stored && (will == nullptr || *will != *stored.will || session.identity() != stored.owner);
  if (differs) {
    // The old will must not stay behind, however soon the client leaves.
    SessionRow row{session.client_id(), std::nullopt};
    if (will != nullptr) row.data = encode_will_alone(*will, session.identity());
    shared_.journal.put_lazy(std::move(row), now);
  }
  if (will == nullptr) return;
  will->stored = is_stored;
  if (!will->stored) unwritten_.push_back({now, session.subscriber()});
  // Each will that waits has a row, as each connected client may have one.
  const std::uint32_t limit = shared_.limits.connections;
  if (limit == 0 || waiting_.empty() || waiting_.size() + clients < limit) return;
  ++shared_.stats.wills_over_limit;
  publish_waiting(waiting_.find(waiting_by_due_.begin()->second), now);
}

void Wills::write(Session& session) {
  const std::unique_ptr<Will>& will = session.record().will;
  if (session.durable() || !session.record().has_pending_will() || will->stored) return;
  if (shared_.journal.condition().failing() || shared_.conditions.short_of_memory) {
    ++shared_.stats.wills_not_stored;
    return;
  }
  shared_.journal.put(SessionRow{session.client_id(), encode_will_alone(*will, session.identity())});
  will->stored = true;
}

// Wills that have waited for half of the interval share a commit with the oldest. Younger ones wait on: their clients
// may yet take them away for free.
void Wills::write_due(Instant now) {
  if (unwritten_.empty() || now < unwritten_.front().since + kWriteInterval) return;
  while (!unwritten_.empty() && unwritten_.front().since + kWriteInterval / 2 <= now) {
    if (Session* const session = sessions_.at(unwritten_.pop_front().subscriber)) write(*session);
  }
}

void Wills::write_rest() {
  sessions_.for_each([&](Session& session) { write(session); });
  unwritten_.clear();
}

// --- sessions ---

// A will leaves when its delay is over or its session ends, whichever is first [MQTT-3.1.3-9]. No client can come back
// while the gateway is off, so a delay begins anew with the start; then nothing is published before kRestartGrace.
Instant Wills::due(const SessionRecord& record, Instant ended) const {
  if (!record.has_pending_will()) return kNever;
  const Instant expiry = expiry_of(record, ended);
  if (!record.disconnected->before_start) return std::min(later(ended, record.will->delay_s), expiry);
  return std::max(started_ + kRestartGrace, std::min(later(started_, record.will->delay_s), expiry));
}

// A reserved topic is that of a bridge's notice, and no rule's affair.
template <typename MayPublish>
bool Wills::is_granted(const std::string& client_id, const WillMessage& will, const Identity& owner,
                       MayPublish may_publish, Instant now) {
  if (!shared_.access.has_rules() || will.topic.starts_with('$') || may_publish(will)) return true;
  ++shared_.stats.wills_not_authorized;
  shared_.limit_log.write_refused("will", client_id, owner.user, will.topic, now);
  return false;
}

void Wills::publish(Session& session, Instant now) {
  Will& will = *session.record().will;
  const bool stored = session.durable() || will.stored;
  const auto may_publish = [&](const WillMessage& one) { return session.may_publish(one.topic, one.retain); };
  const bool granted = is_granted(session.client_id(), will, session.identity(), may_publish, now);
  if (granted && send(session.client_id(), will, stored, session.subscriber(), now)) return;
  withdraw(session, now);
  if (session.durable()) session.store_lazily(now);
}

void Wills::withdraw(Session& session, Instant now) {
  const std::unique_ptr<Will> will = std::move(session.record().will);
  if (will->stored) shared_.journal.put_lazy(SessionRow{session.client_id(), std::nullopt}, now);
}

void Wills::publish_waiting(WaitingMap::iterator waiting, Instant now) {
  const std::string client_id = waiting->first;
  const Taken taken = take(client_id);
  const auto may_publish = [&](const WillMessage& one) {
    const access::Subject subject{
        .user = taken.owner.user, .client = client_id, .listener = taken.owner.listener, .address_forgotten = true};
    return access::Rights(shared_.access.rules(), subject, {}).publish(one.topic, one.retain).is_granted();
  };
  const bool granted = is_granted(client_id, *taken.will, taken.owner, may_publish, now);
  if (granted && send(client_id, *taken.will, true, SubscriberId{}, now)) return;
  shared_.journal.put_lazy(SessionRow{client_id, std::nullopt}, now);
}

// True when the client has a row with the will (`stored`) that is needed until the message is safe.
bool Wills::send(const std::string& client_id, Will& will, bool stored, SubscriberId origin, Instant now) {
  if (router_.retained().is_own(will.topic)) {
    ++shared_.stats.dropped_not_authorized;  // a bridge of ours has the topic by now
    return false;
  }
  const Message::Fields fields{.topic = will.topic,
                               .payload = will.payload,
                               .properties = mqtt::PropertyView::from_valid(will.properties),
                               .expiry_s = will.expiry_s,
                               .received = now,
                               .qos = will.qos,
                               .retain = will.retain};
  // Without a ticket a retained value is not refused while the medium takes no writes.
  const bool waits = stored && !(fields.retain && shared_.journal.condition().failing());
  AckTicket ticket;
  if (waits) {
    published_.push_back({client_id, now});
    will.published = safe_ + published_.size();
    ticket = {acknowledgements_, acknowledgements_->open(mqtt::PacketType::Puback, PacketId{})};
  }
  if (router_.publish(fields, origin, ticket, nullptr, now).refused) {
    ++shared_.stats.dropped_refused;
    ticket.complete(mqtt::ReasonCode::QuotaExceeded);
  }
  return waits;
}

void Wills::write_acknowledgement(mqtt::PacketType, PacketId, mqtt::ReasonCode) {
  const Published safe = published_.pop_front();
  ++safe_;
  Session* const session = sessions_.find(safe.client_id);
  Will* const will = session != nullptr ? session->record().will.get() : nullptr;
  const bool is_the_same = will != nullptr && will->published == safe_;
  if (session != nullptr && session->durable()) {
    if (!is_the_same) return;  // the client has come back: its row has another will or none
    session->record().will.reset();
    session->store_lazily(safe.at);
    return;
  }
  // The client has come back: its row has the new will.
  if (will != nullptr && !is_the_same && will->stored) return;
  shared_.journal.put_lazy(SessionRow{safe.client_id, std::nullopt}, safe.at);
}

// --- time ---

void Wills::handle_timeout(Instant now) {
  write_due(now);
  while (!waiting_by_due_.empty() && waiting_by_due_.begin()->first <= now) {
    publish_waiting(waiting_.find(waiting_by_due_.begin()->second), now);
  }
}

Instant Wills::next_deadline() const {
  const Instant write = unwritten_.empty() ? kNever : unwritten_.front().since + kWriteInterval;
  return waiting_by_due_.empty() ? write : std::min(write, waiting_by_due_.begin()->first);
}

}  // namespace furrow::broker
