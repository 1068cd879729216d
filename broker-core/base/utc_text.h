// Times of the wall clock as people and programs read them (RFC 3339).
#pragma once

#include <string>

#include "broker-core/base/time.h"

namespace furrow {

// `2026-11-24T10:00:00.123Z`.
std::string utc_text(WallTime time);
// `2026-11-24T10:00:00Z`.
std::string utc_seconds_text(WallTime time);

}  // namespace furrow
