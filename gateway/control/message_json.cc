#include "gateway/control/message_json.h"

#include <algorithm>
#include <string>

#include "broker-core/mqtt/utf8.h"

namespace furrow::gateway {
namespace {

using mqtt::PropertyId;

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// RFC 4648 §4.
std::string base64(ByteView bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) group = group << 8U | (j < count ? bytes[i + j] : 0U);
    for (unsigned j = 0; j < 4; ++j) text += j <= count ? kDigits[group >> (18 - 6 * j) & 63U] : '=';
  }
  return text;
}

std::string user_property_json(const mqtt::Property& property) {
  std::string pair = "[";
  append_json_string(pair, property.name);
  pair += ',';
  append_json_string(pair, property.text);
  return pair + "]";
}

}  // namespace

void add_payload(JsonObject& object, ByteView payload) {
  if (mqtt::is_valid_utf8(as_text(payload))) {
    object.text("payload", as_text(payload));
  } else {
    object.text("payload_base64", base64(payload));
  }
}

void add_properties(JsonObject& object, mqtt::PropertyView properties) {
  if (properties.empty()) return;
  JsonObject all;
  std::string pairs;
  for (const mqtt::Property& one : properties) {
    if (one.id == PropertyId::PayloadFormatIndicator) all.number("payload_format", one.number);
    if (one.id == PropertyId::ContentType) all.text("content_type", one.text);
    if (one.id == PropertyId::ResponseTopic) all.text("response_topic", one.text);
    if (one.id == PropertyId::CorrelationData) all.text("correlation_data_base64", base64(as_bytes(one.text)));
    if (one.id == PropertyId::UserProperty) pairs += (pairs.empty() ? "" : ",") + user_property_json(one);
  }
  if (!pairs.empty()) all.raw("user", "[" + pairs + "]");
  object.object("properties", all);
}

}  // namespace furrow::gateway
