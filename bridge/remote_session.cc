#include "bridge/remote_session.h"

#include <algorithm>
#include <variant>

#include "broker-core/gateway_path.h"
#include "broker-core/limits.h"
#include "broker-core/mqtt/encoder.h"
#include "broker-core/session/publish_encoding.h"

namespace furrow::bridge {

using mqtt::PropertyId;
using mqtt::Version;

namespace {

// A broker that does not answer CONNECT within this time is not one, or cannot.
constexpr Duration kConnackTimeout = std::chrono::seconds(10);
// Fixed header, length and identifier fields, an expiry interval and an alias take less than this.
constexpr std::size_t kPublishOverheadMax = 32;
// Topics that the far broker may abbreviate: it knows which of its topics repeat, and each costs at most 64 KiB here.
constexpr std::uint16_t kReceivedAliasesMax = 64;

std::uint16_t keep_alive_seconds(Duration keep_alive) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(keep_alive).count();
  return static_cast<std::uint16_t>(std::clamp<std::int64_t>(seconds, 0, 0xFFFF));
}

}  // namespace

// --- opening and closing ---

void RemoteSession::open(const Opening& opening, Instant now) {
  FURROW_CHECK(state_ == State::Closed);
  state_ = State::AwaitConnack;
  version_ = opening.version;
  limits_ = options_.known;
  aliases_.reset(0);
  received_aliases_ = {};
  keep_alive_ = options_.keep_alive;
  greeting_.clear();
  connack_due_ = now + kConnackTimeout;
  pong_due_ = kNever;
  last_sent_ = last_received_ = now;
  decoder_.emplace(mqtt::Role::Client,
                   options_.packet_bytes_max == 0 ? mqtt::kRemainingLengthMax : options_.packet_bytes_max);
  decoder_->set_version(version_);

  scratch_.clear();
  mqtt::PropertyWriter writer(scratch_);
  if (options_.session_expiry_s > 0) writer.number(PropertyId::SessionExpiryInterval, options_.session_expiry_s);
  writer.number(PropertyId::ReceiveMaximum, options_.receive_maximum);
  if (options_.packet_bytes_max > 0) writer.number(PropertyId::MaximumPacketSize, options_.packet_bytes_max);
  writer.number(PropertyId::TopicAliasMaximum, kReceivedAliasesMax);
  if (!options_.gateway_id.empty()) writer.user(broker::kGatewayProperty, options_.gateway_id);

  mqtt::Connect connect;
  connect.version = version_;
  connect.bridge = opening.bridge_bit;
  // In 3.1.1 a clean session is the only one that ends with its connection.
  connect.clean_start = version_ != Version::V5 && options_.session_expiry_s == 0;
  connect.keep_alive_s = keep_alive_seconds(keep_alive_);
  connect.client_id = options_.client_id;
  if (opening.will) {
    connect.will = mqtt::Will{.topic = opening.will->topic,
                              .payload = as_bytes(opening.will->payload),
                              .qos = mqtt::Qos::AtLeastOnce,
                              .retain = true,
                              .properties = {}};
  }
  if (options_.username) connect.username = *options_.username;
  // 3.1.1 has no password without a user name [MQTT-3.1.2-22].
  if (opening.password && (version_ == Version::V5 || options_.username)) {
    connect.password = as_bytes(*opening.password);
  }
  if (version_ == Version::V5) connect.properties = mqtt::PropertyView::from_valid(scratch_.view());
  mqtt::encode(connect, output_);
}

void RemoteSession::close() {
  state_ = State::Closed;
  output_.clear();
}

// --- reading ---

void RemoteSession::handle_bytes(ByteView bytes, Instant now) {
  last_received_ = now;
  pong_due_ = kNever;
  if (state_ == State::AwaitConnack) note_greeting(bytes);
  mqtt::ProtocolError error;
  while (state_ != State::Closed) {
    switch (decoder_->next(bytes, packet_, error)) {
      case mqtt::Decoder::Step::NeedMore:
        return;
      case mqtt::Decoder::Step::Malformed:
        handle_malformed(error, now);
        return;
      case mqtt::Decoder::Step::Decoded:
        break;
    }
    // [MQTT-3.2.0-1], [MQTT-3.2.0-2]: CONNACK is the first packet, and only that.
    if (std::holds_alternative<mqtt::Connack>(packet_) != (state_ == State::AwaitConnack)) {
      handle_out_of_place(now);
      return;
    }
    std::visit([&](const auto& packet) { handle(packet, now); }, packet_);
  }
}

void RemoteSession::note_greeting(ByteView bytes) {
  const std::size_t missing = kGreetingBytes - std::min(kGreetingBytes, greeting_.size());
  greeting_.append(bytes.first(std::min(missing, bytes.size())));
}

void RemoteSession::handle_malformed(const mqtt::ProtocolError& error, Instant now) {
  constexpr std::uint8_t kConnack = 0x20;
  if (state_ == State::AwaitConnack && *greeting_.data() != kConnack) {
    handler_.handle_stranger(recognize(greeting_.view()), now);
  } else {
    lose(error.what, now);
  }
}

// CONNACK that is not the first packet, or another one that is. A text may look like a PUBLISH by accident.
void RemoteSession::handle_out_of_place(Instant now) {
  const Stranger stranger = recognize(greeting_.view());
  if (connected()) {
    lose("a second CONNACK came", now);
  } else if (stranger != Stranger::Unknown) {
    handler_.handle_stranger(stranger, now);
  } else {
    lose("the first packet was not CONNACK", now);
  }
}

void RemoteSession::handle(const mqtt::Connack& packet, Instant now) {
  if (packet.reason != mqtt::ReasonCode::Success) {
    handler_.handle_refused(packet, now);
    return;
  }
  if (version_ == Version::V5) read_limits(packet.properties);
  state_ = State::Connected;
  connack_due_ = kNever;
  handler_.handle_accepted(packet.session_present, now);
}

void RemoteSession::read_limits(mqtt::PropertyView properties) {
  for (const mqtt::Property& property : properties) {
    switch (property.id) {
      case PropertyId::ReceiveMaximum:
        limits_.receive_maximum = std::min(limits_.receive_maximum, static_cast<std::uint16_t>(property.number));
        break;
      case PropertyId::MaximumQos:
        limits_.maximum_qos = std::min(limits_.maximum_qos, static_cast<mqtt::Qos>(property.number));
        break;
      case PropertyId::RetainAvailable:
        limits_.retain_available = limits_.retain_available && property.number != 0;
        break;
      case PropertyId::SubscriptionIdentifierAvailable:
        limits_.subscription_ids_available = property.number != 0;
        break;
      case PropertyId::MaximumPacketSize:
        limits_.packet_bytes_max = std::min(limits_.packet_bytes_max, property.number);
        break;
      case PropertyId::TopicAliasMaximum:
        aliases_.reset(static_cast<std::uint16_t>(property.number));
        break;
      case PropertyId::ServerKeepAlive:
        keep_alive_ = keep_alive_with(property.number);
        break;
      case PropertyId::AssignedClientIdentifier:
        options_.client_id = property.text;
        break;
      default:
        break;
    }
  }
}

// The server's keep-alive says how long it waits for us [MQTT-3.2.2-21]; more often is always allowed. Our own says how
// soon we notice that the connection is dead, which a server that asks for less, or for none, must not put off.
Duration RemoteSession::keep_alive_with(std::uint32_t server_s) const {
  const Duration servers = std::chrono::seconds(server_s);
  if (servers == Duration::zero()) return options_.keep_alive;
  return options_.keep_alive == Duration::zero() ? servers : std::min(options_.keep_alive, servers);
}

void RemoteSession::handle(const mqtt::Publish& packet, Instant now) {
  const auto alias = version_ == Version::V5 ? packet.properties.number(PropertyId::TopicAlias) : std::nullopt;
  if (!alias) {
    handler_.handle_publish(packet, now);
    return;
  }
  if (*alias > kReceivedAliasesMax) {
    lose("a topic alias came that we did not allow", now);  // [MQTT-3.1.2-26]
    return;
  }
  const auto number = static_cast<std::uint16_t>(*alias);
  if (!packet.topic.empty()) received_aliases_.set(number, packet.topic);
  mqtt::Publish named = packet;
  named.topic = received_aliases_.topic(number);
  if (named.topic.empty()) {
    lose("a topic alias came that was not assigned", now);
    return;
  }
  handler_.handle_publish(named, now);
}

void RemoteSession::handle(const mqtt::Disconnect& packet, Instant now) {
  handler_.handle_lost(describe(packet), packet.reason, now);
}

// --- time ---

// Keep-alive asks that we send something within each interval [MQTT-3.1.2-20]. We also ask when nothing came, however
// much we send: a connection that is dead on the way back looks alive otherwise.
Instant RemoteSession::ping_due() const {
  return std::min(last_sent_, last_received_) + keep_alive_;
}

Instant RemoteSession::deadline() const {
  if (state_ == State::Closed) return kNever;
  if (state_ == State::AwaitConnack) return connack_due_;
  if (keep_alive_ == Duration::zero()) return kNever;
  return pong_due_ != kNever ? pong_due_ : ping_due();
}

void RemoteSession::handle_timeout(bool reading_paused, Instant now) {
  if (deadline() > now) return;
  if (state_ == State::AwaitConnack) {
    if (greeting_.empty()) {
      handler_.handle_silence(now);
    } else {
      handler_.handle_stranger(recognize(greeting_.view()), now);
    }
  } else if (pong_due_ != kNever && !reading_paused) {
    lose("no PINGRESP within " + std::to_string(keep_alive_seconds(keep_alive_)) + " s", now);
  } else {
    if (pong_due_ == kNever) mqtt::encode(mqtt::Pingreq{}, version_, output_);
    pong_due_ = now + keep_alive_;
  }
}

// --- writing ---

bool RemoteSession::writable() const {
  return connected() && output_.size() < broker::kOutputBytesMax;
}

bool RemoteSession::fits(const broker::Message::Fields& fields, const broker::Delivery& delivery, Instant now) const {
  if (!limits_.take(fields.topic)) return false;
  const std::size_t bytes = fields.topic.size() + fields.properties.bytes().size() + fields.payload.size();
  if (bytes + kPublishOverheadMax <= limits_.packet_bytes_max && bytes < mqtt::kRemainingLengthMax / 2) return true;
  ByteBuffer encoded;
  return broker::encode_publish(fields, delivery, version_, now, limits_.packet_bytes_max, encoded);
}

bool RemoteSession::write_publish(broker::Message::Fields fields, broker::Delivery delivery, Instant now) {
  if (!limits_.take(fields.topic)) return false;
  delivery.retain = delivery.retain && limits_.retain_available;  // [MQTT-3.2.2-14]
  if (version_ != Version::V5) {
    return broker::encode_publish(fields, delivery, version_, now, limits_.packet_bytes_max, output_);
  }
  return broker::encode_aliased_publish(fields, delivery, now, limits_.packet_bytes_max, aliases_, scratch_, output_);
}

void RemoteSession::write_acknowledgement(mqtt::PacketType type, PacketId packet_id, mqtt::ReasonCode reason) {
  if (connected()) mqtt::encode_acknowledgement(type, packet_id, reason, {}, version_, output_);
}

void RemoteSession::write_subscribe(PacketId packet_id, const mqtt::SubscriptionRequest& request,
                                    std::uint32_t subscription_id) {
  mqtt::Subscribe subscribe;
  subscribe.packet_id = packet_id;
  subscribe.requests.push_back(request);
  ByteBuffer properties;
  if (version_ == Version::V5 && limits_.subscription_ids_available) {
    mqtt::PropertyWriter(properties).number(PropertyId::SubscriptionIdentifier, subscription_id);
    subscribe.properties = mqtt::PropertyView::from_valid(properties.view());
  }
  mqtt::encode(subscribe, version_, output_);
}

void RemoteSession::write_unsubscribe(PacketId packet_id, std::string_view filter) {
  mqtt::Unsubscribe unsubscribe;
  unsubscribe.packet_id = packet_id;
  unsubscribe.filters.push_back(filter);
  mqtt::encode(unsubscribe, version_, output_);
}

void RemoteSession::write_disconnect() {
  if (connected()) mqtt::encode(mqtt::Disconnect{}, version_, output_);
  state_ = State::Closed;  // nothing may follow it [MQTT-3.14.4-1]
}

}  // namespace furrow::bridge
