// Packets as text, so that a test can say what it expects and a failure says what it got; and bytes written as hex.
#pragma once

#include <cctype>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "broker-core/mqtt/packet.h"

namespace furrow::test {

using Bytes = std::vector<std::uint8_t>;

inline void append_hex(std::string& out, unsigned byte) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += kDigits[byte >> 4U];
  out += kDigits[byte & 0x0FU];
}

// `"a/b"`, with what is not printable ASCII as `\xHH`.
inline std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7F && c != '"' && c != '\\') {
      out += c;
    } else {
      out += "\\x";
      append_hex(out, byte);
    }
  }
  return out + '"';
}

// Bytes from "10 0c 'MQTT' 04": hex digits in pairs and quoted ASCII, blanks between them ignored.
inline Bytes bytes_from(std::string_view written) {
  Bytes bytes;
  const auto digit = [](char c) {
    return static_cast<unsigned>(c <= '9' ? c - '0' : std::tolower(static_cast<unsigned char>(c)) - 'a' + 10);
  };
  for (std::size_t i = 0; i < written.size(); ++i) {
    if (written[i] == '\'') {
      for (++i; written.at(i) != '\''; ++i) bytes.push_back(static_cast<std::uint8_t>(written[i]));
    } else if (written[i] != ' ') {
      bytes.push_back(static_cast<std::uint8_t>(digit(written[i]) << 4U | digit(written.at(i + 1))));
      ++i;
    }
  }
  return bytes;
}

inline std::string hex(ByteView bytes) {
  std::string out;
  for (const std::uint8_t byte : bytes) append_hex(out, byte);
  return out;
}

// ` {21=10 26="a":"b"}`: identifiers in hex; nothing for an empty list.
inline std::string describe(mqtt::PropertyView properties) {
  if (properties.empty()) return {};
  std::string out = " {";
  for (const mqtt::Property& property : properties) {
    if (out.size() > 2) out += ' ';
    append_hex(out, static_cast<unsigned>(property.id));
    out += '=';
    if (property.id == mqtt::PropertyId::UserProperty) {
      out += quoted(property.name) + ':' + quoted(property.text);
    } else if (property.text.data() != nullptr) {
      out += quoted(property.text);
    } else {
      out += std::to_string(property.number);
    }
  }
  return out + '}';
}

inline std::string describe_qos(mqtt::Qos qos) {
  return " qos=" + std::to_string(static_cast<int>(qos));
}
inline std::string describe_id(PacketId packet_id) {
  return " id=" + std::to_string(packet_id.value);
}
inline std::string describe_reason(mqtt::ReasonCode reason) {
  std::string out = " reason=";
  append_hex(out, static_cast<unsigned>(reason));
  return out;
}

inline std::string describe(const mqtt::Connect& packet) {
  std::string out = "CONNECT level=" + std::to_string(static_cast<int>(packet.version));
  if (packet.bridge) out += " bridge";
  if (packet.clean_start) out += " clean";
  out += " keep_alive=" + std::to_string(packet.keep_alive_s);
  out += describe(packet.properties) + " client=" + quoted(packet.client_id);
  if (packet.will.has_value()) {
    out += " will(" + quoted(packet.will->topic) + ' ' + quoted(as_text(packet.will->payload));
    out += describe_qos(packet.will->qos) + (packet.will->retain ? " retain" : "");
    out += describe(packet.will->properties) + ')';
  }
  if (packet.username.has_value()) out += " username=" + quoted(*packet.username);
  if (packet.password.has_value()) out += " password=" + quoted(as_text(*packet.password));
  return out;
}

inline std::string describe(const mqtt::Connack& packet) {
  return "CONNACK" + describe_reason(packet.reason) + (packet.session_present ? " session" : "") +
         describe(packet.properties);
}

inline std::string describe(const mqtt::Publish& packet) {
  return "PUBLISH " + quoted(packet.topic) + ' ' + quoted(as_text(packet.payload)) + describe_qos(packet.qos) +
         describe_id(packet.packet_id) + (packet.retain ? " retain" : "") + (packet.duplicate ? " dup" : "") +
         describe(packet.properties);
}

template <mqtt::PacketType kType>
std::string describe(const mqtt::Acknowledgement<kType>& packet) {
  constexpr std::string_view kNames[] = {"PUBACK", "PUBREC", "PUBREL", "PUBCOMP"};
  constexpr auto kIndex = static_cast<std::size_t>(kType) - static_cast<std::size_t>(mqtt::PacketType::Puback);
  return std::string(kNames[kIndex]) + describe_id(packet.packet_id) + describe_reason(packet.reason) +
         describe(packet.properties);
}

inline std::string describe(const mqtt::Subscribe& packet) {
  std::string out = "SUBSCRIBE" + describe_id(packet.packet_id) + describe(packet.properties);
  for (const mqtt::SubscriptionRequest& request : packet.requests) {
    out += ' ' + quoted(request.filter) + describe_qos(request.qos);
    if (request.no_local) out += " no_local";
    if (request.retain_as_published) out += " as_published";
    out += " handling=" + std::to_string(static_cast<int>(request.retain_handling));
  }
  return out;
}

inline std::string describe_reasons(const std::vector<mqtt::ReasonCode>& reasons) {
  std::string out;
  for (const mqtt::ReasonCode reason : reasons) out += describe_reason(reason);
  return out;
}

inline std::string describe(const mqtt::Suback& packet) {
  return "SUBACK" + describe_id(packet.packet_id) + describe(packet.properties) + describe_reasons(packet.reasons);
}

inline std::string describe(const mqtt::Unsubscribe& packet) {
  std::string out = "UNSUBSCRIBE" + describe_id(packet.packet_id) + describe(packet.properties);
  for (const std::string_view filter : packet.filters) out += ' ' + quoted(filter);
  return out;
}

inline std::string describe(const mqtt::Unsuback& packet) {
  return "UNSUBACK" + describe_id(packet.packet_id) + describe(packet.properties) + describe_reasons(packet.reasons);
}

inline std::string describe(const mqtt::Pingreq&) {
  return "PINGREQ";
}
inline std::string describe(const mqtt::Pingresp&) {
  return "PINGRESP";
}

inline std::string describe(const mqtt::Disconnect& packet) {
  return "DISCONNECT" + describe_reason(packet.reason) + describe(packet.properties);
}

inline std::string describe(const mqtt::Auth& packet) {
  return "AUTH" + describe_reason(packet.reason) + describe(packet.properties);
}

// All that a packet says; two packets are equal when their descriptions are.
inline std::string describe(const mqtt::Packet& packet) {
  return std::visit([](const auto& alternative) { return describe(alternative); }, packet);
}

}  // namespace furrow::test
