#include "broker-core/base/ring.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>

#include "broker-core/base/random.h"

namespace furrow {
namespace {

TEST(Ring, IsAQueue) {
  Ring<int> ring;
  EXPECT_TRUE(ring.empty());
  for (int i = 0; i < 20; ++i) ring.push_back(i);
  EXPECT_EQ(ring.size(), 20U);
  EXPECT_EQ(ring.front(), 0);
  EXPECT_EQ(ring.back(), 19);
  EXPECT_EQ(ring[7], 7);
  EXPECT_EQ(ring.pop_front(), 0);
  EXPECT_EQ(ring[0], 1);
}

TEST(Ring, BehavesAsADequeThroughGrowthAndWrapping) {
  Random random(1);
  Ring<std::unique_ptr<int>> ring;
  std::deque<int> model;
  for (int i = 0; i < 20'000; ++i) {
    if (random.chance(52)) {
      ring.push_back(std::make_unique<int>(i));
      model.push_back(i);
    } else if (!model.empty()) {
      ASSERT_EQ(*ring.pop_front(), model.front());
      model.pop_front();
    }
    ASSERT_EQ(ring.size(), model.size());
    if (!model.empty()) {
      const std::size_t index = random.below(model.size());
      ASSERT_EQ(*ring[index], model[index]);
    }
  }
}

TEST(Ring, DestroysWhatItHolds) {
  const auto alive = std::make_shared<int>(1);
  Ring<std::shared_ptr<int>> ring;
  for (int i = 0; i < 10; ++i) ring.push_back(alive);
  (void)ring.pop_front();
  EXPECT_EQ(alive.use_count(), 10);
  ring.clear();
  EXPECT_EQ(alive.use_count(), 1);
  ring.push_back(alive);
  ring.release();
  EXPECT_EQ(alive.use_count(), 1);
  ring.push_back(alive);  // usable again
  EXPECT_EQ(ring.size(), 1U);
}

TEST(Ring, MovesAsAWhole) {
  Ring<int> ring;
  ring.push_back(1);
  Ring<int> moved(std::move(ring));
  EXPECT_EQ(moved.front(), 1);
  Ring<int> assigned;
  assigned = std::move(moved);
  EXPECT_EQ(assigned.size(), 1U);
}

TEST(RingDeathTest, ChecksItsBounds) {
  Ring<int> ring;
  ring.push_back(1);
  EXPECT_DEATH((void)ring[1], "broken promise: index < size_");
  (void)ring.pop_front();
  EXPECT_DEATH((void)ring.pop_front(), "broken promise: index < size_");
  EXPECT_DEATH(ring.drop_front(), "broken promise: size_ > 0");
}

}  // namespace
}  // namespace furrow
