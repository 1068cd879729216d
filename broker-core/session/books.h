// The books of an outbox: where every message that was accepted is now.
//
//   accepted = delivered + backlog + inflight + quarantined + expired + sum of dropped        at every moment
//
// The messages of `backlog` and `inflight` are in the outbox; all others are counted here, and their counts are stored
// in the same transaction as the rows that they count. `accepted` is not stored: after a crash it is the sum of the
// rest.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "broker-core/store.h"

namespace furrow::broker {

enum class DropReason : std::uint8_t {
  QueueFull,      // the limit of messages or bytes was reached
  Age,            // waited longer than the buffer keeps messages
  Replaced,       // a newer value of its topic took its place
  Qos0Offline,    // QoS 0 while the far side was away
  RefusedQos0,    // QoS 0 or a will, and the queue refuses
  TooLarge,       // larger than the peer's maximum packet size
  Loop,           // came from where it would go
  HopLimit,       // crossed too many bridges
  Purged,         // by the operator
  RuleRemoved,    // no rule takes its topic any more
  StoreFailed,    // the medium refused it, or does not keep up
  SalvageLost,    // stored, and not readable when it was its turn
  RefusedRemote,  // the peer answered with a reason code of 0x80 or more
  SessionEnded,   // its session ended while it waited
  NotAuthorized,  // the access rules do not grant its receiver the topic any more
  Thinned,        // its rule lets fewer values of a topic cross
};
inline constexpr std::size_t kDropReasonCount = 16;

// As in the status topic: `queue_full`.
std::string_view name(DropReason reason);

struct Books {
  std::uint64_t accepted = 0;
  std::uint64_t delivered = 0;
  std::uint64_t expired = 0;
  std::uint64_t quarantined = 0;
  std::array<std::uint64_t, kDropReasonCount> dropped{};

  // Of all outboxes that share these books; not stored, since the outboxes know.
  std::uint64_t waiting_bytes = 0;  // accepted and not settled
  std::uint64_t not_grown = 0;      // times that OutboxLimits::bytes_max_together kept one from growing

  std::uint64_t& drops(DropReason reason) { return dropped[static_cast<std::size_t>(reason)]; }
  std::uint64_t drops(DropReason reason) const { return dropped[static_cast<std::size_t>(reason)]; }
  // Those of several outboxes together.
  Books& operator+=(const Books& more);
  // All messages that neither wait nor are in flight any more.
  std::uint64_t ended() const;
};

Bytes encode(const Books& books);
// The stored books of a queue in which `waiting` messages are stored. Counters that an older version did not know are
// 0.
Books decode_books(ByteView bytes, std::uint64_t waiting);

}  // namespace furrow::broker
