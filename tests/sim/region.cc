#include "tests/sim/region.h"

#include <charconv>

namespace furrow::sim {

void Region::accept(LinkRef link) {
  connections_.push_back(std::make_unique<Connection>(
      Connection{std::move(link), mqtt::Decoder(mqtt::Role::Server, mqtt::kRemainingLengthMax), {}}));
}

void Region::run(Instant now) {
  for (const auto& connection : connections_) {
    if (connection->link->open) receive(*connection, now);
  }
  std::erase_if(connections_, [](const auto& connection) { return !connection->link->open; });
}

Instant Region::next_deadline() const {
  Instant next = kNever;
  for (const auto& connection : connections_) next = std::min(next, connection->link->to_server.next());
  return next;
}

void Region::restart() {
  for (const auto& connection : connections_) connection->link->cut();
  connections_.clear();
}

void Region::send(Connection& connection, const mqtt::Packet& packet, Instant now) {
  ByteBuffer bytes;
  mqtt::encode(packet, connection.decoder.version(), bytes);
  connection.link->to_client.send(bytes.view(), now, random_, options_.delay_max);
}

void Region::receive(Connection& connection, Instant now) {
  std::vector<std::uint8_t> bytes;
  while (connection.link->open && connection.link->to_server.receive(now, bytes)) {
    ByteView input(bytes);
    mqtt::Packet packet;
    mqtt::ProtocolError error;
    while (connection.link->open) {
      const mqtt::Decoder::Step step = connection.decoder.next(input, packet, error);
      if (step == mqtt::Decoder::Step::NeedMore) break;
      if (step == mqtt::Decoder::Step::Malformed) {
        ledger_.fail("the bridge sent a malformed packet: " + std::string(error.what));
        connection.link->cut();
        return;
      }
      handle(connection, packet, now);
    }
  }
}

void Region::handle(Connection& connection, const mqtt::Packet& packet, Instant now) {
  if (const auto* connect = std::get_if<mqtt::Connect>(&packet)) {
    handle_connect(connection, *connect, now);
  } else if (const auto* publish = std::get_if<mqtt::Publish>(&packet)) {
    handle_publish(connection, *publish, now);
  } else if (const auto* pubrel = std::get_if<mqtt::Pubrel>(&packet)) {
    received_.erase(pubrel->packet_id.value);
    send(connection, mqtt::Pubcomp{pubrel->packet_id, mqtt::ReasonCode::Success, {}}, now);
  } else if (std::holds_alternative<mqtt::Pingreq>(packet)) {
    send(connection, mqtt::Pingresp{}, now);
  } else if (const auto* subscribe = std::get_if<mqtt::Subscribe>(&packet)) {
    send(connection,
         mqtt::Suback{subscribe->packet_id, {subscribe->requests.size(), mqtt::ReasonCode::GrantedQos2}, {}}, now);
  } else if (std::holds_alternative<mqtt::Disconnect>(packet)) {
    connection.link->cut();
  }
}

void Region::handle_connect(Connection& connection, const mqtt::Connect& connect, Instant now) {
  if (connect.version == mqtt::Version::V5 && !options_.v5) {
    connection.decoder.set_version(mqtt::Version::V3_1_1);
    send(connection, mqtt::Connack{false, mqtt::ReasonCode::UnsupportedProtocolVersion, {}}, now);
    return;
  }
  if (connect.clean_start) {
    session_ = false;
    received_.clear();
  }
  ByteBuffer properties;
  mqtt::PropertyWriter writer(properties);
  writer.number(mqtt::PropertyId::ReceiveMaximum, options_.receive_maximum);
  if (options_.topic_alias_maximum > 0)
    writer.number(mqtt::PropertyId::TopicAliasMaximum, options_.topic_alias_maximum);
  mqtt::Connack connack{session_, mqtt::ReasonCode::Success, {}};
  if (connect.version == mqtt::Version::V5) connack.properties = mqtt::PropertyView::from_valid(properties.view());
  send(connection, connack, now);
  session_ = true;
  // A new connection takes over.
  for (const auto& other : connections_) {
    if (other.get() != &connection) other->link->cut();
  }
}

void Region::handle_publish(Connection& connection, const mqtt::Publish& publish, Instant now) {
  std::string topic(publish.topic);
  if (const auto alias = publish.properties.number(mqtt::PropertyId::TopicAlias)) {
    if (*alias > options_.topic_alias_maximum) ledger_.fail("topic alias above the maximum of the region");
    if (topic.empty()) {
      topic = connection.aliases[*alias];
      if (topic.empty()) ledger_.fail("topic alias without a topic");
    } else {
      connection.aliases[*alias] = topic;
    }
  }
  const bool known = publish.qos == mqtt::Qos::ExactlyOnce && received_.contains(publish.packet_id.value);
  if (!known) record(topic, as_text(publish.payload));
  if (publish.qos == mqtt::Qos::AtLeastOnce) {
    send(connection, mqtt::Puback{publish.packet_id, mqtt::ReasonCode::Success, {}}, now);
  } else if (publish.qos == mqtt::Qos::ExactlyOnce) {
    received_.insert(publish.packet_id.value);
    send(connection, mqtt::Pubrec{publish.packet_id, mqtt::ReasonCode::Success, {}}, now);
  }
}

// A payload says `SENSOR NUMBER`, and the topic must be the sensor's own behind the prefix.
void Region::record(std::string_view topic, std::string_view payload) {
  std::size_t sensor = 0;
  std::uint32_t number = 0;
  const auto [rest, error] = std::from_chars(payload.data(), payload.data() + payload.size(), sensor);
  if (error != std::errc{} || rest == payload.data() + payload.size()) {
    ledger_.fail("a payload that no sensor sent: " + std::string(payload));
    return;
  }
  std::from_chars(rest + 1, payload.data() + payload.size(), number);
  if (topic != options_.prefix + "farm/field-" + std::to_string(sensor) + "/moisture") {
    ledger_.fail("arrived under the wrong topic " + std::string(topic));
  }
  ledger_.arrived(sensor, number);
}

}  // namespace furrow::sim
