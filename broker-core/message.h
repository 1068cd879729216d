// An application message on its way: immutable, counted by reference, header and bytes in one allocation.
//
// Keeps what every receiver gets: topic, payload, and the MQTT 5 properties that are forwarded unchanged and in order
// [MQTT-3.3.2-4, -15, -16, -17, -18, -20]. What belongs to one delivery (QoS, packet identifier, subscription
// identifiers, retain flag) is kept by the queue entry. Thread: loop only; the store gets encoded bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "broker-core/base/bytes.h"
#include "broker-core/base/ref.h"
#include "broker-core/base/time.h"
#include "broker-core/mqtt/properties.h"
#include "broker-core/mqtt/protocol.h"

namespace furrow::broker {

class Message;
using MessageRef = Ref<const Message>;

class Message {
 public:
  // What a message is made from; borrowed for the call.
  struct Fields {
    std::string_view topic;
    ByteView payload;
    mqtt::PropertyView properties;          // forwarded properties only: no expiry, alias or subscription identifier
    std::optional<std::uint32_t> expiry_s;  // message expiry interval as received, counted from `received`
    Instant received;                       // may lie before the clock's zero for what was restored
    mqtt::Qos qos = mqtt::Qos::AtMostOnce;  // as published
    bool retain = false;                    // as published
  };

  static MessageRef make(const Fields& fields);

  std::string_view topic() const { return {text(), topic_size_}; }
  mqtt::PropertyView properties() const {
    return mqtt::PropertyView::from_valid({bytes() + topic_size_, properties_size_});
  }
  ByteView payload() const { return {bytes() + topic_size_ + properties_size_, payload_size_}; }
  mqtt::Qos qos() const { return qos_; }
  bool retain() const { return retain_; }
  Instant received() const { return received_; }
  // It was received longer ago than was known, for all who hold it.
  void age(Duration by) const { received_ -= by; }
  std::optional<std::uint32_t> expiry_s() const {
    return has_expiry_ ? std::optional<std::uint32_t>(expiry_s_) : std::nullopt;
  }

  // When the message expires; kNever without an expiry interval.
  Instant expires_at() const { return has_expiry_ ? received_ + std::chrono::seconds(expiry_s_) : kNever; }

  // Topic, properties and payload together: what queue limits count.
  std::size_t bytes_size() const { return std::size_t{topic_size_} + properties_size_ + payload_size_; }
  // What it costs in memory.
  std::size_t memory_bytes() const { return sizeof(Message) + bytes_size(); }

 private:
  friend class Ref<const Message>;
  explicit Message(const Fields& fields);
  static void destroy(const Message* message);

  const std::uint8_t* bytes() const { return reinterpret_cast<const std::uint8_t*>(this + 1); }
  const char* text() const { return reinterpret_cast<const char*>(this + 1); }

  mutable std::uint32_t references_ = 0;
  std::uint32_t properties_size_;
  std::uint32_t payload_size_;
  std::uint32_t expiry_s_;
  mutable Instant received_;
  std::uint16_t topic_size_;
  mqtt::Qos qos_;
  bool retain_ : 1;
  bool has_expiry_ : 1;
  // The topic, the properties and the payload follow.
};
static_assert(sizeof(Message) == 32);

// Whether two messages say the same to a subscriber: topic, payload and forwarded properties, but for the id that tells
// one sending from the next.
bool same_content(const Message& one, const Message& other);

}  // namespace furrow::broker
