#include "bridge/way_up.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "bridge/forwarding.h"
#include "broker-core/session/publish_encoding.h"

namespace furrow::bridge {

using broker::DropReason;
using broker::Outbox;
using mqtt::PacketType;
using mqtt::Qos;

namespace {

// How far behind the send index is looked for outdated messages while nothing is sent.
constexpr std::size_t kLookaheadMax = 1000;

}  // namespace

// --- sending ---

broker::Message::Fields WayUp::remote_fields(broker::Message::Fields fields, const TopicMap::Mapping& mapping) {
  topic_.assign(mapping.prefix).append(mapping.rest);
  fields.topic = topic_;
  const auto response = fields.properties.text(mqtt::PropertyId::ResponseTopic);
  if (!response) return fields;
  const auto answer = buffer_.map().answer_up(*response);
  if (answer && answer->size() <= mqtt::kStringBytesMax) {
    fields.properties = with_response_topic(fields.properties, answer->topic(), properties_);
  }
  return fields;
}

bool WayUp::fits(const broker::Publication& publication, const TopicMap::Mapping& mapping, Qos qos) {
  broker::Delivery delivery;
  delivery.qos = qos;
  delivery.packet_id = PacketId{1};
  return remote_.fits(remote_fields(publication.fields(), mapping), delivery, publication.now());
}

void WayUp::send_once(const broker::Publication& publication, const TopicMap::Mapping& mapping, bool retain) {
  const Instant now = publication.now();
  broker::Delivery delivery;
  delivery.retain = retain && buffer_.map().rule(mapping).retain_keep;
  if (remote_.write_publish(remote_fields(publication.fields(), mapping), delivery, now)) {
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
  lowered.qos = std::min(delivery.qos, remote_.limits().maximum_qos);  // [MQTT-3.2.2-11]
  lowered.retain = delivery.retain && buffer_.map().rule(*mapping).retain_keep;
  if (lowered.qos == Qos::AtMostOnce) {
    lowered.packet_id = {};
    lowered.duplicate = false;
  }
  if (!remote_.write_publish(remote_fields(broker::fields_of(message), *mapping), lowered, now))
    return Outcome::TooLarge;
  if (lowered.qos != Qos::AtMostOnce) return Outcome::Written;
  if (delivery.qos == Qos::AtMostOnce) {
    ++in_output_.once;
    return Outcome::HandedOver;
  }
  const bool once = delivery.qos == Qos::AtLeastOnce;
  in_output_.answers.push_back({once ? PacketType::Puback : PacketType::Pubrec, delivery.packet_id});
  return Outcome::Written;
}

void WayUp::write_pubrel(PacketId packet_id, mqtt::ReasonCode reason) {
  if (remote_.limits().maximum_qos == Qos::ExactlyOnce) {
    remote_.write_acknowledgement(PacketType::Pubrel, packet_id, reason);
  } else {
    answers_.push_back({PacketType::Pubcomp, packet_id});
  }
}

void WayUp::pump(Instant now) {
  buffer_.drop_outdated(lookahead(), now);
  window().pump(now);
  while (!answers_.empty()) {
    for (const Answer& answer : std::exchange(answers_, {})) {
      (void)apply(answer.type, answer.packet_id, mqtt::ReasonCode::Success, now);
    }
    window().pump(now);
  }
  if (buffer_.inflight() == 0) {
    inflight_since_.reset();
  } else if (!inflight_since_) {
    inflight_since_ = now;
  }
}

// How many messages of QoS 1 and 2 can leave now; while nothing can, as many as are worth a look for the books.
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

void WayUp::connect(broker::Inflight::Windows windows, bool session_present, Instant now) {
  inflight_since_.reset();
  window_max_ = windows.all;
  window().connect(*this, windows, session_present, now);
  pump(now);
}

void WayUp::disconnect(Instant now) {
  window().disconnect();
  inflight_since_.reset();
  answers_.clear();
  handle_taken();
  const Unsent lost = std::exchange(taken_out_, {});
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

bool WayUp::apply(PacketType type, PacketId packet_id, mqtt::ReasonCode reason, Instant now) {
  switch (type) {
    case PacketType::Puback:
      if (window().handle_puback(packet_id, reason, now)) return true;
      // A message of QoS 2 that went at QoS 1.
      return remote_.limits().maximum_qos == Qos::AtLeastOnce && window().handle_pubrec(packet_id, reason, now);
    case PacketType::Pubrec:
      return window().handle_pubrec(packet_id, reason, now);
    default:
      return window().handle_pubcomp(packet_id, now);
  }
}

void WayUp::handle_acknowledgement(PacketType type, PacketId packet_id, mqtt::ReasonCode reason, Instant now) {
  if (apply(type, packet_id, reason, now)) {
    last_acknowledgement_ = now;
  } else if (type == PacketType::Pubrec && !mqtt::is_error(reason)) {
    // Ends the exchange at the far side, which has one that we do not know of (any more).
    remote_.write_acknowledgement(PacketType::Pubrel, packet_id, mqtt::ReasonCode::PacketIdentifierNotFound);
  }
  pump(now);
}

Instant WayUp::progress_due(Duration timeout) const {
  if (!window().connected() || !inflight_since_) return kNever;
  return std::max(*inflight_since_, window().last_progress()) + timeout;
}

}  // namespace furrow::bridge
