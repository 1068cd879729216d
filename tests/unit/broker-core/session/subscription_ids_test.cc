#include "broker-core/session/subscription_ids.h"

#include <gtest/gtest.h>

#include <vector>

namespace furrow::broker {
namespace {

using Numbers = std::vector<std::uint32_t>;

Numbers numbers(const SubscriptionIds& ids) {
  return {ids.view().begin(), ids.view().end()};
}

TEST(SubscriptionIds, KeepsNoneOneOrMany) {
  for (const Numbers& given : {Numbers{}, Numbers{0xFFFF'FFFF}, Numbers{1, 2}, Numbers{5, 4, 3, 2, 1}}) {
    EXPECT_EQ(numbers(SubscriptionIds(given)), given);
  }
}

TEST(SubscriptionIds, MoveTakesThemAlong) {
  SubscriptionIds many(Numbers{1, 2, 3});
  SubscriptionIds moved(std::move(many));
  EXPECT_EQ(numbers(moved), (Numbers{1, 2, 3}));
  SubscriptionIds one(Numbers{7});
  one = std::move(moved);
  EXPECT_EQ(numbers(one), (Numbers{1, 2, 3}));
  one = SubscriptionIds();
  EXPECT_EQ(numbers(one), Numbers{});
}

}  // namespace
}  // namespace furrow::broker
