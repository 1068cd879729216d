#include "gateway/control/desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker-core/mqtt/encoder.h"
#include "tests/support/line_log.h"
#include "tests/support/memory_store.h"

namespace furrow::gateway {
namespace {

using mqtt::Qos;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

using Step = Answer::Step;

// An engine with one bridge that never gets a connection, and a store that answers when it is told to.
class DeskTest : public ::testing::Test, private Engine::Edge {
 protected:
  void SetUp() override {
    bridge::Options options;
    options.name = "region";
    options.addresses = {{"far", 1883}, {"further", 8883, "mqtts"}};
    options.rules.emplace_back();
    options.rules.back().filter = "farm/#";
    engine_.add_bridge(options, now_);
    turn();
  }

  void turn() {
    engine_.handle_due(now_);
    engine_.end_turn(now_, *this);
    while (store_answers_ && (!store_.submitted().empty() || answer_reads())) {
      if (!store_.submitted().empty()) engine_.handle_store({.durable = store_.complete()}, now_);
      engine_.end_turn(now_, *this);
    }
  }
  bool answer_reads() {
    const auto page = store_.answer_read();
    if (!page) return false;
    if (answer_) answer_->handle_page(*page);
    engine_.handle_store({.pages = {*page}}, now_);
    return true;
  }

  ConnectionId connect(std::string_view client_id, bool is_durable = false) {
    const broker::Arrival arrival{.address = IpAddress::parse("10.0.0.1"), .port = 5000};
    const ConnectionId id = engine_.broker().handle_accept(arrival, now_);
    mqtt::Connect packet;
    packet.version = mqtt::Version::V3_1_1;
    packet.client_id = client_id;
    packet.clean_start = !is_durable;
    send(id, packet);
    turn();
    return id;
  }
  void send(ConnectionId id, const mqtt::Packet& packet) {
    ByteBuffer bytes;
    mqtt::encode(packet, mqtt::Version::V3_1_1, bytes);
    engine_.broker().handle_bytes(id, bytes.view(), true, now_);
  }
  void publish(std::string_view topic, std::string_view payload, bool retain = false) {
    if (!sensor_) sensor_ = connect("sensor");
    mqtt::Publish packet;
    packet.topic = topic;
    packet.payload = as_bytes(payload);
    packet.qos = Qos::AtLeastOnce;
    packet.packet_id = PacketId{++packet_id_};
    packet.retain = retain;
    send(*sensor_, packet);
    turn();
  }

  // The lines of the answer; each slice is followed by a turn.
  std::vector<std::string> ask(std::string_view line) {
    answer_ = desk_->ask(line, 1000, now_);
    slices_ = 0;
    ByteBuffer out;
    for (Step step = Step::More; step != Step::Done; ++slices_) {
      step = answer_->next(out, now_);
      if (slices_ == 10'000) return {"it never ends"};
      now_ += std::chrono::milliseconds(10);
      turn();
    }
    answer_.reset();
    return lines_of(out);
  }
  static std::vector<std::string> lines_of(const ByteBuffer& out) {
    std::vector<std::string> lines;
    for (std::string_view text = as_text(out.view()); !text.empty();) {
      const std::size_t end = text.find('\n');
      lines.emplace_back(text.substr(0, end));
      text.remove_prefix(end + 1);
    }
    return lines;
  }
  // A message comes, and is set aside.
  void set_aside(const std::string& topic) {
    publish(topic, "x");
    bridge::Lane& lane = *buffer().lanes().find(buffer().lanes().normal().outbox().queue());
    const Sequence sequence = lane.outbox().last_sequence();
    lane.outbox().hold(sequence);
    buffer().quarantine().take(lane, sequence, now_);
    turn();
  }
  broker::Broker& broker() { return engine_.broker(); }
  bridge::Buffer& buffer() { return engine_.buffers().of("region"); }

  Instant now_{std::chrono::hours(1)};
  bool store_answers_ = true;
  test::MemoryStore store_;
  test::LineLog log_;
  broker::Restored restored_;
  Engine engine_{{},
                 store_,
                 [](Instant now) {
                   return ClockStamp{
                       .boot = 1, .monotonic = now, .wall = WallTime(std::chrono::hours(500'000)), .trusted = true};
                 },
                 log_,
                 restored_,
                 now_};
  Desk::World world(Traces* traces = nullptr) {
    return {.engine = engine_,
            .log = log_,
            .has_tls = [](std::string_view listener) { return listener == "tls"; },
            .has_bridge = [](std::string_view name) { return name == "region"; },
            .traces = traces};
  }
  std::optional<Desk> desk_{world()};
  std::unique_ptr<Answer> answer_;
  int slices_ = 0;

 private:
  void flush(bridge::Bridge& bridge, Instant) override {
    while (bridge.poll_command()) {
    }
  }
  void flush_clients(Instant now) override {
    ConnectionId id;
    while (engine_.broker().poll_ready(id)) {
      ByteBuffer& output = engine_.broker().output(id);
      const std::size_t size = output.size();
      output.consume(size);
      if (size > 0) engine_.broker().handle_sent(id, size, now);
      if (engine_.broker().closing(id)) engine_.broker().handle_closed(id, now);
    }
  }
  void handle_bridge_left(const bridge::Bridge&) override {}
  void handle_bridge_made(bridge::Bridge&) override {}

  std::optional<ConnectionId> sensor_;
  std::uint16_t packet_id_ = 0;
};

TEST_F(DeskTest, RefusalIsTheWholeAnswer) {
  EXPECT_THAT(ask("hello"), ElementsAre(AllOf(StartsWith(R"({"ok":false,"error":")"), HasSubstr("JSON object"))));
}

// --- clients ---

TEST_F(DeskTest, ClientsAreListedInSlices) {
  for (int i = 0; i < 600; ++i) connect("client-" + std::to_string(i));
  const auto lines = ask(R"({"command":"clients.list"})");
  ASSERT_THAT(lines, SizeIs(601));
  EXPECT_EQ(lines.back(), R"({"ok":true,"count":600})");
  EXPECT_GE(slices_, 9) << "64 to a slice";
}

TEST_F(DeskTest, ListGoesOnWhenClientsHaveLeftMeanwhile) {
  std::vector<ConnectionId> clients;
  for (int i = 0; i < 300; ++i) clients.push_back(connect("client-" + std::to_string(i)));
  const auto answer = desk_->ask(R"({"command":"clients.list"})", 0, now_);
  ByteBuffer out;
  EXPECT_EQ(answer->next(out, now_), Step::More);
  for (const ConnectionId id : clients) broker().handle_closed(id, now_);
  turn();
  for (int i = 0; i < 10 && answer->next(out, now_) != Step::Done; ++i) turn();
  const auto lines = lines_of(out);
  EXPECT_LE(lines.size(), 65U) << "those of the first slice, and the end";
  EXPECT_THAT(lines.back(), StartsWith(R"({"ok":true,)"));
}

TEST_F(DeskTest, ClientIsShownWithWhatIsKnown) {
  connect("sensor-1");
  const auto lines = ask(R"({"command":"clients.show","client":"sensor-1"})");
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_EQ(lines[0], R"({"client":"sensor-1","user":null,"listener":"","tls":false,"connected":true,)"
                      R"("address":"10.0.0.1:5000","version":"3.1.1","last_heard_s":0.000,"paced":false,)"
                      R"("since_at":"2027-01-15T08:00:00.000Z","since_s":0.000,"expires_s":null,"subscriptions":0,)"
                      R"("queue":{"messages":0,"bytes":0,"inflight":0},"dropped":0})");
}

TEST_F(DeskTest, KickedClientIsGoneAndTheLogSaysByWhom) {
  connect("sensor-1");
  EXPECT_THAT(ask(R"({"command":"clients.kick","client":"sensor-1"})"), ElementsAre(R"({"ok":true})"));
  EXPECT_EQ(broker().clients(), 0U);
  EXPECT_THAT(log_.lines, Contains(HasSubstr("operator.kick client=sensor-1 uid=1000")));
  EXPECT_THAT(ask(R"({"command":"clients.kick","client":"sensor-1"})"), ElementsAre(HasSubstr("is not connected")));
}

TEST_F(DeskTest, ForgottenSessionIsOffTheDiskBeforeTheAnswer) {
  const ConnectionId id = connect("logger", true);
  broker().handle_closed(id, now_);
  turn();
  ASSERT_EQ(broker().sessions(), 1U);
  store_answers_ = false;
  answer_ = desk_->ask(R"({"command":"clients.forget","client":"logger"})", 0, now_);
  ByteBuffer out;
  EXPECT_EQ(answer_->next(out, now_), Step::Wait);
  turn();
  EXPECT_EQ(answer_->next(out, now_), Step::Wait);
  store_answers_ = true;
  turn();
  EXPECT_EQ(answer_->next(out, now_), Step::Done);
  EXPECT_THAT(store_.restored().sessions, IsEmpty());
}

// --- bridges ---

TEST_F(DeskTest, PausedBridgeStaysSoAndSaysSince) {
  EXPECT_THAT(
      ask(R"({"command":"bridge.pause","bridge":"region","for_s":60})"),
      ElementsAre(
          R"({"ok":true,"reason":"paused by operator since 2027-01-15T08:00:00Z until 2027-01-15T08:01:00Z"})"));
  EXPECT_THAT(log_.lines, Contains(HasSubstr("operator.pause bridge=region for=60s uid=1000")));
  EXPECT_THAT(
      ask(R"({"command":"bridge.list"})"),
      ElementsAre(AllOf(HasSubstr(R"("state":"disabled","reason":"paused by operator)"), HasSubstr(R"("paused":true)")),
                  R"({"ok":true,"count":1})"));
  EXPECT_THAT(ask(R"({"command":"bridge.reconnect","bridge":"region"})"),
              ElementsAre(HasSubstr("wants no connection")));
  EXPECT_THAT(ask(R"({"command":"bridge.resume","bridge":"region"})"), ElementsAre(R"({"ok":true})"));
  EXPECT_THAT(ask(R"({"command":"bridge.resume","bridge":"region"})"), ElementsAre(HasSubstr("is not paused")));
}

TEST_F(DeskTest, AddressIsNamedByUrlByPortOrByHost) {
  for (const std::string_view named : {"mqtts://further:8883", "further:8883", "further"}) {
    const std::string line = R"({"command":"bridge.use","bridge":"region","address":")" + std::string(named) + R"("})";
    EXPECT_THAT(ask(line), ElementsAre(R"({"ok":true,"remote":"mqtts://further:8883"})"));
  }
  EXPECT_THAT(ask(R"({"command":"bridge.use","bridge":"region","address":"elsewhere"})"),
              ElementsAre(HasSubstr("mqtt://far:1883, mqtts://further:8883")));
}

TEST_F(DeskTest, NoQueueIsMadeForABridgeThatIsMisspelled) {
  EXPECT_THAT(ask(R"({"command":"bridge.pause","bridge":"regoin"})"),
              ElementsAre(HasSubstr("there is no bridge 'regoin'")));
  EXPECT_THAT(ask(R"({"command":"buffer.purge","bridge":"regoin"})"),
              ElementsAre(HasSubstr("there is no bridge 'regoin'")));
  EXPECT_THAT(ask(R"({"command":"bridge.list"})"), SizeIs(2));
}

// --- retained messages ---

TEST_F(DeskTest, RetainedMessagesAreChosenByFilterAndAge) {
  publish("farm/1", "old", true);
  now_ += std::chrono::hours(2);
  publish("farm/2", "new", true);
  publish("barn/1", "new", true);
  EXPECT_THAT(ask(R"({"command":"retained.list","filter":"farm/#"})"),
              ElementsAre(HasSubstr(R"("topic":"farm/1","bytes":3,"qos":1,"age_s":7200.000)"), HasSubstr("farm/2"),
                          R"({"ok":true,"count":2,"bytes":6})"));
  EXPECT_THAT(ask(R"({"command":"retained.count","older_s":3600})"), ElementsAre(R"({"ok":true,"count":1,"bytes":3})"));
  EXPECT_THAT(ask(R"({"command":"retained.show","filter":"farm/1"})"),
              ElementsAre(HasSubstr(R"("payload":"old")"), HasSubstr(R"("count":1)")));
}

TEST_F(DeskTest, ManyRetainedMessagesAreDeletedInSlicesAndGoUp) {
  for (int i = 0; i < 1'000; ++i) publish("farm/" + std::to_string(i), "x", true);
  publish("barn/1", "stays", true);
  buffer().purge(now_);
  EXPECT_THAT(ask(R"({"command":"retained.delete","filter":"farm/#"})"), ElementsAre(R"({"ok":true,"count":1000})"));
  EXPECT_GE(slices_, 1'000 / 64);
  EXPECT_EQ(broker().retained().messages(), 1U);
  EXPECT_EQ(buffer().waiting(), 1'000U) << "the far broker is to hear of each";
  EXPECT_THAT(store_.restored().retained, SizeIs(1));
}

TEST_F(DeskTest, DeletionThatTheStoreDoesNotTakeWaits) {
  for (int i = 0; i < 600; ++i) publish("farm/" + std::to_string(i), "x", true);
  store_answers_ = false;
  answer_ = desk_->ask(R"({"command":"retained.delete","filter":"farm/#"})", 0, now_);
  ByteBuffer out;
  for (int i = 0; i < 100; ++i) {
    ASSERT_NE(answer_->next(out, now_), Step::Done);
    turn();
  }
  EXPECT_GE(broker().retained().messages(), 600U - 256U) << "no more than a window is under way";
}

TEST_F(DeskTest, AnswerThatNobodyWaitsForEndsWithoutATrace) {
  for (int i = 0; i < 10; ++i) publish("farm/" + std::to_string(i), "x", true);
  store_answers_ = false;
  answer_ = desk_->ask(R"({"command":"retained.delete","filter":"farm/#"})", 0, now_);
  ByteBuffer out;
  EXPECT_EQ(answer_->next(out, now_), Step::Wait);
  answer_.reset();
  store_answers_ = true;
  turn();
  EXPECT_EQ(broker().retained().messages(), 0U);
}

TEST_F(DeskTest, StatusTopicsAreNotDeleted) {
  broker().retain_status("$SYS/furrow/gateway", "{}", now_);
  EXPECT_THAT(ask(R"({"command":"retained.delete","filter":"$SYS/#"})"), ElementsAre(R"({"ok":true,"count":0})"));
  EXPECT_EQ(broker().retained().messages(), 1U);
}

// --- buffers ---

TEST_F(DeskTest, BufferIsShownInOrderFromMemoryAndFromTheStore) {
  const std::string filling(2'000, 'x');
  for (int i = 0; i < 1'500; ++i) publish("farm/" + std::to_string(i), filling);
  ASSERT_GT(buffer().lanes().normal().outbox().contents().gap_messages(), 0U) << "a part of them is on disk only";
  const auto lines = ask(R"({"command":"buffer.show","bridge":"region"})");
  ASSERT_THAT(lines, SizeIs(1'501));
  for (int i = 0; i < 1'500; ++i) {
    ASSERT_THAT(lines[static_cast<std::size_t>(i)], HasSubstr("\"topic\":\"farm/" + std::to_string(i) + "\"")) << i;
  }
  EXPECT_EQ(lines.back(), R"({"ok":true,"count":1500})");
  EXPECT_EQ(buffer().waiting(), 1'500U);
}

TEST_F(DeskTest, BufferThatIsPurgedWhileItIsShownEnds) {
  const std::string filling(2'000, 'x');
  for (int i = 0; i < 1'500; ++i) publish("farm/" + std::to_string(i), filling);
  answer_ = desk_->ask(R"({"command":"buffer.show","bridge":"region"})", 0, now_);
  ByteBuffer out;
  EXPECT_EQ(answer_->next(out, now_), Step::More);
  buffer().purge(now_);
  turn();
  Step step = Step::More;
  for (int i = 0; i < 10 && step != Step::Done; ++i, turn()) step = answer_->next(out, now_);
  EXPECT_EQ(step, Step::Done);
}

TEST_F(DeskTest, ShowEndsAtItsLimit) {
  for (int i = 0; i < 10; ++i) publish("farm/" + std::to_string(i), "x");
  EXPECT_THAT(ask(R"({"command":"buffer.show","bridge":"region","limit":3})"),
              ElementsAre(HasSubstr("farm/0"), HasSubstr("farm/1"), HasSubstr("farm/2"), R"({"ok":true,"count":3})"));
}

TEST_F(DeskTest, ShowNamesTheLaneOfWhatIsNotNormal) {
  bridge::Rule alarms;
  alarms.filter = "alarm/#";
  alarms.priority = bridge::Priority::High;
  bridge::Rule rest;
  rest.filter = "farm/#";
  buffer().set_rules({alarms, rest}, false, now_);
  publish("farm/1", "x");
  publish("alarm/1", "x");
  EXPECT_THAT(ask(R"({"command":"buffer.show","bridge":"region"})"),
              ElementsAre(AllOf(HasSubstr("alarm/1"), HasSubstr(R"("lane":"high")")),
                          AllOf(HasSubstr("farm/1"), Not(HasSubstr("lane"))), R"({"ok":true,"count":2})"));
}

TEST_F(DeskTest, PurgeIsCountedAndDurable) {
  for (int i = 0; i < 10; ++i) publish("farm/" + std::to_string(i), "x");
  EXPECT_THAT(ask(R"({"command":"buffer.purge","bridge":"region"})"), ElementsAre(R"({"ok":true,"count":10})"));
  EXPECT_EQ(buffer().waiting(), 0U);
  EXPECT_EQ(buffer().lanes().normal().outbox().books().drops(broker::DropReason::Purged), 10U);
  EXPECT_EQ(store_.restored().queues.at(0).cursor.messages, 0U);
  EXPECT_THAT(log_.lines, Contains(HasSubstr("operator.purge bridge=region messages=10 uid=1000")));
}

TEST_F(DeskTest, QuarantineIsShownPurgedAndSentAgain) {
  for (int i = 0; i < 3; ++i) set_aside("farm/" + std::to_string(i));
  publish("farm/waits", "x");
  EXPECT_THAT(ask(R"({"command":"buffer.show","bridge":"region","quarantine":true})"),
              ElementsAre(HasSubstr("farm/0"), HasSubstr("farm/1"), HasSubstr("farm/2"), R"({"ok":true,"count":3})"));
  EXPECT_THAT(ask(R"({"command":"bridge.list"})"), Contains(HasSubstr(R"("quarantined":3)")));
  EXPECT_THAT(ask(R"({"command":"buffer.replay","bridge":"region"})"),
              ElementsAre(R"({"ok":true,"count":3,"left":0})"));
  EXPECT_THAT(ask(R"({"command":"buffer.show","bridge":"region"})"),
              ElementsAre(HasSubstr("farm/waits"), HasSubstr("farm/0"), HasSubstr("farm/1"), HasSubstr("farm/2"),
                          R"({"ok":true,"count":4})"));
  EXPECT_THAT(ask(R"({"command":"buffer.show","bridge":"region","quarantine":true})"),
              ElementsAre(R"({"ok":true,"count":0})"));
  set_aside("farm/4");
  EXPECT_THAT(ask(R"({"command":"buffer.purge","bridge":"region","quarantine":true})"),
              ElementsAre(R"({"ok":true,"count":1})"));
  EXPECT_EQ(buffer().quarantine().messages(), 0U);
  EXPECT_EQ(buffer().waiting(), 4U) << "what waits stays";
  EXPECT_THAT(log_.lines, Contains(HasSubstr("operator.replay bridge=region messages=3 uid=1000")));
  EXPECT_THAT(log_.lines, Contains(HasSubstr("operator.purge_quarantine bridge=region messages=1 uid=1000")));
}

TEST_F(DeskTest, ReplayIsSaidToBeDoneOnceItIsOnDisk) {
  set_aside("farm/1");
  store_answers_ = false;
  answer_ = desk_->ask(R"({"command":"buffer.replay","bridge":"region"})", 0, now_);
  ByteBuffer out;
  for (int i = 0; i < 10; ++i, turn()) ASSERT_EQ(answer_->next(out, now_), Step::Wait);
  store_answers_ = true;
  turn();
  for (int i = 0; i < 10; ++i, turn()) {
    if (answer_->next(out, now_) == Step::Done) break;
  }
  EXPECT_THAT(std::string(as_text(out.view())), HasSubstr(R"("count":1)"));
  std::uint64_t stored = 0;
  for (const auto& queue : store_.restored().queues) stored += queue.cursor.messages;
  EXPECT_EQ(stored, 1U) << "in one place";
}

// --- traces ---

TEST_F(DeskTest, TraceOfAStoppedGatewayIsRefused) {
  EXPECT_THAT(ask(R"({"command":"trace"})"), ElementsAre(HasSubstr("the gateway is stopped")));
}

TEST_F(DeskTest, TraceIsALineOfTheLogAndEndsWithItsTime) {
  Traces traces(broker(), [] { return WallTime{}; });
  desk_.emplace(world(&traces));
  const auto answer = desk_->ask(R"({"command":"trace","client":"sensor","for_s":5})", 1000, now_);
  EXPECT_TRUE(traces.is_on());
  EXPECT_EQ(traces.next_deadline(), now_ + std::chrono::seconds(5));
  EXPECT_THAT(log_.lines, Contains(AllOf(HasSubstr("operator.trace client=sensor"), EndsWith("for=5s uid=1000"))));
}

TEST_F(DeskTest, TraceIsOfABridgeOrOfClientsAndHasBounds) {
  Traces traces(broker(), [] { return WallTime{}; });
  desk_.emplace(world(&traces));
  EXPECT_THAT(ask(R"({"command":"trace","bridge":"region","client":"a"})"), ElementsAre(HasSubstr("or of clients")));
  EXPECT_THAT(ask(R"({"command":"trace","bridge":"nowhere"})"), ElementsAre(HasSubstr("there is no bridge")));
  EXPECT_THAT(ask(R"({"command":"trace","address":"192.168.0.5/16"})"), ElementsAre(HasSubstr("address: ")));
  EXPECT_THAT(ask(R"({"command":"trace","for_s":3601})"), ElementsAre(HasSubstr("an hour")));
  EXPECT_THAT(ask(R"({"command":"trace","limit":1000001})"), ElementsAre(HasSubstr("packets at most")));
  std::vector<std::unique_ptr<Answer>> running;
  for (std::size_t i = 0; i < Traces::kMax; ++i) running.push_back(desk_->ask(R"({"command":"trace"})", 0, now_));
  EXPECT_THAT(ask(R"({"command":"trace"})"), ElementsAre(HasSubstr("4 traces run already")));
}

}  // namespace
}  // namespace furrow::gateway
