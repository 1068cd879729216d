// A moment as text, for people and for properties of messages.
#pragma once

#include <string>

#include "broker-core/base/time.h"

namespace furrow {

// `2026-11-24T10:00:00.123Z` (RFC 3339).
std::string utc_text(WallTime time);

}  // namespace furrow
