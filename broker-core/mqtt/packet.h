// The control packets of MQTT 3.1, 3.1.1 and 5.0: one model, read by the decoder and written by the encoder.
//
// Every packet borrows: strings, payloads and properties point into the bytes it was decoded from and are valid until
// the decoder's next call. What MQTT 3 does not have is empty or zero there. Reason codes are MQTT 5's; the codec
// translates CONNACK return codes and SUBACK failures of MQTT 3.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "broker-core/base/bytes.h"
#include "broker-core/base/ids.h"
#include "broker-core/mqtt/properties.h"
#include "broker-core/mqtt/protocol.h"
#include "broker-core/mqtt/reason_code.h"

namespace furrow::mqtt {

struct Will {
  std::string_view topic;
  ByteView payload;
  Qos qos = Qos::AtMostOnce;
  bool retain = false;
  PropertyView properties;
};

struct Connect {
  Version version = Version::V3_1_1;
  bool bridge = false;  // level byte 0x80: the 3.1.1 bridge bit of Mosquitto, by which a server treats us as no-local
  bool clean_start = true;
  std::uint16_t keep_alive_s = 0;
  std::string_view client_id;
  std::optional<Will> will;
  std::optional<std::string_view> username;
  std::optional<ByteView> password;
  PropertyView properties;
};

struct Connack {
  bool session_present = false;
  ReasonCode reason = ReasonCode::Success;
  PropertyView properties;
};

struct Publish {
  std::string_view topic;  // empty when MQTT 5 sends an alias instead
  ByteView payload;
  PropertyView properties;
  PacketId packet_id;  // 0 at QoS 0
  Qos qos = Qos::AtMostOnce;
  bool retain = false;
  bool duplicate = false;
};

// PUBACK, PUBREC, PUBREL and PUBCOMP are the same bytes but for their type.
template <PacketType kType>
struct Acknowledgement {
  PacketId packet_id;
  ReasonCode reason = ReasonCode::Success;
  PropertyView properties;
};
using Puback = Acknowledgement<PacketType::Puback>;
using Pubrec = Acknowledgement<PacketType::Pubrec>;
using Pubrel = Acknowledgement<PacketType::Pubrel>;
using Pubcomp = Acknowledgement<PacketType::Pubcomp>;

enum class RetainHandling : std::uint8_t { Send = 0, SendIfNew = 1, DoNotSend = 2 };

struct SubscriptionRequest {
  std::string_view filter;  // valid UTF-8; whether it is a valid filter is the broker's question
  Qos qos = Qos::AtMostOnce;
  bool no_local = false;
  bool retain_as_published = false;
  RetainHandling retain_handling = RetainHandling::Send;
};

struct Subscribe {
  PacketId packet_id;
  std::vector<SubscriptionRequest> requests;  // never empty [MQTT-3.8.3-2]
  PropertyView properties;
};

struct Suback {
  PacketId packet_id;
  std::vector<ReasonCode> reasons;  // one a request, in their order
  PropertyView properties;
};

struct Unsubscribe {
  PacketId packet_id;
  std::vector<std::string_view> filters;  // never empty [MQTT-3.10.3-2]
  PropertyView properties;
};

struct Unsuback {
  PacketId packet_id;
  std::vector<ReasonCode> reasons;  // MQTT 5 only; empty before
  PropertyView properties;
};

struct Pingreq {};
struct Pingresp {};

struct Disconnect {
  ReasonCode reason = ReasonCode::NormalDisconnection;
  PropertyView properties;
};

struct Auth {
  ReasonCode reason = ReasonCode::Success;
  PropertyView properties;
};

using Packet = std::variant<Connect, Connack, Publish, Puback, Pubrec, Pubrel, Pubcomp, Subscribe, Suback, Unsubscribe,
                            Unsuback, Pingreq, Pingresp, Disconnect, Auth>;

}  // namespace furrow::mqtt
