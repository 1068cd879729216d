// What a subscription asks for, and how a match is reported.
#pragma once

#include <cstdint>

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

// One subscription whose filter matches the topic that was asked for.
struct Match {
  SubscriberId subscriber;
  SubscriptionOptions options;

  friend bool operator==(const Match&, const Match&) = default;
};

}  // namespace furrow::broker
