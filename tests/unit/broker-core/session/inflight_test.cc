#include "broker-core/session/inflight.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "broker-core/base/random.h"
#include "tests/unit/broker-core/session/journal_world.h"

namespace furrow::broker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Lines = std::vector<std::string>;

constexpr Duration kOnline = milliseconds(200);

// What was written to the network connection, a line each: `1 a`, `1 a dup`, `rel 1`.
class PublishWire final : public PublishSink {
 public:
  bool writable() const override { return room > 0; }
  Outcome write_publish(const Message& message, const Delivery& delivery, Instant /*now*/) override {
    const std::string payload(as_text(message.payload()));
    if (payload == too_large) return Outcome::TooLarge;
    if (payload == without_rule) return Outcome::RuleRemoved;
    --room;
    lines.push_back(std::to_string(delivery.packet_id.value) + ' ' + payload + (delivery.duplicate ? " dup" : ""));
    last_id = delivery.packet_id;
    return Outcome::Written;
  }
  void write_pubrel(PacketId packet_id, Instant /*now*/) override {
    lines.push_back("rel " + std::to_string(packet_id.value));
  }
  Lines take() { return std::exchange(lines, {}); }

  Lines lines;
  PacketId last_id;
  int room = 1'000'000;
  std::string too_large = "too large";
  std::string without_rule = "without rule";
};

// A durable queue and its sender.
struct Sender final : OutboxOwner {
  explicit Sender(JournalWorld& world)
      : queue(world, {}, QueueId{1}, this), inflight(*this, QueueId{1}, world.journal()) {
    inflight.set_own(queue.outbox);
  }
  Sender(JournalWorld& world, const Restored& restored)
      : queue(world, restored, {}, QueueId{1}, this), inflight(*this, QueueId{1}, world.journal()) {
    inflight.set_own(queue.outbox);
    std::vector<ExchangeRow> rows = restored.exchanges;
    Inflight::sort_by_sending(rows);
    for (const ExchangeRow& row : rows) inflight.restore(row, queue.outbox);
  }
  void handle_progress(Instant now) override { inflight.pump(now); }

  BridgeQueue queue;
  Inflight inflight;
};

class InflightTest : public testing::Test {
 protected:
  void SetUp() override { world.settle_down(); }

  Inflight& inflight() { return sender->inflight; }
  Outbox& outbox() { return sender->queue.outbox; }

  void connect(std::uint16_t window = 10, bool session_present = true) {
    inflight().connect(wire, window, session_present, world.now());
    inflight().pump(world.now());
  }
  void say(std::string_view payload, const DeliveryOptions& options = kAtLeastOnce) {
    world.publish(next_ticket_++, world.message(payload), {{outbox(), kOnline}}, options);
    inflight().pump(world.now());
  }
  void say(std::initializer_list<const char*> payloads, const DeliveryOptions& options = kAtLeastOnce) {
    for (const char* payload : payloads) say(payload, options);
  }
  // Once the store has what it was asked to keep.
  void persist() {
    world.turn();
    while (!world.writer_idle()) {
      world.persist();
      world.turn();
    }
  }
  bool puback(std::uint16_t id, mqtt::ReasonCode reason = mqtt::ReasonCode::Success) {
    const bool known = inflight().handle_puback(PacketId{id}, reason, world.now());
    inflight().pump(world.now());
    return known;
  }
  bool pubrec(std::uint16_t id, mqtt::ReasonCode reason = mqtt::ReasonCode::Success) {
    const bool known = inflight().handle_pubrec(PacketId{id}, reason, world.now());
    inflight().pump(world.now());
    return known;
  }
  bool pubcomp(std::uint16_t id) {
    const bool known = inflight().handle_pubcomp(PacketId{id}, world.now());
    inflight().pump(world.now());
    return known;
  }
  // The gateway is killed and started again; what is stored comes back.
  void restart() {
    sender.reset();
    const Restored restored = world.restart();
    sender = std::make_unique<Sender>(world, restored);
  }
  void read_pages() {
    while (world.answer_read()) {
    }
  }

  JournalWorld world;
  PublishWire wire;
  std::unique_ptr<Sender> sender = std::make_unique<Sender>(world);

 private:
  std::uint16_t next_ticket_ = 1;
};

// --- the window ---

TEST_F(InflightTest, SendsNoMoreThanTheWindow) {
  connect(2);
  say({"a", "b", "c"});
  EXPECT_EQ(wire.take(), (Lines{"1 a", "2 b"}));
  EXPECT_TRUE(inflight().window_full());
  EXPECT_TRUE(puback(1));
  EXPECT_EQ(wire.take(), (Lines{"3 c"}));
  EXPECT_EQ(inflight().count(), 2U);
}

TEST_F(InflightTest, QosZeroNeedsNoWindowAndIsDoneWhenWritten) {
  connect(1);
  say("a");
  say("b", {.qos = mqtt::Qos::AtMostOnce, .retain = false, .subscription_ids = {}});
  EXPECT_EQ(wire.take(), (Lines{"1 a", "0 b"}));
  EXPECT_EQ(sender->queue.books.delivered, 1U);
  EXPECT_TRUE(puback(1));
  EXPECT_EQ(sender->queue.books.delivered, 2U);
}

TEST_F(InflightTest, WaitsWhileEnoughWaitsForTheSocket) {
  wire.room = 1;
  connect();
  say({"a", "b"});
  EXPECT_EQ(wire.take(), (Lines{"1 a"}));
  wire.room = 1;
  inflight().pump(world.now());
  EXPECT_EQ(wire.take(), (Lines{"2 b"}));
}

TEST_F(InflightTest, IdentifiersGoRoundFrom65535ToOne) {
  connect();
  for (std::uint32_t i = 1; i <= 65'534; ++i) ASSERT_EQ(inflight().next_packet_id().value, i);
  say({"a", "b", "c"});
  EXPECT_EQ(wire.take(), (Lines{"65535 a", "1 b", "2 c"}));
  EXPECT_TRUE(puback(2));
  EXPECT_TRUE(puback(1));
  EXPECT_TRUE(puback(65535));
  EXPECT_EQ(outbox().messages(), 0U);
}

TEST_F(InflightTest, AcknowledgementsMayComeInAnyOrder) {
  connect();
  say({"a", "b", "c"});
  EXPECT_TRUE(puback(2));
  EXPECT_TRUE(puback(3));
  EXPECT_EQ(outbox().messages(), 1U);
  EXPECT_TRUE(puback(1));
  EXPECT_EQ(outbox().messages(), 0U);
  EXPECT_FALSE(puback(1));
  EXPECT_FALSE(puback(9));
  EXPECT_FALSE(puback(0));
}

TEST_F(InflightTest, OldestUnansweredBoundsHowFarTheOthersGo) {
  connect(3);
  for (int i = 0; i < 100; ++i) say("x");
  for (std::uint16_t id = 2; id < 100; ++id) puback(id);
  EXPECT_EQ(wire.last_id.value, 13U);  // the first and four windows behind it
  EXPECT_TRUE(puback(1));
  EXPECT_EQ(wire.last_id.value, 16U);
}

TEST_F(InflightTest, NoIdentifierIsInFlightTwiceHoweverLargeTheWindow) {
  connect(0xFFFF);
  say("the one that is never answered");
  for (int i = 0; i < 70'000; ++i) {
    say("x");
    if (wire.last_id.value != 1) puback(wire.last_id.value);
    ASSERT_LE(wire.lines.size(), 65'535U);
  }
  EXPECT_EQ(std::ranges::count_if(wire.lines, [](const std::string& line) { return line.starts_with("1 "); }), 1);
}

// --- answers ---

TEST_F(InflightTest, ErrorReasonCodesDropTheMessage) {
  connect();
  say("a");
  say("b", kExactlyOnce);
  persist();
  EXPECT_TRUE(puback(1, mqtt::ReasonCode::NotAuthorized));
  EXPECT_TRUE(pubrec(2, mqtt::ReasonCode::PayloadFormatInvalid));
  EXPECT_EQ(sender->queue.books.drops(DropReason::RefusedRemote), 2U);
  EXPECT_EQ(inflight().count(), 0U);
  EXPECT_FALSE(pubcomp(2));
}

TEST_F(InflightTest, AnswersThatDoNotFitTheExchangeAreUnknown) {
  connect();
  say("a");
  say("b", kExactlyOnce);
  EXPECT_FALSE(pubrec(2));  // reserved, never sent
  persist();
  EXPECT_FALSE(pubrec(1));
  EXPECT_FALSE(puback(2));
  EXPECT_FALSE(pubcomp(2));
  EXPECT_EQ(outbox().messages(), 2U);
}

TEST_F(InflightTest, WhatThePeerCannotTakeIsDroppedAndGivesItsPlaceBack) {
  connect(1);
  say({"too large", "without rule", "c"});
  EXPECT_EQ(wire.take(), (Lines{"3 c"}));
  EXPECT_EQ(sender->queue.books.drops(DropReason::TooLarge), 1U);
  EXPECT_EQ(sender->queue.books.drops(DropReason::RuleRemoved), 1U);
  EXPECT_EQ(world.acks().ids, (std::vector<std::uint16_t>{1, 2}));
}

TEST_F(InflightTest, SmoothsTheAcknowledgementTime) {
  connect();
  EXPECT_EQ(inflight().acknowledgement_time(), std::nullopt);
  say("a");
  world.pass(milliseconds(80));
  puback(1);
  EXPECT_EQ(inflight().acknowledgement_time(), milliseconds(80));
  EXPECT_EQ(inflight().last_progress(), world.now());
  say("b");
  world.pass(milliseconds(160));
  puback(2);
  EXPECT_EQ(inflight().acknowledgement_time(), milliseconds(90));
}

// --- QoS 2 ---

TEST_F(InflightTest, QosTwoIsDurableBeforeItIsSentAndBeforeItIsReleased) {
  connect();
  say("a", kExactlyOnce);
  EXPECT_EQ(wire.take(), Lines{});
  world.turn();
  ASSERT_FALSE(world.writer_idle());
  EXPECT_EQ(world.submitted().segments.size(), 1U);
  ASSERT_EQ(world.submitted().exchanges.size(), 1U);
  EXPECT_EQ(world.submitted().exchanges[0].packet_id, PacketId{1});
  EXPECT_EQ(wire.take(), Lines{});
  world.persist();
  EXPECT_EQ(wire.take(), (Lines{"1 a"}));

  EXPECT_TRUE(pubrec(1));
  EXPECT_TRUE(pubrec(1));  // repeated: nothing more happens
  EXPECT_EQ(wire.take(), Lines{});
  persist();
  EXPECT_EQ(wire.take(), (Lines{"rel 1"}));
  EXPECT_TRUE(pubrec(1));  // the peer has not seen the PUBREL
  EXPECT_EQ(wire.take(), (Lines{"rel 1"}));
  EXPECT_TRUE(pubcomp(1));
  EXPECT_EQ(outbox().messages(), 0U);
  world.settle_down();
  EXPECT_EQ(world.store().exchanges(), 0U);
}

TEST_F(InflightTest, QosTwoLeavesWithItsMessageThoughTheBatchIsCutShort) {
  connect();
  const std::string large(300 * KiB, 'x');
  for (int i = 0; i < 8; ++i) say(large + std::to_string(i), kExactlyOnce);
  world.turn();
  std::set<std::uint64_t> stored;
  while (!world.writer_idle()) {
    for (const SegmentRow& segment : world.submitted().segments) {
      std::vector<DirectoryEntry> entries;
      ASSERT_TRUE(parse_directory(segment.directory, entries));
      stored.insert(entries.at(0).first.value);
    }
    world.persist();
    EXPECT_EQ(wire.lines.size(), stored.size());  // what is durable has left, and nothing else
    world.turn();
  }
  EXPECT_EQ(stored.size(), 8U);
}

TEST_F(InflightTest, QosTwoWaitsForItsMessageThoughItsIdentifierIsStored) {
  connect();
  say("a", kExactlyOnce);
  world.turn();
  world.refuse();
  world.turn();
  ASSERT_FALSE(world.writer_idle());
  EXPECT_TRUE(world.submitted().segments.empty());
  EXPECT_EQ(world.submitted().exchanges.size(), 1U);
  world.persist();
  EXPECT_EQ(wire.take(), Lines{});
  world.pass(seconds(1));
  persist();
  EXPECT_EQ(wire.take(), (Lines{"1 a"}));
}

// Its sequence number goes to another message, which is not the one that was in flight.
TEST_F(InflightTest, IdentifierOfAMessageThatWasNeverStoredIsForgotten) {
  connect();
  say("a", kExactlyOnce);
  world.turn();
  world.refuse();
  world.turn();
  world.persist();
  EXPECT_EQ(world.store().exchanges(), 1U);
  sender.reset();
  Restored restored = world.restart();
  for (RestoredQueue& queue : restored.queues) queue.cursor.next = Sequence{1};  // as if no cursor had been written
  sender = std::make_unique<Sender>(world, restored);
  connect();
  say("b");
  EXPECT_EQ(wire.take(), (Lines{"1 b"}));
  persist();
  EXPECT_EQ(world.store().exchanges(), 0U);
}

TEST_F(InflightTest, MessageOnDiskGetsItsIdentifierStoredAlone) {
  say("a", kExactlyOnce);
  world.settle_down();
  connect();
  EXPECT_EQ(wire.take(), Lines{});
  world.turn();
  ASSERT_FALSE(world.writer_idle());
  EXPECT_TRUE(world.submitted().segments.empty());
  EXPECT_EQ(world.submitted().exchanges.size(), 1U);
  world.persist();
  EXPECT_EQ(wire.take(), (Lines{"1 a"}));
}

TEST_F(InflightTest, MemoryOnlyQueueWaitsForNoStore) {
  Books books;
  Outbox memory({}, world.journal(), books);
  Inflight sends(*sender, QueueId{}, world.journal());
  sends.set_own(memory);
  sends.connect(wire, 10, true, world.now());
  memory.push(world.message("a"), kExactlyOnce, {}, world.now(), []() -> Commitment& { std::abort(); });
  sends.pump(world.now());
  EXPECT_TRUE(sends.handle_pubrec(PacketId{1}, mqtt::ReasonCode::Success, world.now()));
  EXPECT_TRUE(sends.handle_pubcomp(PacketId{1}, world.now()));
  EXPECT_EQ(wire.take(), (Lines{"1 a", "rel 1"}));
  EXPECT_EQ(books.delivered, 1U);
  EXPECT_TRUE(world.journal().idle());
}

// --- a new connection ---

TEST_F(InflightTest, ResendsInOrderWithTheSameIdentifiers) {
  connect();
  say("a");
  say({"b", "c"}, kExactlyOnce);
  persist();
  say("d");
  pubrec(2);
  persist();
  wire.take();
  inflight().disconnect();
  connect();
  EXPECT_EQ(wire.take(), (Lines{"1 a dup", "rel 2", "3 c dup", "4 d dup"}));
  EXPECT_EQ(inflight().count(), 4U);
}

TEST_F(InflightTest, ResendsAsTheNewWindowAllows) {
  connect(10);
  say({"a", "b", "c", "d"});
  wire.take();
  inflight().disconnect();
  say("e");
  connect(2);
  EXPECT_EQ(wire.take(), (Lines{"1 a dup", "2 b dup"}));
  puback(1);
  EXPECT_EQ(wire.take(), (Lines{"3 c dup"}));
  puback(4);  // not resent yet, and answered all the same
  puback(2);
  puback(3);
  EXPECT_EQ(wire.take(), (Lines{"5 e"}));
  EXPECT_EQ(inflight().count(), 1U);
}

TEST_F(InflightTest, WhatBecameDurableWhileAwayDoesNotOvertakeWhatIsResent) {
  connect();
  say("a", kExactlyOnce);
  persist();
  say("b", kExactlyOnce);
  wire.take();
  inflight().disconnect();
  persist();
  wire.room = 1;
  connect();
  EXPECT_EQ(wire.take(), (Lines{"1 a dup"}));
  wire.room = 1;
  inflight().pump(world.now());
  EXPECT_EQ(wire.take(), (Lines{"2 b"}));
}

TEST_F(InflightTest, SmallerWindowDoesNotBlockWhatWaitedForTheStore) {
  connect(10);
  say("a", kExactlyOnce);
  persist();
  say({"b", "c"}, kExactlyOnce);
  pubrec(1);
  wire.take();
  inflight().disconnect();
  persist();
  connect(1);
  EXPECT_EQ(wire.take(), (Lines{"rel 1"}));
  pubcomp(1);
  EXPECT_EQ(wire.take(), (Lines{"2 b"}));
  pubrec(2);
  persist();
  pubcomp(2);
  EXPECT_EQ(wire.take(), (Lines{"rel 2", "3 c"}));
}

TEST_F(InflightTest, PeerThatLostTheSessionGetsEverythingAnew) {
  connect();
  say("a");
  say({"b", "c", "d"}, kExactlyOnce);
  persist();
  pubrec(2);
  persist();
  pubrec(3);  // its PUBREC is not durable yet
  wire.take();
  inflight().disconnect();
  connect(10, false);
  persist();
  // b and c are with the peer already; sending them again would repeat them.
  EXPECT_EQ(wire.take(), (Lines{"5 a", "6 d"}));
  EXPECT_EQ(sender->queue.books.delivered, 2U);
  EXPECT_EQ(inflight().count(), 2U);
  world.settle_down();
  EXPECT_EQ(world.store().exchanges(), 1U);
}

// --- a restart ---

TEST_F(InflightTest, ExchangesGoOnAfterARestart) {
  connect();
  say({"a", "b", "c"}, kExactlyOnce);
  persist();
  pubrec(1);
  persist();
  wire.take();
  restart();
  connect();
  read_pages();
  EXPECT_EQ(wire.take(), (Lines{"rel 1", "2 b dup", "3 c dup"}));
  say("d");
  EXPECT_EQ(wire.take(), (Lines{"4 d"}));
  pubcomp(1);
  pubrec(2);
  persist();
  pubcomp(2);
  EXPECT_EQ(wire.take(), (Lines{"rel 2"}));
  EXPECT_EQ(sender->queue.books.delivered, 2U);
}

TEST_F(InflightTest, RestoredExchangesOfALostSessionAreDeliveredOrBeginAnew) {
  connect();
  say({"a", "b"}, kExactlyOnce);
  persist();
  pubrec(1);
  persist();
  wire.take();
  restart();
  connect(10, false);
  read_pages();
  persist();
  EXPECT_EQ(wire.take(), (Lines{"3 b"}));
  EXPECT_EQ(sender->queue.books.delivered, 1U);
  world.settle_down();
  EXPECT_EQ(world.store().exchanges(), 1U);
}

TEST_F(InflightTest, RestoredExchangesMakeWayForDroppingTheOldest) {
  connect();
  say("half-done", kExactlyOnce);
  persist();
  wire.take();
  restart();
  outbox().set_limits({.messages_max = 3, .when_full = WhenFull::DropOldest});
  (void)outbox().next_waiting(world.now());
  read_pages();
  say({"a", "b", "c", "d"});
  EXPECT_EQ(outbox().messages(), 3U);
  connect();
  EXPECT_EQ(wire.take(), (Lines{"1 half-done dup", "2 c", "3 d"}));
}

// Two damaged rows name one message: with both it would be sent twice, and given back twice.
TEST_F(InflightTest, SecondExchangeOfAMessageIsErased) {
  connect();
  say({"a", "b"}, kExactlyOnce);
  persist();
  sender.reset();
  Restored restored = world.restart();
  ASSERT_EQ(restored.exchanges.size(), 2U);
  restored.exchanges[1].sequence = restored.exchanges[0].sequence;
  sender = std::make_unique<Sender>(world, restored);
  wire.take();
  connect();
  read_pages();
  persist();
  EXPECT_EQ(wire.take(), (Lines{"1 a dup", "2 b"}));
  connect(10, false);
  persist();
  EXPECT_EQ(wire.take(), (Lines{"3 a", "4 b"}));
}

TEST_F(InflightTest, ExchangeWhoseMessageIsGoneIsErased) {
  connect();
  say("a", kExactlyOnce);
  persist();
  outbox().drop_all(DropReason::Purged, world.now());
  world.settle_down();
  EXPECT_EQ(world.store().exchanges(), 1U);
  restart();
  connect();
  say("b");
  EXPECT_EQ(wire.take().back(), "2 b");
  world.settle_down();
  EXPECT_EQ(world.store().exchanges(), 0U);
}

// --- exactly once, whatever happens ---

// The receiving end of MQTT 5.0 §4.3.3, method B: keeps its session over connections.
class Receiver {
 public:
  bool publish(std::uint16_t id, const std::string& payload) {
    const bool is_new = open_.insert(id).second;
    if (is_new) ++received[payload];
    return is_new;
  }
  void release(std::uint16_t id) { open_.erase(id); }

  std::map<std::string, int> received;

 private:
  std::set<std::uint16_t> open_;
};

void exactly_once(std::uint64_t seed) {
  SCOPED_TRACE("repeat with FURROW_SEED=" + std::to_string(seed) + " and --gtest_filter=InflightWalk.*");
  Random random(seed);
  JournalWorld world;
  PublishWire wire;
  Receiver receiver;
  auto sender = std::make_unique<Sender>(world);
  world.settle_down();
  std::vector<std::string> answers;  // on their way back: "rec 1", "comp 1"
  std::uint16_t said = 0;
  const auto transport = [&] {
    for (const std::string& line : wire.take()) {
      if (line.starts_with("rel ")) {
        receiver.release(static_cast<std::uint16_t>(std::stoi(line.substr(4))));
        answers.push_back("comp " + line.substr(4));
      } else {
        const std::string id = line.substr(0, line.find(' '));
        std::string payload = line.substr(id.size() + 1);
        const bool duplicate = payload.ends_with(" dup");
        if (duplicate) payload.resize(payload.size() - 4);
        const bool is_new = receiver.publish(static_cast<std::uint16_t>(std::stoi(id)), payload);
        EXPECT_TRUE(is_new || duplicate);
        answers.push_back("rec " + id);
      }
    }
  };
  const auto answer = [&] {
    if (answers.empty() || !sender->inflight.connected()) return;
    const std::string line = answers.front();
    answers.erase(answers.begin());
    const PacketId id{static_cast<std::uint16_t>(std::stoi(line.substr(line.find(' ') + 1)))};
    if (line.starts_with("rec")) {
      (void)sender->inflight.handle_pubrec(id, mqtt::ReasonCode::Success, world.now());
    } else {
      (void)sender->inflight.handle_pubcomp(id, world.now());
    }
    sender->inflight.pump(world.now());
  };
  const auto connect = [&] {
    if (sender->inflight.connected()) return;
    answers.clear();
    sender->inflight.connect(wire, static_cast<std::uint16_t>(1 + random.below(8)), true, world.now());
    sender->inflight.pump(world.now());
  };
  for (int step = 0; step < 2'000 && !testing::Test::HasFailure(); ++step) {
    const std::uint64_t dice = random.below(100);
    if (dice < 15) {
      ++said;
      world.publish(said, {{sender->queue.outbox, kOnline}}, kExactlyOnce);
      sender->inflight.pump(world.now());
    } else if (dice < 35) {
      transport();
    } else if (dice < 60) {
      answer();
    } else if (dice < 85) {
      if (!world.writer_idle() && random.chance(70)) world.persist();
      world.turn_after(milliseconds(random.below(40)));
    } else if (dice < 90) {
      world.answer_read();
    } else if (dice < 95) {
      connect();
    } else if (dice < 98) {
      sender->inflight.disconnect();
      if (random.chance(50)) wire.take();  // lost on the way
    } else {
      const std::vector<std::uint16_t> acknowledged = world.acks().ids;
      sender.reset();
      world.acks().ids = acknowledged;  // what the destructor releases nobody hears of
      wire.take();
      const Restored restored = world.restart(static_cast<int>(random.below(4)));
      sender = std::make_unique<Sender>(world, restored);
    }
    ASSERT_TRUE(sender->queue.balanced());
  }
  connect();
  for (int turn = 0; turn < 10'000 && sender->queue.outbox.messages() > 0; ++turn) {
    transport();
    answer();
    if (!world.writer_idle()) world.persist();
    world.answer_read();
    world.turn_after(milliseconds(10));
  }
  EXPECT_EQ(sender->queue.outbox.messages(), 0U);
  for (const std::uint16_t id : world.acks().ids) {
    EXPECT_EQ(receiver.received["reading " + std::to_string(id)], 1) << "message " << id;
  }
  for (const auto& [payload, count] : receiver.received) EXPECT_LE(count, 1) << payload;
  world.settle_down();
  EXPECT_EQ(world.store().exchanges(), 0U);
}

TEST(InflightWalk, QosTwoArrivesExactlyOnceThroughCutsAndCrashes) {
  if (const char* seed = std::getenv("FURROW_SEED")) return exactly_once(std::strtoull(seed, nullptr, 10));
  for (std::uint64_t seed = 1; seed <= 10 && !HasFailure(); ++seed) exactly_once(seed);
}

}  // namespace
}  // namespace furrow::broker
