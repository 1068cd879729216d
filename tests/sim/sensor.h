// A simulated field sensor: an MQTT client written for the simulator, which keeps its session and resends as the
// specification asks of a client. Publishes numbered messages to its own topic at one QoS.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "broker-core/mqtt/decoder.h"
#include "broker-core/mqtt/encoder.h"
#include "tests/sim/ledger.h"
#include "tests/sim/network.h"

namespace furrow::sim {

class Sensor {
 public:
  struct Options {
    std::size_t index = 0;
    mqtt::Version version = mqtt::Version::V5;
    mqtt::Qos qos = mqtt::Qos::AtLeastOnce;
    std::uint32_t messages = 100;  // how many it publishes in its life
    std::size_t window = 8;
    Duration interval = std::chrono::milliseconds(20);
    Duration delay_max = std::chrono::milliseconds(5);
  };

  Sensor(const Options& options, Ledger& ledger, Random& random);

  // A link to the gateway is up: says CONNECT.
  void connect(LinkRef link, Instant now);
  bool connected() const { return link_ && link_->open; }
  const LinkRef& link() const { return link_; }

  // Takes what has arrived and publishes what is due.
  void run(Instant now);
  Instant next_deadline() const;

  // Everything published and acknowledged.
  bool done() const { return next_number_ == options_.messages && inflight_.empty(); }

 private:
  struct Exchange {
    std::uint32_t number = 0;
    PacketId packet_id;
    bool sent = false;
    bool released = false;  // PUBREC came
  };

  void receive(Instant now);
  void handle(const mqtt::Packet& packet, Instant now);
  void handle_connack(const mqtt::Connack& connack, Instant now);
  void handle_acknowledgement(PacketId packet_id, bool last, Instant now);
  void publish(Exchange& exchange, bool duplicate, Instant now);
  void send(const mqtt::Packet& packet, Instant now);

  const Options options_;
  Ledger& ledger_;
  Random& random_;
  const std::string topic_;
  LinkRef link_;
  mqtt::Decoder decoder_;
  bool ready_ = false;  // CONNACK came
  std::uint32_t next_number_ = 0;
  std::uint16_t last_id_ = 0;
  std::deque<Exchange> inflight_;
  Instant next_publish_{};
};

}  // namespace furrow::sim
