// Whether the gateway is well enough to be left alone: what a supervisor asks before it restarts something.
//
// That the far side of a bridge is away is the reason for a gateway and none to restart it: bridges count only when
// asked for.
#pragma once

#include <string>

#include "gateway/status/model.h"

namespace furrow::gateway {

// Beyond this clients notice.
inline constexpr Duration kLoopLateMax = std::chrono::seconds(1);

// What is wrong, a line each, for people; empty: nothing. Anybody may read it: no client, topic or far address is in
// it.
std::string ailments(const StatusModel& model, bool with_bridges);

}  // namespace furrow::gateway
