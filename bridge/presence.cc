#include "bridge/presence.h"

#include <algorithm>

namespace furrow::bridge {

std::optional<RemoteSession::Will> Presence::will() const {
  if (!is_wanted()) return std::nullopt;
  return RemoteSession::Will{.topic = options_.topic, .payload = options_.lost};
}

void Presence::reset() {
  unanswered_.reset();
  is_said_ = false;
}

void Presence::say(std::string_view payload, PacketId packet_id, Instant now) {
  write(payload, packet_id, now);
  is_said_ = true;
}

void Presence::say_left(PacketId packet_id, Instant now) {
  write(options_.left, packet_id, now);
}

bool Presence::handle_puback(PacketId packet_id) {
  if (unanswered_ != packet_id) return false;
  unanswered_.reset();
  return true;
}

// A far broker with room for a single message needs that for the buffer's.
mqtt::Qos Presence::qos() const {
  const RemoteLimits& limits = remote_.limits();
  if (limits.receive_maximum <= kInflight) return mqtt::Qos::AtMostOnce;
  return std::min(limits.maximum_qos, mqtt::Qos::AtLeastOnce);
}

void Presence::write(std::string_view payload, PacketId packet_id, Instant now) {
  broker::Delivery delivery;
  delivery.qos = qos();
  delivery.retain = true;
  if (delivery.qos != mqtt::Qos::AtMostOnce) delivery.packet_id = packet_id;
  const broker::Message::Fields fields{.topic = options_.topic,
                                       .payload = as_bytes(payload),
                                       .properties = {},
                                       .expiry_s = std::nullopt,
                                       .received = now,
                                       .qos = delivery.qos,
                                       .retain = true};
  // One that is larger than the far broker takes is not said: its will stands, and the buffer's messages matter more.
  const bool is_written = remote_.write_publish(fields, delivery, now);
  if (is_written && delivery.packet_id) unanswered_ = delivery.packet_id;
}

}  // namespace furrow::bridge
