#include "broker-core/connection.h"

#include <algorithm>
#include <utility>

#include "broker-core/mqtt/encoder.h"
#include "broker-core/reason_string.h"
#include "broker-core/session/publish_encoding.h"
#include "broker-core/sessions.h"

namespace furrow::broker {

namespace {

// How long a client that does not take our last words is waited for.
constexpr Duration kClosingTimeout = std::chrono::seconds(10);
// A client that leaves this much unread is not read from: it is mostly answers to what it sends, as messages stop at
// kOutputBytesMax. Far beyond that, because some clients read nothing before they have sent everything.
constexpr std::size_t kUnreadBytesMax = 4 * MiB;
// This many new bytes of an unfinished packet count as activity for the keep-alive. A large packet may take long on a
// bad network, and its sender can say nothing else meanwhile; by the letter of [MQTT-3.1.2-22] only a whole one counts.
constexpr std::size_t kProgressBytes = 64;
// A client that stays for less is no news: it publishes a reading and goes, each minute, for years.
constexpr Duration kBriefMax = std::chrono::seconds(1);
// The number of packet identifiers: a client with as many acknowledgements outstanding would use one twice.
constexpr std::size_t kAcknowledgementsMax = 0xFFFF;

std::uint32_t packet_bytes_limit(const Limits& limits) {
  return limits.packet_bytes == 0 ? UINT32_MAX : limits.packet_bytes;
}

std::uint32_t connect_bytes_limit(const Limits& limits) {
  return std::min(packet_bytes_limit(limits), kConnectBytesMax);
}

}  // namespace

std::string_view explanation(mqtt::ReasonCode reason, bool by_rules) {
  switch (reason) {
    case mqtt::ReasonCode::QuotaExceeded:
      return "over limits.user_properties, or no room in a queue or on the disk";
    case mqtt::ReasonCode::NotAuthorized:
      return by_rules ? "no access rule grants it, or the topic begins with $"
                      : "topics that begin with $ are the gateway's own";
    case mqtt::ReasonCode::TopicNameInvalid:
    case mqtt::ReasonCode::TopicFilterInvalid:
      return "over limits.topic_levels or limits.topic";
    default:
      return {};  // the code says it all
  }
}

Connection::Connection(ConnectionId id, Arrival arrival, Shared& shared, Instant accepted)
    : id_(id),
      shared_(shared),
      program_(arrival.address ? nullptr : std::make_unique<const std::string>(arrival.program)),
      address_(arrival.address.value_or(IpAddress())),
      decoder_(mqtt::Role::Server, connect_bytes_limit(shared.limits)),
      arrival_(std::make_unique<Arrival>(std::move(arrival))),
      port_(arrival.port),
      last_received_(accepted),
      armed_(deadline()) {
  shared_.agenda.add_deadline(armed_, id_);
}

Connection::~Connection() {
  // The broker itself ends: tickets in the journal outlive the connection, and must not be answered any more.
  if (acknowledgements_) acknowledgements_->detach();
  if (session_ != nullptr) session_->detach();
}

// --- bytes in ---

void Connection::handle_bytes(ByteView bytes, bool dry, Instant now) {
  if (closing()) return;
  const std::size_t before = decoder_.unfinished_bytes();
  const std::uint64_t retained = shared_.journal.retained_added();
  decode(bytes, now);
  if (state_ == State::Connected && decoder_.unfinished_bytes() / kProgressBytes > before / kProgressBytes) {
    last_received_ = now;
  }
  hurry(dry, retained);
}

// The journal's patience must not hold a publisher back. One that waits for a few retained values only may as well be a
// sensor that renews its topics: about those RetainedPace decides.
void Connection::hurry(bool dry, std::uint64_t retained) {
  const std::size_t waiting = acknowledgements_waiting();
  const bool used_up = waiting >= shared_.limits.inflight;
  if (used_up || (dry && waiting >= kWaitingPublishesMin)) shared_.journal.hurry();
  const bool with_retained = retained != shared_.journal.retained_added();
  if (with_retained && (used_up || (dry && waiting >= kUsualWindowMin))) shared_.journal.hurry_retained();
}

void Connection::decode(ByteView bytes, Instant now) {
  mqtt::Packet& packet = shared_.packet;
  mqtt::ProtocolError error;
  while (!closing()) {
    if (held() || overdrawn() || paced() || login() != nullptr) {
      extras_->unread.append(bytes);
      return;
    }
    switch (decoder_.next(bytes, packet, error)) {
      case mqtt::Decoder::Step::Decoded:
        ++shared_.stats.packets_received;
        if (state_ == State::Connected) last_received_ = now;
        handle_packet(packet, now);
        break;
      case mqtt::Decoder::Step::NeedMore:
        return;
      case mqtt::Decoder::Step::Malformed:
        handle_malformed(error, now);
        return;
    }
  }
}

// As large as any packet may be that is not the first.
StreamState Connection::stream_state() const {
  StreamState state{.packet_bytes_max = packet_bytes_limit(shared_.limits), .unfinished = decoder_.unfinished()};
  if (decoder_.knows_version()) state.version = decoder_.version();
  if (extras_) state.unread = extras_->unread.view();
  if (aliases() != nullptr) {
    state.received = &aliases()->received;
    state.assigned = &aliases()->assigned;
  }
  return state;
}

void Connection::handle_malformed(const mqtt::ProtocolError& error, Instant now) {
  if (error.reason == mqtt::ReasonCode::PacketTooLarge) {
    ++shared_.stats.packets_over_limit;
    const std::string limit = std::to_string(decoder_.packet_bytes_max());
    if (state_ == State::AwaitConnect && decoder_.packet_bytes_max() == kConnectBytesMax) {
      refuse_malformed(error.reason, "the first packet is larger than a CONNECT may be, " + limit + " bytes", now);
      return;
    }
    refuse_malformed(error.reason, "the packet is larger than limits.packet, " + limit + " bytes", now);
  } else {
    refuse_malformed(error.reason, error.what, now);
  }
}

void Connection::refuse_malformed(mqtt::ReasonCode reason, std::string_view why, Instant now) {
  // A CONNECT of MQTT 5 is answered as soon as its level is known. Before MQTT 5 only an unknown level is answered
  // [MQTT 3.1.1: MQTT-3.1.2-2]. A peer that does not speak MQTT hears nothing.
  const bool answered = version() == mqtt::Version::V5 || reason == mqtt::ReasonCode::UnsupportedProtocolVersion;
  if (state_ == State::AwaitConnect && answered) {
    ++shared_.stats.protocol_errors;
    refuse_connect(reason, why, {}, now);
    return;
  }
  reject(reason, why, now);
}

void Connection::handle_packet(const mqtt::Packet& packet, Instant now) {
  const bool is_connect = std::holds_alternative<mqtt::Connect>(packet);
  if (is_connect != (state_ == State::AwaitConnect)) {
    // [MQTT-3.1.0-1, -2]
    reject(mqtt::ReasonCode::ProtocolError, is_connect ? "a second CONNECT" : "the first packet is not CONNECT", now);
    return;
  }
  if (acknowledgements_waiting() >= kAcknowledgementsMax) {
    reject(mqtt::ReasonCode::ProtocolError, "more packets in flight than there are packet identifiers", now);
    return;
  }
  std::visit([&](const auto& alternative) { handle(alternative, now); }, packet);
}

// --- what waits ---

void Connection::hold(Held held, Instant now) {
  if (shared_.journal.is_durable(held.until) && writable()) {
    finish_hold(held, now);
    return;
  }
  extras().held = std::make_unique<Held>(std::move(held));
  note_held();
  note_reading();
}

void Connection::note_held() {
  if (in_held_) return;
  in_held_ = true;
  shared_.agenda.add_held(id_);
}

void Connection::handle_persisted(Instant now) {
  in_held_ = false;
  resume(now);
  if (held()) note_held();
}

void Connection::finish_hold(Held& held, Instant now) {
  const std::size_t begin = output_.size();
  output_.append(held.response.view());
  if (!sent_if_it_fits(begin)) return;
  greeted_ = true;
  if (held.session_starts) {
    session_present_ = held.session_present;
    arm(now + kBriefMax);
    session_->begin(held.receive_maximum, held.session_present, now);
  } else {
    session_->pump(now);  // SUBACK: retained messages follow
  }
}

void Connection::resume(Instant now) {
  if (!held() || !shared_.journal.is_durable(extras_->held->until) || !writable()) return;
  const std::unique_ptr<Held> held = std::move(extras_->held);
  const ByteBuffer unread = take_unread();
  finish_hold(*held, now);
  // The client's packets were not read meanwhile: its silence begins now.
  last_received_ = now;
  decode(unread.view(), now);
}

ByteBuffer Connection::take_unread() {
  ByteBuffer unread = std::move(extras_->unread);
  const bool is_needed = extras_->aliases || extras_->held_publishes || extras_->login || extras_->pace;
  if (!is_needed && extras_->gateway.empty()) extras_.reset();
  return unread;
}

// --- more than the window ---

bool Connection::window_used_up() const {
  if (acknowledgements_waiting() < shared_.limits.inflight) return false;
  const bool failing = shared_.journal.condition().failing();
  if (version() == mqtt::Version::V5) return !failing;
  return !owes_acknowledgements() || !(failing || held_publishes() > 0);
}

void Connection::put_off(const mqtt::Publish& packet) {
  Stats& stats = shared_.stats;
  ++stats.inflight_over_limit;
  // The packet counts when it is read again.
  --stats.packets_received;
  --stats.publishes_received;
  stats.payload_bytes_received -= packet.payload.size();
  encode(packet, version(), extras().unread);
  note_reading();
}

// A client of MQTT 5 was told how large its packets may be [MQTT-3.2.2-15]: for this connection that holds. So it does
// where packets have come that are not decoded yet.
void Connection::handle_limits_changed() {
  const std::uint32_t limit =
      state_ == State::AwaitConnect ? connect_bytes_limit(shared_.limits) : packet_bytes_limit(shared_.limits);
  const bool was_told = state_ == State::Connected && version() == mqtt::Version::V5;
  const bool has_unread = extras_ && !extras_->unread.empty();
  if (limit > decoder_.packet_bytes_max() || !(was_told || has_unread)) decoder_.set_packet_bytes_max(limit);
  if (paced() && !shared_.limits.publish.is_limited()) {
    extras_->paced_until = {};
    arm({});  // the pause ends with the next look at the time
  }
  note_window();
}

void Connection::note_window() {
  if (!overdrawn() || extras_->going_on) return;
  extras_->going_on = true;
  shared_.agenda.add_going_on(id_);
}

void Connection::go_on(Instant now) {
  if (!overdrawn()) return;
  extras_->going_on = false;
  if (window_used_up() || paced()) return;
  const std::uint64_t retained = shared_.journal.retained_added();
  const ByteBuffer unread = take_unread();
  last_received_ = now;
  note_reading();
  decode(unread.view(), now);
  hurry(!overdrawn(), retained);
}

// --- more than its pace ---

void Connection::pace(const mqtt::Publish& packet, std::string_view topic, Instant now) {
  if (!shared_.limits.publish.is_limited()) return;
  std::unique_ptr<PublishPace>& pace = extras().pace;
  if (!pace) pace = std::make_unique<PublishPace>();
  const Instant until = pace->take(topic.size() + packet.payload.size(), shared_.limits.publish, now);
  if (until <= now) return;
  ++shared_.stats.publishes_paced;
  note_limit("limits.publish", "reading pauses", now);
  extras_->paced_until = until;
  arm(until);
  note_reading();
}

void Connection::end_pause(Instant now) {
  extras_->paced_until = kNotPaced;
  last_received_ = now;
  note_reading();
  note_window();
}

bool Connection::reading_paused() const {
  if (output_.size() >= (shared_.conditions.short_of_memory ? kOutputBytesMax : kUnreadBytesMax)) return true;
  const bool waits_for_store = shared_.conditions.store_lags && acknowledgements_waiting() > 0;
  return held() || overdrawn() || paced() || login() != nullptr || (waits_for_store && !may_make_room());
}

// --- the end ---

void Connection::close(mqtt::ReasonCode reason, std::string_view why, Instant now) {
  leave(LogLevel::Info, reason, why, now);
}

void Connection::reject(mqtt::ReasonCode reason, std::string_view why, Instant now) {
  ++shared_.stats.protocol_errors;
  leave(LogLevel::Warning, reason, why, now);
}

void Connection::leave(LogLevel level, mqtt::ReasonCode reason, std::string_view why, Instant now) {
  if (closing()) return;
  // Nothing goes to a client before its CONNACK [MQTT-3.2.0-1].
  if (greeted_ && version() == mqtt::Version::V5) write_disconnect(reason, why);
  log_closed(level, name(reason), why);
  start_closing(false, now);
}

void Connection::start_closing(bool graceful, Instant now) {
  state_ = State::Closing;
  last_received_ = now;
  arm(deadline());
  wrote();
  end(graceful, now);
}

void Connection::end(bool graceful, Instant now) {
  if (ended_) return;
  ended_ = true;
  if (acknowledgements_) acknowledgements_->detach();
  acknowledgements_ = {};
  if (login() != nullptr && login()->answer == kNever) shared_.authenticator->cancel(id_);
  extras_.reset();
  if (session_ == nullptr) return;
  if (state_ == State::Connected) {
    log_closed(LogLevel::Info, "network", "the network connection ended without DISCONNECT");
  }
  Session& session = *std::exchange(session_, nullptr);
  session.note_access();
  session.detach();
  shared_.sessions.leave(session, !graceful, now);
}

void Connection::write_disconnect(mqtt::ReasonCode reason, std::string_view why) {
  // A reason that only CONNACK may give is a protocol error by now.
  if (!is_allowed(reason, mqtt::PacketType::Disconnect)) reason = mqtt::ReasonCode::ProtocolError;
  const std::size_t begin = output_.size();
  const bool fits = encode_with_reason(why, packet_bytes_max_, output_, [&](mqtt::PropertyView properties) {
    encode(mqtt::Disconnect{reason, properties}, version(), output_);
  });
  if (fits) {
    ++shared_.stats.packets_sent;
  } else {
    output_.truncate(begin);
  }
}

bool Connection::sent_if_it_fits(std::size_t begin) {
  if (output_.size() - begin > packet_bytes_max_) {
    output_.truncate(begin);
    shared_.agenda.add_unsendable(id_);
    return false;
  }
  ++shared_.stats.packets_sent;
  wrote();
  return true;
}

void Connection::log_closed(LogLevel level, std::string_view reason, std::string_view why) const {
  if (greeted_ && !announced_ && level == LogLevel::Info) level = LogLevel::Debug;
  shared_.log.write(level, "connection.closed",
                    {{"client", session_ != nullptr ? std::string_view(session_->client_id()) : std::string_view()},
                     {"peer", peer()},
                     {"reason", reason},
                     {"why", why}});
}

// --- time ---

Instant Connection::deadline() const {
  switch (state_) {
    case State::AwaitConnect:
      return std::min(last_received_ + shared_.limits.connect_timeout, login() != nullptr ? login()->answer : kNever);
    case State::Connected:
      if (paced()) return extras_->paced_until;
      return keep_alive_s_ == 0 ? kNever : last_received_ + std::chrono::milliseconds(1500) * keep_alive_s_;
    case State::Closing:
      break;
  }
  return last_received_ + kClosingTimeout;
}

void Connection::announce() {
  announced_ = true;
  shared_.log.write(LogLevel::Info, "connection.opened",
                    {{"client", session_->client_id()},
                     {"peer", peer()},
                     {"version", static_cast<std::uint64_t>(version())},
                     {"session_present", session_present_}});
}

void Connection::arm(Instant due) {
  if (due >= armed_) return;
  armed_ = due;
  shared_.agenda.add_deadline(due, id_);
}

void Connection::handle_timeout(Instant now) {
  if (now < armed_) return;  // an earlier one has come in place of this one
  armed_ = kNever;
  if (state_ == State::Connected && greeted_ && !announced_) announce();
  if (paced() && extras_->paced_until <= now) end_pause(now);
  // While we do not read from a client, it counts as alive as long as it reads.
  if (state_ == State::Connected && reading_paused() && writable()) last_received_ = now;
  if (deadline() > now) {
    arm(deadline());
    return;
  }
  switch (state_) {
    case State::AwaitConnect:
      if (login() != nullptr) {
        end_login_in_time(now);
        break;
      }
      ++shared_.stats.connect_timeouts;
      close(mqtt::ReasonCode::KeepAliveTimeout, "no CONNECT came in time", now);
      break;
    case State::Connected:
      ++shared_.stats.keep_alive_timeouts;
      close(mqtt::ReasonCode::KeepAliveTimeout, "no packet came for 1.5 times the keep-alive", now);
      break;
    case State::Closing:
      output_.release();
      wrote();
      break;
  }
}

// --- bytes out ---

void Connection::handle_sent(Instant now) {
  if (output_.empty()) shared_.spare_buffers.give_back(std::move(output_));  // an idle connection owns no heap
  if (closing()) return;
  if (held()) last_received_ = now;  // not read from, but alive
  resume(now);
  if (session_ != nullptr) session_->pump(now);
}

bool Connection::writable() const {
  return output_.size() < (shared_.conditions.short_of_memory ? kOutputBytesShort : kOutputBytesMax);
}

void Connection::write_qos0(Publication& publication, const RoutedDelivery& delivery) {
  Stats& stats = shared_.stats;
  if (!writable()) {
    ++stats.dropped_qos0_slow;
    ++extras().dropped_qos0;
    return;
  }
  prepare_output();
  const std::size_t before = output_.size();
  bool fits = false;
  if (delivery.subscription_ids.empty() && aliases() == nullptr) {
    const ByteView form = publication.form(version(), mqtt::Qos::AtMostOnce, delivery.retain);
    fits = !form.empty() && form.size() <= packet_bytes_max_;
    if (fits) output_.append(form);
  } else {
    const Delivery once{.qos = mqtt::Qos::AtMostOnce,
                        .retain = delivery.retain,
                        .duplicate = false,
                        .packet_id = {},
                        .subscription_ids = delivery.subscription_ids};
    fits = encode_for_client(publication.fields(), once, publication.now());
  }
  if (!fits) {
    ++stats.dropped_too_large;  // [MQTT-3.1.2-25]
    return;
  }
  if (before < kOutputFullBytes && output_.size() >= kOutputFullBytes) shared_.agenda.add_full(id_);
  wrote_message(publication.fields().payload.size());
}

void Connection::wrote_message(std::size_t payload_bytes) {
  Stats& stats = shared_.stats;
  ++stats.packets_sent;
  ++stats.messages_sent;
  stats.payload_bytes_sent += payload_bytes;
  become_ready(Agenda::Ready::Delivering);
}

// False, and nothing written, when it would be larger than the client takes [MQTT-3.1.2-24].
bool Connection::encode_for_client(const Message::Fields& fields, const Delivery& delivery, Instant now) {
  Aliases* const own = aliases();
  if (own == nullptr) return encode_publish(fields, delivery, version(), now, packet_bytes_max_, output_);
  return encode_aliased_publish(fields, delivery, now, packet_bytes_max_, own->assigned, own->scratch, output_);
}

PublishSink::Outcome Connection::write_publish(const Message& message, const Delivery& delivery, Instant now) {
  // What waited may have been granted when it came.
  if (!session_->may_receive(message.topic())) {
    if (delivery.qos == mqtt::Qos::AtMostOnce) ++shared_.stats.deliveries_not_authorized;
    return Outcome::NotAuthorized;
  }
  prepare_output();
  if (!encode_for_client(fields_of(message), delivery, now)) {
    // Messages of QoS 1 and 2 are counted by the books of their queue.
    if (delivery.qos == mqtt::Qos::AtMostOnce) ++shared_.stats.dropped_too_large;
    return Outcome::TooLarge;
  }
  wrote_message(message.payload().size());
  if (delivery.qos != mqtt::Qos::AtMostOnce) note_window();  // its acknowledgement may be among the bytes that wait
  return Outcome::Written;
}

void Connection::write_pubrel(PacketId packet_id, Instant) {
  write_pubrel(packet_id, mqtt::ReasonCode::Success);
}

void Connection::write_pubrel(PacketId packet_id, mqtt::ReasonCode reason) {
  const std::size_t begin = output_.size();
  encode_acknowledgement(mqtt::PacketType::Pubrel, packet_id, reason, {}, version(), output_);
  (void)sent_if_it_fits(begin);
}

void Connection::write_acknowledgement(mqtt::PacketType type, PacketId packet_id, mqtt::ReasonCode reason) {
  prepare_output();
  const std::size_t begin = output_.size();
  const std::string_view why =
      is_error(reason) && tells_problems_ ? explanation(reason, shared_.access.has_rules()) : std::string_view();
  (void)encode_with_reason(why, packet_bytes_max_, output_, [&](mqtt::PropertyView properties) {
    encode_acknowledgement(type, packet_id, reason, properties, version(), output_);
  });
  // After a PUBREC that says success the exchange goes on.
  const bool goes_on = type == mqtt::PacketType::Pubrec && !is_error(reason);
  if (!goes_on && inbound_ > 0) --inbound_;
  (void)sent_if_it_fits(begin);
  note_window();
}

Connection::Extras& Connection::extras() {
  if (!extras_) extras_ = std::make_unique<Extras>();
  return *extras_;
}

AckQueue& Connection::acknowledgements() {
  if (!acknowledgements_) acknowledgements_ = AckQueue::make(*this);
  return *acknowledgements_;
}

AckTicket Connection::ticket(mqtt::PacketType type, PacketId packet_id) {
  AckQueue& queue = acknowledgements();
  return {acknowledgements_, queue.open(type, packet_id)};
}

}  // namespace furrow::broker
