// One end of a simulated connection that speaks MQTT: packets instead of bytes, for the models of clients and regions.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "broker-core/mqtt/decoder.h"
#include "broker-core/mqtt/encoder.h"
#include "tests/sim/ledger.h"
#include "tests/sim/network.h"

namespace furrow::sim {

class Endpoint {
 public:
  // `role` is that of this end: mqtt::Role::Client has connected. `who` names the other end in a failure.
  Endpoint(LinkRef link, mqtt::Role role, std::string who, Duration delay_max, Ledger& ledger, Random& random)
      : link_(std::move(link)),
        role_(role),
        who_(std::move(who)),
        delay_max_(delay_max),
        ledger_(ledger),
        random_(random),
        decoder_(role, mqtt::kRemainingLengthMax) {}

  bool open() const { return link_->open; }
  void cut() { link_->cut(); }
  Link& link() { return *link_; }
  mqtt::Version version() const { return decoder_.version(); }
  void set_version(mqtt::Version version) { decoder_.set_version(version); }
  Instant next() const { return (is_client() ? link_->to_client : link_->to_server).next(); }

  void send(const mqtt::Packet& packet, Instant now) {
    if (!open()) return;
    ByteBuffer bytes;
    mqtt::encode(packet, version(), bytes);
    (is_client() ? link_->to_server : link_->to_client).send(bytes.view(), now, random_, delay_max_);
  }

  // Calls handle(packet) for everything that has arrived, until the connection is cut.
  template <typename Handle>
  void receive(Instant now, Handle handle) {
    std::vector<std::uint8_t> bytes;
    while (open() && (is_client() ? link_->to_client : link_->to_server).receive(now, bytes)) {
      ByteView input(bytes);
      mqtt::ProtocolError error;
      while (open()) {
        const mqtt::Decoder::Step step = decoder_.next(input, packet_, error);
        if (step == mqtt::Decoder::Step::NeedMore) break;
        if (step == mqtt::Decoder::Step::Malformed) {
          ledger_.fail(who_ + " sent a malformed packet: " + error.what);
          cut();
          return;
        }
        handle(std::as_const(packet_));
      }
    }
  }

 private:
  bool is_client() const { return role_ == mqtt::Role::Client; }

  LinkRef link_;
  mqtt::Role role_;
  std::string who_;
  Duration delay_max_;
  Ledger& ledger_;
  Random& random_;
  mqtt::Decoder decoder_;
  mqtt::Packet packet_;
};

}  // namespace furrow::sim
