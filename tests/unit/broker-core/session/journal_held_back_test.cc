// What the store could not write: it is held back for a while, and the far side may still take it.
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
  EXPECT_EQ(world.acks().ids, Ids{});
  world.refuse();
  EXPECT_EQ(world.acks().ids, Ids{1});
  EXPECT_EQ(cloud.outbox.disk_messages(), 0U);
  cloud.send(world.now());
  cloud.deliver(world.now());
  EXPECT_EQ(world.acks().ids, (Ids{1, 2}));
  EXPECT_EQ(world.journal().waiting_bytes(), 0U);
}

TEST_F(JournalTest, CursorsAreWrittenWhileMessagesAreHeldBack) {
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

TEST_F(JournalTest, HeldBackMessagesAreTriedAgainAfterARestAndInOrder) {
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

TEST_F(JournalTest, AStopDoesNotSpinWhileMessagesAreHeldBack) {
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

// A QoS 2 message leaves once its identifier is durable; its own batch was not.
TEST_F(JournalTest, AReservedIdentifierGoesWithItsMessage) {
  world.publish(1, {{cloud.outbox, kAway}}, kExactlyOnce);
  Outbox::Entry& entry = *cloud.outbox.next_waiting(world.now());
  entry.state = Outbox::State::Reserved;
  entry.packet_id = PacketId{7};
  cloud.outbox.advance();
  world.turn_after(milliseconds(100));
  EXPECT_EQ(world.submitted().exchanges.size(), 1U);
  world.refuse();
  world.turn();
  EXPECT_TRUE(world.submitted().exchanges.empty());
  world.persist();
  EXPECT_NE(entry.commitment, nullptr);
  world.turn_after(seconds(1));
  EXPECT_EQ(world.submitted().exchanges.size(), 1U);
  world.persist();
  EXPECT_EQ(entry.commitment, nullptr);
  EXPECT_TRUE(world.journal().is_durable(entry.waits_for));
}

TEST_F(JournalTest, AnOutboxMayEndWhileItsMessageIsAtTheWriter) {
  auto session = std::make_unique<BridgeQueue>(world, OutboxLimits{}, QueueId{3});
  world.publish(1, {{session->outbox, kAway}, {cloud.outbox, kAway}});
  world.publish(2, {{session->outbox, kAway}});
  world.turn_after(milliseconds(100));
  world.journal().remove_queue(QueueId{3});
  session.reset();
  world.refuse();
  EXPECT_EQ(world.acks().ids, Ids{2});
  world.settle_down();
  world.turn_after(seconds(1));
  world.settle_down();
  EXPECT_EQ(world.acks().ids, (Ids{2, 1}));
  EXPECT_EQ(cloud.outbox.disk_messages(), 1U);
}

// A PUBLISH that came again is answered when the first one is safe.
TEST_F(JournalTest, TicketsOfRowsWaitForMessagesThatAreHeldBack) {
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

// A member of a shared subscription: what it has pulled leaves the group's queue when it is written, the first time.
class Member final : public OutboxOwner {
 public:
  explicit Member(Outbox& group) : group_(group) {}

 private:
  void handle_progress(Instant) override {}
  void handle_group_safe(GroupId, Sequence, Instant now) override {
    if (!std::exchange(left_, true)) group_.settle(0, Outbox::Outcome::Moved, now);
  }

  Outbox& group_;
  bool left_ = false;
};

constexpr DeliveryOptions kPulled{.qos = mqtt::Qos::AtLeastOnce, .group = GroupId{1}};

// More is to be written than one batch takes: what is in it needs its cursor all the same.
TEST_F(JournalTest, TheCursorThatWasHeldBackGoesWithWhatIsWrittenOfItsQueue) {
  world.publish(1, {{cloud.outbox, kAway}});
  world.settle_down();
  Member owner(cloud.outbox);
  BridgeQueue member(world, OutboxLimits{}, QueueId{3}, &owner);
  cloud.send(world.now());
  world.publish(2, {{member.outbox, kAway}}, kPulled);
  world.turn_after(milliseconds(100));
  world.publish(3, {{cloud.outbox, kAway}});
  const std::string large(Journal::Options{}.batch_bytes_max, 'x');
  world.publish(4, world.message(large), {{backup.outbox, kAway}});
  world.publish(5, world.message(large), {{backup.outbox, kAway}});
  world.refuse();
  world.turn();
  world.persist();  // rows
  world.turn_after(seconds(1));
  world.persist();  // as much as fits
  EXPECT_EQ(world.acks().ids, (Ids{1, 2, 3, 4}));
  const CursorRow stored = JournalWorld::cursor_of(world.store().restored(), QueueId{1});
  EXPECT_EQ(stored.messages, 1U);
  EXPECT_EQ(stored.settled, Sequence{1});
  EXPECT_EQ(stored.next, Sequence{3});
}

class LeavingTest : public JournalTest, public testing::WithParamInterface<bool> {};

// Message and copy are in one batch that the store does not keep: the message has left its group, and what is to be
// safe is the copy. Until it is, the publisher hears nothing, and no packet identifier of his is stored.
TEST_P(LeavingTest, WhatHasLeftItsGroupWaitsForTheCopyThatWasTakenBack) {
  Member owner(cloud.outbox);
  BridgeQueue member(world, OutboxLimits{}, QueueId{3}, &owner);
  const MessageRef message = world.message("reading");
  const ExchangeRow exchange{
      QueueId{9}, ExchangeRow::Direction::Inbound, PacketId{1}, ExchangeRow::State::Published, {}};
  world.publish(1, message, {{cloud.outbox, kAway}}, kAtLeastOnce, GetParam() ? &exchange : nullptr);
  cloud.send(world.now());
  world.publish(2, message, {{member.outbox, kAway}}, kPulled);
  world.turn_after(milliseconds(100));
  ASSERT_EQ(world.submitted().segments.size(), 1U);
  world.refuse();
  world.turn();
  while (!world.writer_idle()) world.persist();  // rows
  EXPECT_EQ(world.acks().ids, Ids{});
  EXPECT_TRUE(world.store().restored().exchanges.empty());
  world.turn_after(seconds(1));
  while (!world.writer_idle()) {
    world.persist();
    world.turn();
  }
  EXPECT_TRUE(world.acks().contains(1));
  EXPECT_TRUE(world.acks().contains(2));
  EXPECT_EQ(JournalWorld::cursor_of(world.store().restored(), QueueId{3}).messages, 1U);
  EXPECT_EQ(world.store().restored().exchanges.size(), GetParam() ? 1U : 0U);
}

INSTANTIATE_TEST_SUITE_P(Qos, LeavingTest, testing::Bool());

}  // namespace
}  // namespace furrow::broker
