// The owner of a subscription, as the routing tables see it: a number given by the broker.
//
// Each session and each shared group has one. The tables never look behind the number, so they know nothing of either.
#pragma once

#include <cstdint>

#include "broker-core/base/ids.h"

namespace furrow::broker {

using SubscriberId = Id<struct SubscriberTag, std::uint32_t>;

}  // namespace furrow::broker
