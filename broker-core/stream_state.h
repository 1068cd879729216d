// What somebody has to know who begins to read along in the middle of a connection of MQTT.
//
// Borrowed from one end of the connection, and valid until that end reads or writes.
#pragma once

#include <cstdint>
#include <optional>

#include "broker-core/base/bytes.h"
#include "broker-core/mqtt/decoder.h"
#include "broker-core/session/topic_aliases.h"

namespace furrow::broker {

struct StreamState {
  std::optional<mqtt::Version> version = std::nullopt;  // nothing: no CONNECT has come yet
  std::uint32_t packet_bytes_max = 0;                   // of what is received
  ByteView unfinished = {};                             // a packet of which not all has come
  ByteView unread = {};                                 // what has come behind it, and was not looked at yet
  const ReceivedAliases* received = nullptr;            // aliases of the peer; nullptr: none
  const TopicAliases* assigned = nullptr;               // our own; nullptr: none
};

}  // namespace furrow::broker
