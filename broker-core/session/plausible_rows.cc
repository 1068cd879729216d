#include "broker-core/session/plausible_rows.h"

#include <cstdint>

#include "broker-core/base/varint.h"
#include "broker-core/routing/subscription.h"

namespace furrow::broker {

namespace {

// Ids and sequences are counted up from 1: none comes near this in the life of a machine, and sums of two fit.
constexpr std::uint64_t kCountMax = std::uint64_t{1} << 62U;

bool is_counted(std::uint64_t number) {
  return number > 0 && number < kCountMax;
}

// Takes what the holes have settled off `open`; false when they are not within the cursor.
bool subtract_holes(const CursorRow& row, std::uint64_t& open) {
  std::uint64_t end = row.settled.value + 1;
  for (ByteView holes = row.holes; !holes.empty();) {
    std::uint64_t distance = 0;
    std::uint64_t count = 0;
    if (!take_varint(holes, distance) || !take_varint(holes, count)) return false;
    if (distance > row.next.value - end || count > row.next.value - end - distance) return false;
    end += distance + count;
    open -= count;
  }
  return true;
}

}  // namespace

bool is_plausible(const QueueRow& row) {
  return is_counted(row.id.value) && row.kind >= QueueKind::Bridge && row.kind <= QueueKind::Lane;
}

bool is_plausible(const CursorRow& row) {
  if (!is_counted(row.next.value) || row.settled >= row.next) return false;
  std::uint64_t open = row.next.value - 1 - row.settled.value;
  return subtract_holes(row, open) && row.messages <= open && row.bytes < kCountMax;
}

bool is_plausible(const ExchangeRow& row) {
  const bool outbound = row.direction == ExchangeRow::Direction::Outbound;
  if (!outbound && row.direction != ExchangeRow::Direction::Inbound) return false;
  if (row.state == ExchangeRow::State::Erased || row.state > ExchangeRow::State::Leased) return false;
  return row.packet_id && row.subscription_id <= kSubscriptionIdMax;
}

}  // namespace furrow::broker
