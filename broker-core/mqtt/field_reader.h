// Takes the fields of one packet's body in their order; the first fault is explained once and ends the packet.
//
// Internal to the decoder. Every operation answers false after a fault, so that callers only pass it on.
#pragma once

#include <cstdint>
#include <string_view>

#include "broker-core/base/bytes.h"
#include "broker-core/base/ids.h"
#include "broker-core/mqtt/decoder.h"
#include "broker-core/mqtt/properties.h"
#include "broker-core/mqtt/reason_code.h"
#include "broker-core/mqtt/utf8.h"
#include "broker-core/mqtt/variable_byte_integer.h"

namespace furrow::mqtt {

class FieldReader {
 public:
  // `error` is set by the first fault.
  FieldReader(ByteView body, ProtocolError& error) : rest_(body), error_(error) {}

  bool at_end() const { return rest_.empty(); }
  // The bytes that were not taken yet.
  ByteView rest() const { return rest_; }

  bool take_byte(std::uint8_t& value) {
    if (rest_.empty()) return cut();
    value = rest_.front();
    rest_ = rest_.subspan(1);
    return true;
  }

  bool take_two_bytes(std::uint16_t& value) {
    if (rest_.size() < 2) return cut();
    value = static_cast<std::uint16_t>(rest_[0] << 8U | rest_[1]);
    rest_ = rest_.subspan(2);
    return true;
  }

  bool take_packet_id(PacketId& packet_id) {
    if (!take_two_bytes(packet_id.value)) return false;
    if (packet_id.value == 0) return protocol_error("packet identifier is zero");  // [MQTT-2.2.1-3]
    return true;
  }

  // Binary data: a two-byte length and that many bytes.
  bool take_bytes(ByteView& bytes) {
    std::uint16_t size = 0;
    if (!take_two_bytes(size)) return false;
    if (rest_.size() < size) return cut();
    bytes = rest_.first(size);
    rest_ = rest_.subspan(size);
    return true;
  }

  // A UTF-8 encoded string.
  bool take_text(std::string_view& text) {
    ByteView bytes;
    if (!take_bytes(bytes)) return false;
    text = as_text(bytes);
    if (!is_valid_utf8(text)) return malformed("string is not valid UTF-8");
    return true;
  }

  // A property length and that many bytes of properties.
  bool take_properties(PropertyPlace place, PropertyView& properties, PropertySet& present) {
    std::uint32_t size = 0;
    switch (take_variable_byte_integer(rest_, size)) {
      case Taken::Whole:
        break;
      case Taken::Cut:
        return cut();
      case Taken::Malformed:
        return malformed("property length is badly encoded");
    }
    if (size == 0) [[likely]] {
      properties = {};
      present = {};
      return true;
    }
    if (rest_.size() < size) return malformed("property length reaches past the packet");
    const ByteView bytes = rest_.first(size);
    rest_ = rest_.subspan(size);
    const PropertyFault fault = PropertyParser::parse(bytes, place, properties, present);
    if (fault.what == nullptr) [[likely]]
      return true;
    return fault.malformed ? malformed(fault.what) : protocol_error(fault.what);
  }
  bool take_properties(PropertyPlace place, PropertyView& properties) {
    PropertySet present;
    return take_properties(place, properties, present);
  }

  // Ends the packet: nothing may be left.
  bool finish() { return rest_.empty() || malformed("packet is longer than its fields"); }

  // Explain a fault; always false.
  bool malformed(const char* what) { return refuse(ReasonCode::MalformedPacket, what); }
  bool protocol_error(const char* what) { return refuse(ReasonCode::ProtocolError, what); }
  bool refuse(ReasonCode reason, const char* what) {
    error_ = {.reason = reason, .what = what};
    return false;
  }

 private:
  bool cut() { return malformed("packet ends within a field"); }

  ByteView rest_;
  ProtocolError& error_;
};

}  // namespace furrow::mqtt
