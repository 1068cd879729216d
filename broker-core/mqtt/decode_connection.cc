// The packets that open and close a connection: CONNECT, CONNACK, DISCONNECT, AUTH.
//
//   CONNECT    := protocol_name:string level:1 flags:1 keep_alive:2 [properties, 5.0]  client_id:string
//                 [[will_properties, 5.0] will_topic:string will_payload:binary]  [username:string]  [password:binary]
//   CONNACK    := flags:1 reason_code:1  [properties, 5.0]
//   DISCONNECT := [reason_code:1  [properties]], 5.0
//   AUTH       := [reason_code:1  properties]
//
// Spec: MQTT 5.0 §3.1, §3.2, §3.14, §3.15; MQTT 3.1.1 §3.1, §3.2, §3.14; MQTT 3.1 §3.1.
#include "broker-core/mqtt/field_reader.h"
#include "broker-core/mqtt/packet_decoders.h"
#include "broker-core/mqtt/topic.h"
#include "broker-core/mqtt/utf8.h"

namespace furrow::mqtt {
namespace {

// Flags of CONNECT.
constexpr std::uint8_t kReserved = 0x01;
constexpr std::uint8_t kCleanStart = 0x02;
constexpr std::uint8_t kWill = 0x04;
constexpr std::uint8_t kWillQos = 0x18;
constexpr unsigned kWillQosShift = 3;
constexpr std::uint8_t kWillRetain = 0x20;
constexpr std::uint8_t kPassword = 0x40;
constexpr std::uint8_t kUsername = 0x80;
// Flag of CONNACK.
constexpr std::uint8_t kSessionPresent = 0x01;

constexpr std::uint8_t kBridgeBit = 0x80;

// The protocol name and level, which together are the version [MQTT-3.1.2-1, -2].
bool take_version(Connect& packet, FieldReader& reader) {
  ByteView name_bytes;
  std::uint8_t level = 0;
  if (!reader.take_bytes(name_bytes) || !reader.take_byte(level)) return false;
  const std::string_view protocol_name = as_text(name_bytes);
  packet.bridge = (level & kBridgeBit) != 0;
  const unsigned level_alone = level & ~unsigned{kBridgeBit};
  if (protocol_name == "MQTT" && level_alone == 4) {
    packet.version = Version::V3_1_1;
  } else if (protocol_name == "MQTT" && level == 5) {
    packet.version = Version::V5;
  } else if (protocol_name == "MQIsdp" && level_alone == 3) {
    packet.version = Version::V3_1;
  } else {
    return reader.refuse(ReasonCode::UnsupportedProtocolVersion,
                         "protocol name and level are not MQTT 3.1, 3.1.1 or 5.0");
  }
  return true;
}

bool judge_flags(std::uint8_t flags, Version version, FieldReader& reader) {
  if ((flags & kWill) != 0) {
    if ((flags & kWillQos) == kWillQos) return reader.malformed("will QoS is 3");  // [MQTT-3.1.2-12]
  } else if (version != Version::V3_1 && (flags & (kWillQos | kWillRetain)) != 0) {
    return reader.malformed("will QoS or will retain without a will");  // [MQTT-3.1.2-11, -13]; 3.1 disregards them
  }
  if (version != Version::V3_1 && (flags & kReserved) != 0) {
    return reader.malformed("reserved flag of CONNECT is set");  // [MQTT-3.1.2-3]; unused in 3.1
  }
  if (version != Version::V5 && (flags & (kUsername | kPassword)) == kPassword) {
    return reader.malformed("password without a user name");  // [MQTT 3.1.1: MQTT-3.1.2-22]
  }
  return true;
}

bool take_will(std::uint8_t flags, Version version, Will& will, FieldReader& reader) {
  will.qos = static_cast<Qos>((flags & kWillQos) >> kWillQosShift);
  will.retain = (flags & kWillRetain) != 0;
  if (version == Version::V5 && !reader.take_properties(PropertyPlace::Will, will.properties)) return false;
  if (!reader.take_text(will.topic) || !reader.take_bytes(will.payload)) return false;
  if (is_valid_name(will.topic)) return true;
  return reader.refuse(ReasonCode::TopicNameInvalid, "will topic is empty or has a wildcard");
}

// In MQTT 3.1 the remaining length takes precedence over the flags: what is not there is not meant [MQTT 3.1 §3.1].
bool takes_credential(std::uint8_t flag, std::uint8_t flags, Version version, const FieldReader& reader) {
  return (flags & flag) != 0 && !(version == Version::V3_1 && reader.at_end());
}

// A name that stands in logs, in keys and in rules. The specification lets a server refuse control characters
// [MQTT 5.0 §1.5.4].
bool take_name(std::string_view& name, const char* fault, FieldReader& reader) {
  if (!reader.take_text(name)) return false;
  return !has_control_character(name) || reader.malformed(fault);
}

bool take_credentials(std::uint8_t flags, Connect& packet, FieldReader& reader) {
  if (takes_credential(kUsername, flags, packet.version, reader)) {
    if (!take_name(packet.username.emplace(), "control character in the user name", reader)) return false;
  }
  if (takes_credential(kPassword, flags, packet.version, reader)) {
    if (!reader.take_bytes(packet.password.emplace())) return false;
  }
  return true;
}

// A 3.1.1 server that is asked for 5.0 answers with a CONNACK of 3.1.1, two bytes long and without properties. That
// must be understood for a client to fall back.
bool is_answer_of_v3(Version version, ByteView body) {
  return version == Version::V5 && body.size() == 2;
}

bool read_return_code(std::uint8_t code, ReasonCode& reason, FieldReader& reader) {
  const std::optional<ReasonCode> known = from_connack_return_code(code);
  if (!known.has_value()) return reader.malformed("reserved CONNACK return code");
  reason = *known;
  return true;
}

bool read_connack_reason(std::uint8_t code, ReasonCode& reason, FieldReader& reader) {
  reason = static_cast<ReasonCode>(code);
  return is_allowed(reason, PacketType::Connack) || reader.protocol_error("reason code does not belong in this packet");
}

// Whether only a server may send DISCONNECT with `reason` [MQTT 5.0 §3.14.2.1].
bool is_of_server_only(ReasonCode reason) {
  switch (reason) {
    case ReasonCode::NotAuthorized:
    case ReasonCode::ServerBusy:
    case ReasonCode::ServerShuttingDown:
    case ReasonCode::KeepAliveTimeout:
    case ReasonCode::SessionTakenOver:
    case ReasonCode::TopicFilterInvalid:
    case ReasonCode::RetainNotSupported:
    case ReasonCode::QosNotSupported:
    case ReasonCode::UseAnotherServer:
    case ReasonCode::ServerMoved:
    case ReasonCode::SharedSubscriptionsNotSupported:
    case ReasonCode::ConnectionRateExceeded:
    case ReasonCode::MaximumConnectTime:
    case ReasonCode::SubscriptionIdentifiersNotSupported:
    case ReasonCode::WildcardSubscriptionsNotSupported:
      return true;
    default:
      return false;
  }
}

bool judge_disconnect_reason(ReasonCode reason, Role role, FieldReader& reader) {
  if (!is_allowed(reason, PacketType::Disconnect)) {
    return reader.protocol_error("reason code does not belong in this packet");
  }
  if (role == Role::Server && is_of_server_only(reason)) {
    return reader.protocol_error("client sent DISCONNECT with a reason code of servers");
  }
  // A server's normal disconnection is let pass: it is the default of an empty DISCONNECT, and servers do send it.
  if (role == Role::Client && reason == ReasonCode::DisconnectWithWillMessage) {
    return reader.protocol_error("server sent DISCONNECT with a reason code of clients");
  }
  return true;
}

// Each end has reason codes of its own [MQTT 5.0 §3.15.2.1].
bool judge_auth_reason(ReasonCode reason, Role role, FieldReader& reader) {
  if (!is_allowed(reason, PacketType::Auth)) {
    return reader.protocol_error("reason code does not belong in this packet");
  }
  if (role == Role::Server && reason == ReasonCode::Success) {
    return reader.protocol_error("client sent AUTH with success");
  }
  if (role == Role::Client && reason == ReasonCode::ReAuthenticate) {
    return reader.protocol_error("server asked to re-authenticate");
  }
  return true;
}

}  // namespace

bool decode_connect(ByteView body, Connect& packet, ProtocolError& error) {
  FieldReader reader(body, error);
  packet = Connect{};
  if (!take_version(packet, reader)) return false;

  std::uint8_t flags = 0;
  if (!reader.take_byte(flags) || !judge_flags(flags, packet.version, reader)) return false;
  packet.clean_start = (flags & kCleanStart) != 0;
  if (!reader.take_two_bytes(packet.keep_alive_s)) return false;
  if (packet.version == Version::V5 && !reader.take_properties(PropertyPlace::Connect, packet.properties)) return false;
  if (!take_name(packet.client_id, "control character in the client identifier", reader)) return false;
  if ((flags & kWill) != 0 && !take_will(flags, packet.version, packet.will.emplace(), reader)) return false;
  return take_credentials(flags, packet, reader) && reader.finish();
}

bool decode_connack(PacketContext context, ByteView body, Connack& packet, ProtocolError& error) {
  FieldReader reader(body, error);
  packet = Connack{};
  std::uint8_t flags = 0;
  std::uint8_t code = 0;
  if (!reader.take_byte(flags) || !reader.take_byte(code)) return false;
  if ((flags & ~unsigned{kSessionPresent}) != 0) {
    return reader.malformed("reserved flag of CONNACK is set");  // [MQTT-3.2.2-1]
  }
  packet.session_present = (flags & kSessionPresent) != 0;
  const bool fallback = is_answer_of_v3(context.version, body);
  const bool known = context.version == Version::V5 && !fallback ? read_connack_reason(code, packet.reason, reader)
                                                                 : read_return_code(code, packet.reason, reader);
  if (!known) return false;
  if (packet.session_present && packet.reason != ReasonCode::Success) {
    return reader.protocol_error("session present in a CONNACK that refuses");  // [MQTT-3.2.2-6]
  }
  if (fallback && packet.reason == ReasonCode::Success) return reader.malformed("CONNACK without a property length");
  if (context.version == Version::V5 && !fallback &&
      !reader.take_properties(PropertyPlace::Connack, packet.properties)) {
    return false;
  }
  return reader.finish();
}

bool decode_disconnect(PacketContext context, ByteView body, Disconnect& packet, ProtocolError& error) {
  FieldReader reader(body, error);
  packet = Disconnect{};
  if (context.version != Version::V5) {
    if (context.role == Role::Client) return reader.protocol_error("server sent DISCONNECT before MQTT 5");
    return reader.finish();
  }
  if (reader.at_end()) return true;
  std::uint8_t reason = 0;
  if (!reader.take_byte(reason)) return false;
  packet.reason = static_cast<ReasonCode>(reason);
  if (!judge_disconnect_reason(packet.reason, context.role, reader)) return false;
  if (reader.at_end()) return true;  // no property length either [MQTT 5.0 §3.14.2.2.1]
  PropertySet present;
  if (!reader.take_properties(PropertyPlace::Disconnect, packet.properties, present)) return false;
  if (context.role == Role::Client && present.contains(PropertyId::SessionExpiryInterval)) {
    return reader.protocol_error("server sent a session expiry interval in DISCONNECT");  // [MQTT-3.14.2-2]
  }
  return reader.finish();
}

bool decode_auth(PacketContext context, ByteView body, Auth& packet, ProtocolError& error) {
  FieldReader reader(body, error);
  packet = Auth{};
  if (context.version != Version::V5) return reader.malformed("packet type is reserved before MQTT 5");
  if (reader.at_end()) return judge_auth_reason(packet.reason, context.role, reader);  // success [MQTT 5.0 §3.15.2.1]
  std::uint8_t reason = 0;
  if (!reader.take_byte(reason)) return false;
  packet.reason = static_cast<ReasonCode>(reason);
  if (!judge_auth_reason(packet.reason, context.role, reader)) return false;
  PropertySet present;
  if (!reader.take_properties(PropertyPlace::Auth, packet.properties, present)) return false;
  if (!present.contains(PropertyId::AuthenticationMethod)) {
    return reader.protocol_error("AUTH without an authentication method");  // [MQTT 5.0 §3.15.2.2.2]
  }
  return reader.finish();
}

}  // namespace furrow::mqtt
