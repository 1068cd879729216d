// The settled sequences among those that are not settled: how a cursor keeps them (CursorRow::settled, holes).
//
//   holes := { distance count }*      varints: a run of `count` settled sequences that begins `distance` behind the end
//                                     of the run before; the first distance counts from CursorRow::settled + 1
#pragma once

#include <span>
#include <vector>

#include "broker-core/base/bytes.h"
#include "broker-core/base/ids.h"
#include "broker-core/store.h"

namespace furrow::broker {

// Settled sequences [first, end).
struct Hole {
  Sequence first;
  Sequence end;
};

// Writes a cursor's `settled` and `holes` from the runs that are not settled.
class HoleWriter {
 public:
  // `row` must live until finish(), and has a `next`.
  explicit HoleWriter(CursorRow& row) : row_(row) {}

  // Sequences [first, end) are not settled. REQUIRES: runs come in order.
  void add_unsettled(Sequence first, Sequence end);
  // All others up to row.next are settled. Last call.
  void finish();

 private:
  CursorRow& row_;
  ByteBuffer holes_;
  Sequence hole_end_;       // of the hole written last
  Sequence unsettled_end_;  // of the run added last; 0 before the first
};

// The holes behind `settled`, in order, up to where the bytes make no sense.
std::vector<Hole> decode_holes(Sequence settled, ByteView holes);

// REQUIRES: `holes` are in order.
bool is_in_hole(std::span<const Hole> holes, Sequence sequence);

}  // namespace furrow::broker
