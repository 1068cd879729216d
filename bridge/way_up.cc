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

// An empty queue is one that was found with nothing in it.
broker::CursorRow cursor_of(const Found& found, QueueId queue) {
  if (found.queue) return found.queue->cursor;
  broker::CursorRow cursor;
  cursor.queue = queue;
  cursor.next = Sequence{1};
  return cursor;
}

}  // namespace

WayUp::WayUp(const std::string& name, const broker::OutboxLimits& limits, const TopicMap& map, RemoteSession& remote,
             broker::Broker& broker, const Found& found)
    : map_(map),
      remote_(remote),
      broker_(broker),
      queue_(found.queue ? found.queue->row.id : broker.new_queue()),
      refuses_when_full_(limits.when_full == broker::WhenFull::Refuse),
      subscriber_(broker.add_destination(*this)),
      outbox_({limits, queue_, this, true}, cursor_of(found, queue_), broker.journal(), books_),
      inflight_(*this, queue_, broker.journal(), broker::Inflight::OnQuota::Retry),
      taken_(map.rules().size()) {
  rules_expire_ =
      std::ranges::any_of(map.rules(), [](const Rule& rule) { return rule.expire_after > Duration::zero(); });
  if (!found.queue) (void)broker_.journal().put(broker::QueueRow{queue_, broker::QueueKind::Bridge, name});
  inflight_.set_own(outbox_);
  std::vector<broker::ExchangeRow> rows;
  for (const broker::ExchangeRow& row : found.exchanges) {
    if (row.direction != broker::ExchangeRow::Direction::Outbound) continue;
    rows.push_back(row);
    restored_ = std::max(restored_, row.sequence);
  }
  broker::Inflight::sort_by_sending(rows);
  for (const broker::ExchangeRow& row : rows) inflight_.restore(row, outbox_);
}

WayUp::~WayUp() {
  if (subscribed_) {
    for (const Rule& rule : map_.rules()) {
      if (rule.goes_up()) broker_.unsubscribe(subscriber_, rule.local_filter());
    }
  }
  broker_.remove_destination(subscriber_);
}

void WayUp::subscribe() {
  subscribed_ = true;
  for (const Rule& rule : map_.rules()) {
    if (!rule.goes_up()) continue;
    // The rule that decides is found for each message; its QoS is applied then.
    broker_.subscribe(subscriber_, rule.local_filter(),
                      {.qos = Qos::ExactlyOnce, .no_local = true, .retain_as_published = true, .subscription_id = 0});
  }
}

// --- taking messages ---

bool WayUp::refuses(const broker::Publication& publication, const broker::RoutedDelivery& delivery) const {
  if (delivery.qos == Qos::AtMostOnce) return false;
  const auto mapping = map_.up(publication.fields().topic);
  if (!mapping || map_.rule(*mapping).qos_max == Qos::AtMostOnce) return false;
  if (broker_.journal().failing()) {
    // QoS 2 is written before it is sent; QoS 1 unless its acknowledgement can be expected.
    const bool once = std::min(delivery.qos, map_.rule(*mapping).qos_max) == Qos::AtLeastOnce;
    if (!once || !direct() || inflight_.window_full()) return true;
  }
  return outbox_.refuses(publication.bytes_size());
}

void WayUp::deliver(broker::Publication& publication, const broker::RoutedDelivery& delivery) {
  const auto mapping = map_.up(publication.fields().topic);
  if (!mapping) return;  // an exception of every rule whose filter it matches
  const Rule& rule = map_.rule(*mapping);
  ++taken_[mapping->rule];
  const Qos qos = std::min(delivery.qos, rule.qos_max);
  if (qos == Qos::AtMostOnce && (direct() || !rule.buffer_qos0)) {
    deliver_once(publication, *mapping, delivery.retain);
  } else {
    enqueue(publication, *mapping, qos, delivery.retain);
  }
}

void WayUp::deliver_once(const broker::Publication& publication, const TopicMap::Mapping& mapping, bool retain) {
  const Instant now = publication.now();
  if (!inflight_.connected() || !remote_.writable()) {
    outbox_.pass(Outbox::Outcome::Dropped, now, DropReason::Qos0Offline);
    return;
  }
  broker::Delivery delivery;
  delivery.retain = retain && map_.rule(mapping).retain_keep;
  if (remote_.write_publish(remote_fields(publication.fields(), mapping), delivery, now)) {
    ++in_output_.once;
  } else {
    outbox_.pass(Outbox::Outcome::Dropped, now, DropReason::TooLarge);
  }
}

void WayUp::enqueue(broker::Publication& publication, const TopicMap::Mapping& mapping, Qos qos, bool retain) {
  const Instant now = publication.now();
  const broker::MessageRef& message = publication.message();
  if (message->expires_at() <= now) {
    outbox_.pass(Outbox::Outcome::Expired, now);
    return;
  }
  // Nobody who sends QoS 0 can be made to wait.
  if (qos == Qos::AtMostOnce && (broker_.journal().failing() || broker_.store_lags())) {
    outbox_.pass(Outbox::Outcome::Dropped, now, DropReason::StoreFailed);
    return;
  }
  if (outbox_.refuses(message->bytes_size())) {
    outbox_.pass(Outbox::Outcome::Dropped, now, DropReason::RefusedQos0);
    return;
  }
  const bool at_once = direct();
  broker::Delivery delivery;
  delivery.qos = qos;
  delivery.packet_id = PacketId{1};
  if (at_once && !remote_.fits(remote_fields(publication.fields(), mapping), delivery, now)) {
    outbox_.pass(Outbox::Outcome::Dropped, now, DropReason::TooLarge);
    return;
  }
  const Duration wait = at_once ? broker_.commit_interval().wait(inflight_) : Duration::zero();
  outbox_.push(message, {qos, retain, {}}, wait, now,
               [&]() -> broker::Commitment& { return publication.commitment(); });
  // What waits before it goes first, and something else will set that going.
  if (at_once) pump(now);
}

// --- sending ---

broker::Message::Fields WayUp::remote_fields(broker::Message::Fields fields, const TopicMap::Mapping& mapping) {
  topic_.assign(mapping.prefix).append(mapping.rest);
  fields.topic = topic_;
  const auto response = fields.properties.text(mqtt::PropertyId::ResponseTopic);
  if (!response) return fields;
  const auto answer = map_.answer_up(*response);
  if (answer && answer->size() <= mqtt::kStringBytesMax) {
    fields.properties = with_response_topic(fields.properties, answer->topic(), properties_);
  }
  return fields;
}

broker::PublishSink::Outcome WayUp::write_publish(const broker::Message& message, const broker::Delivery& delivery,
                                                  Instant now) {
  const auto mapping = map_.up(message.topic());
  if (!mapping) return Outcome::RuleRemoved;
  broker::Delivery lowered = delivery;
  lowered.qos = std::min(delivery.qos, remote_.limits().maximum_qos);  // [MQTT-3.2.2-11]
  lowered.retain = delivery.retain && map_.rule(*mapping).retain_keep;
  if (lowered.qos == Qos::AtMostOnce) {
    lowered.packet_id = {};
    lowered.duplicate = false;
  }
  if (!remote_.write_publish(remote_fields(broker::fields_of(message), *mapping), lowered, now))
    return Outcome::TooLarge;
  if (lowered.qos != Qos::AtMostOnce) return Outcome::Written;
  if (delivery.qos == Qos::AtMostOnce) {
    ++in_output_.once;
    return Outcome::Moved;
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
  drop_outdated(now);
  inflight_.pump(now);
  while (!answers_.empty()) {
    for (const Answer& answer : std::exchange(answers_, {})) {
      (void)apply(answer.type, answer.packet_id, mqtt::ReasonCode::Success, now);
    }
    inflight_.pump(now);
  }
  if (outbox_.inflight() == 0) {
    inflight_since_.reset();
  } else if (!inflight_since_) {
    inflight_since_ = now;
  }
}

// Counts what has waited longer than its rule allows. The outbox knows the message's own expiry; a rule's lies over it,
// at the place where the rule is known. Looks no further than the next pump() can send.
void WayUp::drop_outdated(Instant now) {
  if (!rules_expire_) return;
  outbox_.expire_if([&](const Outbox::Entry& entry) { return outdated(entry, now); }, lookahead(), now);
}

bool WayUp::outdated(const Outbox::Entry& entry, Instant now) const {
  if (entry.sequence <= restored_) return false;
  const auto mapping = map_.up(entry.message->topic());
  if (!mapping) return false;
  const Duration limit = map_.rule(*mapping).expire_after;
  return limit > Duration::zero() && now - entry.message->received() > limit;
}

// How many messages of QoS 1 and 2 can leave now; while nothing can, as many as are worth a look for the books.
std::size_t WayUp::lookahead() const {
  if (!inflight_.connected()) return kLookaheadMax;
  if (!remote_.writable() || inflight_.count() >= window_) return 0;
  return window_ - inflight_.count();
}

void WayUp::expire(Instant now) {
  (void)outbox_.expire(now);
  drop_outdated(now);
}

// --- the far side ---

void WayUp::connect(broker::Inflight::Windows windows, bool session_present, Instant now) {
  inflight_since_.reset();
  window_ = windows.all;
  inflight_.connect(*this, windows, session_present, now);
  pump(now);
}

void WayUp::disconnect(Instant now) {
  inflight_.disconnect();
  inflight_since_.reset();
  answers_.clear();
  handle_taken();
  const Unsent lost = std::exchange(taken_out_, {});
  for (std::uint64_t i = 0; i < lost.once; ++i) outbox_.pass(Outbox::Outcome::Dropped, now, DropReason::Qos0Offline);
}

void WayUp::handle_taken() {
  taken_out_.once += std::exchange(in_output_.once, 0);
  std::ranges::move(in_output_.answers, std::back_inserter(taken_out_.answers));
  in_output_.answers.clear();
}

void WayUp::handle_sent(Instant now) {
  if (remote_.output().empty()) handle_taken();
  for (; taken_out_.once > 0; --taken_out_.once) outbox_.pass(Outbox::Outcome::Delivered, now);
  std::ranges::move(taken_out_.answers, std::back_inserter(answers_));
  taken_out_.answers.clear();
  pump(now);
}

bool WayUp::apply(PacketType type, PacketId packet_id, mqtt::ReasonCode reason, Instant now) {
  switch (type) {
    case PacketType::Puback:
      if (inflight_.handle_puback(packet_id, reason, now)) return true;
      // A message of QoS 2 that went at QoS 1.
      return remote_.limits().maximum_qos == Qos::AtLeastOnce && inflight_.handle_pubrec(packet_id, reason, now);
    case PacketType::Pubrec:
      return inflight_.handle_pubrec(packet_id, reason, now);
    default:
      return inflight_.handle_pubcomp(packet_id, now);
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
  if (!inflight_.connected() || !inflight_since_) return kNever;
  return std::max(*inflight_since_, inflight_.last_progress()) + timeout;
}

broker::Books WayUp::books() const {
  broker::Books books = books_;
  books.accepted += in_output_.once + taken_out_.once;
  return books;
}

}  // namespace furrow::bridge
