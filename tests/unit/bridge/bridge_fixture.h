// A gateway with one bridge, and a far broker that the test plays: it reads what the bridge says, and answers by hand.
//
//   start();                                   // the bridge dials
//   accept();                                  // TCP is up, CONNECT was read, CONNACK goes back
//   publish("farm/1", "21", Qos::AtLeastOnce); // by a local sensor
//   EXPECT_THAT(said(), ElementsAre("PUBLISH …"));
//   far(mqtt::Puback{PacketId{1}});
//
// After every step the world turns until nothing moves, and the bridge's books must balance.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bridge/bridge.h"
#include "broker-core/mqtt/encoder.h"
#include "tests/support/broker_fixture.h"
#include "tests/support/packet_text.h"

namespace furrow::test {

inline bridge::Rule rule(bridge::Direction direction, std::string filter, mqtt::Qos qos_max = mqtt::Qos::ExactlyOnce) {
  bridge::Rule made;
  made.direction = direction;
  made.filter = std::move(filter);
  made.qos_max = qos_max;
  return made;
}

class BridgeFixture : public BrokerFixture {
 public:
  BridgeFixture() {
    bridge_options.name = "region";
    bridge_options.client_id = "gw";
    bridge_options.addresses = {{"far", 1883}};
    bridge_options.rules = {rule(bridge::Direction::Up, "farm/#")};
    bridge_options.seed = 7;
  }
  ~BridgeFixture() override {
    bridge_.reset();
    buffers_.reset();
  }

  // --- the bridge ---
  void start() {
    make_buffers();
    attach();
  }
  // Those that the store has, without a bridge.
  void make_buffers() {
    broker::Broker& local = broker();
    buffers_.emplace(store.restored(), local);
  }
  bridge::Buffers& buffers() { return *buffers_; }
  // The bridge is taken away while the gateway goes on; then another one, with what `bridge_options` are by then.
  void detach() {
    bridge_->shut_down(now);
    turn();
    ASSERT_TRUE(bridge_->left());
    bridge_.reset();
  }
  void attach() {
    bridge_ = std::make_unique<bridge::Bridge>(bridge_options, buffer(), broker(), log, now);
    turn();
  }
  void set_rules(std::vector<bridge::Rule> rules) {
    bridge_->set_rules(std::move(rules), now);
    turn();
  }
  bridge::Buffer& buffer() { return buffers_->of(bridge_options.name); }
  bridge::Bridge& bridge() { return *bridge_; }
  bridge::Snapshot snapshot() { return bridge_->snapshot(); }
  // `online`, or `backoff: no connection`.
  std::string state() {
    const bridge::Snapshot taken = snapshot();
    std::string text(name(taken.state));
    if (!taken.reason.empty()) text += ": " + taken.reason;
    return text;
  }
  std::uint64_t dropped(broker::DropReason reason) { return snapshot().books.drops(reason); }

  // --- the network ---
  // Addresses dialled since the last call.
  std::vector<std::string> dialed() { return std::exchange(dialed_, {}); }
  bool dialing() const { return dialing_; }
  bool linked() const { return linked_; }
  // Addresses that were probed since the last call; answer with probed().
  std::vector<std::string> asked() { return std::exchange(asked_, {}); }
  void probed(bool reached) {
    bridge_->handle_probed(reached, now);
    turn();
  }
  // TCP is up; what the bridge says then waits in said().
  void link() {
    ASSERT_TRUE(dialing_);
    dialing_ = false;
    linked_ = true;
    decoder_.emplace(mqtt::Role::Server, UINT32_MAX);
    inbox_.clear();
    taken_.clear();
    said_.clear();
    bridge_->handle_connected(std::nullopt, now);
    turn();
  }
  void refuse(std::string_view why = "connection refused") {
    ASSERT_TRUE(dialing_);
    dialing_ = false;
    bridge_->handle_connect_failed(why, now);
    turn();
  }
  void cut(const Error& why = {Errc::Io, "connection reset"}) {
    ASSERT_TRUE(linked_);
    linked_ = false;
    bridge_->handle_closed(why, now);
    turn();
  }
  // From now on nothing is taken from the bridge's output, or again.
  void block(bool blocked = true) {
    blocked_ = blocked;
    turn();
  }
  // From now on the socket has no room: what is taken from the output waits, and nothing more is taken; or again.
  void clog(bool clogged = true) {
    clogged_ = clogged;
    turn();
  }

  // --- the far broker ---
  void accept(bool session_present = false, mqtt::PropertyView properties = {}) {
    link();
    far(mqtt::Connack{session_present, mqtt::ReasonCode::Success, properties});
  }
  void far(const mqtt::Packet& packet) {
    ASSERT_TRUE(linked_);
    mqtt::encode(packet, decoder_->version(), inbox_);
    turn();
  }
  // What is no MQTT, perhaps.
  void far_bytes(std::string_view bytes) {
    ASSERT_TRUE(linked_);
    inbox_.append(bytes);
    turn();
  }
  void far_publishes(std::string_view topic, std::string_view payload, mqtt::Qos qos, std::uint16_t packet_id,
                     mqtt::PropertyView properties = {}, bool duplicate = false) {
    mqtt::Publish packet;
    packet.topic = topic;
    packet.payload = as_bytes(payload);
    packet.qos = qos;
    packet.packet_id = PacketId{packet_id};
    packet.properties = properties;
    packet.duplicate = duplicate;
    far(packet);
  }
  // What the bridge said since the last call.
  std::vector<std::string> said() { return std::exchange(said_, {}); }

  // It has a session of the bridge, and lets it in.
  void online() {
    if (!dialing()) redial();
    accept(true);
  }
  // What of that are messages, as `farm/1=21`.
  std::vector<std::string> published() {
    std::vector<std::string> all;
    for (const std::string& line : said()) {
      if (!line.starts_with("PUBLISH ")) continue;
      std::vector<std::string> quoted;
      for (std::size_t at = line.find('"'); at != std::string::npos && quoted.size() < 2; at = line.find('"', at + 1)) {
        const std::size_t end = line.find('"', at + 1);
        quoted.push_back(line.substr(at + 1, end - at - 1));
        at = end;
      }
      all.push_back(quoted.at(0) + "=" + quoted.at(1));
    }
    return all;
  }

  // --- the local side ---
  // A sensor publishes; its acknowledgements are in sensor().received().
  void publish(std::string_view topic, std::string_view payload, mqtt::Qos qos,
               const Client::PublishOptions& publish_options = {}) {
    const std::uint16_t packet_id = qos == mqtt::Qos::AtMostOnce ? std::uint16_t{0} : ++last_packet_id_;
    sensor().publish(topic, payload, qos, packet_id, publish_options);
    turn();
  }
  Client& sensor() {
    if (sensor_ == nullptr) sensor_ = &connect({.client_id = "sensor"});
    return *sensor_;
  }

  // --- time and power ---
  void turn() {
    for (bool moved = true; moved;) {
      moved = false;
      settle();
      if (!bridge_) return;
      while (const auto command = bridge_->poll_command()) {
        perform(*command);
        moved = true;
      }
      moved = exchange_bytes() || moved;
      check_books();
    }
  }
  void pass(Duration duration) {
    const Instant end = now + duration;
    turn();
    for (;;) {
      const Instant due = std::min(broker().next_deadline(), bridge_->next_deadline());
      if (due > end) break;
      now = std::max(now, due);
      broker().handle_timeout(now);
      if (bridge_->next_deadline() <= now) bridge_->handle_timeout(now);
      turn();
    }
    now = end;
  }
  // Time passes until the bridge tries again.
  void redial() {
    const auto next = snapshot().next_attempt;
    ASSERT_TRUE(next.has_value());
    pass(*next - now);
    ASSERT_TRUE(dialing_);
  }
  // The power fails; the bridge starts again on what is durable.
  void crash_and_restart() {
    end_of_the_gateway();
    start();
  }

  void end_of_the_gateway() {
    bridge_.reset();
    buffers_.reset();
    sensor_ = nullptr;
    linked_ = dialing_ = false;
    crash();
  }

  // accepted = delivered + backlog + inflight + quarantined + expired + dropped, and what came down is somewhere.
  void check_books() {
    const bridge::Snapshot taken = snapshot();
    const auto& drops = taken.books.dropped;
    const std::uint64_t dropped_in_all = std::accumulate(drops.begin(), drops.end(), std::uint64_t{0});
    EXPECT_EQ(taken.accepted, taken.delivered + taken.backlog_messages + taken.inflight + taken.quarantined +
                                  taken.expired + dropped_in_all);
    EXPECT_EQ(taken.received, taken.routed + taken.received_dropped);
  }

  bridge::Options bridge_options;

 private:
  void perform(const bridge::Command& command) {
    if (std::holds_alternative<bridge::Disconnect>(command)) {
      EXPECT_TRUE(linked_ || dialing_) << "nothing to end";
      linked_ = dialing_ = false;
    } else if (const auto* probe = std::get_if<bridge::Probe>(&command)) {
      asked_.push_back(probe->address.url());
    } else {
      EXPECT_FALSE(linked_ || dialing_) << "one connection at a time";
      dialing_ = true;
      dialed_.push_back(std::get<bridge::Connect>(command).address.url());
    }
  }

  bool exchange_bytes() {
    bool moved = false;
    ByteBuffer& output = bridge_->output();
    if (linked_ && !blocked_ && taken_.empty() && !output.empty() && bridge_->review_output(now)) {
      taken_ = std::move(output);
      bridge_->handle_taken();
    }
    if (linked_ && !clogged_ && !taken_.empty()) {
      take(taken_.view());
      taken_.clear();
      bridge_->handle_sent(now);
      moved = true;
    }
    if (linked_ && !inbox_.empty() && !bridge_->reading_paused()) {
      const Bytes bytes(inbox_.view().begin(), inbox_.view().end());
      inbox_.clear();
      bridge_->handle_bytes(bytes, true, now);
      moved = true;
    }
    return moved;
  }

  void take(ByteView bytes) {
    mqtt::Packet packet;
    mqtt::ProtocolError error;
    for (auto step = decoder_->next(bytes, packet, error); step != mqtt::Decoder::Step::NeedMore;
         step = decoder_->next(bytes, packet, error)) {
      ASSERT_NE(step, mqtt::Decoder::Step::Malformed) << error.what;
      said_.push_back(describe(packet));
    }
  }

  std::optional<bridge::Buffers> buffers_;
  std::unique_ptr<bridge::Bridge> bridge_;
  Client* sensor_ = nullptr;
  std::uint16_t last_packet_id_ = 0;

  bool dialing_ = false;
  bool linked_ = false;
  bool blocked_ = false;
  bool clogged_ = false;
  std::vector<std::string> dialed_;
  std::vector<std::string> asked_;
  std::optional<mqtt::Decoder> decoder_;
  ByteBuffer taken_;  // said by the bridge, not yet in the socket
  ByteBuffer inbox_;  // sent by the far broker, not yet read
  std::vector<std::string> said_;
};

}  // namespace furrow::test
