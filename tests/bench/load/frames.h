// The few packets of MQTT 3.1.1 that a load needs, written and read without furrow's own codec: what judges a broker
// must not share its mistakes.
//
// A frame is one packet on the wire: a byte of type and flags, the remaining length (1 to 4 bytes of 7 bits, the lowest
// first), and that many bytes of body. Texts are two bytes of length, big-endian, and the bytes [MQTT 3.1.1 §1.5.3,
// §2].
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace furrow::load {

enum class FrameType : std::uint8_t {
  Connect = 1,
  Connack = 2,
  Publish = 3,
  Puback = 4,
  Pubrec = 5,
  Pubrel = 6,
  Pubcomp = 7,
  Subscribe = 8,
  Suback = 9,
  Pingreq = 12,
  Pingresp = 13,
  Disconnect = 14,
};

// Borrows the bytes it was read from.
struct Frame {
  std::uint8_t head = 0;
  std::string_view body;

  FrameType type() const { return static_cast<FrameType>(head >> 4); }
};

// Takes the first frame off `bytes`; nothing when it is not whole yet. Fails the program on what is no MQTT.
std::optional<Frame> take_frame(std::string_view& bytes);

struct Publish {
  std::string_view topic;
  std::string_view payload;
  unsigned qos = 0;
  bool retain = false;
  std::uint16_t id = 0;  // QoS 1 and 2
};

Publish read_publish(const Frame& frame);
// Takes the properties of MQTT 5 off the front of what read_publish() calls the payload.
void skip_properties(std::string_view& payload);
// The number in two bytes that a body begins with: the identifier of an acknowledgement or SUBACK.
std::uint16_t read_id(const Frame& frame);

// MQTT 3.1.1, clean session, no keep-alive.
// Without a `user`, of nobody in particular.
void append_connect(std::string& out, std::string_view client_id, std::string_view user, std::string_view password);
void append_publish(std::string& out, const Publish& publish);
void append_subscribe(std::string& out, std::uint16_t id, std::span<const std::string> filters, unsigned qos);
// PUBACK, PUBREC, PUBREL or PUBCOMP.
void append_acknowledgement(std::string& out, FrameType type, std::uint16_t id);
// A frame without a body: PINGREQ, PINGRESP.
void append_empty(std::string& out, FrameType type);

}  // namespace furrow::load
