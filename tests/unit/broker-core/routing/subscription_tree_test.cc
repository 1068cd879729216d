#include "broker-core/routing/subscription_tree.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <utility>

#include "broker-core/mqtt/topic.h"
#include "tests/unit/broker-core/routing/random_topics.h"

namespace furrow::broker {
namespace {

class SubscriptionTreeTest : public testing::Test {
 protected:
  bool subscribe(std::uint32_t subscriber, std::string_view filter, SubscriptionOptions options = {}) {
    return tree_.insert(filter, SubscriberId{subscriber}, options);
  }
  bool unsubscribe(std::uint32_t subscriber, std::string_view filter) {
    return tree_.erase(filter, SubscriberId{subscriber});
  }
  std::vector<Match> matches(std::string_view topic) const {
    std::vector<Match> out;
    tree_.match(topic, out);
    return out;
  }
  // Who gets `topic`, once for each matching subscription.
  std::multiset<std::uint32_t> receivers(std::string_view topic) const {
    std::multiset<std::uint32_t> out;
    for (const Match& match : matches(topic)) out.insert(match.subscriber.value);
    return out;
  }

  SubscriptionTree tree_{42};
};
using Receivers = std::multiset<std::uint32_t>;

TEST_F(SubscriptionTreeTest, MatchesExactFilters) {
  subscribe(1, "farm/42/moisture");
  subscribe(2, "farm/42");
  EXPECT_EQ(receivers("farm/42/moisture"), Receivers{1});
  EXPECT_EQ(receivers("farm/42"), Receivers{2});
  EXPECT_EQ(receivers("farm"), Receivers{});
  EXPECT_EQ(receivers("farm/42/moisture/raw"), Receivers{});
  EXPECT_EQ(receivers("Farm/42"), Receivers{});
}

TEST_F(SubscriptionTreeTest, PlusTakesExactlyOneLevel) {
  subscribe(1, "farm/+/moisture");
  subscribe(2, "+");
  subscribe(3, "+/+");
  EXPECT_EQ(receivers("farm/42/moisture"), Receivers{1});
  EXPECT_EQ(receivers("farm//moisture"), Receivers{1});
  EXPECT_EQ(receivers("farm/moisture"), Receivers{3});
  EXPECT_EQ(receivers("farm"), Receivers{2});
  EXPECT_EQ(receivers("/farm"), Receivers{3});
}

TEST_F(SubscriptionTreeTest, HashTakesTheParentAndEverythingBelow) {
  subscribe(1, "farm/#");
  subscribe(2, "#");
  subscribe(3, "farm/+/#");
  EXPECT_EQ(receivers("farm"), (Receivers{1, 2}));
  EXPECT_EQ(receivers("farm/42"), (Receivers{1, 2, 3}));
  EXPECT_EQ(receivers("farm/42/moisture/raw"), (Receivers{1, 2, 3}));
  EXPECT_EQ(receivers("farms"), Receivers{2});
}

// [MQTT-4.7.2-1]
TEST_F(SubscriptionTreeTest, LeadingWildcardsDoNotTakeDollarTopics) {
  subscribe(1, "#");
  subscribe(2, "+/furrow/gateway");
  subscribe(3, "$SYS/#");
  subscribe(4, "$SYS/+/gateway");
  subscribe(5, "+");
  EXPECT_EQ(receivers("$SYS/furrow/gateway"), (Receivers{3, 4}));
  EXPECT_EQ(receivers("$SYS"), Receivers{3});
  EXPECT_EQ(receivers("a/$SYS"), Receivers{1});
}

TEST_F(SubscriptionTreeTest, EmptyLevelsAreLevels) {
  subscribe(1, "/");
  subscribe(2, "a//b");
  subscribe(3, "/#");
  EXPECT_EQ(receivers("/"), (Receivers{1, 3}));
  EXPECT_EQ(receivers("a//b"), Receivers{2});
  EXPECT_EQ(receivers("a/b"), Receivers{});
}

TEST_F(SubscriptionTreeTest, ASubscriberAppearsOnceForEachMatchingFilter) {
  const SubscriptionOptions loud{.qos = mqtt::Qos::ExactlyOnce, .no_local = true, .subscription_id = 9};
  const SubscriptionOptions quiet{.retain_as_published = true};
  subscribe(1, "a/b", loud);
  subscribe(1, "a/+", quiet);
  std::vector<Match> found = matches("a/b");
  ASSERT_EQ(found.size(), 2U);
  if (found[0].options == quiet) std::swap(found[0], found[1]);
  EXPECT_EQ(found[0], (Match{SubscriberId{1}, loud}));
  EXPECT_EQ(found[1], (Match{SubscriberId{1}, quiet}));
}

// [MQTT-3.8.4-3]
TEST_F(SubscriptionTreeTest, TheSameFilterAgainReplacesTheOptions) {
  EXPECT_TRUE(subscribe(1, "a/b", {.qos = mqtt::Qos::AtMostOnce}));
  EXPECT_FALSE(subscribe(1, "a/b", {.qos = mqtt::Qos::ExactlyOnce}));
  EXPECT_EQ(matches("a/b"), (std::vector<Match>{{SubscriberId{1}, {.qos = mqtt::Qos::ExactlyOnce}}}));
  EXPECT_EQ(tree_.size(), 1U);
}

TEST_F(SubscriptionTreeTest, MatchAppendsToWhatIsThere) {
  subscribe(1, "a");
  std::vector<Match> out{{SubscriberId{7}, {}}};
  tree_.match("a", out);
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[0].subscriber, SubscriberId{7});
}

TEST_F(SubscriptionTreeTest, ErasesOnlyWhatWasAskedFor) {
  subscribe(1, "a/b");
  subscribe(2, "a/b");
  subscribe(1, "a/b/#");
  EXPECT_FALSE(unsubscribe(3, "a/b"));
  EXPECT_FALSE(unsubscribe(1, "a"));
  EXPECT_FALSE(unsubscribe(1, "a/+"));
  EXPECT_FALSE(unsubscribe(1, "x/y"));
  EXPECT_FALSE(unsubscribe(1, "#"));
  EXPECT_TRUE(unsubscribe(1, "a/b"));
  EXPECT_FALSE(unsubscribe(1, "a/b"));
  EXPECT_EQ(receivers("a/b"), (Receivers{1, 2}));
  EXPECT_TRUE(unsubscribe(1, "a/b/#"));
  EXPECT_EQ(receivers("a/b"), Receivers{2});
  EXPECT_EQ(tree_.size(), 1U);
}

TEST_F(SubscriptionTreeTest, ErasingAnInnerFilterKeepsTheLongerOne) {
  subscribe(1, "a/+");
  subscribe(2, "a/+/c");
  EXPECT_TRUE(unsubscribe(1, "a/+"));
  EXPECT_EQ(receivers("a/b/c"), Receivers{2});
  EXPECT_TRUE(unsubscribe(2, "a/+/c"));
  EXPECT_EQ(receivers("a/b/c"), Receivers{});
}

TEST_F(SubscriptionTreeTest, GenerationChangesWithEveryAlterationOnly) {
  std::uint64_t last = tree_.generation();
  const auto changed = [&] { return std::exchange(last, tree_.generation()) != tree_.generation(); };
  subscribe(1, "a/b");
  EXPECT_TRUE(changed());
  subscribe(1, "a/b");
  EXPECT_FALSE(changed()) << "the same options again";
  subscribe(1, "a/b", {.no_local = true});
  EXPECT_TRUE(changed());
  unsubscribe(2, "a/b");
  EXPECT_FALSE(changed()) << "nobody had it";
  (void)matches("a/b");
  EXPECT_FALSE(changed());
  unsubscribe(1, "a/b");
  EXPECT_TRUE(changed());
}

TEST_F(SubscriptionTreeTest, WalksTopicsOfSixtyFiveThousandLevels) {
  const std::string slashes(65'535, '/');
  subscribe(1, slashes);
  subscribe(2, "#");
  subscribe(3, std::string(65'533, '/') + "/#");
  EXPECT_EQ(receivers(slashes), (Receivers{1, 2, 3}));
  EXPECT_EQ(receivers(std::string(65'534, '/')), (Receivers{2, 3}));
  EXPECT_TRUE(unsubscribe(1, slashes));
  EXPECT_TRUE(unsubscribe(3, std::string(65'533, '/') + "/#"));
  EXPECT_EQ(receivers(slashes), Receivers{2});
}

TEST_F(SubscriptionTreeTest, WalksEveryPathOfWildcardsOnce) {
  // All 2^8 filters of eight levels that are `a` or `+`: the walk stands on all of them, and reports each once.
  for (std::uint32_t choice = 0; choice < 256; ++choice) {
    std::string filter;
    for (unsigned bit = 0; bit < 8; ++bit) filter += ((choice >> bit) & 1U) != 0 ? "/+" : "/a";
    subscribe(choice, filter.substr(1));
  }
  EXPECT_EQ(receivers("a/a/a/a/a/a/a/a").size(), 256U);
  EXPECT_EQ(receivers("b/a/a/a/a/a/a/a").size(), 128U);
}

TEST_F(SubscriptionTreeTest, ChurnLeavesNoGrowth) {
  // Other clients each time, so that nothing of the ones before is of use.
  const auto churn = [&](std::uint32_t round) {
    const auto filter = [&](std::uint32_t client) {
      return "command/a-client-with-a-long-name-" + std::to_string(1000 * round + client) + "/+/#";
    };
    for (std::uint32_t client = 0; client < 500; ++client) {
      subscribe(client, filter(client));
      subscribe(client, "all/#");
    }
    for (std::uint32_t client = 0; client < 500; ++client) {
      EXPECT_TRUE(unsubscribe(client, filter(client)));
      EXPECT_TRUE(unsubscribe(client, "all/#"));
    }
  };
  churn(10);
  const std::size_t memory_bytes = tree_.memory_bytes();
  for (std::uint32_t round = 11; round < 16; ++round) churn(round);
  EXPECT_EQ(tree_.memory_bytes(), memory_bytes);
  EXPECT_EQ(tree_.size(), 0U);
}

// The part of an idle connection's 900 bytes that its subscription may take.
TEST_F(SubscriptionTreeTest, AnIdleClientsFilterIsSmall) {
  const std::size_t before = tree_.memory_bytes();
  for (std::uint32_t client = 0; client < 10'000; ++client) {
    subscribe(client, "command/client-" + std::to_string(client) + "/set");
  }
  EXPECT_LE((tree_.memory_bytes() - before) / 10'000, 150U);
}

// Tens of thousands on one filter, in the worst order for a sorted array; a quadratic list takes seconds here.
TEST_F(SubscriptionTreeTest, ManySubscribersOfOneFilterComeAndGo) {
  constexpr std::uint32_t kSubscribers = 10'000;
  for (std::uint32_t i = kSubscribers; i > 0; --i) subscribe(i, "alarm/#");
  EXPECT_EQ(matches("alarm/fire").size(), kSubscribers);
  for (std::uint32_t i = 1; i <= kSubscribers; ++i) EXPECT_TRUE(unsubscribe(i, "alarm/#"));
  EXPECT_TRUE(matches("alarm/fire").empty());
}

TEST(SubscriptionTree, AgreesWithTheRuleOnRandomFilters) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    SubscriptionTree tree(seed);
    std::map<std::pair<std::string, std::uint32_t>, SubscriptionOptions> expected;
    for (int i = 0; i < 600; ++i) {
      const std::string filter = random_filter(random);
      const auto subscriber = static_cast<std::uint32_t>(random.below(20));
      if (random.chance(65)) {
        const SubscriptionOptions options{.subscription_id = static_cast<std::uint32_t>(random.below(1000))};
        ASSERT_EQ(tree.insert(filter, SubscriberId{subscriber}, options), !expected.contains({filter, subscriber}));
        expected[{filter, subscriber}] = options;
      } else {
        ASSERT_EQ(tree.erase(filter, SubscriberId{subscriber}), expected.erase({filter, subscriber}) > 0);
      }
      ASSERT_EQ(tree.size(), expected.size());
      const std::string topic = random_name(random);
      std::multiset<std::pair<std::uint32_t, std::uint32_t>> wanted;
      for (const auto& [key, options] : expected) {
        if (mqtt::matches(key.first, topic)) wanted.emplace(key.second, options.subscription_id);
      }
      std::vector<Match> out;
      tree.match(topic, out);
      std::multiset<std::pair<std::uint32_t, std::uint32_t>> found;
      for (const Match& match : out) found.emplace(match.subscriber.value, match.options.subscription_id);
      ASSERT_EQ(found, wanted) << "topic '" << topic << "'";
    }
    std::multiset<std::pair<std::string, std::uint32_t>> all;
    tree.for_each([&](std::string_view filter, SubscriberId subscriber) { all.emplace(filter, subscriber.value); });
    std::multiset<std::pair<std::string, std::uint32_t>> keys;
    for (const auto& [key, options] : expected) keys.insert(key);
    EXPECT_EQ(all, keys);
    while (!expected.empty()) {
      const auto& [filter, subscriber] = expected.begin()->first;
      ASSERT_TRUE(tree.erase(filter, SubscriberId{subscriber}));
      expected.erase(expected.begin());
    }
    EXPECT_EQ(tree.size(), 0U);
  }
}

}  // namespace
}  // namespace furrow::broker
