#include "bridge/way_up.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "bridge/forwarding.h"
#include "broker-core/gateway_path.h"
#include "broker-core/session/publish_encoding.h"

namespace furrow::bridge {

using broker::DropReason;
using broker::Outbox;
using mqtt::PacketType;
using mqtt::Qos;

namespace {

// How far behind the send index is looked for outdated messages while nothing is sent.
constexpr std::size_t kLookaheadMax = 1000;
// A connection that the far broker ends so soon after a message was sent may have been ended for it.
constexpr Duration kSoonAfter = std::chrono::seconds(5);

}  // namespace

// --- sending ---

UserProperties WayUp::path_property(const Options& options) {
  if (!options.adds_path) return {};
  return UserProperties({{std::string(broker::kPathProperty), options.gateway_id}});
}

broker::Message::Fields WayUp::remote_fields(broker::Message::Fields fields, const TopicMap::Mapping& mapping,
                                             std::uint64_t number, Instant now) {
  mapping.write(topic_);
  fields.topic = topic_;
  std::string answer_topic;
  if (const auto response = fields.properties.text(mqtt::PropertyId::ResponseTopic)) {
    const auto answer = buffer_.map().answer_up(*response);
    if (answer && answer->size() <= mqtt::kStringBytesMax) answer_topic = answer->topic();
  }
  const UserProperties& additions = buffer_.rules().additions(mapping.rule);
  const bool has_more = !additions.empty() || options_.stamp.any() || !path_.empty();
  const bool adds = has_more && remote_.version() == mqtt::Version::V5;
  if (!adds && answer_topic.empty()) return fields;
  (void)with_response_topic(fields.properties, answer_topic, properties_);
  if (adds) {
    additions.add_to(properties_);
    path_.add_to(properties_);
    const bool dates = options_.stamp.received_at;
    add_stamp(options_.stamp,
              {dates ? buffer_.wall_time(fields.received, now) : std::nullopt, options_.gateway_id, number},
              properties_);
  }
  fields.properties = mqtt::PropertyView::from_valid(properties_.view());
  return fields;
}

bool WayUp::fits(const broker::Publication& publication, const TopicMap::Mapping& mapping, Qos qos) {
  broker::Delivery delivery;
  delivery.qos = qos;
  delivery.packet_id = PacketId{1};
  const Instant now = publication.now();
  return remote_.fits(remote_fields(publication.fields(), mapping, buffer_.next_number(), now), delivery, now);
}

void WayUp::send_once(const broker::Message::Fields& fields, const TopicMap::Mapping& mapping, bool retain,
                      Instant now) {
  broker::Delivery delivery;
  delivery.retain = retain && buffer_.map().rule(mapping).retain_keep;
  if (remote_.write_publish(remote_fields(fields, mapping, {}, now), delivery, now)) {
    note_echo(fields.payload, now);
    ++in_output_.once;
  } else {
    buffer_.pass(Outbox::Outcome::Dropped, now, DropReason::TooLarge);
  }
}

broker::PublishSink::Outcome WayUp::write_publish(const broker::Message& message, const broker::Delivery& delivery,
                                                  Instant now) {
  const auto mapping = buffer_.map().up(message.topic());
  if (!mapping) return Outcome::RuleRemoved;
  broker::Delivery lowered = delivery;
  lowered.qos = std::min(delivery.qos, maximum_qos());
  lowered.retain = delivery.retain && buffer_.map().rule(*mapping).retain_keep;
  if (lowered.qos == Qos::AtMostOnce) {
    lowered.packet_id = {};
    lowered.duplicate = false;
  }
  const auto fields =
      remote_fields(broker::fields_of(message), *mapping, buffer_.number_of(delivery.queue, delivery.sequence), now);
  if (!remote_.write_publish(fields, lowered, now)) return Outcome::TooLarge;
  note_echo(fields.payload, now);
  sent_since_ = std::min(sent_since_, message.received());
  pace(message, now);
  if (lowered.qos != Qos::AtMostOnce) {
    note_sent(message, delivery.packet_id, now);
    if (!timed_ && !delivery.duplicate) {
      timed_ = delivery.packet_id;
      timed_since_ = now;
    }
    return Outcome::Written;
  }
  if (delivery.qos == Qos::AtMostOnce) {
    ++in_output_.once;
    return Outcome::HandedOver;
  }
  in_output_.answers.push_back({PacketType::Puback, delivery.packet_id});
  return Outcome::Written;
}

// The message that was written last may come back.
void WayUp::note_echo(ByteView payload, Instant now) {
  if (buffer_.may_come_back() && buffer_.map().down(topic_)) buffer_.echoes().note_sent(topic_, payload, now);
}

Qos WayUp::maximum_qos() const {
  const Qos said = remote_.limits().maximum_qos;  // [MQTT-3.2.2-11]
  return lacks_exactly_once_ ? std::min(said, Qos::AtLeastOnce) : said;
}

// By what CONNACK said: a far broker that turned out to lack QoS 2 only later may have sent this one's PUBREC before.
void WayUp::write_pubrel(PacketId packet_id, Instant now) {
  if (remote_.limits().maximum_qos == Qos::ExactlyOnce) {
    last_sent_ = now;
    remote_.write_acknowledgement(PacketType::Pubrel, packet_id, mqtt::ReasonCode::Success);
  } else {
    answers_.push_back({PacketType::Pubcomp, packet_id});
  }
}

// A backlog leaves no faster than it may; without one there is nothing to hold back.
void WayUp::pace(const broker::Message& message, Instant now) {
  if (turn_.pace != nullptr) {
    turn_.pace->take(now);
    turn_is_over_ = turn_.pace->holds_back(now);
  }
  if (!turn_.drained || !options_.drain.is_limited() || buffer_.backlog() == 0) return;
  const Instant until = pace_.take(message.topic().size() + message.payload().size(), options_.drain, now);
  if (until > now) paced_until_ = until;
}

void WayUp::pump(Instant now) {
  if (paced_until_ && *paced_until_ <= now) paced_until_.reset();
  send_waiting(now);
  while (!answers_.empty()) {
    for (const Answer& one : std::exchange(answers_, {})) answer(one, now);
    send_waiting(now);
  }
  if (buffer_.inflight() == 0) {
    inflight_since_.reset();
  } else if (!inflight_since_) {
    inflight_since_ = now;
  }
}

void WayUp::send_waiting(Instant now) {
  buffer_.drop_outdated(lookahead(), now);
  if (window().connected()) (void)buffer_.thin(lookahead(), now);
  buffer_.send(now);
  // Some that were to leave have expired, or were dropped.
  while (lookahead() > 0 && window().connected() && buffer_.thin(lookahead(), now)) buffer_.send(now);
}

// The number of messages of QoS 1 and 2 that can leave now. While nothing can leave, the number that drop_outdated()
// looks through, so that the books count what has expired.
std::size_t WayUp::lookahead() const {
  if (!window().connected()) return kLookaheadMax;
  if (!remote_.writable() || window().count() >= window_max_) return 0;
  return window_max_ - window().count();
}

void WayUp::expire(Instant now) {
  buffer_.expire(now);
  buffer_.drop_outdated(lookahead(), now);
}

// --- the far side ---

void WayUp::connect(broker::Inflight::Windows windows, bool session_present, bool held, Instant now) {
  inflight_since_.reset();
  is_quiet_ = false;
  lacks_exactly_once_ = false;
  sent_since_ = kNever;
  held_ = held;
  window_max_ = windows.all;
  buffer_.begin_connection();
  if (!session_present) buffer_.forget_crossed();
  if (options_.stamp.sequence) (void)buffer_.numbers_are_ready();  // the first message need not wait long
  window().connect(*this, windows, session_present, now);
  pump(now);
}

void WayUp::disconnect(Instant now) {
  window().disconnect();
  offers_.cancel();
  inflight_since_.reset();
  timed_ = {};
  large_.clear();
  answers_.clear();
  paced_until_.reset();
  handle_taken();
  const Unsent lost = std::exchange(taken_out_, {});
  if (lost.once > 0) buffer_.forget_crossed();
  for (std::uint64_t i = 0; i < lost.once; ++i) {
    buffer_.pass(Outbox::Outcome::Dropped, now, DropReason::Qos0Offline);
  }
}

void WayUp::handle_taken() {
  taken_out_.once += std::exchange(in_output_.once, 0);
  std::ranges::move(in_output_.answers, std::back_inserter(taken_out_.answers));
  in_output_.answers.clear();
}

void WayUp::handle_sent(Instant now) {
  if (remote_.output().empty()) handle_taken();
  for (; taken_out_.once > 0; --taken_out_.once) buffer_.pass(Outbox::Outcome::Delivered, now);
  std::ranges::move(taken_out_.answers, std::back_inserter(answers_));
  taken_out_.answers.clear();
  pump(now);
}

void WayUp::answer(const Answer& answer, Instant now) {
  constexpr auto kSuccess = mqtt::ReasonCode::Success;
  if (answer.type == PacketType::Pubcomp) {
    (void)window().handle_pubcomp(answer.packet_id, now);
  } else if (!window().handle_puback(answer.packet_id, kSuccess, now)) {
    (void)window().handle_only_answer(answer.packet_id, Qos::ExactlyOnce, kSuccess, now);
  }
}

void WayUp::note_answered(PacketId packet_id, Instant now) {
  if (const auto large = std::ranges::find(large_, packet_id, &Large::packet_id); large != large_.end()) {
    largest_answered_ = std::max(largest_answered_, large->bytes);
    std::erase_if(large_, [this](const Large& one) { return one.bytes <= largest_answered_; });
  }
  if (!timed_ || timed_ != packet_id) return;
  timed_ = {};
  acknowledgement_times_.add(now - timed_since_);
}

bool WayUp::note_progress(bool acknowledged, Instant now) {
  if (!acknowledged) return false;
  last_acknowledgement_ = now;
  if (suspects_.closes() > 0) {
    suspects_.handle_answer([this](const Suspects::Message& one) { return buffer_.has(one.queue, one.sequence); });
  }
  return true;
}

// --- a message that the far broker does not bear ---

void WayUp::note_sent(const broker::Message& message, PacketId packet_id, Instant now) {
  last_sent_ = now;
  const std::size_t bytes = message.bytes_size();
  if (bytes > largest_answered_) large_.push_back({packet_id, bytes});
}

std::optional<Buffer::SetAside> WayUp::handle_ended_by_far_broker(Ending ending, Instant now) {
  if (last_sent_ < now - kSoonAfter || (ending == Ending::Reset && large_.empty())) return std::nullopt;
  std::deque<Suspects::Message> in_flight;
  std::vector<Suspects::Alone> sent;
  for (const broker::Inflight::Open& one : window().open_messages()) {
    const Suspects::Message message{one.queue, one.sequence};
    if (buffer_.has(one.queue, one.sequence)) in_flight.push_back(message);
    if (one.sent) sent.push_back({message, 0, one.released});
  }
  if (in_flight.empty()) return std::nullopt;
  std::optional<Suspects::Alone> alone;
  if (is_quiet_ && sent.size() == 1 && std::ranges::find(in_flight, sent.front().message) != in_flight.end()) {
    alone = sent.front();
    alone->hash = buffer_.hash_of(alone->message.queue, alone->message.sequence);
    // A full quarantine takes none, and none is dropped for that.
    if (!alone->is_there && !buffer_.quarantine().has_place()) alone.reset();
  }
  const auto culprit = suspects_.handle_close(std::move(in_flight), alone, now);
  if (!culprit) return std::nullopt;
  return buffer_.set_aside(culprit->queue, culprit->sequence, now);
}

void WayUp::set_quiet(bool quiet, Instant now) {
  if (std::exchange(is_quiet_, quiet) == quiet || !quiet) return;
  pump(now);
}

std::optional<WayUp::Oddity> WayUp::handle_puback(PacketId packet_id, mqtt::ReasonCode reason, Instant now) {
  if (note_progress(window().handle_puback(packet_id, reason, now), now)) return std::nullopt;
  if (note_progress(window().handle_only_answer(packet_id, Qos::ExactlyOnce, reason, now), now)) {
    // Expected where the message went at QoS 1.
    if (maximum_qos() < Qos::ExactlyOnce) return std::nullopt;
    lacks_exactly_once_ = true;
    return Oddity{"PUBACK for a message of QoS 2", "counted as acknowledged; messages go at QoS 1: set qos: 1"};
  }
  if (window().contains(packet_id)) return Oddity{"PUBACK where PUBCOMP is due", "ignored"};
  return Oddity{"PUBACK for no message in flight", "ignored"};
}

std::optional<WayUp::Oddity> WayUp::handle_pubrec(PacketId packet_id, mqtt::ReasonCode reason, Instant now) {
  if (note_progress(window().handle_pubrec(packet_id, reason, now), now)) return std::nullopt;
  const bool of_qos1 = note_progress(window().handle_only_answer(packet_id, Qos::AtLeastOnce, reason, now), now);
  if (mqtt::is_error(reason)) {
    if (of_qos1) return Oddity{"PUBREC for a message of QoS 1", "counted as PUBACK"};
    return Oddity{"PUBREC that refuses what is not waiting for it", "ignored"};
  }
  if (of_qos1) {
    remote_.write_acknowledgement(PacketType::Pubrel, packet_id, mqtt::ReasonCode::Success);
    return Oddity{"PUBREC for a message of QoS 1", "counted as PUBACK, and answered with PUBREL"};
  }
  // Ends the exchange at the far side, which has one that we do not know of (any more): nothing odd after a crash.
  remote_.write_acknowledgement(PacketType::Pubrel, packet_id, mqtt::ReasonCode::PacketIdentifierNotFound);
  return std::nullopt;
}

// One that is not known was for a PUBREL that was sent again, or for one that only ended an exchange at the far side.
std::optional<WayUp::Oddity> WayUp::handle_pubcomp(PacketId packet_id, Instant now) {
  if (note_progress(window().handle_pubcomp(packet_id, now), now) || !window().contains(packet_id)) return std::nullopt;
  return Oddity{"PUBCOMP before PUBREL", "ignored"};
}

std::optional<WayUp::Oddity> WayUp::handle_acknowledgement(PacketType type, PacketId packet_id, mqtt::ReasonCode reason,
                                                           Instant now) {
  note_answered(packet_id, now);
  std::optional<Oddity> oddity;
  if (type == PacketType::Puback) {
    oddity = handle_puback(packet_id, reason, now);
  } else if (type == PacketType::Pubrec) {
    oddity = handle_pubrec(packet_id, reason, now);
  } else {
    oddity = handle_pubcomp(packet_id, now);
  }
  pump(now);
  return oddity;
}

Instant WayUp::progress_due(Duration timeout) const {
  if (!window().connected() || !inflight_since_) return kNever;
  return std::max(*inflight_since_, window().last_progress()) + timeout;
}

}  // namespace furrow::bridge
