// Traces over a real broker: what its clients send and get, read along as the network edge does it.
#include "gateway/control/traces.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/buffer.h"
#include "tests/support/broker_fixture.h"

namespace furrow::gateway {
namespace {

using namespace std::chrono_literals;

using mqtt::PacketType;
using mqtt::PropertyId;
using mqtt::Qos;
using test::Bytes;
using test::Properties;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

// A client of the test: its bytes pass by the traces in both directions, whole or in pieces.
struct Wire {
  ConnectionId id;
  mqtt::Version version = mqtt::Version::V5;
};

class TracesTest : public test::BrokerFixture {
 protected:
  Traces& traces() {
    if (!traces_) traces_.emplace(broker(), [this] { return wall_time(); });
    return *traces_;
  }
  std::unique_ptr<Answer> begin(TraceChoice choice, std::chrono::seconds length = 60s) {
    if (choice.count == 0) choice.count = 1000;
    return traces().begin(std::move(choice), length, now);
  }

  Wire accept(std::string_view address = "192.0.2.7", mqtt::Version version = mqtt::Version::V5) {
    return {.id = broker().handle_accept(test::from(address, 5000), now), .version = version};
  }
  Wire join(std::string_view client_id, std::string_view address = "192.0.2.7", mqtt::PropertyView properties = {}) {
    const Wire wire = accept(address);
    mqtt::Connect connect;
    connect.version = mqtt::Version::V5;
    connect.client_id = client_id;
    connect.properties = properties;
    send(wire, connect);
    return wire;
  }
  void send(const Wire& wire, const mqtt::Packet& packet) {
    ByteBuffer bytes;
    encode(packet, wire.version, bytes);
    receive(wire, bytes.view());
  }
  void receive(const Wire& wire, ByteView bytes) {
    if (traces().is_on()) traces().note_received(wire.id, bytes, now);
    broker().handle_bytes(wire.id, bytes, true, now);
    turn();
  }
  void publish(const Wire& wire, std::string_view topic, std::string_view payload, Qos qos = Qos::AtMostOnce,
               std::uint16_t packet_id = 0, mqtt::PropertyView properties = {}) {
    mqtt::Publish packet;
    packet.topic = topic;
    packet.payload = as_bytes(payload);
    packet.qos = qos;
    packet.packet_id = PacketId{packet_id};
    packet.properties = properties;
    send(wire, packet);
  }
  void subscribe(const Wire& wire, std::string_view filter, Qos qos = Qos::AtMostOnce) {
    mqtt::Subscribe packet;
    packet.packet_id = PacketId{1};
    packet.requests.push_back({.filter = filter, .qos = qos});
    send(wire, packet);
  }
  void turn() {
    broker().handle_turn_end(now);
    while (!store.submitted().empty()) {
      broker().handle_persisted(store.complete(), now);
      broker().handle_turn_end(now);
    }
    for (ConnectionId id; broker().poll_ready(id);) flush(id);
  }
  void flush(ConnectionId id) {
    ByteBuffer& output = broker().output(id);
    if (!output.empty()) {
      if (traces().is_on()) traces().note_sent(id, output.view(), now);
      const std::size_t size = output.size();
      output.clear();
      broker().handle_sent(id, size, now);
    }
    if (!broker().closing(id)) return;
    if (traces().is_on()) traces().note_ended(id, "closed by the gateway", now);
    broker().handle_closed(id, now);
  }

  // The lines that the answer has by now, without what stands in each.
  std::vector<std::string> lines(Answer& answer) {
    now += 1s;
    traces().handle_timeout(now);
    ByteBuffer out;
    while (answer.next(out, now) == Answer::Step::More) {
    }
    std::vector<std::string> all;
    for (std::string_view text = as_text(out.view()); !text.empty();) {
      const std::size_t end = text.find('\n');
      all.push_back(without_head(std::string(text.substr(0, end))));
      text.remove_prefix(end + 1);
    }
    return all;
  }
  static std::string without_head(std::string line) {
    const std::string time = line.substr(0, line.find(",\"") + 1);
    if (line.starts_with("{\"time\"")) line = "{" + line.substr(time.size());
    return line;
  }
  // The type of each packet and the way it went: `received CONNECT`.
  std::vector<std::string> packets(Answer& answer) {
    std::vector<std::string> all;
    for (const std::string& line : lines(answer)) {
      const auto field = [&](std::string_view key) {
        const std::string begin = "\"" + std::string(key) + "\":\"";
        const std::size_t at = line.find(begin);
        if (at == std::string::npos) return std::string();
        return line.substr(at + begin.size(), line.find('"', at + begin.size()) - at - begin.size());
      };
      const std::string event = field("event");
      all.push_back(event.empty() ? field("direction") + " " + field("packet") : event);
    }
    return all;
  }

 private:
  std::optional<Traces> traces_;
};

TEST_F(TracesTest, ClientIsSeenFromItsConnectToItsEnd) {
  const auto trace = begin({.client = "sensor"});
  const Wire sensor = join("sensor");
  publish(join("other"), "farm/2", "x");
  publish(sensor, "farm/1", "21.5", Qos::AtLeastOnce, 7);
  send(sensor, mqtt::Pingreq{});
  send(sensor, mqtt::Disconnect{});
  EXPECT_THAT(packets(*trace), ElementsAre("received CONNECT", "sent CONNACK", "received PUBLISH", "sent PUBACK",
                                           "received PINGREQ", "sent PINGRESP", "received DISCONNECT", "ended"));
}

TEST_F(TracesTest, LineSaysWhoAndWhere) {
  const auto trace = begin({.client = "sensor"});
  publish(join("sensor"), "farm/1", "21.5");
  EXPECT_THAT(lines(*trace)[2],
              HasSubstr(R"({"client":"sensor","address":"192.0.2.7:5000","direction":"received","packet":"PUBLISH",)"));
}

TEST_F(TracesTest, NothingIsOnWithoutATrace) {
  EXPECT_FALSE(traces().is_on());
  auto trace = begin({.client = "sensor"});
  EXPECT_TRUE(traces().is_on());
  trace.reset();
  EXPECT_FALSE(traces().is_on());
}

TEST_F(TracesTest, TraceThatBeginsInsideAPacketShowsThatPacketWhole) {
  const Wire sensor = join("sensor");
  ByteBuffer bytes;
  mqtt::Publish packet;
  packet.topic = "farm/1";
  packet.payload = as_bytes("21.5");
  encode(mqtt::Packet(packet), mqtt::Version::V5, bytes);
  receive(sensor, bytes.view().first(5));
  const auto trace = begin({.client = "sensor"});
  receive(sensor, bytes.view().subspan(5));
  EXPECT_THAT(lines(*trace), ElementsAre(AllOf(HasSubstr("PUBLISH"), HasSubstr("farm/1"))));
}

TEST_F(TracesTest, SplitBytesGiveTheSamePackets) {
  const auto trace = begin({.client = "sensor"});
  const Wire sensor = join("sensor");
  ByteBuffer bytes;
  mqtt::Publish packet;
  packet.topic = "farm/1";
  encode(mqtt::Packet(packet), mqtt::Version::V5, bytes);
  encode(mqtt::Packet(mqtt::Pingreq{}), mqtt::Version::V5, bytes);
  for (std::size_t i = 0; i < bytes.size(); ++i) receive(sensor, bytes.view().subspan(i, 1));
  EXPECT_THAT(packets(*trace),
              ElementsAre("received CONNECT", "sent CONNACK", "received PUBLISH", "received PINGREQ", "sent PINGRESP"));
}

TEST_F(TracesTest, BytesThatWaitBehindAnAnswerAreSeenOnceAndWhenTheyCome) {
  options.limits.inflight = 1;
  store_answers = false;
  const Wire sensor = join("sensor");
  broker().handle_turn_end(now);
  const auto trace = begin({.client = "sensor"});
  ByteBuffer bytes;
  for (std::uint16_t id = 1; id <= 3; ++id) {
    mqtt::Publish packet;
    packet.topic = "farm/1";
    packet.qos = Qos::AtLeastOnce;
    packet.packet_id = PacketId{id};
    packet.retain = true;
    packet.payload = as_bytes("x");
    encode(mqtt::Packet(packet), mqtt::Version::V5, bytes);
  }
  receive(sensor, bytes.view());
  std::size_t published = 0;
  for (const std::string& one : packets(*trace)) published += one == "received PUBLISH" ? 1 : 0;
  EXPECT_EQ(published, 3U);
}

TEST_F(TracesTest, TopicIsSeenOnAllConnectionsWithItsAcknowledgements) {
  const Wire reader = join("reader");
  subscribe(reader, "farm/#", Qos::AtLeastOnce);
  const Wire sensor = join("sensor");
  const auto trace = begin({.filter = "farm/1"});
  publish(sensor, "farm/2", "x", Qos::AtLeastOnce, 6);
  publish(sensor, "farm/1", "x", Qos::AtLeastOnce, 7);
  send(reader, mqtt::Puback{PacketId{1}, {}, {}});
  send(reader, mqtt::Puback{PacketId{2}, {}, {}});
  send(sensor, mqtt::Pingreq{});
  EXPECT_THAT(packets(*trace), ElementsAre("received PUBLISH", "sent PUBLISH", "sent PUBACK", "received PUBACK"));
}

TEST_F(TracesTest, ExactlyOnceIsSeenToItsEnd) {
  const Wire sensor = join("sensor");
  const auto trace = begin({.filter = "farm/1"});
  publish(sensor, "farm/1", "x", Qos::ExactlyOnce, 7);
  send(sensor, mqtt::Pubrel{PacketId{7}, {}, {}});
  EXPECT_THAT(packets(*trace), ElementsAre("received PUBLISH", "sent PUBREC", "received PUBREL", "sent PUBCOMP"));
}

TEST_F(TracesTest, SubscriptionsToTheTopicAreSeen) {
  const Wire reader = join("reader");
  const auto trace = begin({.filter = "farm/1"});
  subscribe(reader, "barn/#");
  subscribe(reader, "$share/g/farm/+");
  EXPECT_THAT(packets(*trace), ElementsAre("received SUBSCRIBE", "sent SUBACK"));
}

TEST_F(TracesTest, TopicBehindAnAliasIsKnown) {
  const Wire sensor = join("sensor");
  Properties alias;
  alias.number(PropertyId::TopicAlias, 1);
  publish(sensor, "farm/1", "x", Qos::AtMostOnce, 0, alias);
  const auto trace = begin({.filter = "farm/1"});
  publish(sensor, "", "y", Qos::AtMostOnce, 0, alias);
  EXPECT_THAT(lines(*trace), ElementsAre(HasSubstr(R"("topic":"farm/1")")));
}

// The reader's aliases were assigned before the trace began, and one of them is given to another topic meanwhile.
TEST_F(TracesTest, AliasOfTheGatewayIsTakenOverAsItWas) {
  Properties one_alias;
  one_alias.number(PropertyId::TopicAliasMaximum, 1);
  const Wire reader = join("reader", "192.0.2.8", one_alias);
  subscribe(reader, "farm/#");
  const Wire sensor = join("sensor");
  publish(sensor, "farm/1", "a");
  const auto trace = begin({.client = "reader"});
  publish(sensor, "farm/1", "b");
  publish(sensor, "farm/2", "c");
  publish(sensor, "farm/2", "d");
  EXPECT_THAT(lines(*trace), ElementsAre(HasSubstr(R"("topic":"farm/1")"), HasSubstr(R"("topic":"farm/2")"),
                                         HasSubstr(R"("topic":"farm/2")")));
}

TEST_F(TracesTest, AddressTakesNetworks) {
  const auto trace = begin({.address = *IpNetwork::parse("192.0.2.0/24")});
  send(join("near", "192.0.2.9"), mqtt::Pingreq{});
  send(join("far", "198.51.100.1"), mqtt::Pingreq{});
  EXPECT_THAT(lines(*trace), AllOf(SizeIs(4), Not(::testing::Contains(HasSubstr("far")))));
}

TEST_F(TracesTest, AssignedIdentifierIsKnownFromConnackOn) {
  const auto trace = begin({});
  join("");
  EXPECT_THAT(lines(*trace), ElementsAre(HasSubstr(R"("client":"")"), AllOf(HasSubstr("CONNACK"), HasSubstr("assigned"),
                                                                            Not(HasSubstr(R"("client":"")")))));
}

TEST_F(TracesTest, MalformedPacketIsShownAsOneWithItsReason) {
  const auto trace = begin({.client = "sensor"});
  receive(join("sensor"), test::bytes_from("30 02 00 05"));
  const std::vector<std::string> all = lines(*trace);
  ASSERT_THAT(all, SizeIs(5));
  EXPECT_THAT(all[2], AllOf(HasSubstr(R"("direction":"received","packet":"malformed","reason_code":129,"reason":")"),
                            Not(HasSubstr(R"("reason":"")"))));
  EXPECT_THAT(all[3], HasSubstr("DISCONNECT"));
  EXPECT_THAT(all[4], HasSubstr("ended"));
}

TEST_F(TracesTest, PasswordIsInNoLine) {
  const auto trace = begin({.payloads = true});
  const Wire wire = accept();
  mqtt::Connect connect;
  connect.version = mqtt::Version::V5;
  connect.client_id = "sensor";
  connect.username = "ann";
  connect.password = as_bytes("hunter2");
  send(wire, connect);
  const std::vector<std::string> all = lines(*trace);
  ASSERT_FALSE(all.empty());
  for (const std::string& line : all) EXPECT_THAT(line, Not(HasSubstr("hunter2")));
}

TEST_F(TracesTest, PayloadsAreShownWhereAskedForAlone) {
  const auto quiet = begin({.client = "sensor"});
  const auto curious = begin({.client = "sensor", .payloads = true});
  publish(join("sensor"), "farm/1", "21.5");
  EXPECT_THAT(lines(*quiet)[2], Not(HasSubstr("21.5")));
  EXPECT_THAT(lines(*curious)[2], HasSubstr("21.5"));
}

// --- bounds ---

TEST_F(TracesTest, TimeEndsIt) {
  const auto trace = begin({.client = "sensor"}, 10s);
  EXPECT_EQ(traces().next_deadline(), now + 10s);
  now += 10s;
  EXPECT_THAT(lines(*trace), ElementsAre(R"({"ok":true,"shown":0,"not_shown":0,"ended_by":"time"})"));
  EXPECT_FALSE(traces().is_on());
}

TEST_F(TracesTest, CountEndsIt) {
  const auto trace = begin({.client = "sensor", .count = 2});
  const Wire sensor = join("sensor");
  EXPECT_FALSE(traces().is_on());
  send(sensor, mqtt::Pingreq{});
  EXPECT_THAT(lines(*trace), ElementsAre(HasSubstr("CONNECT"), HasSubstr("CONNACK"),
                                         R"({"ok":true,"shown":2,"not_shown":0,"ended_by":"count"})"));
}

TEST_F(TracesTest, ReaderThatLeavesEndsIt) {
  const auto trace = begin({.client = "sensor"});
  join("sensor");
  trace->handle_reader_left();
  EXPECT_FALSE(traces().is_on());
  EXPECT_THAT(lines(*trace), ElementsAre(HasSubstr("CONNECT"), HasSubstr("CONNACK"), HasSubstr("reader")));
}

TEST_F(TracesTest, MoreThanAFewAtATimeAreRefused) {
  std::vector<std::unique_ptr<Answer>> running;
  for (std::size_t i = 0; i < Traces::kMax; ++i) running.push_back(begin({}));
  EXPECT_EQ(begin({}), nullptr);
  running.pop_back();
  EXPECT_NE(begin({}), nullptr);
}

TEST_F(TracesTest, SlowReaderIsToldWhatItMissed) {
  const auto trace = begin({.client = "sensor", .count = 1'000'000});
  const Wire sensor = join("sensor");
  for (int i = 0; i < 5000; ++i) publish(sensor, "farm/1", "x");
  std::vector<std::string> all = lines(*trace);
  const std::string last = all.back();
  std::size_t bytes = 0;
  for (const std::string& line : all) bytes += line.size();
  EXPECT_LT(bytes, Trace::kWaitingBytesMax + 1024);
  const std::size_t shown = all.size() - 1;
  EXPECT_EQ(last, "{\"not_shown\":" + std::to_string(5002 - shown) + "}");
  publish(sensor, "farm/1", "x");
  EXPECT_THAT(packets(*trace), ElementsAre("received PUBLISH"));
}

TEST_F(TracesTest, LinesGatherForAMomentAndAreWrittenThen) {
  const auto trace = begin({.client = "sensor"});
  EXPECT_EQ(trace->next_deadline(), kNever);
  join("sensor");
  ByteBuffer out;
  EXPECT_EQ(trace->next(out, now), Answer::Step::Wait);
  EXPECT_TRUE(out.empty());
  now = trace->next_deadline();
  EXPECT_EQ(trace->next(out, now), Answer::Step::Wait);
  EXPECT_FALSE(out.empty());
  EXPECT_EQ(trace->next_deadline(), kNever);
}

TEST_F(TracesTest, WhatOneTraceDoesNotWantAnotherMay) {
  const Wire sensor = join("sensor");
  const auto one = begin({.client = "other"});
  send(sensor, mqtt::Pingreq{});
  const auto other = begin({.client = "sensor"});
  send(sensor, mqtt::Pingreq{});
  EXPECT_THAT(packets(*one), IsEmpty());
  EXPECT_THAT(packets(*other), ElementsAre("received PINGREQ", "sent PINGRESP"));
}

// --- bridges ---

class BridgeTracesTest : public TracesTest {
 protected:
  void SetUp() override {
    bridge::Options bridge_options;
    bridge_options.name = "region";
    bridge_options.client_id = "barn-region";
    bridge_options.addresses = {{"far.example", 1883}};
    bridge_options.rules.emplace_back();
    bridge_options.rules.back().filter = "farm/#";
    buffers_.emplace(store.restored(), broker());
    bridge_.emplace(bridge_options, buffers_->of("region"), broker(), log, now);
    while (bridge_->poll_command()) {
    }
  }
  void TearDown() override { bridge_.reset(); }

  void connect() {
    bridge_->handle_connected("hunter2", now);
    move();
    answer(mqtt::Connack{});
  }
  void answer(const mqtt::Packet& packet) {
    ByteBuffer bytes;
    encode(packet, mqtt::Version::V5, bytes);
    if (traces().is_on()) traces().note_received(*bridge_, bytes.view(), now);
    bridge_->handle_bytes(bytes.view(), true, now);
    move();
  }
  void move() {
    turn();
    while (!bridge_->output().empty()) {
      if (traces().is_on()) traces().note_sent(*bridge_, bridge_->output().view(), now);
      bridge_->output().clear();
      bridge_->handle_sent(now);
    }
  }

  std::optional<bridge::Buffers> buffers_;
  std::optional<bridge::Bridge> bridge_;
};

TEST_F(BridgeTracesTest, PacketsToAndFromTheRegionAreSeen) {
  const auto trace = begin({.bridge = "region", .payloads = true});
  connect();
  publish(join("sensor"), "farm/1", "21.5", Qos::AtLeastOnce, 7);
  move();
  answer(mqtt::Puback{PacketId{1}, {}, {}});
  const std::vector<std::string> all = lines(*trace);
  ASSERT_THAT(all, SizeIs(4));
  EXPECT_THAT(all[0], AllOf(HasSubstr(R"({"bridge":"region","address":"mqtt://far.example:1883","direction":"sent",)"),
                            HasSubstr(R"("packet":"CONNECT","version":"5","client_id":"barn-region")"),
                            Not(HasSubstr("hunter2"))));
  EXPECT_THAT(all[1], HasSubstr(R"("direction":"received","packet":"CONNACK")"));
  EXPECT_THAT(all[2], AllOf(HasSubstr(R"("direction":"sent","packet":"PUBLISH","topic":"farm/1")"), HasSubstr("21.5")));
  EXPECT_THAT(all[3], HasSubstr(R"("direction":"received","packet":"PUBACK","packet_id":1)"));
}

TEST_F(BridgeTracesTest, BridgeThatIsConnectedAlreadyIsReadAlong) {
  connect();
  const auto trace = begin({.filter = "farm/1"});
  publish(join("sensor"), "farm/1", "21.5");
  move();
  EXPECT_THAT(lines(*trace), ElementsAre(HasSubstr(R"("client":"sensor")"), HasSubstr(R"("bridge":"region")")));
}

TEST_F(BridgeTracesTest, NewConnectionIsReadFromItsBeginning) {
  const auto trace = begin({.bridge = "region"});
  connect();
  traces().note_ended(*bridge_, "reset by peer", now);
  bridge_->handle_closed({Errc::Io, "reset by peer"}, now);
  advance(2s);
  while (bridge_->next_deadline() > now) now = bridge_->next_deadline();
  bridge_->handle_timeout(now);
  while (bridge_->poll_command()) {
  }
  connect();
  EXPECT_THAT(packets(*trace),
              ElementsAre("sent CONNECT", "received CONNACK", "ended", "sent CONNECT", "received CONNACK"));
}

TEST_F(BridgeTracesTest, ClientTraceDoesNotShowBridges) {
  const auto trace = begin({.client = "region"});
  connect();
  EXPECT_THAT(lines(*trace), IsEmpty());
}

}  // namespace
}  // namespace furrow::gateway
