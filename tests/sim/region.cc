#include "tests/sim/region.h"

#include <algorithm>

#include "broker-core/gateway_path.h"

namespace furrow::sim {

namespace {

// Whether `topic` matches `filter` [MQTT 5.0 §4.7]: written for the model, level by level.
bool matches(std::string_view filter, std::string_view topic) {
  while (true) {
    const std::string_view wanted = filter.substr(0, filter.find('/'));
    if (wanted == "#") return true;
    const std::string_view level = topic.substr(0, topic.find('/'));
    if (wanted != "+" && wanted != level) return false;
    const bool filter_ends = wanted.size() == filter.size();
    const bool topic_ends = level.size() == topic.size();
    if (filter_ends) return topic_ends;
    filter.remove_prefix(wanted.size() + 1);
    if (topic_ends) return filter == "#";
    topic.remove_prefix(level.size() + 1);
  }
}

}  // namespace

void Region::add_bridge(std::string client_id, std::string prefix, ReceiverId receiver) {
  Session& session = sessions_.try_emplace(std::move(client_id), ledger_).first->second;
  session.prefix = std::move(prefix);
  session.receiver = receiver;
}

void Region::accept(LinkRef link) {
  connections_.push_back(std::make_unique<Connection>(
      Connection{Endpoint(std::move(link), mqtt::Role::Server, "a bridge", options_.delay_max, ledger_, random_),
                 nullptr,
                 false,
                 {}}));
}

void Region::run(Instant now) {
  // By index: a message may be forwarded, but no connection comes while packets are handled.
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    Connection& connection = *connections_[i];
    connection.end.receive(now, [&](const mqtt::Packet& packet) { handle(connection, packet, now); });
    if (!connection.end.open() || connection.session == nullptr) continue;
    connection.session->incoming.run(connection.end, now);
    connection.session->outgoing.pump(now);
  }
  std::erase_if(connections_, [](const auto& connection) {
    if (connection->end.open()) return false;
    if (connection->session != nullptr) connection->session->outgoing.disconnect();
    return true;
  });
}

Instant Region::next_deadline() const {
  Instant next = kNever;
  for (const auto& connection : connections_) {
    next = std::min(next, connection->end.next());
    if (connection->session != nullptr) next = std::min(next, connection->session->incoming.next_deadline());
  }
  return next;
}

void Region::restart(bool forgets) {
  for (const auto& connection : connections_) connection->end.cut();
  connections_.clear();
  for (auto& [id, session] : sessions_) {
    session.outgoing.disconnect();
    if (forgets && session.present) end_session(session);
  }
}

void Region::end_session(Session& session) {
  session.present = false;
  session.bare = session.bare || !session.subscriptions.empty();
  session.incoming.forget();
  session.outgoing.forget();
  session.subscriptions.clear();
}

// --- what comes from a bridge ---

void Region::handle(Connection& connection, const mqtt::Packet& packet, Instant now) {
  if (const auto* connect = std::get_if<mqtt::Connect>(&packet)) {
    handle_connect(connection, *connect, now);
  } else if (connection.session == nullptr) {
    ledger_.fail("a bridge sent something before CONNECT");
    connection.end.cut();
  } else if (const auto* publish = std::get_if<mqtt::Publish>(&packet)) {
    handle_publish(connection, *publish, now);
  } else if (const auto* pubrel = std::get_if<mqtt::Pubrel>(&packet)) {
    connection.session->incoming.handle(*pubrel, now);
  } else if (const auto* subscribe = std::get_if<mqtt::Subscribe>(&packet)) {
    handle_subscribe(connection, *subscribe, now);
  } else if (const auto* unsubscribe = std::get_if<mqtt::Unsubscribe>(&packet)) {
    handle_unsubscribe(connection, *unsubscribe, now);
  } else if (std::holds_alternative<mqtt::Pingreq>(packet)) {
    connection.end.send(mqtt::Pingresp{}, now);
  } else if (std::holds_alternative<mqtt::Disconnect>(packet)) {
    connection.end.cut();
  } else {
    (void)connection.session->outgoing.handle(packet, now);
  }
}

void Region::handle_connect(Connection& connection, const mqtt::Connect& connect, Instant now) {
  if (connect.version == mqtt::Version::V5 && !options_.v5) {
    connection.end.set_version(mqtt::Version::V3_1_1);
    connection.end.send(mqtt::Connack{false, mqtt::ReasonCode::UnsupportedProtocolVersion, {}}, now);
    return;
  }
  const auto found = sessions_.find(connect.client_id);
  if (found == sessions_.end()) {
    ledger_.fail("a bridge connected as " + std::string(connect.client_id));
    connection.end.cut();
    return;
  }
  Session& session = found->second;
  if (connect.clean_start && session.present) {
    end_session(session);
    ledger_.forgive(session.receiver);
  }
  // Else a bridge that has not heard of the loss, or has not stored it, would be told of a session, and could not know
  // that it is another one.
  if (session.bare) session.present = false;
  // A new connection takes over.
  for (const auto& other : connections_) {
    if (other->session == &session) {
      other->end.cut();
      other->session = nullptr;
    }
  }
  connection.session = &session;
  connection.bridge_bit = connect.bridge;
  ByteBuffer properties;
  mqtt::PropertyWriter writer(properties);
  writer.number(mqtt::PropertyId::ReceiveMaximum, mutator_.changed_receive_maximum(options_.receive_maximum));
  if (options_.topic_alias_maximum > 0)
    writer.number(mqtt::PropertyId::TopicAliasMaximum, options_.topic_alias_maximum);
  mqtt::Connack connack{session.present, mqtt::ReasonCode::Success, {}};
  const bool v5 = connect.version == mqtt::Version::V5;
  if (v5) connack.properties = mqtt::PropertyView::from_valid(properties.view());
  connection.end.send(connack, now);
  session.incoming.connect(v5 ? options_.receive_maximum : std::uint16_t{0});
  const auto window = v5 ? connect.properties.number(mqtt::PropertyId::ReceiveMaximum).value_or(0xFFFF) : 10;
  session.outgoing.connect(connection.end, static_cast<std::uint16_t>(window), session.present, now);
  session.present = true;
}

std::string Region::topic_of(Connection& connection, const mqtt::Publish& publish) {
  std::string topic(publish.topic);
  const auto alias = publish.properties.number(mqtt::PropertyId::TopicAlias);
  if (!alias) return topic;
  if (*alias > options_.topic_alias_maximum) ledger_.fail("topic alias above the maximum of the region");
  std::string& known = connection.aliases[*alias];
  if (!topic.empty()) known = topic;
  if (known.empty()) ledger_.fail("topic alias without a topic");
  return known;
}

void Region::handle_publish(Connection& connection, const mqtt::Publish& publish, Instant now) {
  Session& session = *connection.session;
  const std::string topic = topic_of(connection, publish);
  if (const auto parsed = parse_payload(publish.payload); parsed && poison_.contains(*parsed)) {
    connection.end.link().close_by_server();
    return;
  }
  if (refuse(connection, publish, now)) return;
  if (!session.incoming.handle(publish, options_.answer_after, now, random_, ledger_)) return;
  check_number(session, publish);
  record(session, topic, publish.payload);
  const std::string payload(as_text(publish.payload));
  if (publish.retain && payload.empty()) retained_.erase(topic);  // [MQTT-3.3.1-6]
  if (publish.retain && !payload.empty()) retained_[topic] = payload;
  const auto parsed = parse_payload(publish.payload);
  if (!parsed) return;
  Outgoing::Item item;
  item.stream = parsed->first;
  item.number = parsed->second;
  item.topic = topic;
  item.payload = payload;
  item.qos = publish.qos;
  (void)forward(item, &session, now);
}

bool Region::refuse(Connection& connection, const mqtt::Publish& publish, Instant now) {
  if (full_until_ <= now || connection.end.version() != mqtt::Version::V5) return false;
  if (!connection.session->incoming.refuse(publish, now)) return false;
  // It comes again behind others that were taken.
  if (const auto parsed = parse_payload(publish.payload)) ledger_.repeat(parsed->first, parsed->second);
  return true;
}

// A number is of one message, however often and after whatever crash that comes.
void Region::check_number(Session& session, const mqtt::Publish& publish) {
  const std::string_view number = broker::user_property(publish.properties, "seq");
  if (number.empty()) return;
  const std::string_view payload = as_text(publish.payload);
  const auto [known, is_new] = session.numbered.emplace(number, payload);
  if (!is_new && known->second != payload) {
    ledger_.fail("two messages came to the region with the number " + std::string(number));
  }
}

void Region::record(const Session& session, std::string_view topic, ByteView payload) {
  const std::string_view prefix = topic.starts_with(session.prefix) ? std::string_view(session.prefix) : kSharedPrefix;
  if (!topic.starts_with(prefix)) {
    ledger_.fail("a message came to the region under the topic " + std::string(topic));
    return;
  }
  const std::string_view local = topic.substr(prefix.size());
  if (payload.empty()) {
    ledger_.arrive_deletion(session.receiver, local);
  } else if (const auto parsed = parse_payload(payload)) {
    const bool is_newest = ledger_.published(parsed->first) == parsed->second + 1;
    if (options_.thinned && is_newest && mutator_.loses_newest()) return;
    ledger_.arrive(session.receiver, parsed->first, parsed->second, local);
  } else {
    ledger_.fail("a payload came to the region that nobody sent");
  }
}

// --- what goes to bridges ---

void Region::handle_subscribe(Connection& connection, const mqtt::Subscribe& subscribe, Instant now) {
  mqtt::Suback suback;
  suback.packet_id = subscribe.packet_id;
  const std::uint32_t id = subscribe.properties.number(mqtt::PropertyId::SubscriptionIdentifier).value_or(0);
  connection.session->bare = false;
  std::vector<Subscription>& subscriptions = connection.session->subscriptions;
  for (const mqtt::SubscriptionRequest& request : subscribe.requests) {
    std::erase_if(subscriptions, [&](const Subscription& old) { return old.filter == request.filter; });
    subscriptions.push_back({std::string(request.filter), request.qos, request.no_local || connection.bridge_bit, id});
    suback.reasons.push_back(static_cast<mqtt::ReasonCode>(request.qos));
  }
  connection.end.send(suback, now);
}

void Region::handle_unsubscribe(Connection& connection, const mqtt::Unsubscribe& unsubscribe, Instant now) {
  mqtt::Unsuback unsuback;
  unsuback.packet_id = unsubscribe.packet_id;
  std::vector<Subscription>& subscriptions = connection.session->subscriptions;
  for (const std::string_view filter : unsubscribe.filters) {
    const bool was_there =
        std::erase_if(subscriptions, [&](const Subscription& old) { return old.filter == filter; }) > 0;
    unsuback.reasons.push_back(was_there ? mqtt::ReasonCode::Success : mqtt::ReasonCode::NoSubscriptionExisted);
  }
  connection.end.send(unsuback, now);
}

bool Region::forward(const Outgoing::Item& item, const Session* from, Instant now) {
  bool taken = false;
  for (auto& [id, session] : sessions_) {
    const auto found = std::ranges::find_if(session.subscriptions, [&, own = from == &session](const auto& each) {
      return matches(each.filter, item.topic) && !(each.no_local && own);
    });
    if (!session.present || found == session.subscriptions.end()) continue;
    Outgoing::Item copy = item;
    copy.qos = std::min(item.qos, found->qos);
    copy.subscription_id = found->id;
    copy.retain = false;
    session.outgoing.push(std::move(copy));
    session.outgoing.pump(now);
    taken = true;
  }
  return taken;
}

void Region::publish(StreamId stream, const std::string& topic, Instant now) {
  Outgoing::Item item;
  item.stream = stream;
  item.number = ledger_.publish(stream, now);
  item.topic = topic;
  item.payload = make_payload(stream, item.number, 0);
  item.qos = ledger_.stream(stream).qos;
  // A message is a bridge's once it waits in its session.
  if (forward(item, nullptr, now)) ledger_.acknowledge(stream, item.number);
}

bool Region::subscribed(std::size_t filters) const {
  return std::ranges::all_of(sessions_, [&](const auto& each) { return each.second.subscriptions.size() >= filters; });
}

std::string Region::filters_of(std::string_view client_id) const {
  std::set<std::string> filters;
  for (const Subscription& one : sessions_.find(client_id)->second.subscriptions) filters.insert(one.filter);
  std::string text;
  for (const std::string& filter : filters) text += (text.empty() ? "" : ", ") + filter;
  return text;
}

std::size_t Region::unfinished() const {
  std::size_t count = 0;
  for (const auto& [id, session] : sessions_) count += session.outgoing.unfinished();
  return count;
}

std::optional<std::string> Region::retained(const std::string& topic) const {
  const auto found = retained_.find(topic);
  return found == retained_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace furrow::sim
