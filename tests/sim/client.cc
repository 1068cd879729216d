#include "tests/sim/client.h"

#include <algorithm>
#include <utility>

#include "broker-core/gateway_path.h"
#include "broker-core/message_id.h"

namespace furrow::sim {

namespace {

constexpr std::uint16_t kKeepAliveS = 10;
constexpr Duration kPingAfter = std::chrono::seconds(7);
constexpr Duration kAnswerMax = std::chrono::seconds(20);
constexpr std::uint32_t kSessionExpiryS = 1'000'000;
// SUBSCRIBE has an identifier of its own, beyond those of the messages of any run.
constexpr PacketId kSubscribeId{60'000};
constexpr PacketId kUnsubscribeId{60'001};
// How often a client that copies another one looks for more.
constexpr Duration kCopyAfter = std::chrono::milliseconds(20);

}  // namespace

Client::Client(Options options, Mutation mutation, Ledger& ledger, Random& random)
    : options_(std::move(options)),
      mutator_(mutation),
      ledger_(ledger),
      random_(random),
      outgoing_(ledger),
      progress_(options_.publishes.size()) {
  if (options_.will) {
    will_.emplace(options_.will->stream, options_.will->delay_s, options_.will->stored_after, ledger);
  }
  for (const Subscribing& wanted : options_.subscribes) {
    for (const StreamId stream : wanted.streams) {
      ledger_.allow(stream, wanted.receiver.value_or(options_.receiver), wanted.qos);
    }
  }
}

void Client::connect(LinkRef link, Instant now) {
  if (will_ && end_) will_->watch(end_->link(), now);
  end_ = std::make_unique<Endpoint>(std::move(link), mqtt::Role::Client, "the gateway", options_.delay_max, ledger_,
                                    random_);
  end_->set_version(options_.version);
  ready_ = false;
  ping_at_ = now + kPingAfter;
  give_up_at_ = now + kAnswerMax;
  outgoing_.disconnect();
  if (options_.clean) retained_.clear();
  mqtt::Connect connect;
  connect.version = options_.version;
  connect.clean_start = options_.clean || renewing_;
  connect.keep_alive_s = kKeepAliveS;
  connect.client_id = options_.id;
  ByteBuffer properties;
  mqtt::PropertyWriter writer(properties);
  if (!options_.clean) writer.number(mqtt::PropertyId::SessionExpiryInterval, kSessionExpiryS);
  if (!options_.gateway.empty()) writer.user(broker::kGatewayProperty, options_.gateway);
  if (options_.receive_maximum > 0) writer.number(mqtt::PropertyId::ReceiveMaximum, options_.receive_maximum);
  if (options_.version == mqtt::Version::V5) connect.properties = mqtt::PropertyView::from_valid(properties.view());
  std::string last_words;
  ByteBuffer will_properties;
  if (will_) {
    const std::uint32_t number = will_->connect(now);
    last_words = make_payload(will_->stream(), number, 0);
    const Ledger::Stream& stream = ledger_.stream(will_->stream());
    mqtt::Will& will = connect.will.emplace();
    will.topic = stream.topic;
    will.payload = as_bytes(last_words);
    will.qos = stream.qos;
    will.retain = stream.retain;
    mqtt::PropertyWriter(will_properties)
        .number(mqtt::PropertyId::WillDelayInterval, mutator_.changed_will_delay(will_->delay_s()));
    if (options_.version == mqtt::Version::V5) {
      will.properties = mqtt::PropertyView::from_valid(will_properties.view());
    }
  }
  incoming_.connect(options_.version == mqtt::Version::V5 ? options_.receive_maximum : std::uint16_t{0});
  end_->send(connect, now);
}

void Client::leave(Instant until) {
  if (end_) end_->cut();
  away_until_ = std::max(away_until_, until);
}

void Client::renew() {
  if (end_) end_->cut();
  renewing_ = true;
  // Of its own, not of a group, it misses what is published until it has subscribed again.
  for (const Subscribing& wanted : options_.subscribes) {
    if (wanted.receiver && !wanted.filter.starts_with("$share/")) ledger_.forgive(*wanted.receiver);
  }
}

void Client::unsubscribe(Duration pause, Instant now) {
  unsubscribing_ = true;
  pause_ = pause;
  if (ready_ && connected()) send_unsubscribe(now);
}

void Client::send_unsubscribe(Instant now) {
  mqtt::Unsubscribe unsubscribe;
  unsubscribe.packet_id = kUnsubscribeId;
  unsubscribe.filters.push_back(options_.subscribes.back().filter);
  end_->send(unsubscribe, now);
}

void Client::handle_unsuback(Instant now) {
  if (!std::exchange(unsubscribing_, false)) return;
  granted_ = options_.subscribes.size() - 1;
  subscribe_at_ = now + pause_;
}

void Client::say_goodbye(Instant until, Instant now) {
  away_until_ = std::max(away_until_, until);
  if (!ready_ || !connected()) return;
  end_->send(mqtt::Disconnect{mutator_.changed_goodbye(), {}}, now);
  ping_at_ = kNever;
  if (will_) will_->leave();
}

void Client::die(bool mourned, Instant now) {
  leave(kNever);
  if (!will_ || !end_) return;
  will_->watch(end_->link(), now);
  if (mourned) will_->die();
}

void Client::run(Instant now, bool publishing) {
  publishing_ = publishing;
  if (will_ && end_) will_->watch(end_->link(), now);
  if (!connected()) return;
  end_->receive(now, [&](const mqtt::Packet& packet) { handle(packet, now); });
  if (overdue() <= now) end_->cut();
  if (!connected()) return;
  incoming_.run(*end_, now);
  if (ready_ && publishing_) publish_due(now);
  if (ready_ && subscribe_at_ != kNever && subscribe_at_ <= now) subscribe_next(now);
  if (ping_at_ <= now) {
    end_->send(mqtt::Pingreq{}, now);
    ping_at_ = now + kPingAfter;
  }
}

Instant Client::next_deadline() const {
  if (!connected()) return kNever;
  const Instant subscribe_at = ready_ ? subscribe_at_ : kNever;
  return std::min({end_->next(), incoming_.next_deadline(), ping_at_, overdue(), next_publish(), subscribe_at});
}

// When the connection is given up if nothing comes, or nothing is answered.
Instant Client::overdue() const {
  return ready_ ? std::min(give_up_at_, outgoing_.overdue(kAnswerMax)) : give_up_at_;
}

bool Client::done() const {
  if (outgoing_.unfinished() > 0) return false;
  for (std::size_t i = 0; i < progress_.size(); ++i) {
    if (progress_[i].next_number < options_.publishes[i].messages) return false;
  }
  return true;
}

std::optional<std::uint32_t> Client::retained(StreamId stream) const {
  return stream < retained_.size() ? retained_[stream] : std::nullopt;
}

// --- publishing ---

Instant Client::next_publish() const {
  Instant next = kNever;
  if (!ready_ || !publishing_ || !outgoing_.window_open()) return next;
  for (std::size_t i = 0; i < progress_.size(); ++i) {
    if (progress_[i].next_number < options_.publishes[i].messages) next = std::min(next, progress_[i].next_at);
  }
  return next;
}

void Client::publish_due(Instant now) {
  for (std::size_t i = 0; i < progress_.size(); ++i) {
    const Publishing& wanted = options_.publishes[i];
    Progress& progress = progress_[i];
    while (progress.next_number < wanted.messages && progress.next_at <= now && outgoing_.window_open()) {
      const Ledger::Stream& stream = ledger_.stream(wanted.stream);
      const bool deletes = wanted.deletions > 0 && random_.chance(wanted.deletions);
      const std::optional<std::uint32_t> due = next_number(wanted, progress, deletes, now);
      if (!due) {
        progress.next_at = now + kCopyAfter;
        break;
      }
      const std::uint32_t number = *due;
      progress.next_number = number + 1;
      progress.next_at = now + wanted.interval;
      const Outgoing::Item item{.stream = wanted.stream,
                                .number = number,
                                .topic = stream.topic,
                                .payload = deletes ? "" : make_payload(wanted.stream, number, wanted.padding),
                                .qos = stream.qos,
                                .retain = stream.retain,
                                .expiry_s = stream.expiry_s,
                                .id = wanted.origin.empty() ? "" : broker::id_text({wanted.origin, number + 1U})};
      const unsigned copies = stream.qos == mqtt::Qos::AtMostOnce ? mutator_.copies_of_qos0() : 1;
      for (unsigned copy = 0; copy < copies; ++copy) outgoing_.push(item);
      outgoing_.pump(now);
    }
  }
}

std::optional<std::uint32_t> Client::next_number(const Publishing& wanted, const Progress& progress, bool deletes,
                                                 Instant now) {
  if (!wanted.copies) return ledger_.publish(wanted.stream, now, deletes);
  if (progress.next_number >= ledger_.published(wanted.stream)) return std::nullopt;
  return progress.next_number;
}

// --- what comes ---

void Client::handle(const mqtt::Packet& packet, Instant now) {
  give_up_at_ = now + kAnswerMax;
  if (const auto* connack = std::get_if<mqtt::Connack>(&packet)) {
    handle_connack(*connack, now);
  } else if (const auto* suback = std::get_if<mqtt::Suback>(&packet)) {
    handle_suback(*suback);
    subscribe_next(now);
  } else if (std::holds_alternative<mqtt::Unsuback>(packet)) {
    handle_unsuback(now);
  } else if (const auto* publish = std::get_if<mqtt::Publish>(&packet)) {
    handle_publish(*publish, now);
  } else if (const auto* pubrel = std::get_if<mqtt::Pubrel>(&packet)) {
    incoming_.handle(*pubrel, now);
  } else if (std::holds_alternative<mqtt::Disconnect>(packet)) {
    end_->cut();
  } else if (const auto answer = outgoing_.handle(packet, now)) {
    // From now on the message is the gateway's.
    if (!is_error(answer->reason)) ledger_.acknowledge(answer->item.stream, answer->item.number);
  }
}

void Client::handle_connack(const mqtt::Connack& connack, Instant now) {
  if (is_error(connack.reason)) {
    ledger_.fail("the gateway refused " + options_.id + ": " + std::string(name(connack.reason)));
    end_->cut();
    return;
  }
  const bool anew = std::exchange(renewing_, false);
  if (known_ && !options_.clean && !anew && !connack.session_present) {
    ledger_.fail("the gateway has lost the session of " + options_.id);
  }
  if (anew && connack.session_present) ledger_.fail("the gateway has kept the old session of " + options_.id);
  known_ = true;
  ready_ = true;
  if (will_) will_->confirm(now);
  if (!connack.session_present) {
    incoming_.forget();
    granted_ = 0;
    unsubscribing_ = false;
  }
  outgoing_.connect(*end_, static_cast<std::uint16_t>(options_.window), connack.session_present, now);
  for (Progress& progress : progress_) progress.next_at = std::max(progress.next_at, now);
  if (unsubscribing_) send_unsubscribe(now);
  if (subscribe_at_ <= now || subscribe_at_ == kNever) subscribe_next(now);
}

void Client::subscribe_next(Instant now) {
  subscribe_at_ = kNever;
  if (subscribed() || unsubscribing_) return;
  const Subscribing& wanted = options_.subscribes[granted_];
  mqtt::Subscribe subscribe;
  subscribe.packet_id = kSubscribeId;
  mqtt::SubscriptionRequest request;
  request.filter = wanted.filter;
  request.qos = wanted.qos;
  subscribe.requests.push_back(request);
  ByteBuffer properties;
  if (wanted.receiver) {
    const auto id = static_cast<std::uint32_t>(granted_ + 1);
    mqtt::PropertyWriter(properties).number(mqtt::PropertyId::SubscriptionIdentifier, id);
    subscribe.properties = mqtt::PropertyView::from_valid(properties.view());
  }
  end_->send(subscribe, now);
}

// The subscription is the gateway's from now on: what is published from here must come.
void Client::handle_suback(const mqtt::Suback& suback) {
  if (subscribed() || suback.reasons.size() != 1 || is_error(suback.reasons.front())) {
    ledger_.fail("the gateway refused a subscription of " + options_.id);
    return;
  }
  if (!options_.clean) {
    const Subscribing& granted = options_.subscribes[granted_];
    for (const StreamId stream : granted.streams) {
      ledger_.expect(stream, granted.receiver.value_or(options_.receiver));
    }
  }
  ++granted_;
}

ReceiverId Client::receiver_of(const mqtt::Publish& publish) const {
  const std::uint32_t id = publish.properties.number(mqtt::PropertyId::SubscriptionIdentifier).value_or(0);
  if (id == 0 || id > options_.subscribes.size()) return options_.receiver;
  return options_.subscribes[id - 1].receiver.value_or(options_.receiver);
}

void Client::handle_publish(const mqtt::Publish& publish, Instant now) {
  const bool is_new = incoming_.handle(publish, options_.answer_after, now, random_, ledger_);
  if (publish.payload.empty() && !publish.retain) {
    if (is_new) ledger_.arrive_deletion(receiver_of(publish), publish.topic);
    return;
  }
  const auto parsed = parse_payload(publish.payload);
  if (!parsed) {
    ledger_.fail(options_.id + " got a payload that nobody sent");
    return;
  }
  const auto& [stream, number] = *parsed;
  if (publish.retain) {
    // The value of the topic, not one of its messages.
    if (retained_.size() <= stream) retained_.resize(stream + 1);
    retained_[stream] = number;
  } else if (is_new) {
    ledger_.arrive(receiver_of(publish), stream, number, publish.topic);
  }
}

}  // namespace furrow::sim
