#include "broker-core/session/hole.h"

#include <algorithm>
#include <iterator>

#include "broker-core/base/varint.h"

namespace furrow::broker {

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
