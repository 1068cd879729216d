#include "tests/sim/exchange.h"

#include <algorithm>

#include "broker-core/message_id.h"

namespace furrow::sim {

// --- who publishes ---

PacketId Outgoing::next_id() {
  last_id_ = static_cast<std::uint16_t>(last_id_ == 0xFFFF ? 1 : last_id_ + 1);
  return PacketId{last_id_};
}

void Outgoing::connect(Endpoint& end, std::uint16_t window, bool session_present, Instant now) {
  end_ = &end;
  window_ = window;
  progress_ = now;
  if (!session_present) {
    // The peer has taken over what it answered with PUBREC; the rest is published anew.
    std::erase_if(inflight_, [](const Exchange& exchange) { return exchange.released; });
  }
  for (const Exchange& exchange : inflight_) {
    if (exchange.released) {
      end.send(mqtt::Pubrel{exchange.packet_id, mqtt::ReasonCode::Success, {}}, now);
    } else {
      ledger_->repeat(exchange.item.stream, exchange.item.number);
      publish(exchange, session_present, now);
    }
  }
}

void Outgoing::pump(Instant now) {
  while (end_ != nullptr && end_->open() && !waiting_.empty() && inflight_.size() < window_) {
    Item item = std::move(waiting_.front());
    waiting_.pop_front();
    if (inflight_.empty()) progress_ = now;
    if (item.qos == mqtt::Qos::AtMostOnce) {
      publish({std::move(item), {}, false}, false, now);
      continue;
    }
    inflight_.push_back({std::move(item), next_id(), false});
    publish(inflight_.back(), false, now);
  }
}

void Outgoing::publish(const Exchange& exchange, bool duplicate, Instant now) {
  const Item& item = exchange.item;
  ByteBuffer properties;
  mqtt::PropertyWriter writer(properties);
  if (item.expiry_s) writer.number(mqtt::PropertyId::MessageExpiryInterval, *item.expiry_s);
  if (item.subscription_id != 0) writer.number(mqtt::PropertyId::SubscriptionIdentifier, item.subscription_id);
  if (!item.id.empty()) writer.user(broker::kIdProperty, item.id);
  mqtt::Publish packet;
  packet.topic = item.topic;
  packet.payload = as_bytes(item.payload);
  packet.packet_id = exchange.packet_id;
  packet.qos = item.qos;
  packet.retain = item.retain;
  packet.duplicate = duplicate;
  if (end_->version() == mqtt::Version::V5) packet.properties = mqtt::PropertyView::from_valid(properties.view());
  end_->send(packet, now);
}

std::optional<Outgoing::Answer> Outgoing::handle(const mqtt::Packet& packet, Instant now) {
  if (const auto* puback = std::get_if<mqtt::Puback>(&packet)) {
    return handle_answer(puback->packet_id, puback->reason, true, now);
  }
  if (const auto* pubrec = std::get_if<mqtt::Pubrec>(&packet)) {
    const auto answer = handle_answer(pubrec->packet_id, pubrec->reason, is_error(pubrec->reason), now);
    if (!is_error(pubrec->reason)) end_->send(mqtt::Pubrel{pubrec->packet_id, mqtt::ReasonCode::Success, {}}, now);
    return answer;
  }
  if (const auto* pubcomp = std::get_if<mqtt::Pubcomp>(&packet)) {
    progress_ = now;
    std::erase_if(inflight_, [&](const Exchange& exchange) { return exchange.packet_id == pubcomp->packet_id; });
  }
  return std::nullopt;
}

std::optional<Outgoing::Answer> Outgoing::handle_answer(PacketId packet_id, mqtt::ReasonCode reason, bool last,
                                                        Instant now) {
  const auto found = std::ranges::find(inflight_, packet_id, &Exchange::packet_id);
  if (found == inflight_.end()) return std::nullopt;
  progress_ = now;
  std::optional<Answer> answer;
  if (!found->released) answer = Answer{found->item, reason};
  found->released = true;
  if (last) inflight_.erase(found);
  return answer;
}

void Outgoing::forget() {
  for (const Item& item : waiting_) ledger_->excuse(item.stream, item.number);
  for (const Exchange& exchange : inflight_) {
    if (!exchange.released) ledger_->excuse(exchange.item.stream, exchange.item.number);
  }
  *this = Outgoing(*ledger_);
}

// --- who receives ---

bool Incoming::handle(const mqtt::Publish& publish, Duration answer_after, Instant now, Random& random,
                      Ledger& ledger) {
  if (publish.qos == mqtt::Qos::AtMostOnce) return true;
  const PacketId id = publish.packet_id;
  unanswered_.insert(id.value);
  if (window_ > 0 && unanswered_.size() > window_) {
    ledger.fail("more messages under way than the receive maximum of " + std::to_string(window_));
  }
  const Instant due =
      now + Duration(static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(answer_after.count()) + 1)));
  if (publish.qos == mqtt::Qos::AtLeastOnce) {
    answer(mqtt::Puback{id, mqtt::ReasonCode::Success, {}}, id, due);
    return true;
  }
  answer(mqtt::Pubrec{id, mqtt::ReasonCode::Success, {}}, {}, due);
  return received_.insert(id.value).second;
}

bool Incoming::refuse(const mqtt::Publish& publish, Instant now) {
  const PacketId id = publish.packet_id;
  if (publish.qos == mqtt::Qos::AtMostOnce || received_.contains(id.value)) return false;
  unanswered_.insert(id.value);
  if (publish.qos == mqtt::Qos::AtLeastOnce) {
    answer(mqtt::Puback{id, mqtt::ReasonCode::QuotaExceeded, {}}, id, now);
  } else {
    answer(mqtt::Pubrec{id, mqtt::ReasonCode::QuotaExceeded, {}}, id, now);
  }
  return true;
}

void Incoming::handle(const mqtt::Pubrel& pubrel, Instant now) {
  received_.erase(pubrel.packet_id.value);
  answer(mqtt::Pubcomp{pubrel.packet_id, mqtt::ReasonCode::Success, {}}, pubrel.packet_id, now);
}

void Incoming::answer(mqtt::Packet packet, PacketId ends, Instant due) {
  if (!answers_.empty()) due = std::max(due, answers_.back().due);
  answers_.push_back({due, std::move(packet), ends});
}

void Incoming::run(Endpoint& end, Instant now) {
  while (!answers_.empty() && answers_.front().due <= now) {
    if (answers_.front().ends) unanswered_.erase(answers_.front().ends.value);
    end.send(answers_.front().packet, now);
    answers_.pop_front();
  }
}

}  // namespace furrow::sim
