#include "broker-core/routing/route_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string>

#include "broker-core/mqtt/topic.h"
#include "tests/unit/broker-core/routing/random_topics.h"

namespace furrow::broker {
namespace {

class RouteCacheTest : public testing::Test {
 protected:
  void subscribe(std::uint32_t subscriber, std::string_view filter, SubscriptionOptions options = {}) {
    tree_.insert(filter, SubscriberId{subscriber}, options);
  }

  SubscriptionTree tree_{42};
  RouteCache cache_{tree_};
};

std::vector<std::uint32_t> ids_of(const Route& route) {
  return {route.subscription_ids.begin(), route.subscription_ids.end()};
}

TEST_F(RouteCacheTest, MergesOverlappingSubscriptionsOfASubscriber) {
  subscribe(1, "a/b", {.qos = mqtt::Qos::AtMostOnce, .no_local = true, .subscription_id = 30});
  subscribe(1, "a/+", {.qos = mqtt::Qos::ExactlyOnce, .no_local = true, .subscription_id = 10});
  subscribe(1, "#", {.qos = mqtt::Qos::AtLeastOnce, .no_local = true, .retain_as_published = true});
  subscribe(1, "a/#", {.no_local = true, .subscription_id = 20});
  const auto routes = cache_.lookup("a/b");
  ASSERT_EQ(routes.size(), 1U);
  EXPECT_EQ(routes[0].subscriber, SubscriberId{1});
  EXPECT_EQ(routes[0].qos, mqtt::Qos::ExactlyOnce);
  EXPECT_FALSE(routes[0].takes(SubscriberId{1}));
  EXPECT_TRUE(routes[0].takes(SubscriberId{2}));
  EXPECT_TRUE(routes[0].retain_as_published);
  EXPECT_EQ(ids_of(routes[0]), (std::vector<std::uint32_t>{10, 20, 30}));
}

TEST_F(RouteCacheTest, WhatSaysNoLocalHasNoPartInAnEcho) {
  subscribe(1, "a/b",
            {.qos = mqtt::Qos::ExactlyOnce, .no_local = true, .retain_as_published = true, .subscription_id = 1});
  subscribe(1, "a/+", {.qos = mqtt::Qos::AtLeastOnce, .subscription_id = 2});
  const auto routes = cache_.lookup("a/b");
  ASSERT_EQ(routes.size(), 2U);
  EXPECT_FALSE(routes[0].takes(SubscriberId{1}));
  EXPECT_TRUE(routes[0].takes(SubscriberId{2}));
  EXPECT_EQ(routes[0].qos, mqtt::Qos::ExactlyOnce);
  EXPECT_TRUE(routes[0].retain_as_published);
  EXPECT_EQ(ids_of(routes[0]), (std::vector<std::uint32_t>{1, 2}));
  EXPECT_TRUE(routes[1].takes(SubscriberId{1}));
  EXPECT_FALSE(routes[1].takes(SubscriberId{2}));
  EXPECT_EQ(routes[1].qos, mqtt::Qos::AtLeastOnce);
  EXPECT_FALSE(routes[1].retain_as_published);
  EXPECT_EQ(ids_of(routes[1]), (std::vector<std::uint32_t>{2}));
}

// A client that uses one identifier for two subscriptions gets it twice [MQTT 5.0 §3.3.4].
TEST_F(RouteCacheTest, KeepsAnIdentifierThatTwoSubscriptionsShare) {
  subscribe(1, "a/b", {.subscription_id = 5});
  subscribe(1, "a/+", {.subscription_id = 5});
  EXPECT_EQ(ids_of(cache_.lookup("a/b")[0]), (std::vector<std::uint32_t>{5, 5}));
}

TEST_F(RouteCacheTest, KeepsSubscribersApart) {
  subscribe(3, "#", {.subscription_id = 1});
  subscribe(1, "a", {.qos = mqtt::Qos::AtLeastOnce});
  subscribe(2, "+", {.subscription_id = 2});
  const auto routes = cache_.lookup("a");
  ASSERT_EQ(routes.size(), 3U);
  EXPECT_EQ(routes[0].subscriber, SubscriberId{1});
  EXPECT_EQ(routes[1].subscriber, SubscriberId{2});
  EXPECT_EQ(routes[2].subscriber, SubscriberId{3});
  EXPECT_EQ(routes[0].qos, mqtt::Qos::AtLeastOnce);
  EXPECT_EQ(routes[1].qos, mqtt::Qos::AtMostOnce);
  EXPECT_EQ(ids_of(routes[0]), (std::vector<std::uint32_t>{}));
  EXPECT_EQ(ids_of(routes[1]), (std::vector<std::uint32_t>{2}));
  EXPECT_EQ(ids_of(routes[2]), (std::vector<std::uint32_t>{1}));
}

TEST_F(RouteCacheTest, RemembersTopics) {
  subscribe(1, "a");
  subscribe(2, "b");
  const Route* first = cache_.lookup("a").data();
  EXPECT_EQ(cache_.lookup("a").data(), first) << "the last topic again";
  EXPECT_EQ(cache_.lookup("b")[0].subscriber, SubscriberId{2});
  EXPECT_EQ(cache_.lookup("a").data(), first) << "another in between";
  EXPECT_EQ(cache_.entries(), 2U);
}

TEST_F(RouteCacheTest, RemembersThatNobodyWantsATopic) {
  EXPECT_TRUE(cache_.lookup("a").empty());
  EXPECT_TRUE(cache_.lookup("a").empty());
  EXPECT_EQ(cache_.entries(), 1U);
}

TEST_F(RouteCacheTest, DoesNotBorrowTheTopic) {
  subscribe(1, "a/b");
  std::string topic = "a/b";
  (void)cache_.lookup(topic);
  topic = "x/y";
  EXPECT_TRUE(cache_.lookup(topic).empty());
  EXPECT_EQ(cache_.lookup("a/b").size(), 1U);
}

TEST_F(RouteCacheTest, EveryChangeOfTheTreeDropsAll) {
  EXPECT_TRUE(cache_.lookup("a").empty());
  subscribe(1, "a");
  EXPECT_EQ(cache_.lookup("a").size(), 1U);
  subscribe(1, "a", {.qos = mqtt::Qos::ExactlyOnce});
  EXPECT_EQ(cache_.lookup("a")[0].qos, mqtt::Qos::ExactlyOnce);
  (void)cache_.lookup("b");
  tree_.erase("a", SubscriberId{1});
  EXPECT_TRUE(cache_.lookup("a").empty());
  EXPECT_EQ(cache_.entries(), 1U);
}

TEST_F(RouteCacheTest, AFullCacheStartsOver) {
  subscribe(1, "+");
  for (std::size_t i = 0; i < RouteCache::kEntriesMax; ++i) (void)cache_.lookup(std::to_string(i));
  EXPECT_EQ(cache_.entries(), RouteCache::kEntriesMax);
  EXPECT_EQ(cache_.lookup("one more").size(), 1U);
  EXPECT_EQ(cache_.entries(), 1U);
  EXPECT_EQ(cache_.lookup("0").size(), 1U);
}

TEST_F(RouteCacheTest, LongTopicsCannotTakeMoreThanTheirBytes) {
  const std::string tail(65'000, 'x');
  for (int i = 0; i < 200; ++i) {
    (void)cache_.lookup(std::to_string(i) + tail);
    ASSERT_LE(cache_.bytes(), RouteCache::kBytesMax);
  }
  EXPECT_GT(cache_.entries(), 1U);
  EXPECT_LE(cache_.entries(), RouteCache::kBytesMax / tail.size());
}

TEST_F(RouteCacheTest, ATopicBeyondTheLimitIsAnsweredAllTheSame) {
  (void)cache_.lookup("b");
  const auto subscribers = static_cast<std::uint32_t>(RouteCache::kBytesMax / sizeof(Route));
  for (std::uint32_t i = 0; i < subscribers; ++i) subscribe(i, "a");
  (void)cache_.lookup("b");
  EXPECT_EQ(cache_.lookup("a").size(), subscribers);
  EXPECT_EQ(cache_.entries(), 1U);
  (void)cache_.lookup("b");
  EXPECT_EQ(cache_.entries(), 1U);
}

TEST(RouteCache, AgreesWithTheRuleOnRandomFilters) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    SubscriptionTree tree(seed);
    RouteCache cache(tree);
    std::map<std::pair<std::string, std::uint32_t>, SubscriptionOptions> all;
    for (int i = 0; i < 1000; ++i) {
      if (random.chance(20)) {
        const std::string filter = random_filter(random);
        const auto subscriber = static_cast<std::uint32_t>(random.below(5));
        const SubscriptionOptions options{.qos = static_cast<mqtt::Qos>(random.below(3)),
                                          .no_local = random.chance(70),
                                          .retain_as_published = random.chance(30),
                                          .subscription_id = static_cast<std::uint32_t>(random.below(4))};
        tree.insert(filter, SubscriberId{subscriber}, options);
        all[{filter, subscriber}] = options;
      }
      const std::string topic = random_name(random);
      const auto origin = static_cast<std::uint32_t>(random.below(6));
      std::map<std::uint32_t, std::vector<SubscriptionOptions>> wanted;
      for (const auto& [key, options] : all) {
        const auto& [filter, subscriber] = key;
        if (options.no_local && subscriber == origin) continue;
        if (mqtt::matches(filter, topic)) wanted[subscriber].push_back(options);
      }
      std::vector<Route> routes;
      std::ranges::copy_if(cache.lookup(topic), std::back_inserter(routes),
                           [&](const Route& route) { return route.takes(SubscriberId{origin}); });
      ASSERT_EQ(routes.size(), wanted.size()) << "topic '" << topic << "'";
      std::size_t index = 0;
      for (const auto& [subscriber, options] : wanted) {
        const Route& route = routes[index++];
        ASSERT_EQ(route.subscriber.value, subscriber);
        mqtt::Qos qos = mqtt::Qos::AtMostOnce;
        bool retain_as_published = false;
        std::multiset<std::uint32_t> ids;
        for (const SubscriptionOptions& one : options) {
          qos = std::max(qos, one.qos);
          retain_as_published = retain_as_published || one.retain_as_published;
          if (one.subscription_id != 0) ids.insert(one.subscription_id);
        }
        ASSERT_EQ(route.qos, qos);
        ASSERT_EQ(route.retain_as_published, retain_as_published);
        ASSERT_EQ(std::multiset<std::uint32_t>(route.subscription_ids.begin(), route.subscription_ids.end()), ids);
      }
    }
  }
}

}  // namespace
}  // namespace furrow::broker
