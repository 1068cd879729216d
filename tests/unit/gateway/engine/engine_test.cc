#include "gateway/engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "broker-core/mqtt/encoder.h"
#include "tests/support/broker_fixture.h"
#include "tests/support/memory_store.h"

namespace furrow::gateway {
namespace {

using mqtt::Qos;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// An engine with one bridge that is online, and an edge that takes every byte, unless a client's socket is broken.
class EngineTest : public ::testing::Test, private Engine::Edge {
 protected:
  void SetUp() override {
    options_.name = "region";
    options_.client_id = "gw";
    options_.addresses = {{"far", 1883}};
    options_.rules.emplace_back();
    options_.rules.back().filter = "farm/#";
    bridge_ = &engine_.add_bridge(options_, now_);
    end_turn();
    bridge_->handle_connected(std::nullopt, now_);
    end_turn();
    const std::vector<std::uint8_t> connack = test::bytes_from("20 03 00 00 00");
    bridge_->handle_bytes(connack, true, now_);
    end_turn();
    ASSERT_EQ(bridge_->snapshot().state, bridge::State::Online);
    written_.clear();
  }

  void end_turn() {
    engine_.handle_due(now_);
    engine_.end_turn(now_, *this);
  }
  ConnectionId connect(std::string_view client_id, std::string_view will_topic = {}) {
    const ConnectionId id = engine_.broker().handle_accept({.program = "client"}, now_);
    mqtt::Connect packet;
    packet.version = mqtt::Version::V5;
    packet.client_id = client_id;
    if (!will_topic.empty()) {
      packet.will.emplace();
      packet.will->topic = will_topic;
      packet.will->payload = as_bytes("gone");
      packet.will->qos = Qos::AtMostOnce;
    }
    send(id, packet);
    end_turn();
    written_.clear();
    return id;
  }
  void send(ConnectionId id, const mqtt::Packet& packet) {
    ByteBuffer bytes;
    mqtt::encode(packet, mqtt::Version::V5, bytes);
    engine_.broker().handle_bytes(id, bytes.view(), true, now_);
  }
  void publish(ConnectionId id, std::string_view topic, Qos qos = Qos::AtMostOnce) {
    mqtt::Publish packet;
    packet.topic = topic;
    packet.payload = as_bytes("21");
    packet.qos = qos;
    if (qos != Qos::AtMostOnce) packet.packet_id = PacketId{++packet_id_};
    send(id, packet);
  }

  Engine& engine() { return engine_; }
  bridge::Bridge& bridge() { return *bridge_; }
  Instant now() const { return now_; }
  const std::deque<broker::Batch>& submitted() const { return store_.submitted(); }
  void persist() { engine_.broker().handle_persisted(store_.complete(), now_); }

  bridge::Options options_;
  std::vector<std::string> bridges_;      // what became of them
  std::vector<std::string> written_;      // by whom, in order
  std::string sent_upwards_;              // what the far broker got, as text
  std::function<void()> before_clients_;  // called each time before the clients' outputs are written
  std::vector<ConnectionId> broken_;      // whose sockets fail with the next write

 private:
  void flush(bridge::Bridge& bridge, Instant now) override {
    while (bridge.poll_command()) {
    }
    ByteBuffer& output = bridge.output();
    if (output.empty()) return;
    written_.emplace_back("bridge");
    for (const std::uint8_t byte : output.view()) sent_upwards_.push_back(static_cast<char>(byte));
    output.consume(output.size());
    bridge.handle_sent(now);
  }
  void flush_clients(Instant now) override {
    if (before_clients_) before_clients_();
    ConnectionId id;
    while (engine_.broker().poll_ready(id)) {
      if (std::ranges::find(broken_, id) != broken_.end()) {
        engine_.broker().handle_closed(id, now);
        continue;
      }
      ByteBuffer& output = engine_.broker().output(id);
      const std::size_t size = output.size();
      if (size == 0) continue;
      written_.emplace_back("client");
      output.consume(size);
      engine_.broker().handle_sent(id, size, now);
    }
  }

  void handle_bridge_left(const bridge::Bridge& bridge) override { bridges_.push_back("left " + bridge.bridge_name()); }
  void handle_bridge_made(bridge::Bridge& bridge) override { bridges_.push_back("made " + bridge.bridge_name()); }

  std::uint16_t packet_id_ = 0;
  Instant now_{std::chrono::hours(1)};
  test::MemoryStore store_;
  test::LineLog log_;
  Engine engine_{{},   store_, [](Instant now) { return ClockStamp{1, now, WallTime(now.time_since_epoch()), true}; },
                 log_, {},     now_};
  bridge::Bridge* bridge_ = nullptr;
};

TEST_F(EngineTest, BridgeWritesBeforeClients) {
  const ConnectionId sensor = connect("sensor");
  publish(sensor, "farm/1");
  send(sensor, mqtt::Pingreq{});
  end_turn();
  EXPECT_THAT(written_, ElementsAre("bridge", "client"));
}

// The bridge has been flushed by then: without another round the will would wait for somebody else's event.
TEST_F(EngineTest, WillOfClientWhoseSocketBreaksWhileItIsWrittenLeavesInTheSameTurn) {
  const ConnectionId sensor = connect("sensor", "farm/will");
  broken_ = {sensor};
  send(sensor, mqtt::Pingreq{});
  end_turn();
  EXPECT_THAT(sent_upwards_, HasSubstr("farm/will"));
}

TEST_F(EngineTest, TurnThatFindsNoEndGoesOnAtOnceInTheNext) {
  const ConnectionId sensor = connect("sensor");
  int rounds = 0;
  before_clients_ = [&] {
    ++rounds;
    publish(sensor, "farm/1");
  };
  end_turn();
  EXPECT_EQ(rounds, Engine::kRoundsMax);
  EXPECT_EQ(engine().next_deadline(), Instant::min());
  before_clients_ = {};
  end_turn();
  EXPECT_GT(engine().next_deadline(), Instant::min());
}

TEST_F(EngineTest, BufferTakesMessagesWhileItsBridgeIsRenewed) {
  const ConnectionId sensor = connect("sensor");
  bridge::Options options = options_;
  options.client_id = "gw-2";
  options.rules.front().filter = "barn/#";
  engine().renew_bridge(options, now());
  publish(sensor, "farm/1", Qos::AtLeastOnce);
  publish(sensor, "barn/1", Qos::AtLeastOnce);
  EXPECT_EQ(engine().find_bridge("region"), &bridge());
  end_turn();
  EXPECT_THAT(bridges_, ElementsAre("left region", "made region"));
  ASSERT_NE(engine().find_bridge("region"), nullptr);
  EXPECT_EQ(engine().find_bridge("region")->snapshot().client_id, "gw-2");
  publish(sensor, "barn/2", Qos::AtLeastOnce);
  end_turn();
  EXPECT_EQ(engine().buffers().of("region").waiting(), 2U);
}

TEST_F(EngineTest, RetiredBridgeLeavesAndItsBufferKeepsWhatItHasAndTakesNoMore) {
  const ConnectionId sensor = connect("sensor");
  publish(sensor, "farm/1", Qos::AtLeastOnce);
  engine().retire_bridge("region", now());
  publish(sensor, "farm/2", Qos::AtLeastOnce);
  end_turn();
  EXPECT_THAT(bridges_, ElementsAre("left region"));
  EXPECT_EQ(engine().find_bridge("region"), nullptr);
  EXPECT_TRUE(engine().bridges().empty());
  EXPECT_EQ(engine().buffers().of("region").waiting(), 1U);
}

// The file is edited twice in a row.
TEST_F(EngineTest, LastWordOnALeavingBridgeCounts) {
  bridge::Options options = options_;
  options.client_id = "gw-2";
  engine().renew_bridge(options, now());
  engine().retire_bridge("region", now());
  EXPECT_EQ(engine().find_bridge("region"), nullptr);
  options.client_id = "gw-3";
  engine().renew_bridge(options, now());
  end_turn();
  ASSERT_NE(engine().find_bridge("region"), nullptr);
  EXPECT_EQ(engine().find_bridge("region")->snapshot().client_id, "gw-3");
}

TEST_F(EngineTest, NobodyTakesThePlaceOfABridgeWhileTheGatewayStops) {
  engine().renew_bridge(options_, now());
  engine().shut_down(now());
  end_turn();
  EXPECT_TRUE(bridges_.empty());
  EXPECT_TRUE(bridge().left());
}

// Otherwise a row that may wait an hour would keep the gateway from its end.
TEST_F(EngineTest, RowThatMayWaitIsWrittenAtOnceWhileTheGatewayStops) {
  engine().shut_down(now());
  end_turn();
  persist();
  broker::Journal& journal = engine().broker().journal();
  ASSERT_TRUE(journal.idle());
  journal.put_lazy(broker::QueueRow{QueueId{7}, broker::QueueKind::Group, "$share/g/t"}, now());
  end_turn();
  EXPECT_THAT(submitted(), SizeIs(1));
  persist();
  end_turn();
  EXPECT_TRUE(journal.idle());
}

}  // namespace
}  // namespace furrow::gateway
