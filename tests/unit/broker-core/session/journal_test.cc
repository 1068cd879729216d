#include "broker-core/session/journal.h"

#include "tests/unit/broker-core/session/journal_world.h"

namespace furrow::broker {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Ids = std::vector<std::uint16_t>;

// --- safe before acknowledged ---

TEST_F(JournalTest, WritesNothingThatIsSettledInTime) {
  // There is always a message on its way.
  world.publish(1, {{cloud.outbox, kOnline}});
  for (std::uint16_t id = 1; id <= 500; ++id) {
    cloud.send(world.now());
    world.turn_after(milliseconds(10));
    world.publish(static_cast<std::uint16_t>(id + 1), {{cloud.outbox, kOnline}});
    cloud.deliver(world.now());
    EXPECT_TRUE(world.acks().contains(id));
    world.turn_after(milliseconds(10));
    ASSERT_TRUE(world.writer_idle()) << "after message " << id;
  }
}

TEST_F(JournalTest, AcknowledgesOnceTheBatchIsDurableAndNotBefore) {
  world.publish(1, {{cloud.outbox, kOnline}});
  world.turn_after(kOnline - milliseconds(1));
  EXPECT_TRUE(world.writer_idle());
  world.turn_after(milliseconds(1));
  ASSERT_FALSE(world.writer_idle());
  EXPECT_EQ(world.submitted().segments.size(), 1U);
  EXPECT_EQ(world.acks().ids, Ids{});
  world.persist();
  EXPECT_EQ(world.acks().ids, Ids{1});
  EXPECT_EQ(cloud.outbox.disk_messages(), 1U);
}

TEST_F(JournalTest, DeliveryWhileTheBatchIsAtTheWriterAcknowledgesAtOnce) {
  world.publish(1, {{cloud.outbox, kOnline}});
  cloud.send(world.now());
  world.turn_after(kOnline);
  ASSERT_FALSE(world.writer_idle());
  cloud.deliver(world.now());
  EXPECT_EQ(world.acks().ids, Ids{1});
  world.persist();
  EXPECT_EQ(world.acks().ids, Ids{1});
  EXPECT_EQ(cloud.outbox.disk_messages(), 0U);
  world.turn_after(seconds(1));  // the message lies on disk, and its queue says that it is settled
  ASSERT_FALSE(world.writer_idle());
  world.persist();
  EXPECT_EQ(world.store().segments(), 0U);
}

// A batch is a plan: what it brings is not there before the store says so.
TEST_F(JournalTest, NothingCountsAsStoredWhileTheBatchIsAtTheWriter) {
  world.publish(1, {{cloud.outbox, kAway}});
  world.journal().retained_changed("farm/moisture", world.message("1"), world.now());
  world.turn_after(milliseconds(100));
  ASSERT_FALSE(world.writer_idle());
  EXPECT_EQ(cloud.outbox.disk_messages(), 0U);
  EXPECT_FALSE(cloud.outbox.is_safe(Sequence{1}));
  EXPECT_EQ(world.submitted().cursors.at(0).messages, 1U);
  EXPECT_TRUE(world.journal().retained_unsafe("farm/moisture"));
  world.refuse();
  EXPECT_EQ(cloud.outbox.disk_messages(), 0U);
  EXPECT_FALSE(cloud.outbox.is_safe(Sequence{1}));
  world.turn_after(seconds(1));
  world.persist();
  EXPECT_EQ(cloud.outbox.disk_messages(), 1U);
  EXPECT_TRUE(cloud.outbox.is_safe(Sequence{1}));
}

TEST_F(JournalTest, WaitsForEveryDestination) {
  world.publish(1, {{cloud.outbox, kOnline}, {backup.outbox, kOnline}});
  cloud.send(world.now());
  cloud.deliver(world.now());
  EXPECT_EQ(world.acks().ids, Ids{});
  backup.send(world.now());
  backup.deliver(world.now());
  EXPECT_EQ(world.acks().ids, Ids{1});
  world.turn_after(minutes(1));
  EXPECT_TRUE(world.writer_idle());
}

TEST_F(JournalTest, MessageSettledBeforeItIsSealedIsAcknowledgedBySealing) {
  const MessageRef message = world.message("too large for the peer");
  Commitment& commitment = world.journal().open(message);
  cloud.outbox.push(message, kAtLeastOnce, kOnline, world.now(), [&]() -> Commitment& { return commitment; });
  cloud.outbox.settle(Sequence{1}, Outbox::Outcome::Dropped, world.now(), DropReason::TooLarge);
  EXPECT_EQ(world.acks().ids, Ids{});
  world.journal().seal(commitment, world.acks().ticket(1), mqtt::ReasonCode::Success);
  EXPECT_EQ(world.acks().ids, Ids{1});
  EXPECT_EQ(world.journal().waiting_bytes(), 0U);
}

TEST_F(JournalTest, AcknowledgesAtOnceWhenToldTo) {
  JournalWorld hasty({.acknowledge_when_received = true});
  BridgeQueue queue(hasty);
  hasty.publish(1, {{queue.outbox, kAway}});
  EXPECT_EQ(hasty.acks().ids, Ids{1});
  hasty.settle_down();
  EXPECT_EQ(queue.outbox.disk_messages(), 1U);
  EXPECT_EQ(hasty.acks().ids, Ids{1});
}

// --- when ---

TEST_F(JournalTest, LongestWaitOfTheDestinationsDecides) {
  world.publish(1, {{cloud.outbox, milliseconds(200)}, {backup.outbox, milliseconds(600)}});
  world.turn_after(milliseconds(599));
  EXPECT_TRUE(world.writer_idle());
  world.turn_after(milliseconds(1));
  EXPECT_FALSE(world.writer_idle());
}

TEST_F(JournalTest, DestinationThatIsAwayPutsTheMessageIntoTheNextCommit) {
  world.publish(1, {{cloud.outbox, kOnline}, {backup.outbox, kAway}});
  EXPECT_EQ(world.journal().next_deadline(), world.now() + milliseconds(100));
  world.turn_after(milliseconds(100));
  EXPECT_FALSE(world.writer_idle());
}

TEST_F(JournalTest, WhatIsHastenedIsNotPutOffByALaterDestination) {
  const MessageRef message = world.message("open the valve");
  Commitment& commitment = world.journal().open(message);
  const auto take = [&]() -> Commitment& { return commitment; };
  cloud.outbox.push(message, kExactlyOnce, kOnline, world.now(), take);
  cloud.outbox.hasten(Sequence{1}, world.now());
  backup.outbox.push(message, kExactlyOnce, seconds(1), world.now(), take);
  world.journal().seal(commitment, world.acks().ticket(1), mqtt::ReasonCode::Success);
  world.turn();
  EXPECT_FALSE(world.writer_idle());
}

TEST_F(JournalTest, OnlyWhatHasWaitedHalfItsTimeGoesWithTheOldest) {
  world.publish(1, {{cloud.outbox, kOnline}});
  world.pass(kOnline / 2);
  world.publish(2, {{cloud.outbox, kOnline}});
  world.pass(kOnline / 4);
  world.publish(3, {{cloud.outbox, kOnline}});
  world.turn_after(kOnline / 4);
  ASSERT_FALSE(world.writer_idle());
  EXPECT_EQ(world.submitted().segments.at(0).messages, 2U);
  world.persist();
  EXPECT_EQ(world.acks().ids, (Ids{1, 2}));
}

TEST_F(JournalTest, WhatPrecedesAWrittenMessageInAnyOfItsQueuesIsWrittenToo) {
  world.publish(1, {{backup.outbox, seconds(3)}});                              // shares a queue with 2
  world.publish(2, {{backup.outbox, seconds(3)}, {cloud.outbox, seconds(3)}});  // shares a queue with 3
  world.publish(3, {{cloud.outbox, kAway}});
  world.publish(4, {{backup.outbox, seconds(3)}});
  world.turn_after(milliseconds(100));
  world.persist();
  EXPECT_EQ(world.acks().ids, (Ids{1, 2, 3}));
}

TEST_F(JournalTest, OneBatchIsAtTheWriterWhileTheNextGathers) {
  world.publish(1, {{cloud.outbox, kAway}});
  world.turn_after(milliseconds(100));
  world.publish(2, {{cloud.outbox, kAway}});
  world.publish(3, {{cloud.outbox, kAway}});
  world.turn_after(seconds(1));
  EXPECT_EQ(world.store().submitted().size(), 1U);
  EXPECT_EQ(world.journal().next_deadline(), kNever);
  world.persist();
  world.turn();
  ASSERT_EQ(world.store().submitted().size(), 1U);
  EXPECT_EQ(world.submitted().segments.at(0).messages, 2U);
}

TEST_F(JournalTest, PublisherThatCanGoNoFurtherIsNotKeptWaiting) {
  world.publish(1, {{cloud.outbox, kAway}});
  world.turn();
  EXPECT_TRUE(world.writer_idle());
  world.journal().hurry();
  world.turn();
  EXPECT_FALSE(world.writer_idle());
}

TEST_F(JournalTest, PublishersWhoseCommitsAlternateComeTogether) {
  const auto publish = [&](std::uint16_t id) {
    world.publish(id, {{cloud.outbox, kAway}});
    world.journal().hurry();
  };
  publish(1);
  world.turn();
  publish(2);
  world.pass(milliseconds(8));
  world.persist();  // answers the first, while the second waits already
  world.turn();
  EXPECT_TRUE(world.writer_idle());
  EXPECT_EQ(world.journal().next_deadline(), world.now() + milliseconds(2));
  publish(1);
  world.turn();
  ASSERT_FALSE(world.writer_idle());
  EXPECT_EQ(world.submitted().segments.at(0).messages, 2U);

  // One does not come back: the other waits a quarter of a commit for it.
  world.pass(milliseconds(4));
  world.persist();
  publish(2);
  world.turn_after(Duration(999));
  EXPECT_TRUE(world.writer_idle());
  world.turn_after(Duration(1));
  EXPECT_FALSE(world.writer_idle());
}

TEST_F(JournalTest, HurryDoesNotWriteWhatMayStillBeAcknowledged) {
  world.publish(1, {{cloud.outbox, kOnline}});
  world.journal().hurry();
  world.turn();
  EXPECT_TRUE(world.writer_idle());
}

TEST_F(JournalTest, EnoughGatheredBytesAreWrittenAtOnce) {
  const MessageRef half = world.message(std::string(128 * KiB, 'x'));
  world.publish(1, half, {{cloud.outbox, kAway}});
  world.turn();
  EXPECT_TRUE(world.writer_idle());
  world.publish(2, half, {{cloud.outbox, kAway}});
  world.turn();
  EXPECT_FALSE(world.writer_idle());
}

// --- sizes ---

TEST_F(JournalTest, LargeBatchIsSplitAndTheRestIsAcknowledgedWithItsOwnBatch) {
  const MessageRef large = world.message(std::string(400 * KiB, 'x'));
  for (std::uint16_t id = 1; id <= 5; ++id) world.publish(id, large, {{cloud.outbox, kAway}});
  const std::size_t waiting = world.journal().waiting_bytes();
  EXPECT_GT(waiting, 5 * large->bytes_size());
  EXPECT_LT(waiting, 5 * (large->bytes_size() + 500)) << "with what each costs beside its bytes";
  world.turn();
  EXPECT_EQ(world.submitted().segments.size(), 3U);  // each larger than a segment should be
  EXPECT_EQ(world.journal().waiting_bytes(), waiting);
  world.persist();
  EXPECT_EQ(world.acks().ids, (Ids{1, 2, 3}));
  EXPECT_EQ(world.journal().waiting_bytes(), waiting / 5 * 2);
  world.turn();
  world.persist();
  EXPECT_EQ(world.acks().ids, (Ids{1, 2, 3, 4, 5}));
  EXPECT_EQ(world.journal().waiting_bytes(), 0U);
}

TEST_F(JournalTest, SmallMessagesShareSegmentsOfBoundedSize) {
  for (std::uint16_t id = 1; id <= 300; ++id) {
    world.publish(id, world.message(std::string(1000, 'x')), {{cloud.outbox, kAway}});
  }
  world.turn();
  ASSERT_FALSE(world.writer_idle());
  EXPECT_EQ(world.submitted().segments.size(), 5U);
  for (const SegmentRow& segment : world.submitted().segments) EXPECT_LE(segment.records.size(), 66 * KiB);
}

// --- exchanges ---

TEST_F(JournalTest, InboundIdentifierIsDurableBeforeItsAcknowledgement) {
  const ExchangeRow row{QueueId{2}, ExchangeRow::Direction::Inbound, PacketId{7}, ExchangeRow::State::Published, {}};
  const MessageRef message = world.message("x");
  Commitment& commitment = world.journal().open(message);
  world.journal().add_exchange(commitment, row, world.now());
  world.journal().seal(commitment, world.acks().ticket(1), mqtt::ReasonCode::Success);
  world.turn();
  ASSERT_FALSE(world.writer_idle());
  EXPECT_EQ(world.acks().ids, Ids{});
  world.persist();
  EXPECT_EQ(world.acks().ids, Ids{1});
  EXPECT_EQ(world.store().exchanges(), 1U);
}

TEST_F(JournalTest, InboundExchangeKeepsTheTicketThoughEveryDestinationHasSettled) {
  const ExchangeRow row{QueueId{2}, ExchangeRow::Direction::Inbound, PacketId{7}, ExchangeRow::State::Published, {}};
  const MessageRef message = world.message("x");
  Commitment& commitment = world.journal().open(message);
  cloud.outbox.push(message, kAtLeastOnce, kOnline, world.now(), [&]() -> Commitment& { return commitment; });
  world.journal().add_exchange(commitment, row, world.now());
  world.journal().seal(commitment, world.acks().ticket(1), mqtt::ReasonCode::Success);
  cloud.send(world.now());
  cloud.deliver(world.now());
  EXPECT_EQ(world.acks().ids, Ids{});
  world.turn();
  EXPECT_TRUE(world.submitted().segments.empty());  // nobody needs the message itself
  world.persist();
  EXPECT_EQ(world.acks().ids, Ids{1});
}

// Rows go on while messages rest: an identifier that is erased meanwhile must not come back with its message.
TEST_F(JournalTest, ReleasedIdentifiersAreNotWrittenWithWhatWaits) {
  const auto row = [](std::uint16_t id) {
    return ExchangeRow{QueueId{2}, ExchangeRow::Direction::Inbound, PacketId{id}, ExchangeRow::State::Published, {}};
  };
  for (const std::uint16_t id : {std::uint16_t{7}, std::uint16_t{8}}) {
    const ExchangeRow exchange = row(id);
    world.publish(id, world.message("x"), {{cloud.outbox}}, kAtLeastOnce, &exchange);
  }
  const ExchangeRow alone = row(9);
  Commitment& commitment = world.journal().open(world.message("x"));
  world.journal().add_exchange(commitment, alone, world.now());
  world.journal().seal(commitment, world.acks().ticket(9), mqtt::ReasonCode::Success);
  world.turn_after(std::chrono::milliseconds(100));
  world.journal().release_identifiers(QueueId{2}, {PacketId{7}});  // while it is at the writer
  world.refuse();
  world.journal().release_identifiers(QueueId{2}, {PacketId{9}});
  EXPECT_EQ(world.acks().ids, Ids{9}) << "nothing of it has to be stored any more";
  world.pass(std::chrono::seconds(2));  // messages rest after a refusal
  world.settle_down();
  EXPECT_EQ(world.store().exchanges(), 1U) << "the one of 8";
}

// --- retained ---

TEST_F(JournalTest, RetainedValuesOfATopicAreWrittenOnceTheNewestOnly) {
  for (const char* payload : {"1", "2", "3"}) {
    world.journal().retained_changed("farm/moisture", world.message(payload), world.now());
    world.turn_after(milliseconds(100));
  }
  EXPECT_TRUE(world.writer_idle());
  world.turn_after(milliseconds(700));  // the interval counts from the first change
  ASSERT_FALSE(world.writer_idle());
  ASSERT_EQ(world.submitted().retained.size(), 1U);
  const ClockStamp stamp{.boot = 1, .monotonic = world.now(), .wall = {}, .trusted = false};
  ClockStamp written;
  const MessageRef stored = decode_message(*world.submitted().retained[0].data, stamp, written);
  ASSERT_TRUE(stored);
  EXPECT_EQ(as_text(stored->payload()), "3");
}

TEST_F(JournalTest, RemovedRetainedMessageIsARowWithoutData) {
  world.journal().retained_changed("farm/moisture", {}, world.now());
  world.turn_after(seconds(1));
  ASSERT_EQ(world.submitted().retained.size(), 1U);
  EXPECT_FALSE(world.submitted().retained[0].data.has_value());
}

TEST_F(JournalTest, RetainedMessageIsAcknowledgedWhenItsRowIsDurable) {
  world.retain(1, "farm/moisture", "on");
  world.turn();
  ASSERT_FALSE(world.writer_idle());
  EXPECT_EQ(world.acks().ids, Ids{});
  world.persist();
  EXPECT_EQ(world.acks().ids, Ids{1});
  EXPECT_TRUE(world.store().has_retained("farm/moisture"));
}

TEST_F(JournalTest, RetainedMessageThatTheFarSideAcknowledgesIsWrittenAsAValueOnly) {
  world.retain(1, "farm/moisture", "on", {{cloud.outbox, kOnline}});
  cloud.send(world.now());
  world.turn_after(kOnline - milliseconds(1));
  EXPECT_TRUE(world.writer_idle());
  cloud.deliver(world.now());
  world.turn();
  ASSERT_FALSE(world.writer_idle());
  EXPECT_EQ(world.submitted().retained.size(), 1U);
  EXPECT_EQ(world.submitted().segments.size(), 0U);
  world.persist();
  EXPECT_EQ(world.acks().ids, Ids{1});
}

TEST_F(JournalTest, RetainedMessageWaitsNoLongerForADestinationThanTheInterval) {
  world.retain(1, "farm/moisture", "on", {{cloud.outbox, seconds(3)}});
  world.turn_after(milliseconds(999));
  EXPECT_TRUE(world.writer_idle());
  world.turn_after(milliseconds(1));
  world.persist();
  EXPECT_EQ(world.acks().ids, Ids{1});
}

TEST_F(JournalTest, RetainedValueGoesWithWhatIsWrittenAnyway) {
  world.spend_the_budget_of_retained_values();
  world.retain(1, "farm/moisture", "on");
  world.turn();
  EXPECT_TRUE(world.writer_idle());
  world.journal().put(SessionRow{"pump-7", Bytes{1}});
  world.turn();
  world.persist();
  EXPECT_EQ(world.acks().ids, Ids{1});
}

TEST_F(JournalTest, RetainedValueThatNobodyWaitsForIsNotWrittenWithOthers) {
  world.journal().retained_changed("farm/moisture", world.message("1"), world.now());
  world.retain(1, "farm/pump", "on");
  world.journal().put(SessionRow{"pump-7", Bytes{1}});
  world.turn();
  ASSERT_EQ(world.submitted().retained.size(), 1U);
  EXPECT_EQ(world.submitted().retained[0].topic, "farm/pump");
}

TEST_F(JournalTest, RetainedValuesThatWaitAreAllInACommitThatIsMadeForThem) {
  world.journal().retained_changed("farm/moisture", world.message("1"), world.now());
  world.retain(1, "farm/pump", "on");
  world.turn();
  EXPECT_EQ(world.submitted().retained.size(), 2U);
}

TEST_F(JournalTest, RetainedMessageThatWasTakenBackIsAnsweredWithTheNextBatch) {
  world.retain(1, "farm/moisture", "on");
  world.turn();
  world.refuse();
  EXPECT_EQ(world.acks().ids, Ids{});
  world.settle_down();
  EXPECT_EQ(world.acks().ids, Ids{1});
}

TEST_F(JournalTest, RetainedValueIsUnsafeUntilItIsDurable) {
  EXPECT_FALSE(world.journal().retained_unsafe("farm/moisture"));
  world.journal().retained_changed("farm/moisture", world.message("1"), world.now());
  EXPECT_TRUE(world.journal().retained_unsafe("farm/moisture"));
  world.turn_after(seconds(1));
  EXPECT_TRUE(world.journal().retained_unsafe("farm/moisture"));
  world.persist();
  EXPECT_FALSE(world.journal().retained_unsafe("farm/moisture"));
}

TEST_F(JournalTest, RetainedValuesAreUnsafeWhileACrashWouldBringBackOlderOnes) {
  world.publish(1, {{cloud.outbox, kAway}});
  world.settle_down();
  cloud.send(world.now());
  EXPECT_FALSE(world.journal().retained_unsafe("farm/moisture"));
  cloud.deliver(world.now());
  EXPECT_TRUE(world.journal().retained_unsafe("farm/moisture"));
  world.turn_after(seconds(1));
  EXPECT_TRUE(world.journal().retained_unsafe("farm/moisture"));
  world.persist();
  EXPECT_FALSE(world.journal().retained_unsafe("farm/moisture"));
}

// --- other rows ---

TEST_F(JournalTest, RowsAreWrittenAsSoonAsTheWriterIsIdle) {
  const BatchNumber number = world.journal().put(SessionRow{"pump-7", Bytes{1}});
  EXPECT_LE(world.journal().next_deadline(), world.now());
  world.turn();
  EXPECT_EQ(world.submitted().number, number);
  EXPECT_FALSE(world.journal().is_durable(number));
  world.persist();
  EXPECT_TRUE(world.journal().is_durable(number));
  EXPECT_TRUE(world.store().has_session("pump-7"));
}

TEST_F(JournalTest, CursorsAreWrittenBeforeACrashWouldRepeatTooMuch) {
  JournalWorld careful({.cursor_messages_max = 3});
  BridgeQueue queue(careful);
  for (std::uint16_t id = 1; id <= 4; ++id) careful.publish(id, {{queue.outbox, kAway}});
  careful.settle_down();
  for (int settled = 1; settled <= 2; ++settled) {
    queue.send(careful.now());
    queue.deliver(careful.now());
    careful.turn();
    EXPECT_TRUE(careful.writer_idle()) << settled << " settled";
  }
  queue.send(careful.now());
  queue.deliver(careful.now());
  careful.turn();
  ASSERT_FALSE(careful.writer_idle());
  EXPECT_EQ(careful.submitted().cursors.at(0).messages, 1U);
}

TEST_F(JournalTest, LazyRowsWaitForTheCursorOrForWhateverIsWrittenFirst) {
  world.journal().put_lazy(SessionRow{"pump-7", Bytes{1}}, world.now());
  world.turn_after(milliseconds(999));
  EXPECT_TRUE(world.writer_idle());
  world.turn_after(milliseconds(1));
  EXPECT_EQ(world.submitted().sessions.size(), 1U);
  world.persist();

  world.journal().put_lazy(SessionRow{"pump-8", Bytes{1}}, world.now());
  world.journal().put(SessionRow{"pump-9", Bytes{1}});
  world.turn();
  EXPECT_EQ(world.submitted().sessions.size(), 2U);
}

TEST_F(JournalTest, ClientHasOneSessionRowInABatchItsNewest) {
  for (std::uint8_t i = 1; i <= 3; ++i) {
    world.journal().put_lazy(SessionRow{"pump-7", Bytes{i}}, world.now());
    world.journal().put(SessionRow{"pump-8", std::nullopt});
    world.journal().put(SessionRow{"pump-8", Bytes{i}});
  }
  world.turn();
  const auto& rows = world.submitted().sessions;
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].client_id, "pump-7");
  EXPECT_EQ(rows[0].data, Bytes{3});
  EXPECT_EQ(rows[1].data, Bytes{3});
}

TEST_F(JournalTest, LazyRowsAreNotWrittenBecauseAMessageWasSettledInTime) {
  world.publish(1, {{cloud.outbox, kOnline}});
  world.pass(kOnline / 2);
  world.journal().put_lazy(SessionRow{"pump-7", Bytes{1}}, world.now());
  world.publish(2, {{cloud.outbox, kOnline}});
  cloud.send(world.now());
  cloud.deliver(world.now());
  world.turn_after(kOnline / 2);
  EXPECT_TRUE(world.writer_idle());
}

TEST_F(JournalTest, TicketWaitsForTheRowsPutBeforeIt) {
  world.journal().put(SessionRow{"pump-7", Bytes{1}});
  world.journal().complete_when_durable(world.acks().ticket(1));
  EXPECT_FALSE(world.journal().idle());
  world.turn();
  EXPECT_EQ(world.acks().ids, Ids{});
  world.persist();
  EXPECT_EQ(world.acks().ids, Ids{1});
}

TEST_F(JournalTest, BooksAloneAreWrittenAfterTenMinutes) {
  cloud.outbox.pass(Outbox::Outcome::Delivered, world.now());
  world.turn_after(minutes(10) - milliseconds(1));
  EXPECT_TRUE(world.writer_idle());
  world.turn_after(milliseconds(1));
  ASSERT_EQ(world.submitted().cursors.size(), 1U);
  EXPECT_EQ(decode_books(world.submitted().cursors[0].counters, 0).delivered, 1U);
}

// --- draining ---

TEST_F(JournalTest, FlushAllWritesEverythingDueOrNot) {
  const MessageRef large = world.message(std::string(600 * KiB, 'x'));
  for (std::uint16_t id = 1; id <= 4; ++id) world.publish(id, large, {{cloud.outbox, seconds(3)}});
  world.journal().retained_changed("farm/moisture", world.message("1"), world.now());
  world.journal().put_lazy(SessionRow{"pump-7", Bytes{1}}, world.now());
  world.settle_down();
  EXPECT_TRUE(world.journal().idle());
  EXPECT_EQ(world.acks().ids, (Ids{1, 2, 3, 4}));
  EXPECT_TRUE(world.store().has_retained("farm/moisture"));
  EXPECT_TRUE(world.store().has_session("pump-7"));
}

TEST_F(JournalTest, FlushAllWaitsForTheBatchAtTheWriter) {
  world.publish(1, {{cloud.outbox, kAway}});
  world.turn_after(milliseconds(100));
  world.publish(2, {{cloud.outbox, seconds(3)}});
  world.journal().flush_all(world.now());
  EXPECT_EQ(world.store().submitted().size(), 1U);
  world.persist();
  world.turn();
  world.persist();
  EXPECT_EQ(world.acks().ids, (Ids{1, 2}));
  EXPECT_TRUE(world.journal().idle());
}

TEST_F(JournalTest, OutboxThatGoesAwayReleasesWhatWaitedForIt) {
  Books books;
  {
    Outbox session({.limits = {}, .queue = QueueId{3}, .owner = nullptr, .stores_books = false}, world.journal(),
                   books);
    world.publish(1, {{session, kOnline}});
    world.publish(2, {{session, kOnline}, {cloud.outbox, kOnline}});
  }
  EXPECT_EQ(world.acks().ids, Ids{1});
  EXPECT_EQ(books.drops(DropReason::SessionEnded), 2U);
  EXPECT_EQ(books.accepted, books.ended());
  world.turn_after(kOnline);
  world.persist();
  EXPECT_EQ(world.acks().ids, (Ids{1, 2}));
}

TEST_F(JournalTest, OutboxMayGoAwayWhileItsMessagesAreAtTheWriter) {
  auto session = std::make_unique<BridgeQueue>(world, OutboxLimits{}, QueueId{3});
  world.publish(1, {{session->outbox, kAway}});
  world.turn_after(milliseconds(100));
  session.reset();
  world.persist();
  EXPECT_EQ(world.acks().ids, Ids{1});
}

}  // namespace
}  // namespace furrow::broker
