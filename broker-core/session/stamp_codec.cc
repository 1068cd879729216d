#include "broker-core/session/stamp_codec.h"

#include <algorithm>
#include <cstdint>

namespace furrow::broker {

namespace {

// 36,000 years: no clock shows more, and sums of three such times still fit.
constexpr std::int64_t kMicrosecondsMax = std::int64_t{1} << 60;

void put_u64(ByteBuffer& out, std::uint64_t value) {
  std::uint8_t* place = out.extend(8);
  for (unsigned i = 0; i < 8; ++i) place[i] = static_cast<std::uint8_t>(value >> (8 * i));
}

bool take_u64(ByteView& in, std::uint64_t& value) {
  if (in.size() < 8) return false;
  value = 0;
  for (unsigned i = 0; i < 8; ++i) value |= std::uint64_t{in[i]} << (8 * i);
  in = in.subspan(8);
  return true;
}

bool take_time(ByteView& in, Duration& time) {
  std::uint64_t microseconds = 0;
  if (!take_u64(in, microseconds) || microseconds > std::uint64_t{kMicrosecondsMax}) return false;
  time = Duration(static_cast<std::int64_t>(microseconds));
  return true;
}

std::uint64_t storable(Duration time) {
  return static_cast<std::uint64_t>(std::clamp(time.count(), std::int64_t{0}, kMicrosecondsMax));
}

}  // namespace

void put_stamp(ByteBuffer& out, const ClockStamp& stamp) {
  put_u64(out, stamp.boot);
  put_u64(out, storable(stamp.monotonic.time_since_epoch()));
  put_u64(out, storable(stamp.wall.time_since_epoch()));
  out.push_back(stamp.trusted ? 1 : 0);
}

bool take_stamp(ByteView& in, ClockStamp& stamp) {
  Duration monotonic{};
  Duration wall{};
  if (!take_u64(in, stamp.boot) || !take_time(in, monotonic) || !take_time(in, wall)) {
    return false;
  }
  if (in.empty() || in.front() > 1) return false;
  stamp.trusted = in.front() == 1;
  in = in.subspan(1);
  stamp.monotonic = Instant(monotonic);
  stamp.wall = WallTime(wall);
  return true;
}

}  // namespace furrow::broker
