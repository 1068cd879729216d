#include "broker-core/mqtt/reason_code.h"

#include <array>
#include <cstddef>

#include "broker-core/mqtt/enum_bits.h"

namespace furrow::mqtt {
namespace {

using Types = std::uint16_t;  // one bit for each packet type

struct Row {
  ReasonCode reason;
  std::string_view name;
  Types types;
};

// [MQTT 5.0 table 2-6]
constexpr auto kRows = [] {
  using enum PacketType;
  return std::to_array<Row>({
      {ReasonCode::Success, "success",
       in(Connack, Puback, Pubrec, Pubrel, Pubcomp, Suback, Unsuback, Disconnect, Auth)},
      {ReasonCode::GrantedQos1, "granted_qos_1", in(Suback)},
      {ReasonCode::GrantedQos2, "granted_qos_2", in(Suback)},
      {ReasonCode::DisconnectWithWillMessage, "disconnect_with_will_message", in(Disconnect)},
      {ReasonCode::NoMatchingSubscribers, "no_matching_subscribers", in(Puback, Pubrec)},
      {ReasonCode::NoSubscriptionExisted, "no_subscription_existed", in(Unsuback)},
      {ReasonCode::ContinueAuthentication, "continue_authentication", in(Auth)},
      {ReasonCode::ReAuthenticate, "re_authenticate", in(Auth)},
      {ReasonCode::UnspecifiedError, "unspecified_error", in(Connack, Puback, Pubrec, Suback, Unsuback, Disconnect)},
      {ReasonCode::MalformedPacket, "malformed_packet", in(Connack, Disconnect)},
      {ReasonCode::ProtocolError, "protocol_error", in(Connack, Disconnect)},
      {ReasonCode::ImplementationSpecificError, "implementation_specific_error",
       in(Connack, Puback, Pubrec, Suback, Unsuback, Disconnect)},
      {ReasonCode::UnsupportedProtocolVersion, "unsupported_protocol_version", in(Connack)},
      {ReasonCode::ClientIdentifierNotValid, "client_identifier_not_valid", in(Connack)},
      {ReasonCode::BadUserNameOrPassword, "bad_user_name_or_password", in(Connack)},
      {ReasonCode::NotAuthorized, "not_authorized", in(Connack, Puback, Pubrec, Suback, Unsuback, Disconnect)},
      {ReasonCode::ServerUnavailable, "server_unavailable", in(Connack)},
      {ReasonCode::ServerBusy, "server_busy", in(Connack, Disconnect)},
      {ReasonCode::Banned, "banned", in(Connack)},
      {ReasonCode::ServerShuttingDown, "server_shutting_down", in(Disconnect)},
      {ReasonCode::BadAuthenticationMethod, "bad_authentication_method", in(Connack, Disconnect)},
      {ReasonCode::KeepAliveTimeout, "keep_alive_timeout", in(Disconnect)},
      {ReasonCode::SessionTakenOver, "session_taken_over", in(Disconnect)},
      {ReasonCode::TopicFilterInvalid, "topic_filter_invalid", in(Suback, Unsuback, Disconnect)},
      {ReasonCode::TopicNameInvalid, "topic_name_invalid", in(Connack, Puback, Pubrec, Disconnect)},
      {ReasonCode::PacketIdentifierInUse, "packet_identifier_in_use", in(Puback, Pubrec, Suback, Unsuback)},
      {ReasonCode::PacketIdentifierNotFound, "packet_identifier_not_found", in(Pubrel, Pubcomp)},
      {ReasonCode::ReceiveMaximumExceeded, "receive_maximum_exceeded", in(Disconnect)},
      {ReasonCode::TopicAliasInvalid, "topic_alias_invalid", in(Disconnect)},
      {ReasonCode::PacketTooLarge, "packet_too_large", in(Connack, Disconnect)},
      {ReasonCode::MessageRateTooHigh, "message_rate_too_high", in(Disconnect)},
      {ReasonCode::QuotaExceeded, "quota_exceeded", in(Connack, Puback, Pubrec, Suback, Disconnect)},
      {ReasonCode::AdministrativeAction, "administrative_action", in(Disconnect)},
      {ReasonCode::PayloadFormatInvalid, "payload_format_invalid", in(Connack, Puback, Pubrec, Disconnect)},
      {ReasonCode::RetainNotSupported, "retain_not_supported", in(Connack, Disconnect)},
      {ReasonCode::QosNotSupported, "qos_not_supported", in(Connack, Disconnect)},
      {ReasonCode::UseAnotherServer, "use_another_server", in(Connack, Disconnect)},
      {ReasonCode::ServerMoved, "server_moved", in(Connack, Disconnect)},
      {ReasonCode::SharedSubscriptionsNotSupported, "shared_subscriptions_not_supported", in(Suback, Disconnect)},
      {ReasonCode::ConnectionRateExceeded, "connection_rate_exceeded", in(Connack, Disconnect)},
      {ReasonCode::MaximumConnectTime, "maximum_connect_time", in(Disconnect)},
      {ReasonCode::SubscriptionIdentifiersNotSupported, "subscription_identifiers_not_supported",
       in(Suback, Disconnect)},
      {ReasonCode::WildcardSubscriptionsNotSupported, "wildcard_subscriptions_not_supported", in(Suback, Disconnect)},
  });
}();

constexpr std::uint8_t kNoRow = 0xFF;

// Reason code → its row.
constexpr auto kRowIndex = [] {
  std::array<std::uint8_t, 256> index{};
  index.fill(kNoRow);
  for (std::size_t i = 0; i < std::size(kRows); ++i) {
    index[static_cast<std::uint8_t>(kRows[i].reason)] = static_cast<std::uint8_t>(i);
  }
  return index;
}();

const Row* find_row(ReasonCode reason) {
  const std::uint8_t index = kRowIndex[static_cast<std::uint8_t>(reason)];
  return index == kNoRow ? nullptr : &kRows[index];
}

// The return codes of CONNACK in MQTT 3.1.1 [table 3.1], by their number.
constexpr std::array kReturnCodes = {
    ReasonCode::Success,           ReasonCode::UnsupportedProtocolVersion, ReasonCode::ClientIdentifierNotValid,
    ReasonCode::ServerUnavailable, ReasonCode::BadUserNameOrPassword,      ReasonCode::NotAuthorized,
};

}  // namespace

std::string_view name(ReasonCode reason) {
  const Row* row = find_row(reason);
  return row == nullptr ? "reserved" : row->name;
}

bool is_allowed(ReasonCode reason, PacketType type) {
  const Row* row = find_row(reason);
  return row != nullptr && (row->types & in(type)) != 0;
}

std::optional<ReasonCode> from_connack_return_code(std::uint8_t code) {
  if (code >= kReturnCodes.size()) return std::nullopt;
  return kReturnCodes[code];
}

std::uint8_t to_connack_return_code(ReasonCode reason) {
  constexpr std::uint8_t kServerUnavailable = 3;
  constexpr std::uint8_t kNotAuthorized = 5;
  switch (reason) {
    case ReasonCode::Success:
      return 0;
    case ReasonCode::UnsupportedProtocolVersion:
      return 1;
    case ReasonCode::ClientIdentifierNotValid:
      return 2;
    // Trying again later may help.
    case ReasonCode::UnspecifiedError:
    case ReasonCode::ImplementationSpecificError:
    case ReasonCode::ServerUnavailable:
    case ReasonCode::ServerBusy:
    case ReasonCode::ServerShuttingDown:
    case ReasonCode::QuotaExceeded:
    case ReasonCode::UseAnotherServer:
    case ReasonCode::ServerMoved:
    case ReasonCode::ConnectionRateExceeded:
      return kServerUnavailable;
    case ReasonCode::BadUserNameOrPassword:
    case ReasonCode::BadAuthenticationMethod:
      return 4;
    // Trying the same again will not.
    default:
      return kNotAuthorized;
  }
}

}  // namespace furrow::mqtt
