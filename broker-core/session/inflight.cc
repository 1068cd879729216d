#include "broker-core/session/inflight.h"

#include <algorithm>
#include <utility>

namespace furrow::broker {

using State = Outbox::State;

void Inflight::connect(PublishSink& sink, Windows windows, bool session_present, Instant now) {
  FURROW_CHECK(windows.all > 0);
  FURROW_CHECK(windows.exactly_once > 0);
  sink_ = &sink;
  windows_ = windows;
  last_progress_ = now;
  retry_at_ = Instant::min();
  refused_ = refused_before_ = retry_pending_ = false;
  sampled_ = {};
  if (!session_present) {
    for (std::size_t i = outbox_.send_index(); i-- > 0;) {
      Outbox::Entry& entry = outbox_.entry(i);
      if (entry.state == State::Settled) continue;
      if (entry.qos == mqtt::Qos::ExactlyOnce) erase_exchange(entry.packet_id, entry.sequence, now);
      // The peer had taken it over with its PUBREC; sending it again would repeat it.
      if (entry.state == State::Received || entry.state == State::Released) {
        outbox_.settle(i, Outbox::Outcome::Delivered, now);
      }
    }
    outbox_.rewind();
    forget_restored(now);
    count_ = durable_waits_ = 0;
    resending_ = false;
    return;
  }
  // All is counted again as it is resent; what waits between PUBREC and PUBREL has nothing to resend.
  resending_ = false;
  count_ = 0;
  for (std::size_t i = 0; i < outbox_.send_index(); ++i) {
    Outbox::Entry& entry = outbox_.entry(i);
    if (entry.state == State::Received) {
      ++count_;
    } else if (entry.state != State::Settled) {
      entry.resend = resending_ = true;
    }
  }
}

void Inflight::abandon() {
  disconnect();
  for (const Restored& restored : std::exchange(restored_, {})) outbox_.unprotect(restored.sequence);
  outbox_.rewind();
}

PacketId Inflight::next_packet_id() {
  last_id_.value = static_cast<std::uint16_t>(last_id_.value == 0xFFFF ? 1 : last_id_.value + 1);
  return last_id_;
}

void Inflight::pump(Instant now) {
  // Also while the peer is away: what waits behind them must be able to make room.
  adopt_restored(now);
  if (sink_ == nullptr) return;
  if (resending_ || durable_waits_ > 0) go_on(now);
  while (!resending_ && sink_->writable()) {
    Outbox::Entry* entry = outbox_.next_waiting(now);
    if (entry == nullptr || !send_next(*entry, now)) break;
  }
  // Nothing waits: what was refused because it would have to be written may be sent at once.
  if (journal_.failing() && !outbox_.has_waiting()) journal_.note_room();
}

// Sends or reserves the entry at the send index; false when the window does not allow it.
bool Inflight::send_next(Outbox::Entry& entry, Instant now) {
  const std::size_t index = outbox_.send_index();
  if (!restored_.empty() && adopt(entry, now)) {
    if (resending_) go_on(now);
    return true;
  }
  if (entry.qos == mqtt::Qos::AtMostOnce) {
    (void)publish(index, false, now);
    return true;
  }
  if (!has_room(entry.qos) || !in_range()) return false;
  entry.packet_id = next_packet_id();
  ++count_;
  if (entry.qos == mqtt::Qos::ExactlyOnce && outbox_.durable()) {
    reserve(entry, now);
    outbox_.advance();
    return true;
  }
  entry.state = State::Sent;
  outbox_.advance();
  (void)publish(index, false, now);
  return true;
}

bool Inflight::has_room(mqtt::Qos qos) const {
  return count_ < (qos == mqtt::Qos::ExactlyOnce ? windows_.exactly_once : windows_.all);
}

bool Inflight::in_range() const {
  if (outbox_.send_index() == 0) return true;
  const auto given = static_cast<std::uint16_t>(last_id_.value - outbox_.entry(0).packet_id.value);
  return given < std::min(kRangeFactor * windows_.all, kRangeMax);
}

void Inflight::reserve(Outbox::Entry& entry, Instant now) {
  entry.state = State::Reserved;
  ++durable_waits_;
  if (entry.commitment != nullptr) {
    outbox_.hasten(entry, now);  // the identifier goes into the batch of the message
  } else {
    entry.waits_for = journal_.put(ExchangeRow{outbox_.queue(), ExchangeRow::Direction::Outbound, entry.packet_id,
                                               ExchangeRow::State::Published, entry.sequence});
  }
}

// Writes the PUBLISH at `index`; false when the entry was settled instead, since it cannot be sent.
bool Inflight::publish(std::size_t index, bool duplicate, Instant now) {
  const Outbox::Entry& entry = outbox_.entry(index);
  const PublishSink::Outcome outcome = sink_->write_publish(
      *entry.message, {entry.qos, entry.retain, duplicate, entry.packet_id, entry.subscription_ids.view()}, now);
  if (outcome == PublishSink::Outcome::Moved) {
    outbox_.settle(index, Outbox::Outcome::Moved, now);
    return true;
  }
  if (outcome == PublishSink::Outcome::Written) {
    if (entry.qos == mqtt::Qos::AtMostOnce) {
      outbox_.settle(index, Outbox::Outcome::Delivered, now);
    } else if (!sampled_ && !duplicate) {
      sampled_ = entry.sequence;
      sampled_at_ = now;
    }
    return true;
  }
  if (entry.qos != mqtt::Qos::AtMostOnce) --count_;
  if (entry.qos == mqtt::Qos::ExactlyOnce) erase_exchange(entry.packet_id, entry.sequence, now);
  outbox_.settle(index, Outbox::Outcome::Dropped, now,
                 outcome == PublishSink::Outcome::TooLarge ? DropReason::TooLarge : DropReason::RuleRemoved);
  return false;
}

// Repeats what was in flight when the last connection ended, and goes on with what waited for the store: in order, as
// far as the window, the sink and the store allow.
void Inflight::go_on(Instant now) {
  resending_ = false;
  retry_pending_ = retry_pending_ && now < retry_at_;
  for (std::size_t i = 0; i < outbox_.send_index();) {
    const std::size_t front_size = outbox_.front_size();
    const Outbox::Entry& entry = outbox_.entry(i);
    if (entry.resend) {
      // Behind one that has to wait, all wait.
      resending_ = resending_ || !may_resend(i, now);
      if (!resending_) resend(i, now);
    } else if (may_continue(entry)) {
      continue_durable(i, now);
    }
    if (outbox_.front_size() == front_size) ++i;
  }
}

bool Inflight::may_resend(std::size_t index, Instant now) const {
  const Outbox::Entry& entry = outbox_.entry(index);
  if (retry_at_ > now || !sink_->writable()) return false;
  if (entry.state != State::Released && !has_room(entry.qos)) return false;
  return !(refused_before_ && entry.retain && newer_is_under_way(index));
}

// Whether the peer may yet take a newer retained message of the topic, which the one at `index` would replace.
bool Inflight::newer_is_under_way(std::size_t index) const {
  const Outbox::Entry& older = outbox_.entry(index);
  for (std::size_t i = index + 1; i < outbox_.send_index(); ++i) {
    const Outbox::Entry& entry = outbox_.entry(i);
    const bool under_way = entry.state == State::Sent && !entry.resend && entry.retain;
    if (under_way && entry.message->topic() == older.message->topic()) return true;
  }
  return false;
}

void Inflight::resend(std::size_t index, Instant now) {
  Outbox::Entry& entry = outbox_.entry(index);
  entry.resend = false;
  ++count_;
  if (entry.state == State::Released) {
    sink_->write_pubrel(entry.packet_id, mqtt::ReasonCode::Success);
  } else if (entry.state == State::Sent) {
    (void)publish(index, true, now);
  } else if (may_continue(entry)) {
    continue_durable(index, now);  // reserved on the last connection, durable since
  }
}

// Whether the entry waited for the store, and no longer does.
bool Inflight::may_continue(const Outbox::Entry& entry) const {
  if (entry.state != State::Reserved && entry.state != State::Received) return false;
  return entry.commitment == nullptr && journal_.is_durable(entry.waits_for);
}

void Inflight::continue_durable(std::size_t index, Instant now) {
  Outbox::Entry& entry = outbox_.entry(index);
  --durable_waits_;
  if (entry.state == State::Received) {
    entry.state = State::Released;
    sink_->write_pubrel(entry.packet_id, mqtt::ReasonCode::Success);
  } else {
    entry.state = State::Sent;
    (void)publish(index, false, now);
  }
}

// The entry's index, found at its distance from the oldest in flight when all identifiers between were given to
// messages.
std::optional<std::size_t> Inflight::find(PacketId packet_id) const {
  const std::size_t end = outbox_.send_index();
  if (end == 0 || !packet_id) return std::nullopt;
  const auto matches = [&](std::size_t index) {
    const Outbox::Entry& entry = outbox_.entry(index);
    return entry.packet_id == packet_id && entry.state != State::Settled;
  };
  const auto guess = static_cast<std::uint16_t>(packet_id.value - outbox_.entry(0).packet_id.value);
  if (guess < end && matches(guess)) return guess;
  for (std::size_t i = 0; i < end; ++i) {
    if (matches(i)) return i;
  }
  return std::nullopt;
}

void Inflight::sample(Sequence sequence, Instant now) {
  last_progress_ = now;
  if (sequence != sampled_) return;
  sampled_ = {};
  const Duration taken = now - sampled_at_;
  // As TCP smooths its round-trip time [RFC 6298 §2].
  acknowledgement_time_ = acknowledgement_time_ ? (*acknowledgement_time_ * 7 + taken) / 8 : taken;
}

void Inflight::complete(std::size_t index, Outbox::Outcome outcome, Instant now) {
  const Outbox::Entry& entry = outbox_.entry(index);
  sample(entry.sequence, now);
  if (outcome == Outbox::Outcome::Delivered) {
    note_taken(index);
    refused_ = false;
    retry_interval_ = kRetryFirst;
  }
  // An entry that was not resent yet on this connection is not counted.
  if (!entry.resend) --count_;
  if (entry.qos == mqtt::Qos::ExactlyOnce) erase_exchange(entry.packet_id, entry.sequence, now);
  outbox_.settle(index, outcome, now, DropReason::RefusedRemote);
}

void Inflight::erase_exchange(PacketId packet_id, Sequence sequence, Instant now) {
  if (!outbox_.durable()) return;
  journal_.put_lazy(
      ExchangeRow{outbox_.queue(), ExchangeRow::Direction::Outbound, packet_id, ExchangeRow::State::Erased, sequence},
      now);
}

// It stays in flight, and is published again as after a broken connection: in order, and before anything new.
void Inflight::wait_for_quota(std::size_t index, Instant now) {
  Outbox::Entry& entry = outbox_.entry(index);
  sample(entry.sequence, now);
  if (!std::exchange(entry.resend, true)) --count_;
  resending_ = refused_ = refused_before_ = true;
  // What was under way together is refused together.
  if (std::exchange(retry_pending_, true)) return;
  retry_at_ = now + retry_interval_;
  retry_interval_ = std::min(2 * retry_interval_, kRetryMax);
}

// What the peer refused for now comes after what it took meanwhile: it must not replace a newer retained message.
void Inflight::note_taken(std::size_t index) {
  const Outbox::Entry& taken = outbox_.entry(index);
  if (!resending_ || !taken.retain) return;
  for (std::size_t i = 0; i < index; ++i) {
    Outbox::Entry& entry = outbox_.entry(i);
    if (entry.resend && entry.message->topic() == taken.message->topic()) entry.retain = false;
  }
}

bool Inflight::handle_puback(PacketId packet_id, mqtt::ReasonCode reason, Instant now) {
  const auto index = find(packet_id);
  if (!index) return false;
  const Outbox::Entry& entry = outbox_.entry(*index);
  if (entry.state != State::Sent || entry.qos != mqtt::Qos::AtLeastOnce) return false;
  if (keeps(reason)) {
    wait_for_quota(*index, now);
    return true;
  }
  complete(*index, is_error(reason) ? Outbox::Outcome::Dropped : Outbox::Outcome::Delivered, now);
  return true;
}

bool Inflight::handle_pubrec(PacketId packet_id, mqtt::ReasonCode reason, Instant now) {
  const auto index = find(packet_id);
  if (!index) return false;
  Outbox::Entry& entry = outbox_.entry(*index);
  if (entry.qos != mqtt::Qos::ExactlyOnce || entry.state == State::Reserved) return false;
  if (is_error(reason)) {
    // [MQTT-4.3.3-4]: the exchange ends here.
    if (entry.state != State::Sent) return false;
    if (keeps(reason)) {
      wait_for_quota(*index, now);
      return true;
    }
    complete(*index, Outbox::Outcome::Dropped, now);
    return true;
  }
  sample(entry.sequence, now);
  note_taken(*index);
  if (entry.state == State::Released) {
    sink_->write_pubrel(packet_id, mqtt::ReasonCode::Success);  // a repeated PUBREC
  } else if (entry.state == State::Sent && outbox_.durable()) {
    if (std::exchange(entry.resend, false)) ++count_;
    entry.state = State::Received;
    entry.waits_for = journal_.put(ExchangeRow{outbox_.queue(), ExchangeRow::Direction::Outbound, packet_id,
                                               ExchangeRow::State::Released, entry.sequence});
    ++durable_waits_;
  } else if (entry.state == State::Sent) {
    if (std::exchange(entry.resend, false)) ++count_;
    entry.state = State::Released;
    sink_->write_pubrel(packet_id, mqtt::ReasonCode::Success);
  }
  return true;
}

bool Inflight::handle_pubcomp(PacketId packet_id, Instant now) {
  const auto index = find(packet_id);
  if (!index || outbox_.entry(*index).state != State::Released) return false;
  complete(*index, Outbox::Outcome::Delivered, now);
  return true;
}

void Inflight::restore(const ExchangeRow& row) {
  FURROW_CHECK(row.direction == ExchangeRow::Direction::Outbound);
  restored_.push_back({row.sequence, row.packet_id, row.state == ExchangeRow::State::Released, false});
  last_id_ = row.packet_id;
  outbox_.protect(row.sequence);
}

// Exchanges of the last run with a peer that knows nothing of them any more: what it had taken over stays delivered,
// the rest is sent anew.
void Inflight::forget_restored(Instant now) {
  for (Restored& restored : restored_) {
    restored.delivered = restored.released;
    if (restored.released) continue;
    outbox_.unprotect(restored.sequence);
    erase_exchange(restored.packet_id, restored.sequence, now);
  }
  std::erase_if(restored_, [](const Restored& restored) { return !restored.delivered; });
}

void Inflight::adopt_restored(Instant now) {
  while (!restored_.empty()) {
    Outbox::Entry* entry = outbox_.next_waiting(now);
    if (entry == nullptr || !adopt(*entry, now)) return;
  }
}

// Gives a message read back from the store the exchange that it was in before the restart. False when it was in none.
bool Inflight::adopt(Outbox::Entry& entry, Instant now) {
  // Messages come back in order: an exchange that was passed by has lost its message.
  std::erase_if(restored_, [&](const Restored& restored) {
    if (restored.sequence >= entry.sequence) return false;
    outbox_.unprotect(restored.sequence);
    erase_exchange(restored.packet_id, restored.sequence, now);
    return true;
  });
  const auto found = std::ranges::find(restored_, entry.sequence, &Restored::sequence);
  if (found == restored_.end()) return false;
  const Restored restored = *found;
  restored_.erase(found);
  outbox_.unprotect(restored.sequence);
  if (restored.delivered) {
    erase_exchange(restored.packet_id, restored.sequence, now);
    outbox_.settle(outbox_.send_index(), Outbox::Outcome::Delivered, now);
    return true;
  }
  entry.packet_id = restored.packet_id;
  entry.state = restored.released ? State::Released : State::Sent;
  entry.resend = true;
  outbox_.advance();
  resending_ = true;
  return true;
}

}  // namespace furrow::broker
