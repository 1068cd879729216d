// The regional broker, as a small model of the specification that shares nothing with furrow's broker but the codec: it
// keeps the bridge's session, answers each packet, takes QoS 2 over once per packet identifier, and tells the ledger
// what arrived.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "broker-core/mqtt/decoder.h"
#include "broker-core/mqtt/encoder.h"
#include "tests/sim/ledger.h"
#include "tests/sim/network.h"

namespace furrow::sim {

class Region {
 public:
  struct Options {
    bool v5 = true;  // else it refuses MQTT 5, as older brokers do
    std::uint16_t receive_maximum = 20;
    std::uint16_t topic_alias_maximum = 10;
    std::string prefix;  // what the bridge puts before the topic
    Duration delay_max = std::chrono::milliseconds(40);
  };
  Region(const Options& options, Ledger& ledger, Random& random)
      : options_(options), ledger_(ledger), random_(random) {}

  void accept(LinkRef link);
  void run(Instant now);
  Instant next_deadline() const;
  // It crashes: connections break; a broker with a store keeps the session.
  void restart();

 private:
  struct Connection {
    LinkRef link;
    mqtt::Decoder decoder;
    std::map<std::uint32_t, std::string> aliases;
  };

  void receive(Connection& connection, Instant now);
  void handle(Connection& connection, const mqtt::Packet& packet, Instant now);
  void handle_connect(Connection& connection, const mqtt::Connect& connect, Instant now);
  void handle_publish(Connection& connection, const mqtt::Publish& publish, Instant now);
  void record(std::string_view topic, std::string_view payload);
  void send(Connection& connection, const mqtt::Packet& packet, Instant now);

  const Options options_;
  Ledger& ledger_;
  Random& random_;
  std::vector<std::unique_ptr<Connection>> connections_;
  // The bridge's session.
  bool session_ = false;
  std::set<std::uint16_t> received_;
};

}  // namespace furrow::sim
