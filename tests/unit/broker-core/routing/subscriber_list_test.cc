#include "broker-core/routing/subscriber_list.h"

#include <gtest/gtest.h>

#include <map>

#include "broker-core/base/random.h"

namespace furrow::broker {
namespace {

using Change = SubscriberLists::Change;

std::vector<Match> content(const SubscriberLists& lists, const SubscriberList& list) {
  std::vector<Match> out;
  lists.append_to(list, out);
  return out;
}

SubscriptionOptions random_options(Random& random) {
  return {.qos = static_cast<mqtt::Qos>(random.below(3)),
          .no_local = random.chance(50),
          .retain_as_published = random.chance(50),
          .subscription_id = random.chance(50) ? 0 : static_cast<std::uint32_t>(random.below(kSubscriptionIdMax + 1))};
}

TEST(SubscriberList, PacksEveryOptionWithoutLoss) {
  for (const std::uint32_t id : {0U, 1U, kSubscriptionIdMax}) {
    for (const mqtt::Qos qos : {mqtt::Qos::AtMostOnce, mqtt::Qos::AtLeastOnce, mqtt::Qos::ExactlyOnce}) {
      for (const unsigned flags : {0U, 1U, 2U, 3U}) {
        const SubscriptionOptions options{
            .qos = qos, .no_local = (flags & 1U) != 0, .retain_as_published = (flags & 2U) != 0, .subscription_id = id};
        SubscriberLists lists;
        SubscriberList list;
        lists.insert(list, SubscriberId{0xFFFF'FFFF}, options);
        EXPECT_FALSE(list.empty());
        EXPECT_EQ(content(lists, list), (std::vector<Match>{{SubscriberId{0xFFFF'FFFF}, options}}));
      }
    }
  }
}

TEST(SubscriberList, CostsNoHeapForOne) {
  SubscriberLists lists;
  SubscriberList list;
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(lists.insert(list, SubscriberId{5}, {}), Change::Added);
  EXPECT_EQ(lists.memory_bytes(), 0U);
  EXPECT_FALSE(lists.erase(list, SubscriberId{6}));
  EXPECT_TRUE(lists.erase(list, SubscriberId{5}));
  EXPECT_TRUE(list.empty());
  EXPECT_FALSE(lists.erase(list, SubscriberId{5}));
}

TEST(SubscriberList, SaysWhetherOptionsChanged) {
  SubscriberLists lists;
  SubscriberList list;
  for (const std::uint32_t others : {0U, 1U, 2U}) {  // alone, and in an array
    if (others > 0) lists.insert(list, SubscriberId{100 + others}, {});
    lists.insert(list, SubscriberId{5}, {});
    EXPECT_EQ(lists.insert(list, SubscriberId{5}, {}), Change::Unchanged);
    EXPECT_EQ(lists.insert(list, SubscriberId{5}, {.qos = mqtt::Qos::AtLeastOnce}), Change::Replaced);
    EXPECT_EQ(content(lists, list).size(), others + 1);
    EXPECT_EQ(content(lists, list).front(), (Match{SubscriberId{5}, {.qos = mqtt::Qos::AtLeastOnce}}));
    lists.erase(list, SubscriberId{5});
  }
}

TEST(SubscriberList, AgreesWithAMapUnderChurn) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    SubscriberLists lists;
    std::array<SubscriberList, 3> list;
    std::array<std::map<std::uint32_t, SubscriptionOptions>, 3> expected;
    for (int i = 0; i < 2000; ++i) {
      const std::size_t which = random.below(3);
      const auto subscriber = static_cast<std::uint32_t>(random.below(which == 0 ? 100 : 3));
      if (random.chance(50)) {
        const SubscriptionOptions options = random_options(random);
        const bool added = lists.insert(list[which], SubscriberId{subscriber}, options) == Change::Added;
        ASSERT_EQ(added, !expected[which].contains(subscriber));
        expected[which][subscriber] = options;
      } else {
        ASSERT_EQ(lists.erase(list[which], SubscriberId{subscriber}), expected[which].erase(subscriber) > 0);
      }
      ASSERT_EQ(list[which].empty(), expected[which].empty());
      std::vector<Match> matches;
      for (const auto& [id, options] : expected[which]) matches.push_back({SubscriberId{id}, options});
      ASSERT_EQ(content(lists, list[which]), matches);
    }
  }
}

TEST(SubscriberList, GivesBackTheArrayOfManyWhenTheyLeave) {
  SubscriberLists lists;
  SubscriberList list;
  for (std::uint32_t i = 0; i < 10'000; ++i) lists.insert(list, SubscriberId{i}, {});
  EXPECT_GE(lists.memory_bytes(), 80'000U);
  for (std::uint32_t i = 9'999; i >= 100; --i) lists.erase(list, SubscriberId{i});
  EXPECT_LE(lists.memory_bytes(), 4'000U);
  for (std::uint32_t i = 1; i < 100; ++i) lists.erase(list, SubscriberId{i});
  EXPECT_EQ(content(lists, list), (std::vector<Match>{{SubscriberId{0}, {}}}));
  EXPECT_LE(lists.memory_bytes(), 100U);
}

TEST(SubscriberListDeathTest, RefusesAnIdentifierThatNoPacketCanCarry) {
  SubscriberLists lists;
  SubscriberList list;
  EXPECT_DEATH(lists.insert(list, SubscriberId{1}, {.subscription_id = kSubscriptionIdMax + 1}), "broken promise");
}

}  // namespace
}  // namespace furrow::broker
