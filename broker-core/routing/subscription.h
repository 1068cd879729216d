// The options of a subscription, packed into a word where many are kept, and how a match is reported.
#pragma once

#include <cstdint>

#include "broker-core/base/check.h"
#include "broker-core/mqtt/protocol.h"
#include "broker-core/routing/subscriber_id.h"

namespace furrow::broker {

// The subscription options that concern routing [MQTT 5.0 §3.8.3.1], and the subscription identifier.
struct SubscriptionOptions {
  mqtt::Qos qos = mqtt::Qos::AtMostOnce;
  bool no_local = false;
  bool retain_as_published = false;
  std::uint32_t subscription_id = 0;  // 1 to kSubscriptionIdMax [MQTT 5.0 §3.8.2.1.2]; 0 is none

  friend bool operator==(const SubscriptionOptions&, const SubscriptionOptions&) = default;
};

// The largest variable byte integer [MQTT 5.0 §1.5.5].
inline constexpr std::uint32_t kSubscriptionIdMax = 268'435'455;

// The options in a word: 28 bits of identifier, two of QoS and the two flags.
// REQUIRES: options.subscription_id <= kSubscriptionIdMax.
inline std::uint32_t pack_options(const SubscriptionOptions& options) {
  static_assert(kSubscriptionIdMax == (1U << 28U) - 1);
  FURROW_CHECK(options.subscription_id <= kSubscriptionIdMax);
  FURROW_CHECK(options.qos <= mqtt::Qos::ExactlyOnce);
  return options.subscription_id | static_cast<std::uint32_t>(options.qos) << 28U |
         std::uint32_t{options.no_local} << 30U | std::uint32_t{options.retain_as_published} << 31U;
}

inline SubscriptionOptions unpack_options(std::uint32_t word) {
  return {.qos = static_cast<mqtt::Qos>((word >> 28U) & 3U),
          .no_local = ((word >> 30U) & 1U) != 0,
          .retain_as_published = (word >> 31U) != 0,
          .subscription_id = word & kSubscriptionIdMax};
}

// One subscription whose filter matches the topic that was asked for.
struct Match {
  SubscriberId subscriber;
  SubscriptionOptions options;

  friend bool operator==(const Match&, const Match&) = default;
};

}  // namespace furrow::broker
