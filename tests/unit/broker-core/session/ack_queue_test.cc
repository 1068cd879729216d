#include "broker-core/session/ack_queue.h"

#include <gtest/gtest.h>

#include <vector>

namespace furrow::broker {
namespace {

using mqtt::PacketType;
using mqtt::ReasonCode;

class AckWire final : public AckSink {
 public:
  void write_acknowledgement(PacketType type, PacketId packet_id, ReasonCode reason) override {
    types.push_back(type);
    ids.push_back(packet_id.value);
    reasons.push_back(reason);
  }
  std::vector<PacketType> types;
  std::vector<std::uint16_t> ids;
  std::vector<ReasonCode> reasons;
};

class AckQueueTest : public testing::Test {
 protected:
  AckTicket open(std::uint16_t id) { return {queue, queue->open(PacketType::Puback, PacketId{id})}; }

  AckWire wire;
  Ref<AckQueue> queue = AckQueue::make(wire);
};

TEST_F(AckQueueTest, AnswersLeaveInOrderOfReceipt) {
  AckTicket first = open(1);
  AckTicket second = open(2);
  AckTicket third = open(3);
  second.complete(ReasonCode::Success);
  EXPECT_TRUE(wire.ids.empty());
  first.complete(ReasonCode::NoMatchingSubscribers);
  EXPECT_EQ(wire.ids, (std::vector<std::uint16_t>{1, 2}));
  EXPECT_EQ(queue->waiting(), 1U);
  third.complete(ReasonCode::Success);
  EXPECT_EQ(wire.ids, (std::vector<std::uint16_t>{1, 2, 3}));
  EXPECT_EQ(wire.reasons[0], ReasonCode::NoMatchingSubscribers);
}

TEST_F(AckQueueTest, WhatNeedNotWaitPassesAtOnceOrBehindWhatDoes) {
  queue->pass(PacketType::Pubcomp, PacketId{1}, ReasonCode::Success);
  EXPECT_EQ(wire.ids, std::vector<std::uint16_t>{1});
  AckTicket waiting = open(2);
  queue->pass(PacketType::Pubcomp, PacketId{3}, ReasonCode::PacketIdentifierNotFound);
  EXPECT_EQ(wire.ids.size(), 1U);
  waiting.complete(ReasonCode::Success);
  EXPECT_EQ(wire.types, (std::vector<PacketType>{PacketType::Pubcomp, PacketType::Puback, PacketType::Pubcomp}));
  EXPECT_EQ(wire.reasons[2], ReasonCode::PacketIdentifierNotFound);
  EXPECT_EQ(queue->waiting(), 0U);
}

TEST_F(AckQueueTest, TicketsGivenBehindPassedOnesFindTheirPlace) {
  AckTicket first = open(1);
  queue->pass(PacketType::Puback, PacketId{2}, ReasonCode::Success);
  AckTicket third = open(3);
  third.complete(ReasonCode::Success);
  first.complete(ReasonCode::Success);
  EXPECT_EQ(wire.ids, (std::vector<std::uint16_t>{1, 2, 3}));
}

TEST_F(AckQueueTest, DetachedQueueSwallowsAnswersAndLivesAsLongAsItsTickets) {
  AckTicket first = open(1);
  AckTicket second = open(2);
  queue->detach();
  queue = {};
  first.complete(ReasonCode::Success);
  second.complete(ReasonCode::Success);
  EXPECT_TRUE(wire.ids.empty());
}

TEST_F(AckQueueTest, AnswersAreAwaitedUntilTheyLeave) {
  AckTicket first = open(1);
  queue->pass(PacketType::Pubrec, PacketId{2}, ReasonCode::Success);
  EXPECT_TRUE(queue->awaits(PacketType::Puback, PacketId{1}));
  EXPECT_TRUE(queue->awaits(PacketType::Pubrec, PacketId{2})) << "completed, and behind one that is not";
  EXPECT_FALSE(queue->awaits(PacketType::Pubrec, PacketId{1})) << "another packet";
  first.complete(ReasonCode::Success);
  EXPECT_FALSE(queue->awaits(PacketType::Puback, PacketId{1}));
  EXPECT_FALSE(queue->awaits(PacketType::Pubrec, PacketId{2}));
}

TEST_F(AckQueueTest, TicketAnswersOnce) {
  AckTicket ticket = open(1);
  EXPECT_TRUE(ticket);
  ticket.complete(ReasonCode::Success);
  EXPECT_FALSE(ticket);
  ticket.complete(ReasonCode::Success);
  EXPECT_EQ(wire.ids.size(), 1U);
}

}  // namespace
}  // namespace furrow::broker
