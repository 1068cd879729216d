// What is settled among messages that are not: as cursors keep it (CursorRow::holes).
#pragma once

#include <span>
#include <vector>

#include "broker-core/base/bytes.h"
#include "broker-core/base/ids.h"

namespace furrow::broker {

// Settled sequences [first, end).
struct Hole {
  Sequence first;
  Sequence end;
};

// The holes behind `settled`, in order; ends where the bytes make no sense.
std::vector<Hole> decode_holes(Sequence settled, ByteView holes);

// REQUIRES: `holes` are in order.
bool is_in_hole(std::span<const Hole> holes, Sequence sequence);

}  // namespace furrow::broker
