// A packet of MQTT as fields of JSON, for who traces it.
//
// Fields have the names of the specification. Never shown are a password and authentication data; of a payload its
// length, and where that is asked for its first bytes, escaped. What a peer may make long is cut, so that a line has a
// bound: texts at kTextBytesMax, lists at kListMax.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "broker-core/base/bytes.h"
#include "broker-core/mqtt/packet.h"
#include "gateway/control/json_object.h"

namespace furrow::gateway {

inline constexpr std::size_t kTracedTextBytesMax = 1024;
inline constexpr std::size_t kTracedListMax = 32;
inline constexpr std::size_t kTracedPayloadBytesMax = 64;

struct PacketView {
  const mqtt::Packet& packet;
  std::string_view topic = {};  // of a PUBLISH that has an alias instead, where it is known
  bool payload = false;         // its first bytes are wanted
};

// Appends `packet`, which is its type, and the fields that it has.
void add_packet(JsonObject& object, const PacketView& view);

// The first bytes of a payload: characters as they are where they show, all else as `\xHH`.
std::string escaped_beginning(ByteView payload);

}  // namespace furrow::gateway
