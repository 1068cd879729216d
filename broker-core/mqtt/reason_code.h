// The reason codes of MQTT 5 [MQTT 5.0 §2.4] with the names of the specification, and how MQTT 3 says the same.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "broker-core/mqtt/protocol.h"

namespace furrow::mqtt {

enum class ReasonCode : std::uint8_t {
  Success = 0x00,
  NormalDisconnection = 0x00,
  GrantedQos0 = 0x00,
  GrantedQos1 = 0x01,
  GrantedQos2 = 0x02,
  DisconnectWithWillMessage = 0x04,
  NoMatchingSubscribers = 0x10,
  NoSubscriptionExisted = 0x11,
  ContinueAuthentication = 0x18,
  ReAuthenticate = 0x19,
  UnspecifiedError = 0x80,
  MalformedPacket = 0x81,
  ProtocolError = 0x82,
  ImplementationSpecificError = 0x83,
  UnsupportedProtocolVersion = 0x84,
  ClientIdentifierNotValid = 0x85,
  BadUserNameOrPassword = 0x86,
  NotAuthorized = 0x87,
  ServerUnavailable = 0x88,
  ServerBusy = 0x89,
  Banned = 0x8A,
  ServerShuttingDown = 0x8B,
  BadAuthenticationMethod = 0x8C,
  KeepAliveTimeout = 0x8D,
  SessionTakenOver = 0x8E,
  TopicFilterInvalid = 0x8F,
  TopicNameInvalid = 0x90,
  PacketIdentifierInUse = 0x91,
  PacketIdentifierNotFound = 0x92,
  ReceiveMaximumExceeded = 0x93,
  TopicAliasInvalid = 0x94,
  PacketTooLarge = 0x95,
  MessageRateTooHigh = 0x96,
  QuotaExceeded = 0x97,
  AdministrativeAction = 0x98,
  PayloadFormatInvalid = 0x99,
  RetainNotSupported = 0x9A,
  QosNotSupported = 0x9B,
  UseAnotherServer = 0x9C,
  ServerMoved = 0x9D,
  SharedSubscriptionsNotSupported = 0x9E,
  ConnectionRateExceeded = 0x9F,
  MaximumConnectTime = 0xA0,
  SubscriptionIdentifiersNotSupported = 0xA1,
  WildcardSubscriptionsNotSupported = 0xA2,
};

// Reason codes from 0x80 say that the operation failed.
constexpr bool is_error(ReasonCode reason) {
  return static_cast<std::uint8_t>(reason) >= 0x80;
}

// The name of the specification in snake_case, `session_taken_over`: for logs, metrics and the status topic. What the
// specification does not know is `reserved`.
std::string_view name(ReasonCode reason);

// Whether `reason` may stand in a packet of `type` [MQTT 5.0 table 2-6].
bool is_allowed(ReasonCode reason, PacketType type);

// CONNACK return codes 0 to 5 of MQTT 3.1.1 [§3.2.2.3] → reason code; empty for what is reserved.
std::optional<ReasonCode> from_connack_return_code(std::uint8_t code);
// The nearest of them: what a 3.1.1 client is told. Where none is near, "not authorized" for what will not change by
// trying again, "server unavailable" for what may.
std::uint8_t to_connack_return_code(ReasonCode reason);

}  // namespace furrow::mqtt
