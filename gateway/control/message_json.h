// What is in a message, as fields of JSON.
#pragma once

#include "broker-core/base/bytes.h"
#include "broker-core/mqtt/properties.h"
#include "gateway/control/json_object.h"

namespace furrow::gateway {

// `payload` where it is text (UTF-8), else `payload_base64`.
void add_payload(JsonObject& object, ByteView payload);
// `properties`, if there are any: those of MQTT 5 that travel with a message.
void add_properties(JsonObject& object, mqtt::PropertyView properties);

}  // namespace furrow::gateway
