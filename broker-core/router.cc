#include "broker-core/router.h"

#include <algorithm>

#include "broker-core/held_publishes.h"

namespace furrow::broker {

namespace {

RoutedDelivery delivery_of(const Route& route, const Message::Fields& fields) {
  return {std::min(route.qos, fields.qos), fields.retain && route.retain_as_published, route.subscription_ids};
}

Message::Fields status_fields(std::string_view topic, std::string_view payload, Instant now) {
  return {.topic = topic,
          .payload = as_bytes(payload),
          .properties = {},
          .expiry_s = std::nullopt,
          .received = now,
          .qos = mqtt::Qos::AtMostOnce,
          .retain = true};
}

}  // namespace

Router::Router(const Limits& limits, const Conditions& conditions, Journal& journal, Mesh& mesh, Stats& stats,
               Random& random)
    : limits_(limits),
      conditions_(conditions),
      journal_(journal),
      mesh_(mesh),
      stats_(stats),
      tree_(random.next()),
      routes_(tree_),
      retained_({.messages_max = limits.retained_messages,
                 .bytes_max = limits.retained_bytes,
                 .age_max = limits.retained_age,
                 .hash_seed = random.next()}) {}

// --- receivers ---

SubscriberId Router::add(Destination& destination) {
  const SubscriberId number = subscribers_.reserve();
  subscribers_.set(number, destination);
  return number;
}

void Router::remove(SubscriberId number) {
  const bool was_meshed = subscribers_[number].is_meshed();
  subscribers_.remove(number);
  if (was_meshed) handle_mesh_changed();
  journal_.condition().note_opening();
}

void Router::handle_refusals_changed() {
  subscribers_.count_refusals();
  journal_.condition().note_opening();
}

// --- messages ---

bool Router::any_refuses(Publication& publication, std::span<const Route> routes, SubscriberId origin) const {
  return std::ranges::any_of(routes, [&](const Route& route) {
    return route.takes(origin) &&
           subscribers_[route.subscriber].refuses(publication, delivery_of(route, publication.fields()));
  });
}

// All destinations are asked before any takes the message.
bool Router::refuses(Publication& publication, std::span<const Route> routes, SubscriberId origin, bool waits,
                     const ExchangeRow* exchange) const {
  if (journal_.condition().failing()) {
    // Messages that have to be written before they can be acknowledged are refused.
    const bool retains = publication.fields().retain && waits && !journal_.options().retained_lazy;
    return exchange != nullptr || retains || any_refuses(publication, routes, origin);
  }
  const bool possible = subscribers_.may_refuse() || limits_.session_queue.when_full == WhenFull::Refuse;
  return possible && any_refuses(publication, routes, origin);
}

Router::Published Router::publish(const Message::Fields& fields, SubscriberId origin, AckTicket ticket,
                                  const ExchangeRow* exchange, Instant now) {
  if (in_mesh()) return publish_in_mesh(fields, origin, ticket, exchange, now);
  return route(fields, origin, ticket, exchange, nullptr, now);
}

Router::Published Router::publish_in_mesh(const Message::Fields& fields, SubscriberId origin, AckTicket& ticket,
                                          const ExchangeRow* exchange, Instant now) {
  if (const std::optional<MessageId> id = id_of(fields.properties)) {
    switch (mesh_.judge(*id)) {
      case HeardIds::Verdict::Had:
        ++stats_.mesh_had;
        // At QoS 2 the first one is on disk soon, and then the order outlives a crash, too: whoever is answered sends
        // the next message. At QoS 1 two gateways would wait for each other, and each message would be written.
        if (exchange != nullptr && !journal_.idle()) {
          journal_.complete_when_durable(std::move(ticket));
        } else {
          ticket.complete(mqtt::ReasonCode::Success);
        }
        return {.had = true};
      case HeardIds::Verdict::Older:
        ++stats_.mesh_older;
        break;
      case HeardIds::Verdict::New:
        break;
    }
    return route(fields, origin, ticket, exchange, &*id, now);
  }
  const MessageId own = joins_mesh(fields.topic, origin) ? mesh_.give() : MessageId{};
  if (own.sequence == 0) return route(fields, origin, ticket, exchange, nullptr, now);
  ByteBuffer properties;
  Message::Fields named = fields;
  named.properties = with_id(fields.properties, own, properties);
  const Published published = route(named, origin, ticket, exchange, nullptr, now);
  if (published.refused) mesh_.take_back(own);
  return published;
}

Router::Published Router::route(const Message::Fields& fields, SubscriberId origin, AckTicket& ticket,
                                const ExchangeRow* exchange, const MessageId* id, Instant now) {
  Publication publication(fields, journal_, forms_, now);
  const std::span<const Route> routes = routes_.lookup(fields.topic);
  if (refuses(publication, routes, origin, static_cast<bool>(ticket), exchange)) {
    return {.reason = mqtt::ReasonCode::QuotaExceeded, .refused = true};
  }
  ++stats_.messages_received;
  const HeardIds::Mark mark = id != nullptr ? mesh_.note_taken(*id) : HeardIds::Mark{};
  const char* const retained_limit = fields.retain ? retain(publication, static_cast<bool>(ticket), now) : nullptr;
  for (const Route& route : routes) {
    if (route.takes(origin)) subscribers_[route.subscriber].deliver(publication, delivery_of(route, fields));
  }
  const mqtt::ReasonCode reason = routes.empty() ? mqtt::ReasonCode::NoMatchingSubscribers : mqtt::ReasonCode::Success;
  if (exchange != nullptr) journal_.add_exchange(publication.commitment(), *exchange, now);
  if (publication.has_commitment()) {
    Journal::set_id(publication.commitment(), mark);
    journal_.seal(publication.commitment(), std::move(ticket), reason);
  } else {
    // When a value is stored whose publisher does not wait for that, nobody tells: after a crash it may come again.
    if (mark && !fields.retain) mesh_.note_safe(mark);
    ticket.complete(reason);
  }
  return {.reason = reason, .retained_limit = retained_limit};
}

void Router::deliver_again(SubscriberId receiver, const Message& value, Instant now) {
  const Message::Fields fields = fields_of(value);
  Publication publication(fields, journal_, forms_, now);
  subscribers_[receiver].deliver(publication, {value.qos(), true, {}});
  if (publication.has_commitment()) journal_.seal(publication.commitment(), {}, mqtt::ReasonCode::Success);
}

const char* Router::retain(Publication& publication, bool wait, Instant now) {
  // The value's own message: the retained store keeps it longer than the queues do.
  const std::string_view topic = publication.fields().topic;
  const bool removes = publication.fields().payload.empty();
  if (!removes && conditions_.short_of_memory && !retained_.contains(topic)) {
    ++stats_.memory_over_limit;
    return "limits.memory";
  }
  const RetainedStore::Outcome outcome = retained_.set(publication.message());
  switch (outcome) {
    case RetainedStore::Outcome::Full:
      ++stats_.retained_over_limit;
      return "limits.retained";
    case RetainedStore::Outcome::NotThere:
    case RetainedStore::Outcome::Unchanged:
      // The store may still have another value.
      if (!journal_.retained_unsafe(topic)) return nullptr;
      break;
    default:
      journal_.retained_changed(topic, removes ? MessageRef{} : publication.message(), now);
  }
  if (wait && !journal_.options().retained_lazy) {
    journal_.add_retained(publication.commitment(), outcome == RetainedStore::Outcome::Stored, now);
  }
  return nullptr;
}

bool Router::guards_path(std::string_view topic, SubscriberId origin) {
  return std::ranges::any_of(routes_.lookup(topic), [&](const Route& route) {
    return route.takes(origin) && subscribers_[route.subscriber].guards_path();
  });
}

bool Router::joins_mesh(std::string_view topic, SubscriberId origin) {
  return std::ranges::any_of(routes_.lookup(topic), [&](const Route& route) {
    return route.takes(origin) && subscribers_[route.subscriber].is_meshed();
  });
}

void Router::publish_status(std::string_view topic, std::string_view payload, Instant now) {
  const Message::Fields fields = status_fields(topic, payload, now);
  Publication publication(fields, journal_, forms_, now);
  (void)retained_.set_own(publication.message());
  for (const Route& route : routes_.lookup(topic)) {
    subscribers_[route.subscriber].deliver(publication, delivery_of(route, fields));
  }
}

void Router::retain_status(std::string_view topic, std::string_view payload, Instant now) {
  (void)retained_.set_own(Message::make(status_fields(topic, payload, now)));
}

void Router::retry_held(Instant now) {
  if (!has_room_for_held()) return;
  openings_seen_ = journal_.condition().openings();
  const std::vector<HeldPublishes*> holders = holders_;
  for (HeldPublishes* holder : holders) holder->retry(now);
}

// --- the store ---

void Router::restore(const std::vector<RetainedRow>& rows, const ClockStamp& stamp, Instant now) {
  for (const RetainedRow& row : rows) {
    ClockStamp written;
    MessageRef message = row.data ? decode_message(*row.data, stamp, written) : MessageRef{};
    if (message && retained_.expires_at(*message) > now) {
      const bool ages = message->expiry_s() || limits_.retained_age > Duration::zero();
      if (ages && !stamp.trusted) undated_retained_.emplace_back(message, written);
      (void)retained_.set(std::move(message));
    } else {
      journal_.retained_changed(row.topic, {}, now);  // expired, or damaged
    }
  }
}

void Router::handle_clock_trusted(const ClockStamp& stamp) {
  for (const auto& [message, written] : std::exchange(undated_retained_, {})) message->age(uncounted(written, stamp));
}

void Router::handle_limits_changed() {
  retained_.set_limits(limits_.retained_messages, limits_.retained_bytes, limits_.retained_age);
  journal_.condition().note_opening();  // queues may take what they have refused
}

}  // namespace furrow::broker
