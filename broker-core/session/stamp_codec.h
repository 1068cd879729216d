// The bytes of a ClockStamp: boot:8 monotonic_us:8 wall_us:8 trusted:1, little-endian.
#pragma once

#include "broker-core/base/bytes.h"
#include "broker-core/base/time.h"

namespace furrow::broker {

void put_stamp(ByteBuffer& out, const ClockStamp& stamp);
// False when the bytes are cut short or no stamp of ours.
bool take_stamp(ByteView& in, ClockStamp& stamp);

}  // namespace furrow::broker
