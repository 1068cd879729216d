#include "broker-core/session/session_queues.h"

#include <gtest/gtest.h>

#include <cstddef>

namespace furrow::broker {
namespace {

std::vector<RestoredQueue> found(std::uint64_t count) {
  std::vector<RestoredQueue> queues(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    queues[i].row = {QueueId{i + 1}, QueueKind::Session, "pump-" + std::to_string(i)};
    queues[i].cursor.queue = queues[i].row.id;
  }
  return queues;
}

TEST(SessionQueues, EachIsClaimedOnce) {
  std::vector<RestoredQueue> queues = found(3);
  queues[0].row.kind = QueueKind::Bridge;
  SessionQueues unclaimed(queues);
  EXPECT_EQ(unclaimed.claim(QueueId{1}), nullptr) << "a bridge's";
  EXPECT_EQ(unclaimed.claim(QueueId{2}), &queues[1].cursor);
  EXPECT_EQ(unclaimed.claim(QueueId{2}), nullptr);
  EXPECT_FALSE(unclaimed.contains(QueueId{2}));
  EXPECT_TRUE(unclaimed.contains(QueueId{3}));
}

std::size_t compared = 0;
struct CountingEqual {
  bool operator()(std::uint64_t one, std::uint64_t other) const {
    ++compared;
    return one == other;
  }
};

// A start must not get slower with the square of the sessions.
TEST(SessionQueues, ClaimLooksAtFewOfMany) {
  constexpr std::uint64_t kQueues = 10'000;
  const std::vector<RestoredQueue> queues = found(kQueues);
  BasicSessionQueues<CountingEqual> unclaimed(queues);
  compared = 0;
  for (std::uint64_t i = kQueues; i > 0; --i) EXPECT_NE(unclaimed.claim(QueueId{i}), nullptr);
  EXPECT_LE(compared, 4 * kQueues);
}

}  // namespace
}  // namespace furrow::broker
