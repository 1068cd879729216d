// A bridge and a real broker at the far end, wired in memory.
#include <chrono>

#include "tests/unit/bridge/bridge_fixture.h"

namespace furrow::test {
namespace {

using namespace std::chrono_literals;
using bridge::Direction;
using mqtt::Qos;
using testing::ElementsAre;

// The far end: a broker of its own, with its own store and clients.
class Region final : public BrokerFixture {
 private:
  void TestBody() override {}
};

class Pair : public BrokerFixture, public testing::WithParamInterface<mqtt::Version> {
 protected:
  Pair() {
    options_.name = "region";
    options_.client_id = "gw";
    options_.addresses = {{"region", 1883}};
    options_.version = GetParam() == mqtt::Version::V5 ? bridge::VersionChoice::Auto : bridge::VersionChoice::V3_1_1;
    options_.rules = {rule(Direction::Up, "farm/#"), rule(Direction::Down, "command/#"),
                      rule(Direction::Both, "shared/#")};
    options_.rules[0].remote_prefix = "barn-7/";
    region_.now = now;
  }
  ~Pair() override {
    bridge_.reset();
    buffers_.reset();
  }

  void start() {
    buffers_.emplace(broker::Restored{}, broker());
    bridge_ = std::make_unique<bridge::Bridge>(options_, buffers_->of("region"), broker(), log, now);
    turn();
  }

  void turn() {
    for (bool moved = true; moved;) {
      settle();
      region_.settle();
      moved = false;
      while (const auto command = bridge_->poll_command()) {
        perform(*command);
        moved = true;
      }
      moved = (wan_up_ && carry()) || moved;
    }
  }

  void pass(Duration duration) {
    const Instant end = now + duration;
    turn();
    for (;;) {
      const Instant due =
          std::min({broker().next_deadline(), region_.broker().next_deadline(), bridge_->next_deadline()});
      if (due > end) break;
      now = region_.now = std::max(now, due);
      broker().handle_timeout(now);
      region_.broker().handle_timeout(now);
      if (bridge_->next_deadline() <= now) bridge_->handle_timeout(now);
      turn();
    }
    now = region_.now = end;
  }

  void cut_wan() {
    wan_up_ = false;
    if (link_) region_.broker().handle_closed(std::exchange(link_, {}), now);
    bridge_->handle_closed({Errc::Io, "connection reset"}, now);
    turn();
  }
  void heal_wan() {
    wan_up_ = true;
    pass(60s);
  }

  void publish(Client& client, std::string_view topic, std::string_view payload, Qos qos) {
    client.publish(topic, payload, qos, qos == Qos::AtMostOnce ? std::uint16_t{0} : ++last_packet_id_);
    turn();
    if (qos == Qos::ExactlyOnce) client.acknowledge(mqtt::PacketType::Pubrel, last_packet_id_);
    turn();
  }

  // The payloads that a client has received, in order.
  static std::string payloads(Client& client) {
    std::string all;
    for (const std::string& line : client.received()) {
      if (!line.starts_with("PUBLISH")) continue;
      const std::size_t payload = line.find("\" \"") + 3;
      all += line.substr(payload, line.find('"', payload) - payload) + ' ';
    }
    return all;
  }

  Region region_;
  bridge::Options options_;
  std::optional<bridge::Buffers> buffers_;
  std::unique_ptr<bridge::Bridge> bridge_;

 private:
  void perform(const bridge::Command& command) {
    if (std::holds_alternative<bridge::Disconnect>(command)) {
      if (link_) region_.broker().handle_closed(std::exchange(link_, {}), now);
    } else if (wan_up_) {
      link_ = region_.broker().handle_accept({.program = "a bridge"}, now);
      bridge_->handle_connected(std::nullopt, now);
    } else {
      bridge_->handle_connect_failed("no route", now);
    }
  }

  // What each side has said goes to the other.
  bool carry() {
    bool moved = false;
    if (link_ && !bridge_->output().empty()) {
      const Bytes bytes = drain(bridge_->output());
      bridge_->handle_sent(now);
      region_.broker().handle_bytes(link_, bytes, true, now);
      moved = true;
    }
    if (link_ && !region_.broker().output(link_).empty()) {
      const Bytes bytes = drain(region_.broker().output(link_));
      region_.broker().handle_sent(link_, bytes.size(), now);
      bridge_->handle_bytes(bytes, true, now);
      moved = true;
    }
    if (link_ && region_.broker().closing(link_)) {
      region_.broker().handle_closed(std::exchange(link_, {}), now);
      bridge_->handle_closed({Errc::Closed, "closed by the far broker"}, now);
      moved = true;
    }
    return moved;
  }

  static Bytes drain(ByteBuffer& buffer) {
    const Bytes bytes(buffer.view().begin(), buffer.view().end());
    buffer.clear();
    return bytes;
  }

  ConnectionId link_;
  bool wan_up_ = true;
  std::uint16_t last_packet_id_ = 0;
};

TEST_P(Pair, AReadingReachesTheRegionAtEachQos) {
  start();
  Client& reader = region_.connect({.client_id = "reader"});
  reader.subscribe("barn-7/#", Qos::AtMostOnce);
  Client& sensor = connect({.client_id = "sensor"});
  publish(sensor, "farm/1", "zero", Qos::AtMostOnce);
  publish(sensor, "farm/1", "one", Qos::AtLeastOnce);
  publish(sensor, "farm/1", "two", Qos::ExactlyOnce);
  EXPECT_EQ(payloads(reader), "zero one two ");
  const bridge::Snapshot taken = bridge_->snapshot();
  EXPECT_EQ(taken.accepted, 3U);
  EXPECT_EQ(taken.delivered, 3U);
}

TEST_P(Pair, AnOutageDelaysAndNeitherLosesNorRepeatsQos2) {
  start();
  Client& reader = region_.connect({.client_id = "reader"});
  reader.subscribe("barn-7/#", Qos::AtMostOnce);
  Client& sensor = connect({.client_id = "sensor"});
  std::string expected;
  for (int i = 0; i < 30; ++i) {
    if (i == 10) cut_wan();
    if (i == 20) heal_wan();
    publish(sensor, "farm/1", std::to_string(i), Qos::ExactlyOnce);
    expected += std::to_string(i) + ' ';
  }
  pass(60s);
  EXPECT_EQ(payloads(reader), expected);
  EXPECT_EQ(bridge_->snapshot().delivered, 30U);
  EXPECT_EQ(bridge_->snapshot().state, bridge::State::Online);
}

TEST_P(Pair, ACommandReachesTheBarnAlsoAfterAnOutage) {
  start();
  Client& valve = connect({.client_id = "valve"});
  valve.subscribe("command/#", Qos::AtMostOnce);
  Client& operator_desk = region_.connect({.client_id = "desk"});
  publish(operator_desk, "command/valve", "open", Qos::ExactlyOnce);
  cut_wan();
  publish(operator_desk, "command/valve", "shut", Qos::ExactlyOnce);
  EXPECT_EQ(payloads(valve), "open ");
  heal_wan();
  EXPECT_EQ(payloads(valve), "shut ");
}

TEST_P(Pair, AllRetainedMessagesOfTheRegionComeDownHoweverManyItsQueuesHold) {
  constexpr int kMany = 2'500;
  Client& desk = region_.connect({.client_id = "desk"});
  for (int i = 0; i < kMany; ++i) {
    desk.publish("command/" + std::to_string(i), "open", Qos::AtLeastOnce, static_cast<std::uint16_t>(i + 1),
                 {.retain = true});
  }
  region_.advance(2s);
  now = region_.now;
  start();
  pass(10s);
  EXPECT_EQ(broker().retained().messages(), kMany);
}

TEST_P(Pair, WhatIsSharedBothWaysDoesNotEcho) {
  start();
  Client& here = connect({.client_id = "here"});
  here.subscribe("shared/#", Qos::AtMostOnce);
  Client& there = region_.connect({.client_id = "there"});
  there.subscribe("shared/#", Qos::AtMostOnce);
  publish(here, "shared/x", "from-here", Qos::AtLeastOnce);
  publish(there, "shared/x", "from-there", Qos::AtLeastOnce);
  pass(10s);
  EXPECT_EQ(payloads(here), "from-here from-there ");
  EXPECT_EQ(payloads(there), "from-here from-there ");
}

INSTANTIATE_TEST_SUITE_P(Versions, Pair, testing::Values(mqtt::Version::V5, mqtt::Version::V3_1_1),
                         [](const auto& instance) { return instance.param == mqtt::Version::V5 ? "V5" : "V3_1_1"; });

}  // namespace
}  // namespace furrow::test
