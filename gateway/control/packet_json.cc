#include "gateway/control/packet_json.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <variant>

#include "broker-core/base/printable.h"
#include "broker-core/client_view.h"

namespace furrow::gateway {
namespace {

using mqtt::PropertyId;

std::string shortened(std::string_view text) {
  return text.size() <= kTracedTextBytesMax ? std::string(text) : printable(text, kTracedTextBytesMax);
}

std::string json_string(std::string_view text) {
  std::string json;
  append_json_string(json, shortened(text));
  return json;
}

std::uint64_t number_of(mqtt::Qos qos) {
  return static_cast<std::uint64_t>(qos);
}

// `[…]` of what `item` gives for each, as JSON.
template <typename List, typename Item>
std::string json_list(const List& list, Item item) {
  std::string json = "[";
  std::size_t count = 0;
  for (const auto& one : list) {
    if (count++ == kTracedListMax) break;
    if (count > 1) json += ',';
    json += item(one);
  }
  return json + "]";
}

// As json_list(), and `more` says how many were left out.
template <typename List, typename Item>
void add_list(JsonObject& object, std::string_view key, const List& list, Item item) {
  object.raw(key, json_list(list, item));
  if (list.size() > kTracedListMax) object.number("more", list.size() - kTracedListMax);
}

std::string_view property_name(PropertyId id) {
  switch (id) {
    case PropertyId::PayloadFormatIndicator:
      return "payload_format_indicator";
    case PropertyId::MessageExpiryInterval:
      return "message_expiry_interval";
    case PropertyId::ContentType:
      return "content_type";
    case PropertyId::ResponseTopic:
      return "response_topic";
    case PropertyId::CorrelationData:
      return "correlation_data";
    case PropertyId::SubscriptionIdentifier:
      return "subscription_identifier";
    case PropertyId::SessionExpiryInterval:
      return "session_expiry_interval";
    case PropertyId::AssignedClientIdentifier:
      return "assigned_client_identifier";
    case PropertyId::ServerKeepAlive:
      return "server_keep_alive";
    case PropertyId::AuthenticationMethod:
      return "authentication_method";
    case PropertyId::AuthenticationData:
      return "authentication_data_bytes";
    case PropertyId::RequestProblemInformation:
      return "request_problem_information";
    case PropertyId::WillDelayInterval:
      return "will_delay_interval";
    case PropertyId::RequestResponseInformation:
      return "request_response_information";
    case PropertyId::ResponseInformation:
      return "response_information";
    case PropertyId::ServerReference:
      return "server_reference";
    case PropertyId::ReasonString:
      return "reason_string";
    case PropertyId::ReceiveMaximum:
      return "receive_maximum";
    case PropertyId::TopicAliasMaximum:
      return "topic_alias_maximum";
    case PropertyId::TopicAlias:
      return "topic_alias";
    case PropertyId::MaximumQos:
      return "maximum_qos";
    case PropertyId::RetainAvailable:
      return "retain_available";
    case PropertyId::UserProperty:
      return "user_property";
    case PropertyId::MaximumPacketSize:
      return "maximum_packet_size";
    case PropertyId::WildcardSubscriptionAvailable:
      return "wildcard_subscription_available";
    case PropertyId::SubscriptionIdentifierAvailable:
      return "subscription_identifier_available";
    case PropertyId::SharedSubscriptionAvailable:
      return "shared_subscription_available";
  }
  return "unknown";
}

// What may stand in a list more than once.
struct Repeated {
  std::string json;
  std::uint64_t count = 0;

  void add(const std::string& item) {
    if (count++ >= kTracedListMax) return;
    json += (json.empty() ? "" : ",") + item;
  }
  void write(JsonObject& object, std::string_view key) const {
    if (count == 0) return;
    object.raw(key, "[" + json + "]");
    if (count > kTracedListMax) object.number("more", count - kTracedListMax);
  }
};

void add_traced_properties(JsonObject& object, mqtt::PropertyView properties) {
  if (properties.empty()) return;
  JsonObject all;
  Repeated users;
  Repeated subscriptions;
  for (const mqtt::Property& one : properties) {
    if (one.id == PropertyId::UserProperty) {
      users.add("[" + json_string(one.name) + "," + json_string(one.text) + "]");
    } else if (one.id == PropertyId::SubscriptionIdentifier) {
      subscriptions.add(std::to_string(one.number));
    } else if (one.id == PropertyId::AuthenticationData) {
      all.number(property_name(one.id), one.text.size());
    } else if (one.id == PropertyId::CorrelationData) {
      all.text(property_name(one.id), escaped_beginning(as_bytes(one.text)));
    } else if (one.text.data() != nullptr) {
      all.text(property_name(one.id), shortened(one.text));
    } else {
      all.number(property_name(one.id), one.number);
    }
  }
  subscriptions.write(all, property_name(PropertyId::SubscriptionIdentifier));
  users.write(all, property_name(PropertyId::UserProperty));
  object.object("properties", all);
}

void add_reason(JsonObject& object, mqtt::ReasonCode reason) {
  object.number("reason_code", static_cast<std::uint64_t>(reason)).text("reason", mqtt::name(reason));
}

void add_traced_payload(JsonObject& object, ByteView payload, bool is_wanted) {
  object.number("payload_bytes", payload.size());
  if (is_wanted) object.text("payload", escaped_beginning(payload));
}

// --- one of each ---

void add(JsonObject& object, const mqtt::Connect& packet, const PacketView& view) {
  object.text("packet", "CONNECT").text("version", broker::version_text(packet.version));
  if (packet.bridge) object.flag("bridge_bit", true);
  object.text("client_id", shortened(packet.client_id)).flag("clean_start", packet.clean_start);
  object.number("keep_alive", packet.keep_alive_s);
  if (packet.username) object.text("username", shortened(*packet.username));
  if (packet.password) object.text("password", "(not shown)");
  if (packet.will) {
    JsonObject will;
    will.text("topic", shortened(packet.will->topic)).number("qos", number_of(packet.will->qos));
    will.flag("retain", packet.will->retain);
    add_traced_payload(will, packet.will->payload, view.payload);
    add_traced_properties(will, packet.will->properties);
    object.object("will", will);
  }
  add_traced_properties(object, packet.properties);
}

void add(JsonObject& object, const mqtt::Connack& packet, const PacketView&) {
  object.text("packet", "CONNACK").flag("session_present", packet.session_present);
  add_reason(object, packet.reason);
  add_traced_properties(object, packet.properties);
}

void add(JsonObject& object, const mqtt::Publish& packet, const PacketView& view) {
  object.text("packet", "PUBLISH");
  const std::string_view topic = packet.topic.empty() ? view.topic : packet.topic;
  object.text_or_null("topic", topic.empty() ? std::nullopt : std::optional<std::string_view>(shortened(topic)));
  object.number("qos", number_of(packet.qos)).flag("retain", packet.retain).flag("dup", packet.duplicate);
  if (packet.packet_id) object.number("packet_id", packet.packet_id.value);
  add_traced_payload(object, packet.payload, view.payload);
  add_traced_properties(object, packet.properties);
}

template <mqtt::PacketType kType>
void add(JsonObject& object, const mqtt::Acknowledgement<kType>& packet, const PacketView&) {
  constexpr std::array<std::string_view, 4> kNames{"PUBACK", "PUBREC", "PUBREL", "PUBCOMP"};
  constexpr auto kIndex = static_cast<std::size_t>(kType) - static_cast<std::size_t>(mqtt::PacketType::Puback);
  object.text("packet", kNames[kIndex]).number("packet_id", packet.packet_id.value);
  add_reason(object, packet.reason);
  add_traced_properties(object, packet.properties);
}

std::string request_json(const mqtt::SubscriptionRequest& request) {
  return JsonObject()
      .text("filter", shortened(request.filter))
      .number("qos", number_of(request.qos))
      .flag("no_local", request.no_local)
      .flag("retain_as_published", request.retain_as_published)
      .number("retain_handling", static_cast<std::uint64_t>(request.retain_handling))
      .str();
}

void add(JsonObject& object, const mqtt::Subscribe& packet, const PacketView&) {
  object.text("packet", "SUBSCRIBE").number("packet_id", packet.packet_id.value);
  add_list(object, "subscriptions", packet.requests, request_json);
  add_traced_properties(object, packet.properties);
}

std::string reason_json(mqtt::ReasonCode reason) {
  return std::to_string(static_cast<unsigned>(reason));
}

void add(JsonObject& object, const mqtt::Suback& packet, const PacketView&) {
  object.text("packet", "SUBACK").number("packet_id", packet.packet_id.value);
  add_list(object, "reason_codes", packet.reasons, reason_json);
  add_traced_properties(object, packet.properties);
}

void add(JsonObject& object, const mqtt::Unsubscribe& packet, const PacketView&) {
  object.text("packet", "UNSUBSCRIBE").number("packet_id", packet.packet_id.value);
  add_list(object, "filters", packet.filters, json_string);
  add_traced_properties(object, packet.properties);
}

void add(JsonObject& object, const mqtt::Unsuback& packet, const PacketView&) {
  object.text("packet", "UNSUBACK").number("packet_id", packet.packet_id.value);
  if (!packet.reasons.empty()) add_list(object, "reason_codes", packet.reasons, reason_json);
  add_traced_properties(object, packet.properties);
}

void add(JsonObject& object, const mqtt::Pingreq&, const PacketView&) {
  object.text("packet", "PINGREQ");
}

void add(JsonObject& object, const mqtt::Pingresp&, const PacketView&) {
  object.text("packet", "PINGRESP");
}

void add(JsonObject& object, const mqtt::Disconnect& packet, const PacketView&) {
  object.text("packet", "DISCONNECT");
  add_reason(object, packet.reason);
  add_traced_properties(object, packet.properties);
}

void add(JsonObject& object, const mqtt::Auth& packet, const PacketView&) {
  object.text("packet", "AUTH");
  add_reason(object, packet.reason);
  add_traced_properties(object, packet.properties);
}

}  // namespace

void add_packet(JsonObject& object, const PacketView& view) {
  std::visit([&](const auto& packet) { add(object, packet, view); }, view.packet);
}

std::string escaped_beginning(ByteView payload) {
  std::string_view rest = as_text(payload);
  std::string text;
  while (!rest.empty()) {
    const Character character = take_character(rest);
    const std::size_t end = static_cast<std::size_t>(character.bytes.data() - as_text(payload).data());
    if (end + character.bytes.size() > kTracedPayloadBytesMax) return text + "…";
    if (character.bytes == "\\") {
      text += "\\\\";
    } else if (character.shows) {
      text += character.bytes;
    } else {
      for (const char byte : character.bytes) {
        std::array<char, 5> escape{};
        std::snprintf(escape.data(), escape.size(), "\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(byte)));
        text += escape.data();
      }
    }
  }
  return text;
}

}  // namespace furrow::gateway
