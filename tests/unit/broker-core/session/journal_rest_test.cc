// Messages that the store could not write rest for a while, and the far side may still take them.
#include <string>
#include <utility>

#include "tests/unit/broker-core/session/journal_world.h"

namespace furrow::broker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Ids = std::vector<std::uint16_t>;

TEST_F(JournalTest, AMessageTakenBackIsAcknowledgedOnceTheFarSideHasIt) {
  world.publish(1, {{cloud.outbox, kAway}});
  world.publish(2, {{cloud.outbox, kAway}});
  world.turn_after(milliseconds(100));
  cloud.send(world.now());
  cloud.deliver(world.now());
  EXPECT_EQ(world.acks().ids, Ids{1});
  world.refuse();
  EXPECT_EQ(world.acks().ids, Ids{1});
  EXPECT_EQ(cloud.outbox.disk_messages(), 0U);
  cloud.send(world.now());
  cloud.deliver(world.now());
  EXPECT_EQ(world.acks().ids, (Ids{1, 2}));
  EXPECT_EQ(world.journal().waiting_bytes(), 0U);
}

TEST_F(JournalTest, CursorsAreWrittenWhileMessagesRest) {
  world.publish(1, {{cloud.outbox, kAway}});
  world.settle_down();
  world.publish(2, {{backup.outbox, kAway}});
  world.turn_after(milliseconds(100));
  world.refuse();
  cloud.send(world.now());
  cloud.deliver(world.now());
  world.turn();
  ASSERT_FALSE(world.writer_idle());
  EXPECT_TRUE(world.submitted().segments.empty());
  world.persist();
  EXPECT_EQ(world.store().segments(), 0U);
  EXPECT_EQ(world.acks().ids, Ids{1});
}

TEST_F(JournalTest, SessionRowTakenBackDoesNotReplaceANewerOne) {
  world.publish(1, {{cloud.outbox, kAway}});
  world.journal().put(SessionRow{"pump-7", Bytes{1}});
  world.journal().put(SessionRow{"pump-8", Bytes{1}});
  world.turn_after(milliseconds(100));
  world.journal().put(SessionRow{"pump-7", Bytes{2}});
  world.refuse();
  world.journal().put(SessionRow{"pump-8", Bytes{3}});
  world.turn();
  const auto& rows = world.submitted().sessions;
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].data, Bytes{2});
  EXPECT_EQ(rows[1].client_id, "pump-8");
  EXPECT_EQ(rows[1].data, Bytes{3});
}

TEST_F(JournalTest, MessagesAreTriedAgainInOrderAfterTheirRest) {
  world.publish(1, {{cloud.outbox, kAway}});
  world.turn_after(milliseconds(100));
  world.refuse();
  world.publish(2, {{cloud.outbox, kAway}});
  world.turn();
  world.persist();  // the cursor
  EXPECT_EQ(world.journal().next_deadline(), world.now() + seconds(1));
  world.turn_after(milliseconds(999));
  EXPECT_TRUE(world.writer_idle());
  world.turn_after(milliseconds(1));
  ASSERT_FALSE(world.writer_idle());
  world.persist();
  EXPECT_EQ(world.acks().ids, (Ids{1, 2}));
  EXPECT_EQ(cloud.outbox.disk_messages(), 2U);
}

TEST_F(JournalTest, StopDoesNotSpinWhileMessagesRest) {
  world.publish(1, {{cloud.outbox, kAway}});
  world.turn_after(milliseconds(100));
  world.refuse();
  world.journal().flush_all(world.now());
  world.persist();  // the cursor
  world.turn();
  EXPECT_TRUE(world.writer_idle());
  EXPECT_EQ(world.journal().next_deadline(), world.now() + seconds(1));
  world.turn_after(seconds(1));
  world.persist();
  EXPECT_EQ(world.acks().ids, Ids{1});
}

TEST_F(JournalTest, AnOutboxMayEndWhileItsMessageIsAtTheWriter) {
  auto session = std::make_unique<BridgeQueue>(world, OutboxLimits{}, QueueId{3});
  world.publish(1, {{session->outbox, kAway}, {cloud.outbox, kAway}});
  world.publish(2, {{session->outbox, kAway}});
  world.turn_after(milliseconds(100));
  world.journal().remove_queue(QueueId{3});
  session.reset();
  EXPECT_EQ(world.acks().ids, Ids{2});
  world.refuse();
  world.settle_down();
  world.turn_after(seconds(1));
  world.settle_down();
  EXPECT_EQ(world.acks().ids, (Ids{2, 1}));
  EXPECT_EQ(cloud.outbox.disk_messages(), 1U);
}

// A PUBLISH that came again is answered when the first one is safe.
TEST_F(JournalTest, TicketsOfRowsWaitForMessagesThatRest) {
  world.publish(1, {{cloud.outbox, kAway}});
  world.turn_after(milliseconds(100));
  world.refuse();
  world.journal().complete_when_durable(world.acks().ticket(9));
  world.turn();
  world.persist();
  EXPECT_EQ(world.acks().ids, Ids{});
  world.turn_after(seconds(1));
  world.persist();
  EXPECT_EQ(world.acks().ids, (Ids{1, 9}));
}

// Of a batch that is given back every row comes again once: those that were gathered, and those that are derived from
// messages, queues and values.
TEST_F(JournalTest, RowsOfABatchGivenBackAreWrittenOnce) {
  const ExchangeRow outbound{QueueId{1}, ExchangeRow::Direction::Outbound, PacketId{3}};
  const ExchangeRow inbound{QueueId{9}, ExchangeRow::Direction::Inbound, PacketId{1}};
  world.journal().put(SessionRow{"pump-7", Bytes{1}});
  world.journal().put(outbound);
  world.journal().retained_changed("farm/moisture", world.message("1"), world.now());
  world.publish(1, world.message("x"), {{cloud.outbox, kAway}}, kAtLeastOnce, &inbound);
  for (int refusals = 0; refusals < 3; ++refusals) {
    world.turn_after(seconds(1));
    ASSERT_FALSE(world.writer_idle());
    EXPECT_EQ(world.submitted().segments.size(), 1U);
    EXPECT_EQ(world.submitted().cursors.size(), 1U);
    EXPECT_EQ(world.submitted().exchanges.size(), 2U);
    EXPECT_EQ(world.submitted().sessions.size(), 1U);
    EXPECT_EQ(world.submitted().retained.size(), 1U);
    world.refuse();
    world.journal().retained_changed("farm/moisture", world.message("2"), world.now());
  }
  world.turn();
  EXPECT_TRUE(world.submitted().segments.empty());
  EXPECT_EQ(world.submitted().exchanges.size(), 1U) << "the one of the message waits with it";
  world.persist();
  EXPECT_EQ(world.acks().ids, Ids{});
  world.turn_after(seconds(1));
  EXPECT_EQ(world.submitted().exchanges.size(), 1U);
  world.persist();
  EXPECT_EQ(world.acks().ids, Ids{1});
  EXPECT_EQ(world.store().exchanges(), 2U);
}

// The number of a batch that was given back counts as durable with the next one, which has its rows.
TEST_F(JournalTest, ANumberGivenBackIsDurableWithTheNextBatch) {
  const BatchNumber number = world.journal().put(SessionRow{"pump-7", Bytes{1}});
  world.publish(1, {{cloud.outbox, kAway}});
  world.turn();
  world.refuse();
  EXPECT_FALSE(world.journal().is_durable(number));
  world.turn();
  world.persist();
  EXPECT_TRUE(world.journal().is_durable(number));
  EXPECT_TRUE(world.store().has_session("pump-7"));
}

}  // namespace
}  // namespace furrow::broker
