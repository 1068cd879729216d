// Valid packets drawn from a seed: every type that may travel to one role in one version, with properties.
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <string_view>

#include "broker-core/base/bytes.h"
#include "broker-core/base/random.h"
#include "broker-core/mqtt/packet.h"

namespace furrow::test {

// Owns what its packets borrow; so it outlives them.
class PacketMaker {
 public:
  PacketMaker(std::uint64_t seed, mqtt::Role receiver, mqtt::Version version)
      : random_(seed), receiver_(receiver), version_(version) {}

  mqtt::Packet make() {
    using mqtt::PacketType;
    using enum PacketType;
    static constexpr PacketType kToServer[] = {Connect,   Publish,     Puback,  Pubrec,     Pubrel, Pubcomp,
                                               Subscribe, Unsubscribe, Pingreq, Disconnect, Auth};
    static constexpr PacketType kToClient[] = {Connack, Publish,  Puback,   Pubrec,     Pubrel, Pubcomp,
                                               Suback,  Unsuback, Pingresp, Disconnect, Auth};
    const bool to_server = receiver_ == mqtt::Role::Server;
    // Before 5.0 there is no AUTH, and no DISCONNECT from a server.
    const std::size_t absent = is_v5() ? 0 : to_server ? 1 : 2;
    return to_server ? make(kToServer[random_.below(std::size(kToServer) - absent)])
                     : make(kToClient[random_.below(std::size(kToClient) - absent)]);
  }

 private:
  using PropertyId = mqtt::PropertyId;
  using ReasonCode = mqtt::ReasonCode;

  bool is_v5() const { return version_ == mqtt::Version::V5; }
  PacketId packet_id() { return {static_cast<std::uint16_t>(1 + random_.below(0xFFFF))}; }
  mqtt::Qos qos() { return static_cast<mqtt::Qos>(random_.below(3)); }
  std::uint32_t bits(unsigned count) { return static_cast<std::uint32_t>(random_.next() >> (64 - count)); }

  // Mostly short, sometimes past a length that takes another byte.
  std::size_t length() {
    return random_.chance(2)    ? 100 + random_.below(20'000)
           : random_.chance(10) ? random_.below(300)
                                : random_.below(20);
  }

  std::string_view text(std::size_t size_min, std::string_view alphabet_extra = "+# ") {
    static constexpr std::string_view kPieces[] = {
        "a", "Z", "/", "7", "$", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x8C\xBE"};
    std::string& made = strings_.emplace_back();
    const std::size_t size = size_min + length();
    while (made.size() < size) {
      const std::size_t pick = random_.below(std::size(kPieces) + alphabet_extra.size());
      if (pick < std::size(kPieces)) {
        made += kPieces[pick];
      } else {
        made += alphabet_extra[pick - std::size(kPieces)];
      }
    }
    return made;
  }
  std::string_view topic() { return text(1, {}); }

  ByteView bytes() {
    std::string& made = strings_.emplace_back();
    for (std::size_t left = length(); left > 0; --left) made += static_cast<char>(random_.next());
    return as_bytes(made);
  }

  // Each of `ids` with even chances, and user properties among them. `always` is there in any case.
  mqtt::PropertyView properties(std::initializer_list<PropertyId> ids, std::initializer_list<PropertyId> always = {}) {
    if (!is_v5()) return {};
    ByteBuffer& out = buffers_.emplace_back();
    mqtt::PropertyWriter writer(out);
    for (const PropertyId id : always) write(writer, id);
    if (random_.chance(50)) return mqtt::PropertyView::from_valid(out.view());
    for (const PropertyId id : ids) {
      if (random_.chance(20)) writer.user(text(0), text(0));
      if (random_.chance(50)) write(writer, id);
    }
    return mqtt::PropertyView::from_valid(out.view());
  }

  void write(mqtt::PropertyWriter& writer, PropertyId id) {
    switch (id) {
      case PropertyId::PayloadFormatIndicator:
      case PropertyId::RequestProblemInformation:
      case PropertyId::RequestResponseInformation:
      case PropertyId::MaximumQos:
      case PropertyId::RetainAvailable:
        return writer.number(id, bits(1));
      case PropertyId::ServerKeepAlive:
      case PropertyId::TopicAliasMaximum:
        return writer.number(id, bits(16));
      case PropertyId::TopicAlias:
      case PropertyId::ReceiveMaximum:
        return writer.number(id, 1 + bits(15));
      case PropertyId::MessageExpiryInterval:
      case PropertyId::SessionExpiryInterval:
      case PropertyId::WillDelayInterval:
        return writer.number(id, bits(32));
      case PropertyId::MaximumPacketSize:
      case PropertyId::SubscriptionIdentifier:
        return writer.number(id, 1 + bits(1 + static_cast<unsigned>(random_.below(27))));
      case PropertyId::ResponseTopic:
        return writer.text(id, topic());
      case PropertyId::AuthenticationData:
      case PropertyId::CorrelationData:
        return writer.text(id, as_text(bytes()));
      default:
        return writer.text(id, text(0));
    }
  }

  mqtt::Packet make(mqtt::PacketType type) {
    using enum mqtt::PacketType;
    switch (type) {
      case Connect:
        return make_connect();
      case Connack:
        return make_connack();
      case Publish:
        return make_publish();
      case Puback:
        return make_acknowledgement<Puback>(ReasonCode::QuotaExceeded);
      case Pubrec:
        return make_acknowledgement<Pubrec>(ReasonCode::PacketIdentifierInUse);
      case Pubrel:
        return make_acknowledgement<Pubrel>(ReasonCode::PacketIdentifierNotFound);
      case Pubcomp:
        return make_acknowledgement<Pubcomp>(ReasonCode::PacketIdentifierNotFound);
      case Subscribe:
        return make_subscribe();
      case Suback:
        return make_suback();
      case Unsubscribe:
        return make_unsubscribe();
      case Unsuback:
        return make_unsuback();
      case Pingreq:
        return mqtt::Pingreq{};
      case Pingresp:
        return mqtt::Pingresp{};
      case Disconnect:
        return make_disconnect();
      case Auth:
        return make_auth();
    }
    return mqtt::Pingreq{};
  }

  mqtt::Connect make_connect() {
    using enum mqtt::PropertyId;
    mqtt::Connect packet;
    packet.version = version_;
    packet.bridge = !is_v5() && random_.chance(20);
    packet.clean_start = random_.chance(50);
    packet.keep_alive_s = static_cast<std::uint16_t>(bits(16));
    packet.client_id = text(0);
    if (random_.chance(50)) {
      packet.will = mqtt::Will{.topic = topic(),
                               .payload = bytes(),
                               .qos = qos(),
                               .retain = random_.chance(50),
                               .properties = properties({PayloadFormatIndicator, MessageExpiryInterval, ContentType,
                                                         ResponseTopic, CorrelationData, WillDelayInterval})};
    }
    if (random_.chance(50)) packet.username = text(0);
    if ((is_v5() || packet.username.has_value()) && random_.chance(50)) packet.password = bytes();
    packet.properties = properties({SessionExpiryInterval, ReceiveMaximum, MaximumPacketSize, TopicAliasMaximum,
                                    RequestProblemInformation, RequestResponseInformation, AuthenticationMethod});
    return packet;
  }

  mqtt::Connack make_connack() {
    using enum mqtt::PropertyId;
    mqtt::Connack packet;
    packet.session_present = random_.chance(30);
    if (!packet.session_present && random_.chance(50)) packet.reason = ReasonCode::NotAuthorized;
    packet.properties = properties({SessionExpiryInterval, AssignedClientIdentifier, ServerKeepAlive, MaximumQos,
                                    RetainAvailable, MaximumPacketSize, ServerReference, ReasonString, ReceiveMaximum});
    return packet;
  }

  mqtt::Publish make_publish() {
    using enum mqtt::PropertyId;
    mqtt::Publish packet;
    packet.qos = qos();
    packet.retain = random_.chance(30);
    packet.payload = bytes();
    if (packet.qos != mqtt::Qos::AtMostOnce) {
      packet.packet_id = packet_id();
      packet.duplicate = random_.chance(30);
    }
    const std::initializer_list<PropertyId> usual = {PayloadFormatIndicator, MessageExpiryInterval, ContentType,
                                                     ResponseTopic, CorrelationData};
    if (is_v5() && random_.chance(20)) {
      packet.properties = properties(usual, {TopicAlias});
      if (random_.chance(50)) packet.topic = topic();
    } else {
      packet.properties = receiver_ == mqtt::Role::Client && random_.chance(50)
                              ? properties(usual, {SubscriptionIdentifier, SubscriptionIdentifier})
                              : properties(usual);
      packet.topic = topic();
    }
    return packet;
  }

  template <mqtt::PacketType kType>
  mqtt::Packet make_acknowledgement(ReasonCode failure) {
    mqtt::Acknowledgement<kType> packet;
    packet.packet_id = packet_id();
    if (is_v5() && random_.chance(30)) packet.reason = failure;
    packet.properties = properties({PropertyId::ReasonString});
    return packet;
  }

  mqtt::Subscribe make_subscribe() {
    mqtt::Subscribe packet;
    packet.packet_id = packet_id();
    packet.properties = properties({PropertyId::SubscriptionIdentifier});
    for (std::size_t left = 1 + random_.below(4); left > 0; --left) {
      mqtt::SubscriptionRequest& request = packet.requests.emplace_back();
      request.filter = text(1);
      request.qos = qos();
      if (!is_v5()) continue;
      request.no_local = random_.chance(50) && !request.filter.starts_with("$share/");
      request.retain_as_published = random_.chance(50);
      request.retain_handling = static_cast<mqtt::RetainHandling>(random_.below(3));
    }
    return packet;
  }

  mqtt::Suback make_suback() {
    static constexpr ReasonCode kReasons[] = {ReasonCode::GrantedQos0, ReasonCode::GrantedQos1, ReasonCode::GrantedQos2,
                                              ReasonCode::UnspecifiedError};
    mqtt::Suback packet;
    packet.packet_id = packet_id();
    packet.properties = properties({PropertyId::ReasonString});
    for (std::size_t left = 1 + random_.below(4); left > 0; --left)
      packet.reasons.push_back(kReasons[random_.below(4)]);
    return packet;
  }

  mqtt::Unsubscribe make_unsubscribe() {
    mqtt::Unsubscribe packet;
    packet.packet_id = packet_id();
    packet.properties = properties({});
    for (std::size_t left = 1 + random_.below(4); left > 0; --left) packet.filters.push_back(text(1));
    return packet;
  }

  mqtt::Unsuback make_unsuback() {
    mqtt::Unsuback packet;
    packet.packet_id = packet_id();
    packet.properties = properties({PropertyId::ReasonString});
    if (is_v5()) packet.reasons.assign(1 + random_.below(4), ReasonCode::NoSubscriptionExisted);
    return packet;
  }

  mqtt::Disconnect make_disconnect() {
    mqtt::Disconnect packet;
    if (is_v5() && random_.chance(50)) packet.reason = ReasonCode::PacketTooLarge;
    packet.properties = properties({PropertyId::ReasonString, PropertyId::ServerReference});
    return packet;
  }

  mqtt::Auth make_auth() {
    using enum mqtt::PropertyId;
    return {.reason = ReasonCode::ContinueAuthentication,
            .properties = properties({AuthenticationData, ReasonString}, {AuthenticationMethod})};
  }

  Random random_;
  mqtt::Role receiver_;
  mqtt::Version version_;
  std::list<std::string> strings_;
  std::list<ByteBuffer> buffers_;
};

}  // namespace furrow::test
