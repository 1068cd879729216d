#include "bridge/way_down.h"

#include <algorithm>
#include <utility>

#include "bridge/forwarding.h"
#include "broker-core/gateway_path.h"
#include "broker-core/limits.h"
#include "broker-core/mqtt/topic.h"

namespace furrow::bridge {

namespace {

// After a retained value no other comes for this long: all of them have come. In MQTT 5 what is published now looks
// like what is retained, so there is an end to that.
constexpr Duration kShownFor = std::chrono::seconds(5);
constexpr Duration kShownMax = std::chrono::minutes(1);
// This many values are remembered that are the same here and there; others are sent up again.
constexpr std::size_t kSameMax = 100'000;

}  // namespace

using broker::ExchangeRow;
using mqtt::PacketType;
using mqtt::Qos;
using mqtt::ReasonCode;

broker::AckTicket WayDown::ticket(PacketType type, PacketId packet_id) {
  return {acknowledgements_, acknowledgements_->open(type, packet_id)};
}

// --- the connection ---

void WayDown::connect(Welcome welcome) {
  welcome_ = welcome;
  acknowledgements_ = broker::AckQueue::make(*this);
  // The far broker has forgotten its half of these exchanges: the identifiers are free for new messages.
  if (!welcome_.session_present) session_.forget_lost(session_.received());
  if (welcome_.doubtful) doubted_ids_ = session_.received();
  // 3.1.1 sends retained messages at every SUBSCRIBE, so it is not repeated without need.
  session_.subscriptions().connect(welcome_.session_present,
                                   welcome_.doubtful || welcome_.refresh || remote_.version() == mqtt::Version::V5);
  if (broker_.journal().is_durable(session_.forgotten_in())) {
    begin_subscriptions();
    return;
  }
  say_once_stored();
}

// Rows alone: while a disk is full they are written, and messages are not.
void WayDown::say_once_stored() {
  if (storing_ && storing_->waiting() > 0) return;
  storing_ = broker::AckQueue::make(*this);
  broker_.journal().complete_with_rows({storing_, storing_->open(PacketType::Subscribe, {})});
}

void WayDown::disconnect() {
  for (Ref<broker::AckQueue>* const queue : {&acknowledgements_, &storing_}) {
    if (*queue) (*queue)->detach();
    *queue = {};
  }
  held_.reset();
  doubted_ids_.clear();
  subscribing_ = false;
  shown_until_ = Instant::min();
  shown_.clear();
}

void WayDown::refresh() {
  if (!subscribing_) return;
  welcome_.refresh = true;
  session_.subscriptions().connect(true, true);
  say_subscriptions();
}

void WayDown::handle_rules_changed() {
  if (subscribing_) say_subscriptions();
}

void WayDown::begin_subscriptions() {
  subscribing_ = true;
  say_subscriptions();
}

void WayDown::say_subscriptions() {
  FarSubscriptions& subscriptions = session_.subscriptions();
  session_.store();
  while (FarSubscriptions::One* const one = subscriptions.next(session_.is_stored())) {
    const PacketId packet_id = buffer_.window().next_packet_id();
    if (one->rule) {
      subscribe(*one, packet_id);
    } else {
      remote_.write_unsubscribe(packet_id, one->filter);
    }
    subscriptions.note_said(*one, packet_id);
  }
  if (!session_.is_stored() && subscriptions.next() != nullptr) say_once_stored();
}

void WayDown::subscribe(const FarSubscriptions::One& one, PacketId packet_id) {
  mqtt::SubscriptionRequest request;
  request.filter = one.filter;
  request.qos = one.qos;
  request.no_local = one.no_local;
  request.retain_as_published = true;
  // With the session, the far broker has the subscription already, and has sent its retained messages; not where it
  // became wanted since.
  const bool is_with_session = welcome_.session_present && !one.is_late;
  const bool is_known = (is_with_session || one.may_be_there) && !welcome_.refresh;
  request.retain_handling = is_known ? mqtt::RetainHandling::SendIfNew : mqtt::RetainHandling::Send;
  const bool is_shown = !is_known || remote_.version() != mqtt::Version::V5;
  if (is_shown && welcome_.compares) shown_until_ = kNever;
  remote_.write_subscribe(packet_id, request, one.id);
}

std::string WayDown::handle_suback(const mqtt::Suback& suback, Instant now) {
  if (shown_until_ == kNever) {
    shown_until_ = now + kShownFor;
    shown_at_most_until_ = now + kShownMax;
  }
  const ReasonCode reason = suback.reasons.empty() ? ReasonCode::UnspecifiedError : suback.reasons.front();
  const std::string refused = session_.subscriptions().handle_suback(suback.packet_id, !mqtt::is_error(reason), now);
  return refused.empty() ? refused : "subscription to " + refused + " refused: " + std::string(name(reason));
}

std::string WayDown::handle_unsuback(const mqtt::Unsuback& unsuback, Instant now) {
  // That there was no such subscription is as good.
  const ReasonCode reason = unsuback.reasons.empty() ? ReasonCode::Success : unsuback.reasons.front();
  const std::string refused = session_.subscriptions().handle_unsuback(unsuback.packet_id, !mqtt::is_error(reason));
  session_.store_lazily(now);
  return refused.empty() ? refused : "end of subscription to " + refused + " refused: " + std::string(name(reason));
}

void WayDown::handle_dry() {
  const bool retained = std::exchange(retained_came_, false);
  if (acknowledgements_waiting() >= broker::kWaitingPublishesMin) broker_.journal().hurry();
  if (retained && acknowledgements_waiting() >= broker::kUsualWindowMin) broker_.journal().hurry_retained();
}

void WayDown::write_acknowledgement(PacketType type, PacketId packet_id, ReasonCode reason) {
  if (type == PacketType::Subscribe) {
    begin_subscriptions();
    return;
  }
  // Other codes of success are a server's to send [MQTT 5.0 §3.4.2.1].
  remote_.write_acknowledgement(type, packet_id, is_error(reason) ? reason : ReasonCode::Success);
}

// --- messages ---

// A copy that another subscription brings is no echo of its own, so its rule is looked for first.
std::optional<TopicMap::Mapping> WayDown::map_topic(const mqtt::Publish& publish, Instant now) {
  auto mapping = find_rule(publish, now);
  if (!mapping || mapping->size() > mqtt::kStringBytesMax) return std::nullopt;
  if (buffer_.echoes().is_echo(publish.topic, publish.payload, now)) return std::nullopt;
  const std::uint32_t levels_max = broker_.limits().topic_levels;
  if (levels_max > 0 && mqtt::level_count(mapping->topic()) > levels_max) return std::nullopt;
  return mapping;
}

// The first rule that takes the topic, in the order of the file; nothing for a copy that another subscription brings.
// A rule whose subscription the far broker has refused, or did not have yet when it kept the message, leaves it to the
// next.
std::optional<TopicMap::Mapping> WayDown::find_rule(const mqtt::Publish& publish, Instant now) const {
  const FarSubscriptions& subscriptions = session_.subscriptions();
  const auto names = [&](auto is_meant) {
    for (const mqtt::Property& property : publish.properties) {
      if (property.id == mqtt::PropertyId::SubscriptionIdentifier && is_meant(property.number)) return true;
    }
    return false;
  };
  if (!names([](std::uint32_t) { return true; })) return buffer_.map().down(publish.topic);
  const bool names_any_of_ours = names([&](std::uint32_t id) { return subscriptions.rule_of(id).has_value(); });
  for (std::size_t rule = 0; rule < buffer_.map().rules().size(); ++rule) {
    auto mapping = buffer_.map().down_by(rule, publish.topic);
    if (!mapping) continue;
    if (names([&](std::uint32_t id) { return subscriptions.brings(id, rule); })) return mapping;
    if (subscriptions.is_spare_copy(rule, publish.topic, names_any_of_ours, now)) return std::nullopt;
  }
  // It is for a rule that has changed or gone.
  return buffer_.map().down(publish.topic);
}

// Until its answer has left, what comes again is the same message, and shares the answer: at QoS 1 with DUP, at QoS 2
// also without. There this finds what is held; what was routed, handle_exactly_once() knows until its PUBREL.
bool WayDown::is_repeated(const mqtt::Publish& publish) const {
  const bool exactly_once = publish.qos == Qos::ExactlyOnce;
  if (!publish.duplicate && !(exactly_once && held() > 0)) return false;
  return acknowledgements_->awaits(exactly_once ? PacketType::Pubrec : PacketType::Puback, publish.packet_id);
}

void WayDown::handle_publish(const mqtt::Publish& publish, Instant now) {
  if (is_repeated(publish)) return;
  if (publish.qos == Qos::ExactlyOnce) {
    handle_exactly_once(publish, now);
    return;
  }
  const auto mapping = map_topic(publish, now);
  const bool acknowledged = publish.qos == Qos::AtLeastOnce;
  if (mapping) {
    route(publish, *mapping, acknowledged ? ticket(PacketType::Puback, publish.packet_id) : broker::AckTicket{},
          nullptr, now);
    return;
  }
  buffer_.count_received();
  if (acknowledged) acknowledgements_->pass(PacketType::Puback, publish.packet_id, ReasonCode::Success);
}

// A far broker that has lost its session says so in CONNACK, once. If that was not heard, or a crash came before the
// identifiers were off the disk, the next CONNACK speaks of a session all the same: the one made then. Its messages
// tell: a message that is sent again has DUP set [MQTT-3.3.1-1], a new one has not.
bool WayDown::is_another_message(const mqtt::Publish& publish) {
  if (!doubted_ids_.contains(publish.packet_id)) return false;
  std::unordered_set<PacketId> doubted = std::exchange(doubted_ids_, {});
  if (publish.duplicate) return false;
  session_.forget_lost(std::move(doubted));
  return true;
}

void WayDown::handle_exactly_once(const mqtt::Publish& publish, Instant now) {
  const PacketId id = publish.packet_id;
  if (session_.has_received(id) && !is_another_message(publish)) {
    // Sent again. The first one was taken, though perhaps not yet stored: PUBREC waits for what is being gathered now.
    broker_.journal().complete_when_durable(ticket(PacketType::Pubrec, id));
    return;
  }
  const auto mapping = map_topic(publish, now);
  if (!mapping) {
    buffer_.count_received();
    session_.note_received(id);
    acknowledgements_->pass(PacketType::Pubrec, id, ReasonCode::Success);
    return;
  }
  const ExchangeRow exchange = session_.received_row(id);
  route(publish, *mapping, ticket(PacketType::Pubrec, id), &exchange, now);
}

// Once PUBCOMP has left, the identifier may come with another message: it must not be taken for this one after a crash.
// A PUBREL that comes again may find the identifier forgotten, but not yet in the store.
void WayDown::handle_pubrel(PacketId packet_id) {
  broker::Journal& journal = broker_.journal();
  const bool known = session_.has_received(packet_id);
  if (known) {
    doubted_ids_.clear();  // the far session is the one that they came in
    session_.forget(packet_id);
  }
  if (known || !journal.idle()) {
    journal.complete_with_rows(ticket(PacketType::Pubcomp, packet_id));
  } else {
    acknowledgements_->pass(PacketType::Pubcomp, packet_id, ReasonCode::PacketIdentifierNotFound);
  }
}

bool WayDown::is_news(const broker::Message::Fields& fields, const Rule& rule, Instant now) {
  if (now >= shown_until_) return true;
  if (shown_until_ != kNever) shown_until_ = std::min(now + kShownFor, shown_at_most_until_);
  const broker::MessageRef ours = broker_.retained().find(fields.topic);
  if (!ours) return true;
  const bool expires = fields.expiry_s || ours->expiry_s();
  if (!expires && same_content(*ours, *broker::Message::make(fields))) {
    if (rule.goes_up() && shown_.size() < kSameMax) shown_.insert(std::hash<std::string_view>()(fields.topic));
    return false;
  }
  return !rule.goes_up() || ours->received() < welcome_.unsure_since;
}

// A message that goes on by another bridge says that it came by this gateway.
mqtt::PropertyView WayDown::local_properties(const mqtt::Publish& publish) {
  std::string answer_topic;
  if (const auto response = publish.properties.text(mqtt::PropertyId::ResponseTopic)) {
    const auto answer = buffer_.map().answer_down(*response);
    if (answer && answer->size() <= mqtt::kStringBytesMax) answer_topic = answer->topic();
  }
  const mqtt::PropertyView properties = with_response_topic(publish.properties, answer_topic, properties_);
  const std::string& own = buffer_.gateway_id();
  if (own.empty() || !broker_.router().guards_path(topic_, buffer_.subscriber())) return properties;
  return broker::passed_on(properties, {}, own, properties_);
}

void WayDown::route(const mqtt::Publish& publish, const TopicMap::Mapping& mapping, broker::AckTicket ticket,
                    const ExchangeRow* exchange, Instant now) {
  mapping.write(topic_);
  const broker::Message::Fields fields{
      .topic = topic_,
      .payload = publish.payload,
      .properties = local_properties(publish),
      .expiry_s = publish.properties.number(mqtt::PropertyId::MessageExpiryInterval),
      .received = now,
      .qos = buffer_.map().rule(mapping).qos_of(publish.qos),
      .retain = publish.retain && buffer_.map().rule(mapping).retain_keep,
  };
  if (fields.retain && !is_news(fields, buffer_.map().rule(mapping), now)) {
    buffer_.count_received();
    if (exchange != nullptr) session_.note_received(publish.packet_id);
    ticket.complete(ReasonCode::Success);
    return;
  }
  retained_came_ = retained_came_ || fields.retain;
  const bool behind_others = publish.qos != Qos::AtMostOnce && held() > 0;
  const broker::Broker::Published published =
      behind_others ? broker::Broker::Published{.refused = true}
                    : broker_.publish(fields, buffer_.subscriber(), ticket, exchange, now);
  if (!published.refused) {
    count_routed(mapping.rule, exchange != nullptr ? std::optional(publish.packet_id) : std::nullopt, published.had);
    return;
  }
  if (publish.qos == Qos::AtMostOnce) {
    buffer_.count_received();
    return;
  }
  broker::HeldPublishes::Owner& owner = *this;
  if (!held_) held_ = std::make_unique<broker::HeldPublishes>(broker_.router(), buffer_.subscriber(), owner);
  held_->push(fields, std::move(ticket), exchange, publish.packet_id, buffer_.rules().key(mapping.rule));
}

void WayDown::handle_taken(const broker::HeldPublishes::Held& held, bool had) {
  count_routed(buffer_.rules().find(held.rule), held.exchange ? std::optional(held.packet_id) : std::nullopt, had);
}

void WayDown::count_routed(std::optional<std::size_t> rule, std::optional<PacketId> exactly_once, bool had) {
  buffer_.count_received();
  if (!had) buffer_.count_routed(rule);
  if (exactly_once) session_.note_received(*exactly_once);
}

}  // namespace furrow::bridge
