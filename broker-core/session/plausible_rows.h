// Which rows found at start can be ones that were written.
//
// Queues, cursors and exchanges have no checksum of their own in the store, and SQLite does not see a flipped bit. A
// row that makes no sense is damage, and what is read of damage must not become a message that is settled twice, a
// sequence that is given twice, or a packet identifier of 0. What passes may still be wrong: then messages come twice,
// or count as lost. The store looks before it hands rows to the core. Thread: any.
#pragma once

#include "broker-core/store.h"

namespace furrow::broker {

bool is_plausible(const QueueRow& row);
// No more messages are stored than the cursor leaves open: between `settled` and `next`, but for holes.
bool is_plausible(const CursorRow& row);
bool is_plausible(const ExchangeRow& row);

}  // namespace furrow::broker
