// Packets that say why, as far as their receiver takes them.
#pragma once

#include <cstddef>
#include <string_view>

#include "broker-core/base/bytes.h"
#include "broker-core/mqtt/properties.h"

namespace furrow::broker {

// Appends to `output` what `encode_with(mqtt::PropertyView)` encodes there, with `why` as its reason string; without
// one where that makes the packet larger than `bytes_max` [MQTT-3.2.2-19, MQTT-3.4.2-2, MQTT-3.5.2-2, MQTT-3.9.2-1,
// MQTT-3.14.2-3], or where `why` is empty. False when the packet is too large all the same.
template <typename Encode>
bool encode_with_reason(std::string_view why, std::size_t bytes_max, ByteBuffer& output, Encode encode_with) {
  const std::size_t begin = output.size();
  if (!why.empty()) {
    ByteBuffer properties;
    mqtt::PropertyWriter(properties).text(mqtt::PropertyId::ReasonString, why);
    encode_with(mqtt::PropertyView::from_valid(properties.view()));
    if (output.size() - begin <= bytes_max) return true;
    output.truncate(begin);
  }
  encode_with(mqtt::PropertyView());
  return output.size() - begin <= bytes_max;
}

}  // namespace furrow::broker
