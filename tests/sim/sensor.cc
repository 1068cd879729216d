#include "tests/sim/sensor.h"

#include <algorithm>

namespace furrow::sim {

Sensor::Sensor(const Options& options, Ledger& ledger, Random& random)
    : options_(options),
      ledger_(ledger),
      random_(random),
      topic_("farm/field-" + std::to_string(options.index) + "/moisture"),
      decoder_(mqtt::Role::Client, mqtt::kRemainingLengthMax) {}

void Sensor::connect(LinkRef link, Instant now) {
  link_ = std::move(link);
  ready_ = false;
  decoder_ = mqtt::Decoder(mqtt::Role::Client, mqtt::kRemainingLengthMax);
  decoder_.set_version(options_.version);
  mqtt::Connect connect;
  connect.version = options_.version;
  connect.clean_start = false;
  connect.keep_alive_s = 10;
  const std::string id = "sensor-" + std::to_string(options_.index);
  connect.client_id = id;
  ByteBuffer properties;
  mqtt::PropertyWriter(properties).number(mqtt::PropertyId::SessionExpiryInterval, 86'400);
  if (options_.version == mqtt::Version::V5) connect.properties = mqtt::PropertyView::from_valid(properties.view());
  send(connect, now);
}

void Sensor::send(const mqtt::Packet& packet, Instant now) {
  ByteBuffer bytes;
  mqtt::encode(packet, options_.version, bytes);
  link_->to_server.send(bytes.view(), now, random_, options_.delay_max);
}

void Sensor::run(Instant now) {
  if (!connected()) return;
  receive(now);
  if (!connected() || !ready_) return;
  while (next_publish_ <= now && next_number_ < options_.messages && inflight_.size() < options_.window) {
    last_id_ = static_cast<std::uint16_t>(last_id_ == 0xFFFF ? 1 : last_id_ + 1);
    inflight_.push_back({next_number_++, PacketId{last_id_}, false, false});
    ledger_.published(options_.index, inflight_.back().number);
    publish(inflight_.back(), false, now);
    next_publish_ = now + options_.interval;
  }
}

Instant Sensor::next_deadline() const {
  if (!connected()) return kNever;
  Instant next = link_->to_client.next();
  if (ready_ && next_number_ < options_.messages && inflight_.size() < options_.window)
    next = std::min(next, next_publish_);
  return next;
}

void Sensor::receive(Instant now) {
  std::vector<std::uint8_t> bytes;
  while (link_->to_client.receive(now, bytes)) {
    ByteView input(bytes);
    mqtt::Packet packet;
    mqtt::ProtocolError error;
    while (true) {
      const mqtt::Decoder::Step step = decoder_.next(input, packet, error);
      if (step == mqtt::Decoder::Step::NeedMore) break;
      if (step == mqtt::Decoder::Step::Malformed) {
        ledger_.fail("the gateway sent a malformed packet: " + std::string(error.what));
        link_->cut();
        return;
      }
      handle(packet, now);
      if (!link_->open) return;
    }
  }
}

void Sensor::handle(const mqtt::Packet& packet, Instant now) {
  if (const auto* connack = std::get_if<mqtt::Connack>(&packet)) {
    handle_connack(*connack, now);
  } else if (const auto* puback = std::get_if<mqtt::Puback>(&packet)) {
    handle_acknowledgement(puback->packet_id, true, now);
  } else if (const auto* pubrec = std::get_if<mqtt::Pubrec>(&packet)) {
    handle_acknowledgement(pubrec->packet_id, false, now);
    send(mqtt::Pubrel{pubrec->packet_id, mqtt::ReasonCode::Success, {}}, now);
  } else if (const auto* pubcomp = std::get_if<mqtt::Pubcomp>(&packet)) {
    std::erase_if(inflight_, [&](const Exchange& exchange) { return exchange.packet_id == pubcomp->packet_id; });
  } else if (std::holds_alternative<mqtt::Disconnect>(packet)) {
    link_->cut();
  }
}

void Sensor::handle_connack(const mqtt::Connack& connack, Instant now) {
  if (is_error(connack.reason)) {
    ledger_.fail("the gateway refused a sensor: " + std::string(name(connack.reason)));
    link_->cut();
    return;
  }
  ready_ = true;
  next_publish_ = now;
  if (!connack.session_present) {
    // The gateway has taken over what it answered with PUBREC; the rest is published anew.
    std::erase_if(inflight_, [](const Exchange& exchange) { return exchange.released; });
  }
  for (Exchange& exchange : inflight_) {
    if (exchange.released) {
      send(mqtt::Pubrel{exchange.packet_id, mqtt::ReasonCode::Success, {}}, now);
    } else {
      publish(exchange, connack.session_present && exchange.sent, now);
    }
  }
}

// PUBACK or PUBREC: from now on the message is the gateway's.
void Sensor::handle_acknowledgement(PacketId packet_id, bool last, Instant /*now*/) {
  const auto found = std::ranges::find(inflight_, packet_id, &Exchange::packet_id);
  if (found == inflight_.end()) return;
  ledger_.acknowledged(options_.index, found->number);
  found->released = true;
  if (last) inflight_.erase(found);
}

void Sensor::publish(Exchange& exchange, bool duplicate, Instant now) {
  exchange.sent = true;
  const std::string payload = std::to_string(options_.index) + " " + std::to_string(exchange.number);
  mqtt::Publish publish;
  publish.topic = topic_;
  publish.payload = as_bytes(payload);
  publish.packet_id = exchange.packet_id;
  publish.qos = options_.qos;
  publish.duplicate = duplicate;
  send(publish, now);
}

}  // namespace furrow::sim
