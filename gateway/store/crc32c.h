// CRC32C (Castagnoli), the checksum of stored rows: SQLite does not notice flipped bits in a payload.
#pragma once

#include <cstdint>

#include "broker-core/base/bytes.h"

namespace furrow::gateway {

// The checksum of what `crc` covers already (0 = nothing) followed by `bytes`.
std::uint32_t crc32c(std::uint32_t crc, ByteView bytes);

}  // namespace furrow::gateway
