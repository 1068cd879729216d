// A message and how it is delivered → the bytes of a PUBLISH.
#pragma once

#include <array>
#include <cstdint>

#include "broker-core/base/bytes.h"
#include "broker-core/base/time.h"
#include "broker-core/message.h"
#include "broker-core/mqtt/protocol.h"
#include "broker-core/session/inflight.h"
#include "broker-core/session/topic_aliases.h"

namespace furrow::broker {

// The parts of a PUBLISH that do not depend on the receiver; borrowed for the call. A bridge changes the topic.
Message::Fields fields_of(const Message& message);

// Appends the PUBLISH to `out`. False, and nothing appended, when it would be larger than `packet_bytes_max` or than
// the format allows. The message expiry interval is sent as what remains of it at `now` [MQTT-3.3.2-6].
bool encode_publish(const Message::Fields& fields, const Delivery& delivery, mqtt::Version version, Instant now,
                    std::size_t packet_bytes_max, ByteBuffer& out);

// As encode_publish() in MQTT 5, with a topic alias where `aliases` has one; `scratch` is overwritten.
bool encode_aliased_publish(const Message::Fields& fields, const Delivery& delivery, Instant now,
                            std::size_t packet_bytes_max, TopicAliases& aliases, ByteBuffer& scratch, ByteBuffer& out);

// One publication encoded once per form and shared by its receivers; only the packet identifier differs.
class PublishForms {
 public:
  // Forgets the forms of the publication before. `fields` must live until the next reset().
  void reset(const Message::Fields& fields, Instant now);

  // The PUBLISH in one form, without subscription identifiers; empty when that form would be too large for a packet.
  // Its packet identifier is a place holder that the receiver overwrites in its copy, at mqtt::packet_id_offset().
  // Valid until the next call.
  ByteView form(mqtt::Version version, mqtt::Qos qos, bool retain);

 private:
  struct Place {
    std::uint32_t begin = 0;
    std::uint32_t size = 0;  // 0: not encoded yet
  };
  const Message::Fields* fields_ = nullptr;
  Instant now_{};
  ByteBuffer bytes_;
  std::array<Place, 12> places_{};  // version before 5 or not, QoS, retain
};

}  // namespace furrow::broker
