// Which properties of a PUBLISH travel with the message, and how its response topic is renamed on the way.
// Spec: MQTT 5.0 §3.3.2.3.
#pragma once

#include <string_view>

#include "broker-core/base/bytes.h"
#include "broker-core/mqtt/properties.h"

namespace furrow::bridge {

// Whether a property belongs to the message, not to its transport; forwarded unchanged and in order
// [MQTT-3.3.2-4, -15, -16, -17, -18, -20].
inline bool is_forwarded(mqtt::PropertyId id) {
  switch (id) {
    case mqtt::PropertyId::PayloadFormatIndicator:
    case mqtt::PropertyId::ContentType:
    case mqtt::PropertyId::ResponseTopic:
    case mqtt::PropertyId::CorrelationData:
    case mqtt::PropertyId::UserProperty:
      return true;
    default:
      return false;
  }
}

// The forwarded ones of `properties`, with their response topic replaced by `response_topic` unless that is empty.
// Borrows from `out`, which is overwritten.
inline mqtt::PropertyView with_response_topic(mqtt::PropertyView properties, std::string_view response_topic,
                                              ByteBuffer& out) {
  out.clear();
  mqtt::PropertyWriter writer(out);
  for (const mqtt::Property& property : properties) {
    if (!is_forwarded(property.id)) continue;
    if (property.id == mqtt::PropertyId::ResponseTopic && !response_topic.empty()) {
      writer.text(property.id, response_topic);
    } else {
      out.append(property.encoded);
    }
  }
  return mqtt::PropertyView::from_valid(out.view());
}

}  // namespace furrow::bridge
