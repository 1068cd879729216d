#include "broker-core/session/inflight.h"

#include <algorithm>
#include <utility>

namespace furrow::broker {

namespace {

// How far `id` lies behind `first` on the circle of identifiers.
std::uint16_t distance(PacketId first, PacketId id) {
  return static_cast<std::uint16_t>(id.value - first.value);
}

// Why a message is dropped that was not written.
DropReason reason_of(PublishSink::Outcome outcome) {
  switch (outcome) {
    case PublishSink::Outcome::RuleRemoved:
      return DropReason::RuleRemoved;
    case PublishSink::Outcome::NotAuthorized:
      return DropReason::NotAuthorized;
    default:
      return DropReason::TooLarge;
  }
}

}  // namespace

Inflight::~Inflight() {
  if (awaits_store_) journal_.forget(*this);
}

// --- connections ---

void Inflight::connect(PublishSink& sink, Windows windows, bool session_present, Instant now) {
  FURROW_CHECK(windows.all > 0);
  FURROW_CHECK(windows.exactly_once > 0);
  sink_ = &sink;
  windows_ = windows;
  last_progress_ = now;
  retry_at_ = Instant::min();
  refused_ = refused_before_ = retry_pending_ = false;
  sampled_ = {};
  resending_ = false;
  count_ = 0;
  if (!session_present) {
    start_anew(now);
    return;
  }
  // Exchanges are counted again as they are resent; one that waits between PUBREC and PUBREL has nothing to resend.
  for (std::size_t i = 0; i < exchanges_.size(); ++i) {
    Exchange& exchange = exchanges_[i];
    if (exchange.state == State::Received) {
      ++count_;
    } else if (exchange.state != State::Done) {
      exchange.resend = resending_ = true;
    }
  }
}

// The peer knows nothing of the exchanges any more.
void Inflight::start_anew(Instant now) {
  for (std::size_t i = exchanges_.size(); i-- > 0;) {
    Exchange& exchange = exchanges_[i];
    if (exchange.state == State::Done) continue;
    // The peer has the message since its PUBREC; sending it again would repeat it.
    const bool accepted = exchange.state == State::Received || exchange.state == State::Released;
    if (accepted) {
      exchange.outbox->settle(exchange.sequence, Outbox::Outcome::Delivered, now);
    } else {
      exchange.outbox->give_back(exchange.sequence);
    }
    close(exchange, now);
  }
  pop_done();
}

void Inflight::end(Instant now) {
  disconnect();
  std::vector<Outbox*> given_back;
  for (std::size_t i = exchanges_.size(); i-- > 0;) {
    Exchange& exchange = exchanges_[i];
    if (exchange.state == State::Done || exchange.outbox == own_) continue;
    if (exchange.qos == mqtt::Qos::ExactlyOnce) {
      exchange.outbox->settle(exchange.sequence, Outbox::Outcome::Dropped, now, DropReason::SessionEnded);
    } else {
      exchange.outbox->give_back(exchange.sequence);
    }
    close(exchange, now);
    if (std::ranges::find(given_back, exchange.outbox) == given_back.end()) given_back.push_back(exchange.outbox);
  }
  for (Outbox* outbox : given_back) outbox->wake_owner(now);
}

std::vector<Inflight::Open> Inflight::open_messages() const {
  std::vector<Open> open;
  for (std::size_t i = 0; i < exchanges_.size(); ++i) {
    const Exchange& exchange = exchanges_[i];
    if (exchange.state == State::Done) continue;
    const bool released = exchange.state == State::Released;
    const bool sent = (exchange.state == State::Sent || released) && !exchange.resend;
    open.push_back({exchange.outbox->queue(), exchange.sequence, sent, released});
  }
  return open;
}

bool Inflight::forsake(QueueId queue, Sequence sequence, Instant now) {
  for (std::size_t i = 0; i < exchanges_.size(); ++i) {
    Exchange& exchange = exchanges_[i];
    if (exchange.state == State::Done || exchange.sequence != sequence || exchange.outbox->queue() != queue) continue;
    const bool is_there = exchange.state == State::Received || exchange.state == State::Released;
    if (is_there) exchange.outbox->settle(sequence, Outbox::Outcome::Delivered, now);
    if (!exchange.resend) --count_;
    close(exchange, now);
    pop_done();
    return !is_there;
  }
  return false;
}

// The row is erased without haste, also when the peer has lost its session and the message is sent anew under another
// identifier: that is stored before it leaves, in this batch or a later one. A crash before finds the old identifier,
// which nothing else of QoS 2 has had meanwhile: the peer takes a PUBLISH under it for new, or answers PUBREL.
void Inflight::close(Exchange& exchange, Instant now) {
  const bool waits = exchange.state == State::Reserved || exchange.state == State::Received;
  if (waits) --durable_waits_;
  if (exchange.stored) journal_.put_lazy(row(exchange, ExchangeRow::State::Erased), now);
  exchange.state = State::Done;
  exchange.resend = false;
}

void Inflight::pop_done() {
  while (!exchanges_.empty() && exchanges_.front().state == State::Done) (void)exchanges_.pop_front();
}

ExchangeRow Inflight::row(const Exchange& exchange, ExchangeRow::State state) const {
  return {.queue = identifiers_,
          .direction = ExchangeRow::Direction::Outbound,
          .packet_id = exchange.packet_id,
          .state = state,
          .sequence = exchange.sequence,
          .outbox = exchange.outbox->queue(),
          .subscription_id = exchange.subscription_id,
          .retain = exchange.retain};
}

PacketId Inflight::next_packet_id() {
  last_id_.value = static_cast<std::uint16_t>(last_id_.value == 0xFFFF ? 1 : last_id_.value + 1);
  return last_id_;
}

// --- sending ---

void Inflight::send_own(Instant now) {
  if (own_ != nullptr) {
    send_from(*own_, kLastSequence, now);
  } else if (connected() && journal_.condition().failing()) {
    journal_.condition().note_opening();
  }
}

void Inflight::send_from(Outbox& outbox, Sequence last, Instant now) {
  if (sink_ == nullptr) return;
  while (outbox.has_waiting() && !resending_ && sink_->writable()) {
    const Outbox::Entry* const entry = outbox.next_waiting(now);
    if (entry == nullptr || entry->sequence > last || !send_next(outbox, *entry, now)) break;
  }
  // With nothing waiting, a message that was refused because it would have to be written may be sent at once.
  if (journal_.condition().failing() && !outbox.has_waiting()) journal_.condition().note_opening();
}

// Sends or reserves the next message of the outbox; false when the window does not allow it.
bool Inflight::send_next(Outbox& outbox, const Outbox::Entry& entry, Instant now) {
  if (entry.qos != mqtt::Qos::AtMostOnce) {
    if (!has_room(entry.qos) || !in_range()) return false;
    open(outbox, {.sequence = entry.sequence, .qos = entry.qos, .retain = entry.retain}, now);
    return true;
  }
  const Sequence sequence = entry.sequence;
  const PublishSink::Outcome outcome = sink_->write_publish(
      *entry.message, {entry.qos, entry.retain, false, {}, entry.subscription_ids.view(), sequence, outbox.queue()},
      now);
  switch (outcome) {
    case PublishSink::Outcome::Written:
      outbox.settle(sequence, Outbox::Outcome::Delivered, now);
      break;
    case PublishSink::Outcome::HandedOver:
      outbox.settle(sequence, Outbox::Outcome::HandedOver, now);
      break;
    case PublishSink::Outcome::TooLarge:
    case PublishSink::Outcome::RuleRemoved:
    case PublishSink::Outcome::NotAuthorized:
      outbox.settle(sequence, Outbox::Outcome::Dropped, now, reason_of(outcome));
      break;
  }
  return true;
}

void Inflight::take(Outbox& outbox, const DeliveryOptions& delivery, Instant now) {
  FURROW_CHECK(&outbox != own_);
  FURROW_CHECK(can_take());
  Exchange exchange{.sequence = outbox.next_waiting(now)->sequence, .qos = delivery.qos, .retain = delivery.retain};
  if (!delivery.subscription_ids.empty()) exchange.subscription_id = delivery.subscription_ids.front();
  open(outbox, exchange, now);
}

void Inflight::open(Outbox& outbox, Exchange exchange, Instant now) {
  const Outbox::Entry& entry = outbox.take();
  exchange.outbox = &outbox;
  exchange.packet_id = next_packet_id();
  ++count_;
  Exchange& opened = exchanges_.push_back(exchange);
  if (exchange.qos == mqtt::Qos::ExactlyOnce && (identifiers_ || outbox.durable())) {
    reserve(opened, now);
  } else {
    if (exchange.qos == mqtt::Qos::ExactlyOnce && &outbox != own_) (void)outbox.forgo(exchange.sequence);
    publish(opened, entry, false, now);
    pop_done();
  }
}

bool Inflight::has_room(mqtt::Qos qos) const {
  return count_ < (qos == mqtt::Qos::ExactlyOnce ? windows_.exactly_once : windows_.all);
}

bool Inflight::in_range() const {
  if (exchanges_.empty()) return true;
  return distance(exchanges_.front().packet_id, last_id_) < std::min(kRangeFactor * windows_.all, kRangeMax);
}

void Inflight::reserve(Exchange& exchange, Instant now) {
  exchange.state = State::Reserved;
  ++durable_waits_;
  if (identifiers_) {
    exchange.waits_for = journal_.put(row(exchange, ExchangeRow::State::Published));
    exchange.stored = true;
  } else {
    exchange.waits_for = exchange.outbox->forgo(exchange.sequence);
  }
  exchange.outbox->hasten(exchange.sequence, now);
  await_store();
}

void Inflight::keep_leases(const Outbox& outbox) {
  if (!identifiers_ || !outbox.durable()) return;
  for (std::size_t i = 0; i < exchanges_.size(); ++i) {
    Exchange& exchange = exchanges_[i];
    if (exchange.state == State::Done || exchange.outbox != &outbox || exchange.stored) continue;
    (void)journal_.put(row(exchange, ExchangeRow::State::Leased));
    exchange.stored = true;
  }
}

// Writes the PUBLISH; one that cannot be sent is settled instead.
void Inflight::publish(Exchange& exchange, bool duplicate, Instant now) {
  const Outbox::Entry* const entry = exchange.outbox->find(exchange.sequence);
  if (entry == nullptr) {  // dropped meanwhile, by the operator
    --count_;
    close(exchange, now);
    return;
  }
  publish(exchange, *entry, duplicate, now);
}

void Inflight::publish(Exchange& exchange, const Outbox::Entry& entry, bool duplicate, Instant now) {
  const std::span<const std::uint32_t> lease_ids(&exchange.subscription_id, exchange.subscription_id == 0 ? 0 : 1);
  const PublishSink::Outcome outcome =
      sink_->write_publish(*entry.message,
                           {exchange.qos, entry.retain && exchange.retain, duplicate, exchange.packet_id,
                            exchange.outbox == own_ ? entry.subscription_ids.view() : lease_ids, exchange.sequence,
                            exchange.outbox->queue()},
                           now);
  if (outcome == PublishSink::Outcome::Written || outcome == PublishSink::Outcome::HandedOver) {
    if (sampled_ || duplicate) return;
    sampled_ = exchange.packet_id;
    sampled_at_ = now;
    return;
  }
  --count_;
  const bool not_authorized = outcome == PublishSink::Outcome::NotAuthorized;
  if (not_authorized && exchange.outbox != own_ && exchange.qos == mqtt::Qos::AtLeastOnce) {
    exchange.outbox->give_back(exchange.sequence);  // another member may have it
  } else {
    exchange.outbox->settle(exchange.sequence, Outbox::Outcome::Dropped, now, reason_of(outcome));
  }
  close(exchange, now);
}

// Resends what was in flight when the last connection ended, and continues exchanges that waited for the store: in
// order, as far as the window, the sink and the store allow.
void Inflight::go_on(Instant now) {
  resending_ = unread_ = false;
  retry_pending_ = retry_pending_ && now < retry_at_;
  for (std::size_t i = 0; i < exchanges_.size(); ++i) {
    Exchange& exchange = exchanges_[i];
    if (exchange.resend && exchange.state == State::Sent && exchange.outbox->find(exchange.sequence) == nullptr) {
      wait_for_page(exchange, now);
    } else if (exchange.resend) {
      // Behind an exchange that has to wait, all wait.
      resending_ = resending_ || !may_resend(exchange, now);
      if (!resending_) resend(exchange, now);
    } else if (may_continue(exchange)) {
      continue_durable(exchange, now);
    }
  }
  pop_done();
  if (unread_ || durable_waits_ > 0) await_store();
}

// The message was in flight before a restart, and lies behind all messages of its outbox that are in memory. None of
// those waits for it: it may itself have to wait until they have made room.
void Inflight::wait_for_page(Exchange& exchange, Instant now) {
  if (exchange.outbox->has_lost(exchange.sequence)) {
    close(exchange, now);
    return;
  }
  unread_ = true;
  (void)exchange.outbox->next_waiting(now);  // asks for it
}

bool Inflight::may_resend(const Exchange& exchange, Instant now) const {
  if (retry_at_ > now || !sink_->writable()) return false;
  if (exchange.state != State::Released && !has_room(exchange.qos)) return false;
  return !(refused_before_ && exchange.retain && newer_is_under_way(exchange));
}

// Whether the peer may yet take a newer retained message of the topic, which `older` would replace.
bool Inflight::newer_is_under_way(const Exchange& older) const {
  const Outbox::Entry* const entry = older.outbox->find(older.sequence);
  if (entry == nullptr) return false;
  for (std::size_t i = exchanges_.size(); i-- > 0 && &exchanges_[i] != &older;) {
    const Exchange& exchange = exchanges_[i];
    if (exchange.state != State::Sent || exchange.resend || !exchange.retain) continue;
    const Outbox::Entry* const newer = exchange.outbox->find(exchange.sequence);
    if (newer != nullptr && newer->message->topic() == entry->message->topic()) return true;
  }
  return false;
}

void Inflight::resend(Exchange& exchange, Instant now) {
  exchange.resend = false;
  ++count_;
  if (exchange.state == State::Released) {
    sink_->write_pubrel(exchange.packet_id, now);
  } else if (exchange.state == State::Sent) {
    publish(exchange, true, now);
  } else if (may_continue(exchange)) {
    continue_durable(exchange, now);  // reserved on the last connection, durable since
  }
}

// Whether the exchange waited for the store, and no longer does.
bool Inflight::may_continue(const Exchange& exchange) const {
  if (exchange.state != State::Reserved && exchange.state != State::Received) return false;
  if (!journal_.is_durable(exchange.waits_for)) return false;
  return exchange.state == State::Received || exchange.outbox->is_safe(exchange.sequence);
}

void Inflight::continue_durable(Exchange& exchange, Instant now) {
  --durable_waits_;
  if (exchange.state == State::Received) {
    exchange.state = State::Released;
    sink_->write_pubrel(exchange.packet_id, now);
  } else {
    exchange.state = State::Sent;
    publish(exchange, false, now);
  }
}

void Inflight::await_store() {
  if (std::exchange(awaits_store_, true)) return;
  journal_.wake_on_progress(*this);
}

void Inflight::handle_store_progress(Instant now) {
  awaits_store_ = false;
  owner_.handle_progress(now);
}

// --- answers ---

Inflight::Exchange* Inflight::find(PacketId packet_id) {
  if (exchanges_.empty() || !packet_id) return nullptr;
  const PacketId first = exchanges_.front().packet_id;
  const std::uint16_t wanted = distance(first, packet_id);
  // Each identifier lies at its distance from the first when all between were given to messages.
  std::size_t low = 0;
  std::size_t high = std::min<std::size_t>(wanted, exchanges_.size() - 1);
  while (low < high) {
    const std::size_t middle = high - (high - low) / 2;
    if (distance(first, exchanges_[middle].packet_id) <= wanted) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  Exchange& found = exchanges_[low];
  return found.packet_id == packet_id && found.state != State::Done ? &found : nullptr;
}

void Inflight::sample(const Exchange& exchange, Instant now) {
  last_progress_ = now;
  if (exchange.packet_id != sampled_) return;
  sampled_ = {};
  const Duration time = now - sampled_at_;
  // As TCP smooths its round-trip time [RFC 6298 §2].
  acknowledgement_time_ = acknowledgement_time_ ? (*acknowledgement_time_ * 7 + time) / 8 : time;
}

void Inflight::complete(Exchange& exchange, Outbox::Outcome outcome, Instant now) {
  sample(exchange, now);
  if (outcome == Outbox::Outcome::Delivered) {
    note_accepted(exchange);
    refused_ = false;
    retry_interval_ = kRetryFirst;
  }
  // An exchange that was not resent yet on this connection is not counted.
  if (!exchange.resend) --count_;
  exchange.outbox->settle(exchange.sequence, outcome, now, DropReason::RefusedRemote);
  close(exchange, now);
  pop_done();
}

// The message stays in flight, and is published again as after a broken connection: in order, before any new message.
void Inflight::wait_for_quota(Exchange& exchange, Instant now) {
  sample(exchange, now);
  if (!std::exchange(exchange.resend, true)) --count_;
  resending_ = refused_ = refused_before_ = true;
  // Messages that were under way together are refused together.
  if (std::exchange(retry_pending_, true)) return;
  retry_at_ = now + retry_interval_;
  retry_interval_ = std::min(2 * retry_interval_, kRetryMax);
}

// A message that the peer refused for now comes after one that it has accepted since: it must not replace a newer
// retained message.
void Inflight::note_accepted(const Exchange& accepted) {
  if (!resending_ || !accepted.retain) return;
  const Outbox::Entry* const entry = accepted.outbox->find(accepted.sequence);
  if (entry == nullptr) return;
  for (std::size_t i = 0; i < exchanges_.size() && &exchanges_[i] != &accepted; ++i) {
    Exchange& exchange = exchanges_[i];
    if (!exchange.resend) continue;
    const Outbox::Entry* const older = exchange.outbox->find(exchange.sequence);
    if (older != nullptr && older->message->topic() == entry->message->topic()) exchange.retain = false;
  }
}

bool Inflight::handle_puback(PacketId packet_id, mqtt::ReasonCode reason, Instant now) {
  return handle_only_answer(packet_id, mqtt::Qos::AtLeastOnce, reason, now);
}

bool Inflight::handle_only_answer(PacketId packet_id, mqtt::Qos qos, mqtt::ReasonCode reason, Instant now) {
  Exchange* const exchange = find(packet_id);
  if (exchange == nullptr || exchange->state != State::Sent || exchange->qos != qos) return false;
  if (keeps(reason)) {
    wait_for_quota(*exchange, now);
  } else {
    complete(*exchange, is_error(reason) ? Outbox::Outcome::Dropped : Outbox::Outcome::Delivered, now);
  }
  return true;
}

bool Inflight::handle_pubrec(PacketId packet_id, mqtt::ReasonCode reason, Instant now) {
  Exchange* const exchange = find(packet_id);
  if (exchange == nullptr || exchange->qos != mqtt::Qos::ExactlyOnce || exchange->state == State::Reserved)
    return false;
  if (is_error(reason)) {
    // [MQTT-4.3.3-4]: the exchange ends here.
    if (exchange->state != State::Sent) return false;
    if (keeps(reason)) {
      wait_for_quota(*exchange, now);
    } else {
      complete(*exchange, Outbox::Outcome::Dropped, now);
    }
    return true;
  }
  sample(*exchange, now);
  note_accepted(*exchange);
  if (exchange->state == State::Released) {
    sink_->write_pubrel(packet_id, now);  // a repeated PUBREC
  } else if (exchange->state == State::Sent) {
    if (std::exchange(exchange->resend, false)) ++count_;
    if (!identifiers_) {
      exchange->state = State::Released;
      sink_->write_pubrel(packet_id, now);
      return true;
    }
    exchange->state = State::Received;
    exchange->waits_for = journal_.put(row(*exchange, ExchangeRow::State::Released));
    exchange->stored = true;
    ++durable_waits_;
    await_store();
  }
  return true;
}

bool Inflight::handle_pubcomp(PacketId packet_id, Instant now) {
  Exchange* const exchange = find(packet_id);
  if (exchange == nullptr || exchange->state != State::Released) return false;
  complete(*exchange, Outbox::Outcome::Delivered, now);
  return true;
}

// --- a restart ---

void Inflight::restore(const ExchangeRow& row, Outbox& outbox) {
  FURROW_CHECK(row.direction == ExchangeRow::Direction::Outbound);
  if (row.sequence >= outbox.next_sequence() || !outbox.lease_restored(row.sequence)) {
    journal_.erase(row);
    return;
  }
  Exchange exchange;
  exchange.outbox = &outbox;
  exchange.sequence = row.sequence;
  exchange.subscription_id = row.subscription_id;
  exchange.packet_id = row.packet_id;
  exchange.qos = row.state == ExchangeRow::State::Leased ? mqtt::Qos::AtLeastOnce : mqtt::Qos::ExactlyOnce;
  exchange.state = row.state == ExchangeRow::State::Released ? State::Released : State::Sent;
  exchange.retain = row.retain;
  exchange.stored = true;
  exchanges_.push_back(exchange);
  last_id_ = row.packet_id;
}

// All lie in half of the circle of identifiers, wherever it begins.
void Inflight::sort_by_sending(std::vector<ExchangeRow>& rows) {
  if (rows.empty()) return;
  const PacketId any = rows.front().packet_id;
  const auto place = [any](const ExchangeRow& row) { return static_cast<std::int16_t>(distance(any, row.packet_id)); };
  std::ranges::sort(rows, {}, place);
}

}  // namespace furrow::broker
