#include "broker-core/session/hole.h"

#include <algorithm>
#include <iterator>

#include "broker-core/base/varint.h"

namespace furrow::broker {

void HoleWriter::add_unsettled(Sequence first, Sequence end) {
  if (!unsettled_end_) {
    row_.settled = Sequence{first.value - 1};
    hole_end_ = first;
  } else if (unsettled_end_ < first) {
    put_varint(holes_, unsettled_end_.value - hole_end_.value);
    put_varint(holes_, first.value - unsettled_end_.value);
    hole_end_ = first;
  }
  unsettled_end_ = end;
}

void HoleWriter::finish() {
  add_unsettled(row_.next, row_.next);
  row_.holes.assign(holes_.view().begin(), holes_.view().end());
}

std::vector<Hole> decode_holes(Sequence settled, ByteView holes) {
  std::vector<Hole> decoded;
  std::uint64_t distance = 0;
  std::uint64_t count = 0;
  for (Sequence end{settled.value + 1}; take_varint(holes, distance) && take_varint(holes, count);) {
    const Sequence first{end.value + distance};
    end = Sequence{first.value + count};
    decoded.push_back({first, end});
  }
  return decoded;
}

bool is_in_hole(std::span<const Hole> holes, Sequence sequence) {
  const auto behind = std::ranges::upper_bound(holes, sequence, {}, &Hole::first);
  return behind != holes.begin() && sequence < std::prev(behind)->end;
}

}  // namespace furrow::broker
