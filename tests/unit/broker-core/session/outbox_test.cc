#include "broker-core/session/outbox.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/broker-core/session/journal_world.h"

namespace furrow::broker {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Payloads = std::vector<std::string>;

constexpr Duration kAway{};

class OutboxTest : public testing::Test {
 protected:
  // Pushes readings that lie on disk before this returns.
  void push_stored(BridgeQueue& queue, std::uint16_t first, std::uint16_t last) {
    for (std::uint16_t id = first; id <= last; ++id) world.publish(id, {{queue.outbox, kAway}});
    world.settle_down();
  }
  static Payloads readings(std::vector<int> ids) {
    Payloads payloads;
    for (const int id : ids) payloads.push_back("reading " + std::to_string(id));
    return payloads;
  }
  static Payloads readings_between(int first, int last) {
    Payloads payloads;
    for (int id = first; id <= last; ++id) payloads.push_back("reading " + std::to_string(id));
    return payloads;
  }

  JournalWorld world;
};

// --- the limits ---

TEST_F(OutboxTest, DropOldestKeepsTheNewest) {
  BridgeQueue queue(world, {.messages_max = 3, .when_full = WhenFull::DropOldest});
  for (std::uint16_t id = 1; id <= 5; ++id) world.publish(id, {{queue.outbox, kAway}});
  EXPECT_EQ(queue.outbox.messages(), 3U);
  EXPECT_EQ(queue.books.drops(DropReason::QueueFull), 2U);
  EXPECT_EQ(world.acks().ids, (std::vector<std::uint16_t>{1, 2}));  // dropped, counted and so answered
  EXPECT_EQ(queue.drain(world), readings({3, 4, 5}));
  EXPECT_TRUE(queue.balanced());
}

TEST_F(OutboxTest, DropOldestCountsBytes) {
  const std::size_t bytes = world.message("reading 1")->bytes_size();
  BridgeQueue queue(world, {.bytes_max = 2 * bytes, .when_full = WhenFull::DropOldest});
  for (std::uint16_t id = 1; id <= 3; ++id) world.publish(id, {{queue.outbox, kAway}});
  EXPECT_EQ(queue.outbox.bytes(), 2 * bytes);
  EXPECT_EQ(queue.drain(world), readings({2, 3}));
}

TEST_F(OutboxTest, DropOldestSparesWhatIsInFlight) {
  BridgeQueue queue(world, {.messages_max = 3, .when_full = WhenFull::DropOldest});
  for (std::uint16_t id = 1; id <= 3; ++id) world.publish(id, {{queue.outbox, kAway}});
  EXPECT_EQ(queue.send(world.now()), "reading 1");
  world.publish(4, {{queue.outbox, kAway}});
  EXPECT_EQ(queue.outbox.inflight(), 1U);
  EXPECT_EQ(queue.send(world.now()), "reading 3");
  EXPECT_EQ(queue.send(world.now()), "reading 4");
  world.publish(5, {{queue.outbox, kAway}});  // nothing left to drop but itself
  EXPECT_EQ(queue.outbox.messages(), 3U);
  EXPECT_EQ(queue.outbox.inflight(), 3U);
  EXPECT_EQ(queue.books.drops(DropReason::QueueFull), 2U);
}

TEST_F(OutboxTest, WhatHasExpiredMakesRoomBeforeAnythingIsDropped) {
  BridgeQueue queue(world, {.messages_max = 3, .when_full = WhenFull::DropOldest});
  world.publish(1, world.message("short-lived", 1), {{queue.outbox, kAway}});
  world.publish(2, {{queue.outbox, kAway}});
  world.publish(3, {{queue.outbox, kAway}});
  world.pass(seconds(2));
  world.publish(4, {{queue.outbox, kAway}});
  EXPECT_EQ(queue.books.expired, 1U);
  EXPECT_EQ(queue.books.drops(DropReason::QueueFull), 0U);
  EXPECT_EQ(queue.drain(world), readings({2, 3, 4}));
}

TEST_F(OutboxTest, DropNewestKeepsTheOldest) {
  BridgeQueue queue(world, {.messages_max = 2, .when_full = WhenFull::DropNewest});
  for (std::uint16_t id = 1; id <= 4; ++id) world.publish(id, {{queue.outbox, kAway}});
  EXPECT_EQ(queue.books.drops(DropReason::QueueFull), 2U);
  EXPECT_EQ(queue.drain(world), readings({1, 2}));
  EXPECT_TRUE(queue.balanced());
}

TEST_F(OutboxTest, RefuseIsAskedBefore) {
  BridgeQueue queue(world, {.messages_max = 2, .when_full = WhenFull::Refuse});
  EXPECT_FALSE(queue.outbox.refuses(10));
  world.publish(1, {{queue.outbox, kAway}});
  world.publish(2, {{queue.outbox, kAway}});
  EXPECT_TRUE(queue.outbox.refuses(10));
  queue.send(world.now());
  queue.deliver(world.now());
  EXPECT_FALSE(queue.outbox.refuses(10));
}

TEST_F(OutboxTest, MessageLargerThanTheWholeQueueDropsNothingElse) {
  BridgeQueue queue(world, {.bytes_max = 100, .when_full = WhenFull::DropOldest});
  world.publish(1, {{queue.outbox, kAway}});
  world.publish(2, world.message(std::string(200, 'x')), {{queue.outbox, kAway}});
  EXPECT_EQ(queue.books.drops(DropReason::QueueFull), 1U);
  EXPECT_EQ(queue.drain(world), readings({1}));
}

TEST_F(OutboxTest, AnEmptyQueueTakesAMessageOfAnySize) {
  const std::string large(200, 'x');
  for (const WhenFull policy : {WhenFull::DropOldest, WhenFull::DropNewest, WhenFull::Refuse}) {
    BridgeQueue queue(world, {.bytes_max = 100, .when_full = policy});
    EXPECT_FALSE(queue.outbox.refuses(large.size()));
    world.publish(1, world.message(large), {{queue.outbox, kAway}});
    EXPECT_EQ(queue.outbox.refuses(10), policy == WhenFull::Refuse);
    EXPECT_EQ(queue.drain(world), Payloads{large});
    EXPECT_EQ(queue.books.drops(DropReason::QueueFull), 0U);
    EXPECT_TRUE(queue.balanced());
  }
}

TEST_F(OutboxTest, MessageLargerThanItsQueueIsThereAfterARestart) {
  const std::string large(200, 'x');
  const OutboxLimits limits{.bytes_max = 100, .when_full = WhenFull::DropOldest};
  auto queue = std::make_unique<BridgeQueue>(world, limits);
  world.publish(1, world.message(large), {{queue->outbox, kAway}});
  world.settle_down();
  queue.reset();
  BridgeQueue again(world, world.restart(), limits);
  EXPECT_EQ(again.drain(world), Payloads{large});
}

TEST_F(OutboxTest, LimitHoldsForABacklogThatIsOnDiskOnly) {
  BridgeQueue queue(world, {.messages_max = 500, .when_full = WhenFull::DropOldest});
  for (std::uint16_t id = 1; id <= 2'000; ++id) {
    std::string payload = std::to_string(id) + ' ';
    payload.resize(10 * KiB, 'x');
    world.publish(id, world.message(payload), {{queue.outbox, kAway}});
    if (id % 20 == 0) world.settle_down();
    ASSERT_LE(queue.outbox.messages(), 520U);  // what arrives while a page is being read
    ASSERT_TRUE(queue.balanced());
  }
  world.settle_down();
  const Payloads left = queue.drain(world);
  ASSERT_FALSE(left.empty());
  EXPECT_EQ(left.back().substr(0, 5), "2000 ");
}

TEST_F(OutboxTest, LimitHoldsThoughTheFrontIsFullOfWhatIsInFlight) {
  BridgeQueue queue(world, {.messages_max = 500, .when_full = WhenFull::DropOldest});
  const MessageRef message = world.message(std::string(10 * KiB, 'x'));
  for (std::uint16_t id = 1; id <= 3'000; ++id) {
    world.publish(id, message, {{queue.outbox, kAway}});
    if (id <= 150) {
      ASSERT_FALSE(queue.send(world.now()).empty());
    }
    if (id % 20 == 0) world.settle_down();
    ASSERT_LE(queue.outbox.messages(), 520U);
  }
  EXPECT_EQ(queue.outbox.inflight(), 150U);
}

TEST_F(OutboxTest, DropsBehindAnUnansweredMessageDoNotPileUp) {
  BridgeQueue queue(world, {.messages_max = 10, .when_full = WhenFull::DropOldest});
  world.publish(1, {{queue.outbox, kAway}});
  queue.send(world.now());
  for (std::uint16_t id = 2; id <= 10'000; ++id) {
    world.publish(id, {{queue.outbox, kAway}});
    if (id % 100 == 0) world.settle_down();
    ASSERT_LE(queue.outbox.contents().front().size(), 100U);
  }
  EXPECT_EQ(queue.outbox.contents().front().front().message->payload().size(), 9U);
  EXPECT_LE(queue.outbox.cursor(0, 0).holes.size(), 8U);
  queue.deliver(world.now());
  EXPECT_EQ(queue.drain(world).front(), "reading 9992");
}

// --- age and expiry ---

TEST_F(OutboxTest, WhatIsMovedLeavesTheBooksUntilItsNewOwnerSaysWhatBecameOfIt) {
  BridgeQueue queue(world, OutboxLimits{});
  world.publish(1, {{queue.outbox, kAway}});
  queue.outbox.settle(Sequence{1}, Outbox::Outcome::HandedOver, world.now());
  EXPECT_EQ(queue.books.accepted, 0U);
  EXPECT_TRUE(queue.balanced());
  EXPECT_EQ(world.acks().ids, std::vector<std::uint16_t>{1});
  queue.outbox.pass(Outbox::Outcome::Delivered, world.now());
  EXPECT_EQ(queue.books.delivered, 1U);
  EXPECT_TRUE(queue.balanced());
}

TEST_F(OutboxTest, ExpiredMessagesAreNotSent) {
  BridgeQueue queue(world);
  world.publish(1, world.message("short-lived", 5), {{queue.outbox, kAway}});
  world.publish(2, {{queue.outbox, kAway}});
  EXPECT_EQ(queue.outbox.expire(world.now()), world.now() + seconds(5));
  world.pass(seconds(5));
  EXPECT_EQ(queue.outbox.expire(world.now()), kNever);
  EXPECT_EQ(queue.books.expired, 1U);
  EXPECT_EQ(queue.drain(world), readings({2}));
}

TEST_F(OutboxTest, OldMessagesAreDroppedByAge) {
  BridgeQueue queue(world, {.age_max = seconds(10)});
  world.publish(1, {{queue.outbox, kAway}});
  world.pass(seconds(10));
  EXPECT_EQ(queue.outbox.expire(world.now()), world.now() + Duration(1));  // not older than the maximum yet
  world.pass(Duration(1));
  EXPECT_EQ(queue.outbox.expire(world.now()), kNever);
  EXPECT_EQ(queue.books.drops(DropReason::Age), 1U);
}

TEST_F(OutboxTest, AgeCountsOverARestart) {
  auto queue = std::make_unique<BridgeQueue>(world, OutboxLimits{.age_max = seconds(10)});
  push_stored(*queue, 1, 1);
  world.pass(seconds(6));
  push_stored(*queue, 2, 2);
  queue.reset();
  world.pass(seconds(5));
  BridgeQueue again(world, world.restart(), {.age_max = seconds(10)});
  EXPECT_EQ(again.drain(world), readings({2}));
  EXPECT_EQ(again.books.drops(DropReason::Age), 1U);
  EXPECT_TRUE(again.balanced());
}

TEST_F(OutboxTest, TimePoweredOffCountsOnceTheClockIsTrusted) {
  auto queue = std::make_unique<BridgeQueue>(world, OutboxLimits{.age_max = hours(10)});
  world.publish(1, world.message("for an hour", 3'600), {{queue->outbox, kAway}});
  world.publish(2, world.message("for a day", 24 * 3'600), {{queue->outbox, kAway}});
  world.publish(3, world.message("for ever"), {{queue->outbox, kAway}});
  world.settle_down();
  queue.reset();
  BridgeQueue again(world, world.power_off(hours(5)), {.age_max = hours(10)});
  (void)again.outbox.next_waiting(world.now());
  ASSERT_TRUE(world.answer_read());
  // Nothing has expired that may not have.
  EXPECT_EQ(as_text(again.outbox.next_waiting(world.now())->message->payload()), "for an hour");
  EXPECT_EQ(again.books.expired, 0U);

  world.trust_clock();
  EXPECT_EQ(as_text(again.outbox.next_waiting(world.now())->message->payload()), "for a day");
  EXPECT_EQ(again.books.expired, 1U);
  EXPECT_EQ(world.journal().expired_by_correction(), 1U);
  world.pass(hours(5) + minutes(2));
  EXPECT_EQ(again.drain(world), Payloads{});
  EXPECT_EQ(again.books.drops(DropReason::Age), 2U);
  EXPECT_EQ(world.journal().expired_by_correction(), 1U);  // these have just become old
  EXPECT_TRUE(again.balanced());
}

TEST_F(OutboxTest, WhatIsReadWhenTheClockIsTrustedAgainIsNotCorrectedTwice) {
  auto queue = std::make_unique<BridgeQueue>(world);
  world.publish(1, world.message("for a day", 24 * 3'600), {{queue->outbox, kAway}});
  world.settle_down();
  queue.reset();
  BridgeQueue again(world, world.power_off(hours(20)));
  world.trust_clock();
  (void)again.outbox.next_waiting(world.now());
  ASSERT_TRUE(world.answer_read());
  world.trust_clock();
  EXPECT_NE(again.outbox.next_waiting(world.now()), nullptr);
}

TEST_F(OutboxTest, MessagesInFlightBeforeARestartDoNotExpire) {
  auto queue = std::make_unique<BridgeQueue>(world);
  world.publish(1, world.message("half-done", 1), {{queue->outbox, kAway}});
  world.publish(2, world.message("not begun", 1), {{queue->outbox, kAway}});
  world.settle_down();
  queue.reset();
  BridgeQueue again(world, world.restart());
  EXPECT_TRUE(again.outbox.lease_restored(Sequence{1}));
  world.pass(seconds(2));
  EXPECT_EQ(again.drain(world), Payloads{});
  EXPECT_EQ(again.books.expired, 1U);
  EXPECT_EQ(again.outbox.inflight(), 1U);
  again.outbox.settle(Sequence{1}, Outbox::Outcome::Delivered, world.now());
  EXPECT_TRUE(again.balanced());
}

TEST_F(OutboxTest, MessagesInFlightBeforeARestartMayEndBeforeTheyAreRead) {
  auto queue = std::make_unique<BridgeQueue>(world);
  push_stored(*queue, 1, 4);
  queue.reset();
  BridgeQueue again(world, world.restart());
  for (const std::uint64_t sequence : {1U, 2U, 3U}) EXPECT_TRUE(again.outbox.lease_restored(Sequence{sequence}));
  again.outbox.settle(Sequence{1}, Outbox::Outcome::Delivered, world.now());
  again.outbox.settle(Sequence{2}, Outbox::Outcome::Dropped, world.now(), DropReason::SessionEnded);
  again.outbox.give_back(Sequence{3});
  EXPECT_TRUE(again.balanced());
  EXPECT_EQ(again.drain(world), readings({3, 4}));
  EXPECT_EQ(again.books.delivered, 3U);
  EXPECT_EQ(again.books.drops(DropReason::SessionEnded), 1U);
  EXPECT_TRUE(again.balanced());
  EXPECT_FALSE(again.outbox.has_leases());
}

// Damaged rows: two exchanges name one message.
TEST_F(OutboxTest, MessageInFlightBeforeARestartIsLeasedOnce) {
  auto queue = std::make_unique<BridgeQueue>(world);
  push_stored(*queue, 1, 2);
  queue.reset();
  BridgeQueue again(world, world.restart());
  EXPECT_TRUE(again.outbox.lease_restored(Sequence{1}));
  EXPECT_FALSE(again.outbox.lease_restored(Sequence{1}));
  EXPECT_EQ(again.drain(world), readings({2}));
  EXPECT_EQ(again.outbox.inflight(), 1U);
}

// A damaged cursor: it counts fewer messages than there are exchanges for.
TEST_F(OutboxTest, LeasesEndWithTheCountOfADamagedCursor) {
  auto queue = std::make_unique<BridgeQueue>(world);
  push_stored(*queue, 1, 4);
  queue.reset();
  Restored restored = world.restart();
  restored.queues.front().cursor.messages = 2;
  restored.queues.front().cursor.bytes = 5;
  BridgeQueue again(world, restored);
  for (const std::uint64_t sequence : {1U, 2U, 3U}) EXPECT_TRUE(again.outbox.lease_restored(Sequence{sequence}));
  for (const std::uint64_t sequence : {1U, 2U, 3U}) {
    again.outbox.settle(Sequence{sequence}, Outbox::Outcome::Delivered, world.now());
  }
  EXPECT_EQ(again.books.delivered, 2U);
  EXPECT_EQ(again.outbox.messages(), 0U);
  EXPECT_EQ(again.outbox.bytes(), 0U);
  EXPECT_TRUE(again.balanced());
  world.publish(5, {{again.outbox, kAway}});
  world.settle_down();
  EXPECT_EQ(again.drain(world), readings({5}));
}

// A damaged cursor counts fewer bytes than its messages have: the queue must not count below zero, and be full.
TEST_F(OutboxTest, BytesOfADamagedCursorDoNotFillTheQueue) {
  auto queue = std::make_unique<BridgeQueue>(world);
  push_stored(*queue, 1, 3);
  queue.reset();
  Restored restored = world.restart();
  restored.queues.front().cursor.bytes = 1;
  BridgeQueue again(world, restored, {.bytes_max = 1'000});
  EXPECT_EQ(again.drain(world), readings({1, 2, 3}));
  EXPECT_EQ(again.outbox.bytes(), 0U);
  for (std::uint16_t id = 4; id <= 6; ++id) world.publish(id, {{again.outbox, kAway}});
  EXPECT_EQ(again.drain(world), readings({4, 5, 6}));
}

// What one receiver was to lose with the process is not in the store; that it is in flight is known in memory alone.
TEST_F(OutboxTest, ForgoneMessagesAreNotThereAfterARestart) {
  auto queue = std::make_unique<BridgeQueue>(world);
  push_stored(*queue, 1, 2);
  world.publish(3, {{queue->outbox, kAway}});
  for (int i = 0; i < 3; ++i) queue->send(world.now());
  const BatchNumber number = queue->outbox.forgo(Sequence{2});
  (void)queue->outbox.forgo(Sequence{3});
  EXPECT_FALSE(world.journal().is_durable(number));
  world.settle_down();
  EXPECT_TRUE(world.journal().is_durable(number));
  EXPECT_EQ(world.acks().ids, (std::vector<std::uint16_t>{1, 2, 3}));
  EXPECT_EQ(queue->outbox.messages(), 3U);
  EXPECT_EQ(queue->outbox.disk_messages(), 1U);
  queue.reset();
  BridgeQueue again(world, world.restart());
  EXPECT_EQ(again.drain(world), readings({1}));
}

TEST_F(OutboxTest, AnOutboxThatBecomesDurableStoresWhatItHas) {
  Books books;
  {
    Outbox outbox({}, world.journal(), books);
    for (const char* payload : {"waits", "in flight", "settled"}) {
      outbox.push(world.message(payload), kAtLeastOnce, {}, world.now(), []() -> Commitment& { std::abort(); });
    }
    outbox.settle(Sequence{3}, Outbox::Outcome::Delivered, world.now());
    world.journal().put_lazy(QueueRow{QueueId{7}, QueueKind::Group, "$share/g/#"}, world.now());
    outbox.make_durable(QueueId{7}, world.now());
    world.settle_down();
    EXPECT_EQ(outbox.disk_messages(), 2U);
  }
  const Restored restored = world.restart();
  BridgeQueue again(world, restored, {}, QueueId{7});
  EXPECT_EQ(again.drain(world), (Payloads{"waits", "in flight"}));
}

TEST_F(OutboxTest, LimitsOfAGroupAreForWhatWaits) {
  Books books;
  Outbox outbox({.limits = {.messages_max = 2, .when_full = WhenFull::DropNewest}, .bounds_waiting_only = true},
                world.journal(), books);
  const auto push = [&] {
    outbox.push(world.message("x"), kAtLeastOnce, {}, world.now(), []() -> Commitment& { std::abort(); });
  };
  for (int i = 0; i < 5; ++i) {
    push();
    (void)outbox.next_waiting(world.now());
    outbox.take();
  }
  for (int i = 0; i < 3; ++i) push();
  EXPECT_EQ(outbox.inflight(), 5U);
  EXPECT_EQ(outbox.backlog(), 2U);
  EXPECT_EQ(books.drops(DropReason::QueueFull), 1U);
}

// --- front, gap and tail ---

TEST_F(OutboxTest, BacklogOfAnOutageKeepsMemoryBoundedAndComesBackWholeAndInOrder) {
  constexpr int kMessages = 100'000;
  BridgeQueue queue(world);
  const auto payload = [](int number) { return "reading " + std::to_string(number); };
  for (int number = 1; number <= kMessages; ++number) {
    world.publish(1, world.message(payload(number)), {{queue.outbox, kAway}});
    if (number % 500 == 0) world.settle_down();
  }
  EXPECT_EQ(queue.outbox.messages(), std::uint64_t{kMessages});
  EXPECT_EQ(queue.outbox.disk_messages(), std::uint64_t{kMessages});
  // The front is what is in memory beside the tail; 64 bytes are less than any entry takes.
  EXPECT_LE(queue.outbox.contents().front().size() * 64, 1 * MiB);

  int next = 1;
  do {
    for (std::string sent = queue.send(world.now()); !sent.empty(); sent = queue.send(world.now())) {
      ASSERT_EQ(sent, payload(next));
      ++next;
      queue.deliver(world.now());
    }
    ASSERT_LE(queue.outbox.contents().front().size() * 64, 1 * MiB);
  } while (world.answer_read());
  EXPECT_EQ(next, kMessages + 1);
  EXPECT_EQ(queue.outbox.messages(), 0U);
  EXPECT_TRUE(queue.balanced());
  world.settle_down();
  EXPECT_EQ(world.store().segments(), 0U);
}

TEST_F(OutboxTest, PageOfSmallMessagesDoesNotOverfillTheFront) {
  auto queue = std::make_unique<BridgeQueue>(world);
  for (int number = 1; number <= 30'000; ++number) world.publish(1, world.message("x"), {{queue->outbox, kAway}});
  world.settle_down();
  queue.reset();
  BridgeQueue again(world, world.restart());
  (void)again.outbox.next_waiting(world.now());
  ASSERT_TRUE(world.answer_read());
  EXPECT_GT(again.outbox.contents().front().size(), 1'000U);
  EXPECT_LE(again.outbox.contents().front().size() * sizeof(Outbox::Entry), 1 * MiB);
}

TEST_F(OutboxTest, MemoryOnlyOutboxHasAFrontOnly) {
  Books books;
  Outbox outbox({.limits = {}, .queue = {}, .owner = nullptr, .stores_books = true}, world.journal(), books);
  const MessageRef message = world.message(std::string(100 * KiB, 'x'));
  for (int i = 0; i < 30; ++i) {
    outbox.push(message, kAtLeastOnce, {}, world.now(), []() -> Commitment& { std::abort(); });
  }
  EXPECT_EQ(outbox.contents().front().size(), 30U);
  world.settle_down();
  EXPECT_EQ(outbox.disk_messages(), 0U);
  EXPECT_EQ(world.store().segments(), 0U);
}

// --- restarts ---

TEST_F(OutboxTest, RestartBringsBackWhatIsNotSettled) {
  auto queue = std::make_unique<BridgeQueue>(world);
  push_stored(*queue, 1, 5);
  queue->send(world.now());
  queue->deliver(world.now());
  world.settle_down();
  queue.reset();
  BridgeQueue again(world, world.restart());
  EXPECT_EQ(again.outbox.messages(), 4U);
  EXPECT_EQ(again.books.accepted, 5U);
  EXPECT_EQ(again.books.delivered, 1U);
  EXPECT_EQ(again.drain(world), readings({2, 3, 4, 5}));
  EXPECT_TRUE(again.balanced());
}

TEST_F(OutboxTest, SequencesGoOnAfterARestart) {
  auto queue = std::make_unique<BridgeQueue>(world);
  push_stored(*queue, 1, 2);
  queue.reset();
  BridgeQueue again(world, world.restart());
  world.publish(3, {{again.outbox, kAway}});
  EXPECT_EQ(again.outbox.next_sequence(), Sequence{4});
  world.settle_down();
  EXPECT_EQ(again.outbox.cursor(0, 0).next, Sequence{4});
  EXPECT_EQ(again.drain(world), readings({1, 2, 3}));
}

// What is on disk only is known by its count: sequences that nobody has must not be counted among it.
TEST_F(OutboxTest, SequencesThatWereSkippedHaveNoMessages) {
  auto queue = std::make_unique<BridgeQueue>(world);
  push_stored(*queue, 1, 2);
  queue.reset();
  auto again = std::make_unique<BridgeQueue>(world, world.restart());
  again->outbox.skip_to(Sequence{1'000});
  push_stored(*again, 3, 4);
  EXPECT_EQ(again->outbox.next_sequence(), Sequence{1'002});
  const CursorRow cursor = again->outbox.cursor(0, 0);
  EXPECT_EQ(cursor.messages, 4U);
  EXPECT_EQ(decode_holes(cursor.settled, cursor.holes).front().end, Sequence{1'000});
  again.reset();
  BridgeQueue last(world, world.restart());
  EXPECT_EQ(last.drain(world), readings({1, 2, 3, 4}));
  EXPECT_EQ(last.outbox.messages(), 0U);
  EXPECT_TRUE(last.balanced());
}

TEST_F(OutboxTest, AMessageThatIsHeldLetsOthersPass) {
  BridgeQueue queue(world);
  push_stored(queue, 1, 3);
  queue.outbox.hold(Sequence{2});
  EXPECT_EQ(queue.drain(world), readings({1, 3}));
  queue.outbox.give_back(Sequence{2});
  EXPECT_EQ(queue.drain(world), readings({2}));
  EXPECT_TRUE(queue.balanced());
}

// A full disk takes rows alone: they must not speak of a message that waits for room, or what was said of it in them
// would be counted, after a crash, against those that are there.
TEST_F(OutboxTest, CursorSpeaksOnlyOfWhatIsStored) {
  auto queue = std::make_unique<BridgeQueue>(world);
  push_stored(*queue, 1, 2);
  world.publish(3, {{queue->outbox, kAway}});
  world.turn_after(minutes(1));
  world.refuse();
  world.journal().touch_now(queue->outbox);
  world.turn();
  ASSERT_TRUE(world.submitted().segments.empty());
  ASSERT_EQ(world.submitted().cursors.size(), 1U);
  world.persist();
  queue.reset();
  BridgeQueue again(world, world.restart());
  EXPECT_TRUE(again.outbox.lease_restored(Sequence{3}));
  again.outbox.settle(Sequence{3}, Outbox::Outcome::Dropped, world.now(), DropReason::SessionEnded);
  EXPECT_EQ(again.outbox.messages(), 2U);
  EXPECT_EQ(again.books.drops(DropReason::SessionEnded), 0U);
  EXPECT_EQ(again.drain(world), readings({1, 2}));
  EXPECT_TRUE(again.balanced());
}

// Messages settled out of order must not come back, and those behind them must not be forgotten for them.
class OutboxHolesTest : public OutboxTest {
 protected:
  // Readings 1 to 8 are stored and in flight; 2, 3 and 6 are settled, and that is stored.
  void SetUp() override {
    queue = std::make_unique<BridgeQueue>(world);
    push_stored(*queue, 1, 8);
    for (int i = 0; i < 8; ++i) queue->send(world.now());
    for (const std::size_t index : {1U, 1U, 3U}) queue->deliver(world.now(), index);  // of those that are left
    restart();
  }
  void restart() {
    world.settle_down();
    queue.reset();
    const Restored restored = world.restart();
    queue = std::make_unique<BridgeQueue>(world, restored);
  }

  std::unique_ptr<BridgeQueue> queue;
};

TEST_F(OutboxHolesTest, HolesStaySettled) {
  EXPECT_EQ(queue->outbox.messages(), 5U);
  EXPECT_EQ(queue->drain(world), readings({1, 4, 5, 7, 8}));
}

TEST_F(OutboxHolesTest, HolesSurviveAnotherRestartBeforeTheyWereRead) {
  queue->outbox.pass(Outbox::Outcome::Delivered, world.now());  // the cursor is written again
  restart();
  EXPECT_EQ(queue->drain(world), readings({1, 4, 5, 7, 8}));
}

TEST_F(OutboxHolesTest, HolesSurviveAnotherRestartAfterTheyWereRead) {
  for (int i = 0; i < 3; ++i) {
    while (queue->send(world.now()).empty()) ASSERT_TRUE(world.answer_read());
  }
  queue->deliver(world.now(), 1);  // reading 4, with 1 before it and 5 behind it still unanswered
  restart();
  EXPECT_EQ(queue->outbox.messages(), 4U);
  EXPECT_EQ(queue->drain(world), readings({1, 5, 7, 8}));
  EXPECT_EQ(queue->outbox.messages(), 0U);
}

TEST_F(OutboxHolesTest, HolesBehindTheLastMessageSurviveWhatIsAddedLater) {
  for (int i = 0; i < 5; ++i) {
    while (queue->send(world.now()).empty()) ASSERT_TRUE(world.answer_read());
  }
  for (const std::size_t index : {4U, 3U, 2U, 1U}) queue->deliver(world.now(), index);  // all but 1
  push_stored(*queue, 9, 10);
  restart();
  EXPECT_EQ(queue->outbox.messages(), 3U);
  EXPECT_EQ(queue->drain(world), readings({1, 9, 10}));
}

TEST_F(OutboxTest, PageThatAnotherReaderAskedForIsIgnored) {
  auto queue = std::make_unique<BridgeQueue>(world);
  push_stored(*queue, 1, 3);
  queue.reset();
  BridgeQueue again(world, world.restart());
  world.store().read({.number = ReadNumber{1000}, .queue = QueueId{1}, .from = {1}, .after = {}, .bytes_max = 1 * MiB});
  EXPECT_EQ(again.send(world.now()), "");
  ASSERT_TRUE(world.answer_read());
  EXPECT_EQ(again.send(world.now()), "") << "that was the other's";
  ASSERT_TRUE(world.answer_read());
  EXPECT_EQ(again.drain(world), readings({1, 2, 3}));
}

TEST_F(OutboxTest, QueueMadeAnewIgnoresThePageThatTheOneBeforeItAskedFor) {
  auto queue = std::make_unique<BridgeQueue>(world);
  push_stored(*queue, 1, 3);
  queue.reset();
  const Restored restored = world.restart();
  queue = std::make_unique<BridgeQueue>(world, restored);
  EXPECT_EQ(queue->send(world.now()), "");
  queue.reset();
  queue = std::make_unique<BridgeQueue>(world, restored);
  EXPECT_EQ(queue->drain(world), readings({1, 2, 3}));
  EXPECT_FALSE(world.answer_read());
  EXPECT_EQ(queue->outbox.messages(), 0U);
}

// --- damage ---

// A store that finds some of its segments damaged.
Page without_segments(Page page, std::size_t begin, std::size_t end) {
  page.segments.erase(page.segments.begin() + static_cast<std::ptrdiff_t>(begin),
                      page.segments.begin() + static_cast<std::ptrdiff_t>(end));
  page.damaged = static_cast<std::uint32_t>(end - begin);
  return page;
}

TEST_F(OutboxTest, LostSegmentsAreCountedOnceTheRestIsRead) {
  auto queue = std::make_unique<BridgeQueue>(world);
  for (std::uint16_t id = 1; id <= 9; id = static_cast<std::uint16_t>(id + 3)) {
    push_stored(*queue, id, static_cast<std::uint16_t>(id + 2));  // a segment each
  }
  queue.reset();
  BridgeQueue again(world, world.restart());
  EXPECT_EQ(again.send(world.now()), "");
  world.journal().handle_page(without_segments(*world.store().answer_read(), 1, 2), world.now());
  EXPECT_EQ(again.books.drops(DropReason::SalvageLost), 3U);
  EXPECT_TRUE(again.balanced());
  EXPECT_EQ(again.drain(world), readings({1, 2, 3, 7, 8, 9}));
  EXPECT_EQ(again.outbox.messages(), 0U);
  EXPECT_EQ(again.outbox.disk_messages(), 0U);
}

TEST_F(OutboxTest, DamagedRecordsLoseNoMoreThanTheirSegment) {
  auto queue = std::make_unique<BridgeQueue>(world);
  push_stored(*queue, 1, 3);
  push_stored(*queue, 4, 6);
  queue.reset();
  BridgeQueue again(world, world.restart());
  EXPECT_EQ(again.send(world.now()), "");
  Page page = *world.store().answer_read();
  page.segments[0].records.resize(page.segments[0].records.size() / 2);
  world.journal().handle_page(page, world.now());
  const Payloads left = again.drain(world);
  EXPECT_EQ(left.size() + again.books.drops(DropReason::SalvageLost), 6U);
  EXPECT_EQ(Payloads(left.end() - 3, left.end()), readings({4, 5, 6}));
  EXPECT_TRUE(again.balanced());
}

TEST_F(OutboxTest, QueueThatLostEverythingGoesOnWithWhatComesNext) {
  auto queue = std::make_unique<BridgeQueue>(world);
  push_stored(*queue, 1, 3);
  queue.reset();
  BridgeQueue again(world, world.restart());
  EXPECT_EQ(again.send(world.now()), "");
  world.journal().handle_page(without_segments(*world.store().answer_read(), 0, 1), world.now());
  EXPECT_EQ(again.outbox.messages(), 0U);
  world.publish(4, {{again.outbox, kAway}});
  EXPECT_EQ(again.drain(world), readings({4}));
}

// --- the rest ---

TEST_F(OutboxTest, MessagesGivenBackAreSentAgainInTheirPlace) {
  BridgeQueue queue(world);
  push_stored(queue, 1, 4);
  for (int i = 0; i < 3; ++i) queue.send(world.now());
  queue.deliver(world.now(), 1);
  queue.give_back();
  EXPECT_EQ(queue.outbox.inflight(), 0U);
  EXPECT_EQ(queue.outbox.backlog(), 3U);
  EXPECT_EQ(queue.drain(world), readings({1, 3, 4}));
}

TEST_F(OutboxTest, DropAllEmptiesFrontGapAndTail) {
  BridgeQueue queue(world);
  const MessageRef message = world.message(std::string(100 * KiB, 'x'));
  for (std::uint16_t id = 1; id <= 30; ++id) world.publish(id, message, {{queue.outbox, kAway}});
  world.settle_down();
  for (std::uint16_t id = 31; id <= 33; ++id) world.publish(id, message, {{queue.outbox, kAway}});
  queue.send(world.now());
  queue.outbox.drop_all(DropReason::Purged, world.now());
  EXPECT_EQ(queue.books.drops(DropReason::Purged), 33U);
  EXPECT_EQ(queue.outbox.messages(), 0U);
  EXPECT_EQ(queue.outbox.bytes(), 0U);
  EXPECT_TRUE(queue.balanced());
  EXPECT_EQ(world.acks().ids.size(), 33U);
  world.publish(34, {{queue.outbox, kAway}});
  EXPECT_EQ(queue.drain(world), readings({34}));
  world.settle_down();
  EXPECT_EQ(world.store().segments(), 0U);
}

TEST_F(OutboxTest, OldestIsWhatHasWaitedLongestInMemory) {
  BridgeQueue queue(world);
  EXPECT_EQ(queue.outbox.oldest(), std::nullopt);
  const Instant first = world.now();
  world.publish(1, {{queue.outbox, kAway}});
  world.pass(seconds(1));
  world.publish(2, {{queue.outbox, kAway}});
  EXPECT_EQ(queue.outbox.oldest(), first);
  queue.send(world.now());
  queue.deliver(world.now());
  EXPECT_EQ(queue.outbox.oldest(), world.now());
}

TEST_F(OutboxTest, DeliveryOptionsSurviveTheStore) {
  auto queue = std::make_unique<BridgeQueue>(world);
  const std::vector<std::uint32_t> ids{3, 70'000};
  const DeliveryOptions options{mqtt::Qos::ExactlyOnce, true, ids};
  world.publish(1, {{queue->outbox, kAway}}, options);
  world.settle_down();
  queue.reset();
  BridgeQueue again(world, world.restart());
  EXPECT_EQ(again.outbox.next_waiting(world.now()), nullptr);
  ASSERT_TRUE(world.answer_read());
  const Outbox::Entry* entry = again.outbox.next_waiting(world.now());
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(entry->qos, mqtt::Qos::ExactlyOnce);
  EXPECT_TRUE(entry->retain);
  EXPECT_TRUE(std::ranges::equal(entry->subscription_ids.view(), ids));
}

}  // namespace
}  // namespace furrow::broker
