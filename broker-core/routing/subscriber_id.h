// Who a subscription belongs to, as the routing tables see it: a number given by the broker.
//
// A session and a shared group each have one. The tables never look behind it, so they know nothing of either.
#pragma once

#include <cstdint>

#include "broker-core/base/ids.h"

namespace furrow::broker {

using SubscriberId = Id<struct SubscriberTag, std::uint32_t>;

}  // namespace furrow::broker
