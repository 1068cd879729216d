// What rows of tests are made of.
#pragma once

#include <string_view>

#include "broker-core/mqtt/properties.h"
#include "broker-core/store.h"

namespace furrow::broker {

inline constexpr QueueId kBridge{1};
inline constexpr QueueId kSession{2};

inline Bytes user_property(std::string_view name, std::string_view value) {
  ByteBuffer out;
  mqtt::PropertyWriter(out).user(name, value);
  return copy_of(out.view());
}

}  // namespace furrow::broker
