// One type per kind of id, so that a session's number cannot be handed in where a queue's is wanted.
//
// An id refers for longer than a call; a reference borrows for the call only.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace furrow {

template <typename Tag, typename Number>
struct Id {
  Number value = 0;

  explicit operator bool() const { return value != 0; }
  friend auto operator<=>(const Id&, const Id&) = default;
};

// A network connection, given by the broker at accept; never used twice in one run. 0 is none. Its lower half is a slot
// that is used again, so that tables by connection can be arrays: see broker::slot_of().
using ConnectionId = Id<struct ConnectionTag, std::uint64_t>;
// A durable outbox, given by the broker, kept in the store; never used twice in one store. 0 is none.
using QueueId = Id<struct QueueTag, std::uint64_t>;
// The place of a message in its outbox: 1, 2, 3, … as accepted. 0 is none.
using Sequence = Id<struct SequenceTag, std::uint64_t>;
inline constexpr Sequence kLastSequence{~std::uint64_t{0}};  // of no message: all lie before it
// A segment of the log, increasing in the order of commits. 0 is none.
using SegmentId = Id<struct SegmentTag, std::uint64_t>;
// A batch handed to the store: 1, 2, 3, … in the order of submission. 0 is none.
using BatchNumber = Id<struct BatchTag, std::uint64_t>;
// A request for a page of a queue, given by the journal: 1, 2, 3, … in one run. 0 is none.
using ReadNumber = Id<struct ReadTag, std::uint64_t>;
// An MQTT packet identifier [MQTT 5.0 §2.2.1]. 0 is none.
using PacketId = Id<struct PacketTag, std::uint16_t>;

}  // namespace furrow

template <typename Tag, typename Number>
struct std::hash<furrow::Id<Tag, Number>> {
  std::size_t operator()(furrow::Id<Tag, Number> id) const noexcept { return std::hash<Number>{}(id.value); }
};
