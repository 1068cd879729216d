// The handlers of a client's packets: CONNECT, PUBLISH and its acknowledgements, SUBSCRIBE, UNSUBSCRIBE, DISCONNECT.
#include <algorithm>
#include <limits>

#include "broker-core/connection.h"
#include "broker-core/gateway_path.h"
#include "broker-core/message_id.h"
#include "broker-core/mqtt/encoder.h"
#include "broker-core/mqtt/topic.h"
#include "broker-core/reason_string.h"
#include "broker-core/router.h"
#include "broker-core/sessions.h"

namespace furrow::broker {

namespace {

using mqtt::PacketType;
using mqtt::PropertyId;
using mqtt::Qos;
using mqtt::ReasonCode;
using mqtt::Version;

// A topic of n levels has at least n - 1 bytes, so that short ones need not be counted.
bool is_too_deep(std::string_view topic, std::uint32_t levels_max) {
  return levels_max > 0 && topic.size() >= levels_max && mqtt::level_count(topic) > levels_max;
}

bool is_too_long(std::string_view topic, std::uint32_t bytes_max) {
  return bytes_max > 0 && topic.size() > bytes_max;
}

bool has_too_many_user_properties(mqtt::PropertyView properties, std::uint32_t maximum) {
  if (maximum == 0) return false;
  std::uint32_t count = 0;
  for (const mqtt::Property& property : properties) count += property.id == PropertyId::UserProperty ? 1U : 0U;
  return count > maximum;
}

// Whether a client may subscribe with the filter, or unsubscribe [MQTT-4.7.1-1, -2, MQTT-4.7.3-1, MQTT-4.8.2-1, -2].
bool is_well_formed(std::string_view filter) {
  mqtt::SharedFilter parts;
  const bool shared = mqtt::parse_shared(filter, parts);
  return shared ? !parts.group.empty() : mqtt::is_valid_filter(filter);
}

// Topics that begin with `$` are the server's own [MQTT-4.7.2-1].
bool is_reserved(std::string_view topic) {
  return topic.starts_with('$');
}

// A topic on which a bridge says whether it is connected: Mosquitto's do, unless told not to. A client may have one
// among the reserved topics, that of its will, because it says the same by both.
bool is_bridge_notice(std::string_view topic) {
  constexpr std::string_view kPrefix = "$SYS/broker/connection/";
  constexpr std::string_view kSuffix = "/state";
  return topic.size() > kPrefix.size() + kSuffix.size() && topic.starts_with(kPrefix) && topic.ends_with(kSuffix);
}

// Whether the property of a PUBLISH or a will belongs to the message, not to its delivery to us.
bool is_forwarded(PropertyId id) {
  switch (id) {
    case PropertyId::MessageExpiryInterval:  // kept apart, since it runs down
    case PropertyId::WillDelayInterval:
    case PropertyId::TopicAlias:
      return false;
    default:
      return true;
  }
}

// The properties that every receiver gets, in their order [MQTT-3.3.2-18]: the list itself when it has no others,
// else a copy in `scratch`.
mqtt::PropertyView forwarded_of(mqtt::PropertyView properties, ByteBuffer& scratch) {
  bool all = true;
  for (const mqtt::Property& property : properties) all = all && is_forwarded(property.id);
  if (all) return properties;
  for (const mqtt::Property& property : properties) {
    if (is_forwarded(property.id)) scratch.append(property.encoded);
  }
  return mqtt::PropertyView::from_valid(scratch.view());
}

std::unique_ptr<Will> make_will(const mqtt::Will& will) {
  ByteBuffer scratch;
  const ByteView forwarded = without_id(forwarded_of(will.properties, scratch), scratch).bytes();
  auto message = std::make_unique<Will>();
  message->topic = will.topic;
  message->payload.assign(will.payload.begin(), will.payload.end());
  message->properties.assign(forwarded.begin(), forwarded.end());
  message->expiry_s = will.properties.number(PropertyId::MessageExpiryInterval);
  message->delay_s = will.properties.number(PropertyId::WillDelayInterval).value_or(0);
  message->qos = will.qos;
  message->retain = will.retain;
  return message;
}

// Whether a client without an identifier is given one. Only 5.0 can tell the client which, so in 3.1.1 the session may
// not outlive the connection [MQTT 3.1.1: MQTT-3.1.3-8]; 3.1 asks for 1 to 23 characters.
bool may_assign_client_id(const mqtt::Connect& packet) {
  return packet.version == Version::V5 || (packet.version == Version::V3_1_1 && packet.clean_start);
}

// The reason why the will is refused; nothing when it is not.
std::optional<mqtt::ProtocolError> fault_of(const mqtt::Will& will, const Limits& limits, const RetainedStore& retained,
                                            Stats& stats) {
  using Fault = mqtt::ProtocolError;
  if (is_too_deep(will.topic, limits.topic_levels)) {
    ++stats.topic_levels_over_limit;
    return Fault{ReasonCode::TopicNameInvalid, "the will topic has more levels than limits.topic_levels"};
  }
  if (is_too_long(will.topic, limits.topic_bytes)) {
    ++stats.topics_over_limit;
    return Fault{ReasonCode::TopicNameInvalid, "the will topic is longer than limits.topic"};
  }
  if (is_reserved(will.topic) && !is_bridge_notice(will.topic)) {
    return Fault{ReasonCode::NotAuthorized, "the will topic begins with $"};
  }
  if (retained.is_own(will.topic)) {
    return Fault{ReasonCode::NotAuthorized, "the will topic is the state of a bridge of this gateway"};
  }
  if (has_too_many_user_properties(will.properties, limits.user_properties)) {
    ++stats.user_properties_over_limit;
    return Fault{ReasonCode::QuotaExceeded, "the will has more user properties than limits.user_properties"};
  }
  return std::nullopt;
}

// The reason why the CONNECT is refused; nothing when it is not.
std::optional<mqtt::ProtocolError> fault_of(const mqtt::Connect& packet, const Limits& limits,
                                            const RetainedStore& retained, Stats& stats) {
  using Fault = mqtt::ProtocolError;
  if (packet.properties.text(PropertyId::AuthenticationMethod)) {
    return Fault{ReasonCode::BadAuthenticationMethod, "no enhanced authentication is supported"};
  }
  if (packet.client_id.empty() && !may_assign_client_id(packet)) {
    return Fault{ReasonCode::ClientIdentifierNotValid, "no client identifier"};
  }
  if (limits.client_id_bytes > 0 && packet.client_id.size() > limits.client_id_bytes) {
    ++stats.client_ids_over_limit;
    return Fault{ReasonCode::ClientIdentifierNotValid, "the client identifier is longer than limits.client_id"};
  }
  return packet.will ? fault_of(*packet.will, limits, retained, stats) : std::nullopt;
}

// How long the client wants its session to outlive the connection. Before 5.0 a session that is kept is kept for good
// [MQTT 3.1.1 §3.1.2.4].
std::uint32_t expiry_asked_s(const mqtt::Connect& packet) {
  if (packet.version == Version::V5) return packet.properties.number(PropertyId::SessionExpiryInterval).value_or(0);
  return packet.clean_start ? 0 : kExpiryNever;
}

std::uint32_t expiry_granted_s(std::uint32_t asked_s, Duration limit) {
  if (limit == Duration::zero()) return asked_s;
  const auto limit_s = std::chrono::duration_cast<std::chrono::seconds>(limit).count();
  return static_cast<std::uint32_t>(std::min<std::int64_t>(asked_s, limit_s));
}

// A client of 5.0 can be told another keep-alive than it asked for [MQTT-3.2.2-22]; one of 3.1.1 keeps its own.
std::uint16_t keep_alive_granted_s(const mqtt::Connect& packet, Duration limit) {
  if (packet.version != Version::V5 || limit == Duration::zero()) return packet.keep_alive_s;
  const auto limit_s = static_cast<std::uint16_t>(std::chrono::duration_cast<std::chrono::seconds>(limit).count());
  return packet.keep_alive_s == 0 ? limit_s : std::min(packet.keep_alive_s, limit_s);
}

PacketType acknowledgement_of(Qos qos) {
  return qos == Qos::AtLeastOnce ? PacketType::Puback : PacketType::Pubrec;
}

}  // namespace

// --- CONNECT ---

void Connection::handle(const mqtt::Connect& packet, Instant now) {
  packet_bytes_max_ = packet.properties.number(PropertyId::MaximumPacketSize).value_or(mqtt::kRemainingLengthMax);
  if (const auto aliases_max = packet.properties.number(PropertyId::TopicAliasMaximum).value_or(0)) {
    extras().aliases = std::make_unique<Aliases>();
    aliases()->assigned.reset(static_cast<std::uint16_t>(std::min<std::uint32_t>(aliases_max, kTopicAliasesMax)));
  }
  if (const std::string_view gateway = gateway_of(packet.properties); !gateway.empty()) extras().gateway = gateway;
  if (const auto fault = fault_of(packet, shared_.limits, shared_.router.retained(), shared_.stats)) {
    refuse_connect(fault->reason, fault->what, packet.client_id, now);
    return;
  }
  tells_problems_ =
      version() == Version::V5 && packet.properties.number(PropertyId::RequestProblemInformation).value_or(1) != 0;
  log_in(packet, now);
}

void Connection::refuse_connect(ReasonCode reason, std::string_view why, std::string_view client_id, Instant now) {
  shared_.log.write(LogLevel::Warning, "connection.refused",
                    {{"client", client_id}, {"peer", peer()}, {"reason", name(reason)}, {"why", why}});
  answer_refused(reason, why, now);
}

void Connection::answer_refused(ReasonCode reason, std::string_view why, Instant now) {
  ++shared_.stats.connects_refused;
  const bool fits = encode_with_reason(why, packet_bytes_max_, output_, [&](mqtt::PropertyView properties) {
    encode(mqtt::Connack{false, reason, properties}, version(), output_);
  });
  if (fits) {
    ++shared_.stats.packets_sent;
  } else {
    output_.clear();  // [MQTT-3.1.2-24]
  }
  start_closing(false, now);
}

void Connection::accept_connect(const mqtt::Connect& packet, const std::string& client_id, const Identity& identity,
                                Instant now) {
  if (packet.will && !may_leave_will(*packet.will, client_id, identity)) {
    ++shared_.stats.wills_not_authorized;
    shared_.limit_log.write_refused("will", client_id, identity.user, packet.will->topic, now);
    refuse_connect(ReasonCode::NotAuthorized, "no access rule grants the will topic", client_id, now);
    return;
  }
  const Limits& limits = shared_.limits;
  keep_alive_s_ = keep_alive_granted_s(packet, limits.keep_alive_max);
  bridge_ = packet.bridge;
  const std::uint32_t asked_s = expiry_asked_s(packet);
  const std::uint32_t granted_s = expiry_granted_s(asked_s, limits.session_expiry_max);
  const Sessions::Opened opened = shared_.sessions.open({.client_id = client_id,
                                                         .identity = identity,
                                                         .clean_start = packet.clean_start,
                                                         .expiry_s = granted_s,
                                                         .will = packet.will ? make_will(*packet.will) : nullptr},
                                                        now);
  session_ = &opened.session;
  session_->attach(*this);
  state_ = State::Connected;
  connected_at_s_ =
      static_cast<std::uint32_t>(std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count());
  handle_limits_changed();  // those of a client, not of a stranger
  last_received_ = now;
  arm(deadline());
  ++shared_.stats.connects_accepted;

  Held held;
  held.until = session_->stored_in();
  held.session_starts = true;
  held.session_present = opened.present;
  held.receive_maximum = static_cast<std::uint16_t>(
      packet.properties.number(PropertyId::ReceiveMaximum).value_or(std::numeric_limits<std::uint16_t>::max()));
  held.response = connack(packet, client_id, opened.present,
                          granted_s == asked_s ? std::nullopt : std::optional<std::uint32_t>(granted_s));
  hold(std::move(held), now);
}

ByteBuffer Connection::connack(const mqtt::Connect& packet, const std::string& client_id, bool session_present,
                               std::optional<std::uint32_t> expiry_cut_s) const {
  const Limits& limits = shared_.limits;
  ByteBuffer properties;
  mqtt::PropertyWriter writer(properties);
  if (expiry_cut_s) writer.number(PropertyId::SessionExpiryInterval, *expiry_cut_s);
  writer.number(PropertyId::ReceiveMaximum, limits.inflight);
  if (limits.packet_bytes > 0) writer.number(PropertyId::MaximumPacketSize, limits.packet_bytes);
  writer.number(PropertyId::TopicAliasMaximum, kTopicAliasesMax);
  if (keep_alive_s_ != packet.keep_alive_s) writer.number(PropertyId::ServerKeepAlive, keep_alive_s_);
  if (packet.client_id.empty()) writer.text(PropertyId::AssignedClientIdentifier, client_id);

  mqtt::Connack connack;
  connack.session_present = session_present && version() != Version::V3_1;  // a reserved bit there
  connack.properties = mqtt::PropertyView::from_valid(properties.view());
  ByteBuffer bytes;
  encode(connack, version(), bytes);
  return bytes;
}

// --- PUBLISH ---

std::string_view Connection::topic_of(const mqtt::Publish& packet, Instant now) {
  const auto alias = packet.properties.number(PropertyId::TopicAlias);
  if (!alias) return packet.topic;
  if (*alias > kTopicAliasesMax) {
    reject(ReasonCode::TopicAliasInvalid, "the topic alias is above the maximum", now);  // [MQTT-3.3.2-9]
    return {};
  }
  if (aliases() == nullptr) extras().aliases = std::make_unique<Aliases>();
  const auto number = static_cast<std::uint16_t>(*alias);
  if (!packet.topic.empty()) aliases()->received.set(number, packet.topic);
  const std::string_view topic = aliases()->received.topic(number);
  if (topic.empty()) reject(ReasonCode::ProtocolError, "the topic alias was not assigned", now);  // [MQTT 5.0 §3.3.4]
  return topic;
}

// The gateway's bridges have such topics too, perhaps since the CONNECT.
bool Connection::is_own_notice(std::string_view topic) const {
  const Will* const will = session_->record().will.get();
  return will != nullptr && will->topic == topic && !shared_.router.retained().is_own(topic);
}

bool Connection::publish_allowed(const mqtt::Publish& packet, std::string_view topic, Instant now) {
  const Limits& limits = shared_.limits;
  const bool v5 = version() == Version::V5;
  const bool acknowledged = packet.qos != Qos::AtMostOnce;
  if (v5 && acknowledged) {
    if (inbound_ >= std::max(limits.inflight, kUnacknowledgedMax)) {
      ++shared_.stats.inflight_over_limit;
      reject(ReasonCode::ReceiveMaximumExceeded, "more unacknowledged messages than receive maximum, limits.inflight",
             now);
      return false;  // [MQTT-3.3.4-9]
    }
    ++inbound_;
  }
  if (is_too_deep(topic, limits.topic_levels)) {
    ++shared_.stats.topic_levels_over_limit;
    if (v5 && acknowledged) {
      note_limit("limits.topic_levels", "PUBLISH refused", now);
      refuse_publish(packet, ReasonCode::TopicNameInvalid);
    } else {
      reject(ReasonCode::TopicNameInvalid, "the topic has more levels than limits.topic_levels", now);
    }
    return false;
  }
  if (is_too_long(topic, limits.topic_bytes)) {
    ++shared_.stats.topics_over_limit;
    if (v5 && acknowledged) {
      note_limit("limits.topic", "PUBLISH refused", now);
      refuse_publish(packet, ReasonCode::TopicNameInvalid);
    } else {
      reject(ReasonCode::TopicNameInvalid, "the topic is longer than limits.topic", now);
    }
    return false;
  }
  if (!may_publish(topic, packet.retain)) {
    refuse_forbidden(packet, topic, now);
    return false;
  }
  if (v5 && has_too_many_user_properties(packet.properties, limits.user_properties)) {
    ++shared_.stats.user_properties_over_limit;
    if (!acknowledged) ++shared_.stats.dropped_over_limit;
    note_limit("limits.user_properties", "PUBLISH refused", now);
    refuse_publish(packet, ReasonCode::QuotaExceeded);
    return false;
  }
  return true;
}

bool Connection::may_publish(std::string_view topic, bool retain) const {
  return session_->may_publish(topic, retain) || (is_reserved(topic) && is_own_notice(topic));
}

// Before 5.0 a refusal cannot be said, other than by closing [MQTT 3.1.1: MQTT-3.3.5-2].
void Connection::refuse_forbidden(const mqtt::Publish& packet, std::string_view topic, Instant now) {
  ++shared_.stats.dropped_not_authorized;
  log_refused("publish", topic, now);
  const bool v5 = version() == Version::V5;
  if (!v5 && shared_.forbidden_disconnects) {
    leave(LogLevel::Info, ReasonCode::NotAuthorized, "a message was forbidden, and access.denied is disconnect", now);
    return;
  }
  refuse_publish(packet, v5 ? ReasonCode::NotAuthorized : ReasonCode::Success);
}

void Connection::log_refused(std::string_view action, std::string_view topic, Instant now) {
  shared_.limit_log.write_refused(action, session_->client_id(), session_->identity().user, topic, now);
}

// A reserved topic was looked at before. The session is not there yet.
bool Connection::may_leave_will(const mqtt::Will& will, const std::string& client_id, const Identity& identity) const {
  if (!shared_.access.has_rules() || is_reserved(will.topic)) return true;
  const access::Subject subject{
      .user = identity.user, .client = client_id, .listener = identity.listener, .address = address()};
  const access::Rights rights(shared_.access.rules(), subject, {});
  return rights.publish(will.topic, will.retain).is_granted();
}

void Connection::note_limit(std::string_view key, std::string_view what, Instant now) {
  shared_.limit_log.write(key, session_->client_id(), what, now);
}

void Connection::refuse_publish(const mqtt::Publish& packet, ReasonCode reason) {
  if (packet.qos == Qos::AtMostOnce) return;
  acknowledgements().pass(acknowledgement_of(packet.qos), packet.packet_id, reason);
}

mqtt::PropertyView Connection::noting_path(const Message::Fields& fields, ByteBuffer& scratch) {
  const std::string_view from = extras_ ? std::string_view(extras_->gateway) : std::string_view();
  if (from.empty() && fields.properties.empty()) return fields.properties;
  mqtt::PropertyView properties = fields.properties;
  if (from.empty()) {
    // Clients that send on what they have got, properties and all, mean another message.
    if (shared_.router.in_mesh()) properties = without_id(properties, scratch);
    if (path_of(properties).empty()) return properties;
  }
  if (shared_.gateway_id.empty() || !shared_.router.guards_path(fields.topic, session_->subscriber())) {
    return properties;
  }
  return passed_on(properties, from, shared_.gateway_id, scratch);
}

void Connection::handle(const mqtt::Publish& packet, Instant now) {
  Stats& stats = shared_.stats;
  ++stats.publishes_received;
  stats.payload_bytes_received += packet.payload.size();
  const std::string_view topic = packet.properties.empty() ? packet.topic : topic_of(packet, now);
  if (topic.empty()) return;
  if (packet.qos != Qos::AtMostOnce) {
    if (handle_repeated(packet)) return;
    if (window_used_up()) {
      put_off(packet);
      return;
    }
  }
  pace(packet, topic, now);
  if (!publish_allowed(packet, topic, now)) return;
  ByteBuffer scratch;
  Message::Fields fields{.topic = topic,
                         .payload = packet.payload,
                         .properties = {},
                         .expiry_s = std::nullopt,
                         .received = now,
                         .qos = packet.qos,
                         .retain = packet.retain};
  if (!packet.properties.empty()) {
    fields.properties = forwarded_of(packet.properties, scratch);
    fields.expiry_s = packet.properties.number(PropertyId::MessageExpiryInterval);
  }
  fields.properties = noting_path(fields, scratch);
  switch (packet.qos) {
    case Qos::AtMostOnce: {
      const Router::Published published = shared_.router.publish(fields, session_->subscriber(), {}, nullptr, now);
      if (published.refused) ++stats.dropped_refused;
      if (published.retained_limit != nullptr) note_limit(published.retained_limit, "value not retained", now);
      break;
    }
    case Qos::AtLeastOnce:
      publish_at_least_once(packet, fields, now);
      break;
    case Qos::ExactlyOnce:
      publish_exactly_once(packet, fields, now);
      break;
  }
}

// A message of QoS 2 is repeated also without DUP, and until its PUBREL [MQTT-4.3.3-10]. The identifier of one that was
// routed is remembered from before the PUBREC on, in the store if the session is there.
bool Connection::handle_repeated(const mqtt::Publish& packet) {
  const bool exactly_once = packet.qos == Qos::ExactlyOnce;
  if (packet.duplicate || (exactly_once && held_publishes() > 0)) {
    if (acknowledgements_ && acknowledgements_->awaits(acknowledgement_of(packet.qos), packet.packet_id)) return true;
  }
  if (!exactly_once || !session_->received_contains(packet.packet_id)) return false;
  AckTicket waiting = ticket(PacketType::Pubrec, packet.packet_id);
  if (session_->durable()) {
    // The message may have come by an earlier connection, and not be stored yet.
    shared_.journal.complete_when_durable(std::move(waiting));
  } else {
    waiting.complete(ReasonCode::Success);
  }
  return true;
}

void Connection::publish_at_least_once(const mqtt::Publish& packet, const Message::Fields& fields, Instant now) {
  AckTicket waiting = ticket(PacketType::Puback, packet.packet_id);
  (void)publish_or_refuse(packet, fields, std::move(waiting), nullptr, now);
}

bool Connection::publish_or_refuse(const mqtt::Publish& packet, const Message::Fields& fields, AckTicket ticket,
                                   const ExchangeRow* exchange, Instant now) {
  const bool behind_others = held_publishes() > 0;
  const Router::Published published =
      behind_others ? Router::Published{.refused = true}
                    : shared_.router.publish(fields, session_->subscriber(), ticket, exchange, now);
  if (published.retained_limit != nullptr) note_limit(published.retained_limit, "value not retained", now);
  if (!published.refused) return true;
  if (version() == Version::V5) {
    ticket.complete(published.reason);
    return false;
  }
  // Before 5.0 a refusal cannot be said: the message waits, unacknowledged, until there is room.
  std::unique_ptr<HeldPublishes>& waiting = extras().held_publishes;
  HeldPublishes::Owner& self = *this;
  if (!waiting) waiting = std::make_unique<HeldPublishes>(shared_.router, session_->subscriber(), self);
  waiting->push(fields, std::move(ticket), exchange, packet.packet_id);
  if (waiting->size() > shared_.limits.inflight && waiting->bytes() > kHeldBytesMax) {
    ++shared_.stats.inflight_over_limit;
    reject(ReasonCode::QuotaExceeded, "more unacknowledged messages than limits.inflight", now);
  }
  return false;
}

bool Connection::still_allowed(const HeldPublishes::Held& held) {
  if (may_publish(held.message->topic(), held.message->retain())) return true;
  ++shared_.stats.dropped_not_authorized;
  return false;
}

void Connection::handle_taken(const HeldPublishes::Held& held, bool) {
  if (held.message->qos() == Qos::ExactlyOnce) session_->received_insert(held.packet_id);
}

void Connection::publish_exactly_once(const mqtt::Publish& packet, const Message::Fields& fields, Instant now) {
  AckTicket waiting = ticket(PacketType::Pubrec, packet.packet_id);
  const ExchangeRow row{
      session_->record().queue, ExchangeRow::Direction::Inbound, packet.packet_id, ExchangeRow::State::Published, {}};
  if (publish_or_refuse(packet, fields, std::move(waiting), session_->durable() ? &row : nullptr, now)) {
    session_->received_insert(packet.packet_id);
  }
}

void Connection::handle(const mqtt::Pubrel& packet, Instant) {
  Journal& journal = shared_.journal;
  const bool known = session_->received_erase(packet.packet_id);
  const bool durable = session_->durable();
  if (known && durable) {
    // A client may not, and some do, go on before PUBREC: then the message still waits to be stored.
    if (acknowledgements().awaits(PacketType::Pubrec, packet.packet_id)) {
      journal.release_identifiers(session_->record().queue, {packet.packet_id});
    }
    journal.put(ExchangeRow{
        session_->record().queue, ExchangeRow::Direction::Inbound, packet.packet_id, ExchangeRow::State::Erased, {}});
  }
  // From PUBCOMP on the client may use the identifier for another message, so it must be forgotten for good by then.
  // A PUBREL that comes again may find it forgotten, but not yet in the store.
  if (durable && (known || !journal.idle())) {
    journal.complete_with_rows(ticket(PacketType::Pubcomp, packet.packet_id));
    return;
  }
  const bool says_unknown = !known && version() == Version::V5;
  acknowledgements().pass(PacketType::Pubcomp, packet.packet_id,
                          says_unknown ? ReasonCode::PacketIdentifierNotFound : ReasonCode::Success);
}

// --- acknowledgements of what we sent ---

void Connection::handle(const mqtt::Puback& packet, Instant now) {
  Inflight* inflight = session_->inflight();
  if (inflight != nullptr && inflight->handle_puback(packet.packet_id, packet.reason, now)) {
    session_->pump(now);
  } else {
    reject_unexpected(packet.packet_id, now);
  }
}

void Connection::handle(const mqtt::Pubrec& packet, Instant now) {
  Inflight* inflight = session_->inflight();
  if (inflight != nullptr && inflight->handle_pubrec(packet.packet_id, packet.reason, now)) {
    session_->pump(now);
    return;
  }
  // A failure has ended the exchange on the client's side too.
  if (reject_unexpected(packet.packet_id, now) || is_error(packet.reason)) return;
  write_pubrel(packet.packet_id, version() == Version::V5 ? ReasonCode::PacketIdentifierNotFound : ReasonCode::Success);
}

void Connection::handle(const mqtt::Pubcomp& packet, Instant now) {
  Inflight* inflight = session_->inflight();
  if (inflight != nullptr && inflight->handle_pubcomp(packet.packet_id, now)) {
    session_->pump(now);
  } else {
    reject_unexpected(packet.packet_id, now);
  }
}

// Rejects an acknowledgement that its exchange does not expect. False when there is no such exchange: the caller
// decides.
bool Connection::reject_unexpected(PacketId packet_id, Instant now) {
  Inflight* inflight = session_->inflight();
  if (inflight == nullptr || !inflight->contains(packet_id)) return false;
  reject(ReasonCode::ProtocolError, "not the acknowledgement that its message waits for", now);
  return true;
}

// --- subscriptions ---

void Connection::handle(const mqtt::Subscribe& packet, Instant now) {
  if (!std::ranges::all_of(packet.requests, is_well_formed, &mqtt::SubscriptionRequest::filter)) {
    reject(ReasonCode::MalformedPacket, "a topic filter is not well-formed", now);  // [MQTT-4.13.1-1]
    return;
  }
  const std::uint32_t id = packet.properties.number(PropertyId::SubscriptionIdentifier).value_or(0);
  mqtt::Suback suback;
  suback.packet_id = packet.packet_id;
  Held held;
  bool changed = false;
  for (const mqtt::SubscriptionRequest& request : packet.requests) {
    suback.reasons.push_back(subscribe(request, id, now, changed));
  }
  const auto refused = std::ranges::find_if(suback.reasons, mqtt::is_error);
  const bool has_why = refused != suback.reasons.end() && tells_problems_;
  const bool by_quota = has_why && *refused == ReasonCode::QuotaExceeded;
  const std::string quota = by_quota ? std::string(subscription_limit()) + " is reached" : std::string();
  const std::string_view why = by_quota  ? quota
                               : has_why ? explanation(*refused, shared_.access.has_rules())
                                         : std::string_view();
  (void)encode_with_reason(why, packet_bytes_max_, held.response, [&](mqtt::PropertyView properties) {
    suback.properties = properties;
    encode(suback, version(), held.response);
  });
  if (changed && session_->durable()) session_->store();
  held.until = session_->stored_in();
  hold(std::move(held), now);
}

std::string_view Connection::subscription_limit() const {
  const std::uint32_t limit = shared_.limits.subscriptions;
  const bool has_all = limit > 0 && session_->record().subscriptions.size() >= limit;
  return has_all ? "limits.subscriptions" : "limits.memory";
}

ReasonCode Connection::subscribe(const mqtt::SubscriptionRequest& request, std::uint32_t subscription_id, Instant now,
                                 bool& changed) {
  const bool shared = mqtt::is_shared(request.filter);
  if (is_too_deep(request.filter, shared_.limits.topic_levels)) {
    ++shared_.stats.topic_levels_over_limit;
    note_limit("limits.topic_levels", "SUBSCRIBE refused", now);
    return ReasonCode::TopicFilterInvalid;
  }
  if (is_too_long(request.filter, shared_.limits.topic_bytes)) {
    ++shared_.stats.topics_over_limit;
    note_limit("limits.topic", "SUBSCRIBE refused", now);
    return ReasonCode::TopicFilterInvalid;
  }
  if (!session_->may_subscribe(request.filter)) {
    ++shared_.stats.subscriptions_not_authorized;
    log_refused("subscribe", request.filter, now);
    return ReasonCode::NotAuthorized;
  }
  const Subscription subscription(request.filter, {.qos = request.qos,
                                                   .no_local = request.no_local || (bridge_ && !shared),
                                                   .retain_as_published = request.retain_as_published || bridge_,
                                                   .subscription_id = subscription_id});
  const auto [reason, is_new, differs] = shared_.sessions.subscribe(*session_, subscription, now);
  changed = changed || differs;
  if (reason == ReasonCode::QuotaExceeded) note_limit(subscription_limit(), "SUBSCRIBE refused", now);
  // A shared subscription is sent no retained messages [MQTT 5.0 §3.8.4].
  if (is_error(reason) || shared) return reason;
  if (is_reserved(request.filter)) shared_.router.refresh_status(now);
  switch (request.retain_handling) {
    case mqtt::RetainHandling::Send:
      changed = session_->start_replay(subscription) || changed;
      break;
    case mqtt::RetainHandling::SendIfNew:
      // Messages that an earlier SUBSCRIBE asked for may not all have been sent.
      if (!is_new) session_->change_replay(subscription);
      if (is_new) changed = session_->start_replay(subscription) || changed;
      break;
    case mqtt::RetainHandling::DoNotSend:
      session_->end_replay(subscription, now);
      break;
  }
  return reason;
}

void Connection::handle(const mqtt::Unsubscribe& packet, Instant now) {
  if (!std::ranges::all_of(packet.filters, is_well_formed)) {
    reject(ReasonCode::MalformedPacket, "a topic filter is not well-formed", now);  // [MQTT-4.13.1-1]
    return;
  }
  mqtt::Unsuback unsuback;
  unsuback.packet_id = packet.packet_id;
  bool changed = false;
  for (const std::string_view filter : packet.filters) unsuback.reasons.push_back(unsubscribe(filter, now, changed));
  Held held;
  encode(unsuback, version(), held.response);
  if (changed && session_->durable()) session_->store();
  held.until = session_->stored_in();
  hold(std::move(held), now);
}

ReasonCode Connection::unsubscribe(std::string_view filter, Instant now, bool& changed) {
  if (!shared_.sessions.unsubscribe(*session_, filter, now)) return ReasonCode::NoSubscriptionExisted;
  changed = true;
  return ReasonCode::Success;
}

// --- the rest ---

void Connection::handle(const mqtt::Pingreq&, Instant) {
  const std::size_t begin = output_.size();
  encode(mqtt::Pingresp{}, version(), output_);
  (void)sent_if_it_fits(begin);
}

void Connection::handle(const mqtt::Disconnect& packet, Instant now) {
  SessionRecord& record = session_->record();
  if (const auto asked_s = packet.properties.number(PropertyId::SessionExpiryInterval)) {
    if (record.expiry_s == 0 && *asked_s != 0) {
      // [MQTT 5.0 §3.14.2.2.2]
      reject(ReasonCode::ProtocolError, "DISCONNECT keeps a session that CONNECT did not ask to keep", now);
      return;
    }
    record.expiry_s = expiry_granted_s(*asked_s, shared_.limits.session_expiry_max);
    if (session_->durable()) session_->store_lazily(now);
  }
  log_closed(LogLevel::Info, name(packet.reason), "the client sent DISCONNECT");
  // Only a normal disconnection takes the will away [MQTT-3.14.4-3].
  start_closing(packet.reason == ReasonCode::NormalDisconnection, now);
}

}  // namespace furrow::broker
