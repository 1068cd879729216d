#include "broker-core/session/plausible_rows.h"

#include <gtest/gtest.h>

#include "broker-core/base/varint.h"

namespace furrow::broker {
namespace {

constexpr std::uint64_t kHuge = UINT64_MAX;  // what -1 in a column reads as

CursorRow cursor(std::uint64_t settled, std::uint64_t next, std::uint64_t messages,
                 const std::vector<std::uint64_t>& holes = {}) {
  CursorRow row;
  row.settled = Sequence{settled};
  row.next = Sequence{next};
  row.messages = messages;
  ByteBuffer encoded;
  for (const std::uint64_t number : holes) put_varint(encoded, number);
  row.holes.assign(encoded.view().begin(), encoded.view().end());
  return row;
}

ExchangeRow exchange() {
  return {.queue = QueueId{1}, .packet_id = PacketId{1}, .sequence = Sequence{1}, .outbox = QueueId{1}};
}

TEST(PlausibleRows, CursorThatLeavesOpenWhatItCounts) {
  EXPECT_TRUE(is_plausible(cursor(0, 1, 0)));
  EXPECT_TRUE(is_plausible(cursor(0, 4, 3)));
  EXPECT_TRUE(is_plausible(cursor(7, 12, 2, {1, 2})));
  EXPECT_TRUE(is_plausible(cursor(7, 12, 1, {1, 1, 1, 1}))) << "the last hole may reach up to the end";
}

// A queue where nothing was lost counts each message that the cursor leaves open; an earlier build, fewer.
TEST(PlausibleRows, CursorMayCountFewerMessagesThanItLeavesOpen) {
  EXPECT_TRUE(is_plausible(cursor(0, 100, 3)));
  EXPECT_FALSE(is_plausible(cursor(0, 100, 100)));
  EXPECT_FALSE(is_plausible(cursor(7, 12, 3, {1, 2})));
}

TEST(PlausibleRows, CursorWhoseNextComesBeforeWhatIsSettled) {
  EXPECT_FALSE(is_plausible(cursor(0, 0, 0)));
  EXPECT_FALSE(is_plausible(cursor(4, 4, 0)));
  EXPECT_FALSE(is_plausible(cursor(kHuge, 5, 0)));
  EXPECT_FALSE(is_plausible(cursor(1, kHuge, 5)));
}

TEST(PlausibleRows, HolesThatAreCutShortOrReachTooFar) {
  EXPECT_FALSE(is_plausible(cursor(0, 10, 1, {1})));
  EXPECT_FALSE(is_plausible(cursor(0, 10, 0, {1, 9})));
  EXPECT_FALSE(is_plausible(cursor(0, 10, 0, {10, 1})));
  EXPECT_FALSE(is_plausible(cursor(0, 10, 0, {kHuge, 1})));
  EXPECT_FALSE(is_plausible(cursor(0, 10, 0, {1, kHuge})));
}

TEST(PlausibleRows, ExchangeThatCannotBeSent) {
  EXPECT_TRUE(is_plausible(exchange()));
  ExchangeRow row = exchange();
  row.packet_id = {};
  EXPECT_FALSE(is_plausible(row));
  row = exchange();
  row.direction = static_cast<ExchangeRow::Direction>(3);
  EXPECT_FALSE(is_plausible(row));
  row = exchange();
  row.state = ExchangeRow::State::Erased;
  EXPECT_FALSE(is_plausible(row));
  row.state = static_cast<ExchangeRow::State>(4);
  EXPECT_FALSE(is_plausible(row));
  row = exchange();
  row.subscription_id = 268'435'456;
  EXPECT_FALSE(is_plausible(row));
}

TEST(PlausibleRows, QueueOfAKindThatThereIs) {
  EXPECT_TRUE(is_plausible(QueueRow{QueueId{1}, QueueKind::Group, "$share/g/t"}));
  EXPECT_TRUE(is_plausible(QueueRow{QueueId{1}, QueueKind::Lane, "high/region"}));
  EXPECT_FALSE(is_plausible(QueueRow{QueueId{1}, static_cast<QueueKind>(5), "region"}));
  EXPECT_FALSE(is_plausible(QueueRow{QueueId{}, QueueKind::Bridge, "region"}));
}

}  // namespace
}  // namespace furrow::broker
