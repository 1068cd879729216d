// The id of a message in a mesh of gateways, which it carries as a user property of MQTT 5: the same on every way that
// it may come by, so that it is taken once.
//
//   furrow-id  in PUBLISH
//   id       := origin ':' sequence      as in `barn-7:4611686018427387905`
//   origin   := 1 to 64 of A-Z a-z 0-9 _ . -      the gateway at which the message came in
//   sequence := decimal, from 1 to 2^63 - 1, without leading zeros
//
// An origin gives its sequences in order, and dense. Their upper 23 bits are drawn when its store is new, so that a
// gateway that has lost its data does not repeat those of its former life. Thread: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "broker-core/base/bytes.h"
#include "broker-core/mqtt/properties.h"

namespace furrow::broker {

inline constexpr std::string_view kIdProperty = "furrow-id";

struct MessageId {
  std::string_view origin;
  std::uint64_t sequence = 0;

  friend bool operator==(const MessageId&, const MessageId&) = default;
};
inline constexpr std::uint64_t kIdSequenceMax = (std::uint64_t{1} << 63U) - 1;

// The life of the origin that a sequence is from: this many bits below it count the messages of one.
inline constexpr unsigned kIdLifeShift = 40;
constexpr std::uint64_t life_of(std::uint64_t sequence) {
  return sequence >> kIdLifeShift;
}

inline constexpr std::size_t kGatewayBytesMax = 64;
// Whether `text` can be the identifier of a gateway.
bool is_gateway_id(std::string_view text);

// Nothing when it is no id. Borrows from `text`.
std::optional<MessageId> parse_message_id(std::string_view text);
std::string id_text(const MessageId& id);

// The id that a message says, the first one; nothing when that is none. Borrows from `publish`.
std::optional<MessageId> id_of(mqtt::PropertyView publish);
inline bool is_id(const mqtt::Property& property) {
  return property.id == mqtt::PropertyId::UserProperty && property.name == kIdProperty;
}
// `publish` with the id behind the others. Borrows from `out`, which is overwritten.
mqtt::PropertyView with_id(mqtt::PropertyView publish, const MessageId& id, ByteBuffer& out);
// `publish` without what it says of an id. May borrow from `out`, which may have been what `publish` borrows from.
mqtt::PropertyView without_id(mqtt::PropertyView publish, ByteBuffer& out);
// Whether both say the same but for their ids.
bool same_but_for_id(mqtt::PropertyView one, mqtt::PropertyView other);

}  // namespace furrow::broker
