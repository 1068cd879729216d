// Retained messages for the tests of the routing tables.
#pragma once

#include <optional>
#include <string_view>

#include "broker-core/message.h"

namespace furrow::broker {

inline MessageRef make_message(std::string_view topic, std::string_view payload, mqtt::Qos qos = mqtt::Qos::AtMostOnce,
                               std::optional<std::uint32_t> expiry_s = std::nullopt) {
  Message::Fields fields{};
  fields.topic = topic;
  fields.payload = as_bytes(payload);
  fields.expiry_s = expiry_s;
  fields.qos = qos;
  fields.retain = true;
  return Message::make(fields);
}

}  // namespace furrow::broker
