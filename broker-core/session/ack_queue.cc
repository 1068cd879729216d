#include "broker-core/session/ack_queue.h"

namespace furrow::broker {

std::uint64_t AckQueue::open(mqtt::PacketType type, PacketId packet_id) {
  slots_.push_back({packet_id, type, mqtt::ReasonCode::Success, false});
  return first_ticket_ + slots_.size() - 1;
}

void AckQueue::complete(std::uint64_t ticket, mqtt::ReasonCode reason) {
  FURROW_CHECK(ticket >= first_ticket_);
  Slot& slot = slots_[static_cast<std::size_t>(ticket - first_ticket_)];
  slot.reason = reason;
  slot.ready = true;
  flush();
}

void AckQueue::pass(mqtt::PacketType type, PacketId packet_id, mqtt::ReasonCode reason) {
  if (slots_.empty()) {
    if (sink_ != nullptr) sink_->write_acknowledgement(type, packet_id, reason);
    return;
  }
  slots_.push_back({packet_id, type, reason, true});
}

bool AckQueue::awaits(mqtt::PacketType type, PacketId packet_id) const {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].type == type && slots_[i].packet_id == packet_id) return true;
  }
  return false;
}

void AckQueue::flush() {
  while (!slots_.empty() && slots_.front().ready) {
    const Slot slot = slots_.pop_front();
    ++first_ticket_;
    if (sink_ != nullptr) sink_->write_acknowledgement(slot.type, slot.packet_id, slot.reason);
  }
}

}  // namespace furrow::broker
