#include "broker-core/routing/retained_store.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "broker-core/mqtt/topic.h"
#include "tests/unit/broker-core/routing/messages.h"
#include "tests/unit/broker-core/routing/random_topics.h"

namespace furrow::broker {
namespace {

using Outcome = RetainedStore::Outcome;
using Topics = std::vector<std::string>;

Topics matching(const RetainedStore& store, std::string_view filter, std::string_view from = {}) {
  Topics topics;
  std::size_t steps = SIZE_MAX;
  RetainedStore::Walk walk(store, filter, from);
  while (const MessageRef* found = walk.next(steps)) topics.emplace_back((*found)->topic());
  EXPECT_TRUE(walk.at_end());
  return topics;
}
// The same in walks of one step each, that begin where the one before was.
Topics matching_step_by_step(const RetainedStore& store, std::string_view filter) {
  Topics topics;
  std::string from;
  for (;;) {
    std::size_t steps = 1;
    RetainedStore::Walk walk(store, filter, from);
    if (const MessageRef* found = walk.next(steps)) topics.emplace_back((*found)->topic());
    if (walk.at_end()) return topics;
    from = walk.position();
  }
}

class RetainedStoreTest : public testing::Test {
 protected:
  void retain_all(std::initializer_list<std::string_view> topics) {
    for (const std::string_view topic : topics) EXPECT_EQ(store_.set(make_message(topic, "x")), Outcome::Stored);
  }
  std::string payload_of(std::string_view topic) const {
    const MessageRef found = store_.find(topic);
    return found ? std::string(as_text(found->payload())) : "(none)";
  }

  RetainedStore store_{{.messages_max = 0, .bytes_max = 0, .hash_seed = 42}};
};

TEST_F(RetainedStoreTest, KeepsTheLastMessageOfATopic) {
  EXPECT_EQ(payload_of("a/b"), "(none)");
  EXPECT_EQ(store_.set(make_message("a/b", "1")), Outcome::Stored);
  EXPECT_EQ(store_.set(make_message("a/b", "22")), Outcome::Replaced);
  EXPECT_EQ(payload_of("a/b"), "22");
  EXPECT_EQ(store_.messages(), 1U);
  EXPECT_EQ(store_.bytes(), make_message("a/b", "22")->memory_bytes());
}

// [MQTT-3.3.1-6, -7]
TEST_F(RetainedStoreTest, AnEmptyPayloadRemoves) {
  store_.set(make_message("a/b", "1"));
  EXPECT_EQ(store_.set(make_message("a/b", "")), Outcome::Removed);
  EXPECT_EQ(store_.set(make_message("a/b", "")), Outcome::NotThere);
  EXPECT_EQ(payload_of("a/b"), "(none)");
  EXPECT_EQ(matching(store_, "#"), Topics{});
  EXPECT_EQ(store_.messages(), 0U);
  EXPECT_EQ(store_.bytes(), 0U);
}

TEST_F(RetainedStoreTest, RemovesByTheTopicOfTheMessageItself) {
  store_.set(make_message("a/b", "1"));
  const std::string_view own_topic = store_.find("a/b")->topic();
  EXPECT_EQ(store_.remove(own_topic), Outcome::Removed);
  EXPECT_EQ(store_.remove("a/b"), Outcome::NotThere);
}

TEST_F(RetainedStoreTest, AnEqualValueChangesNothing) {
  const MessageRef first = make_message("a", "1", mqtt::Qos::AtLeastOnce);
  store_.set(first);
  EXPECT_EQ(store_.set(make_message("a", "1", mqtt::Qos::AtLeastOnce)), Outcome::Unchanged);
  EXPECT_EQ(store_.find("a"), first);
  EXPECT_EQ(store_.set(make_message("a", "1", mqtt::Qos::AtMostOnce)), Outcome::Replaced) << "another QoS";
}

TEST_F(RetainedStoreTest, AnEqualValueThatExpiresStartsANewInterval) {
  store_.set(make_message("a", "1"));
  EXPECT_EQ(store_.set(make_message("a", "1", mqtt::Qos::AtMostOnce, 60)), Outcome::Replaced);
  EXPECT_EQ(store_.set(make_message("a", "1", mqtt::Qos::AtMostOnce, 60)), Outcome::Replaced);
  EXPECT_EQ(store_.set(make_message("a", "1")), Outcome::Replaced) << "no longer expires";
}

TEST_F(RetainedStoreTest, FullAtTheLimitOfMessages) {
  RetainedStore store({.messages_max = 2, .bytes_max = 0});
  store.set(make_message("a", "1"));
  store.set(make_message("b", "1"));
  EXPECT_EQ(store.set(make_message("c", "1")), Outcome::Full);
  EXPECT_EQ(matching(store, "#"), (Topics{"a", "b"}));
  EXPECT_FALSE(store.find("c"));
  EXPECT_EQ(store.set(make_message("a", "2")), Outcome::Replaced);
  EXPECT_EQ(store.remove("b"), Outcome::Removed);
  EXPECT_EQ(store.set(make_message("c", "1")), Outcome::Stored);
}

TEST_F(RetainedStoreTest, TopicsOfTheGatewayTakeNoRoomFromClients) {
  const std::size_t one = make_message("a", "1")->memory_bytes();
  RetainedStore store({.messages_max = 2, .bytes_max = 2 * one});
  for (const std::string_view topic : {"$SYS/1", "$SYS/2", "$SYS/3"}) {
    EXPECT_EQ(store.set_own(make_message(topic, "a long status document")), Outcome::Stored);
  }
  EXPECT_EQ(store.set(make_message("a", "1")), Outcome::Stored);
  EXPECT_EQ(store.set(make_message("b", "1")), Outcome::Stored);
  EXPECT_EQ(store.set(make_message("c", "1")), Outcome::Full);
  EXPECT_EQ(store.set(make_message("a", "12")), Outcome::Full);
  EXPECT_EQ(store.set_own(make_message("$SYS/4", "also when clients have used up theirs")), Outcome::Stored);
  EXPECT_EQ(store.set_own(make_message("$SYS/4", "")), Outcome::Removed);
  EXPECT_EQ(store.messages(), 5U);
  EXPECT_EQ(store.own_messages(), 3U);
  EXPECT_EQ(store.bytes() - store.own_bytes(), 2 * one);
}

TEST_F(RetainedStoreTest, ATopicThatChangesHandsIsCountedForItsWriter) {
  const std::size_t one = make_message("a", "1")->memory_bytes();
  RetainedStore store({.messages_max = 1, .bytes_max = 0});
  store.set_own(make_message("a", "1"));
  EXPECT_EQ(store.set(make_message("a", "2")), Outcome::Replaced);
  EXPECT_EQ(store.own_messages(), 0U);
  EXPECT_EQ(store.set(make_message("b", "1")), Outcome::Full);
  store.set_own(make_message("a", "3"));
  EXPECT_EQ(store.own_bytes(), one);
  EXPECT_EQ(store.set(make_message("b", "1")), Outcome::Stored);
  EXPECT_EQ(store.set(make_message("a", "4")), Outcome::Full);
}

TEST_F(RetainedStoreTest, FullAtTheLimitOfBytes) {
  const std::size_t one = make_message("a", "12")->memory_bytes();
  RetainedStore store({.messages_max = 0, .bytes_max = 2 * one});
  store.set(make_message("a", "12"));
  store.set(make_message("b", "12"));
  EXPECT_EQ(store.bytes(), 2 * one);
  EXPECT_EQ(store.set(make_message("c", "12")), Outcome::Full);
  EXPECT_EQ(store.set(make_message("a", "123")), Outcome::Full);
  EXPECT_EQ(as_text(store.find("a")->payload()), "12") << "the value before stays";
  EXPECT_EQ(store.bytes(), 2 * one);
  EXPECT_EQ(store.set(make_message("a", "1")), Outcome::Replaced);
  EXPECT_EQ(store.set(make_message("b", "123")), Outcome::Replaced);
  EXPECT_EQ(store.bytes(), 2 * one);
}

TEST_F(RetainedStoreTest, ReplaysInTheByteOrderOfTopics) {
  retain_all({"b", "a/b", "a", "a-b", "a/a"});
  EXPECT_EQ(matching(store_, "#"), (Topics{"a", "a-b", "a/a", "a/b", "b"}));
}

TEST_F(RetainedStoreTest, HashTakesTheParentPastWhatSortsBetween) {
  retain_all({"a", "a-b", "a-b/c", "a/b", "a/b/c", "a0", "b"});
  EXPECT_EQ(matching(store_, "a/#"), (Topics{"a", "a/b", "a/b/c"}));
  EXPECT_EQ(matching(store_, "a/b/#"), (Topics{"a/b", "a/b/c"}));
  EXPECT_EQ(matching(store_, "c/#"), Topics{});
}

TEST_F(RetainedStoreTest, PlusTakesExactlyOneLevel) {
  retain_all({"a", "a/b", "a/b/c", "a/x/c", "a/x/c/d", "a//c", "b/x/c", "/c"});
  EXPECT_EQ(matching(store_, "a/+/c"), (Topics{"a//c", "a/b/c", "a/x/c"}));
  EXPECT_EQ(matching(store_, "+/+"), (Topics{"/c", "a/b"}));
  EXPECT_EQ(matching(store_, "+"), (Topics{"a"}));
  EXPECT_EQ(matching(store_, "+/x/#"), (Topics{"a/x/c", "a/x/c/d", "b/x/c"}));
}

// A level that is shorter than its neighbours still finds its children behind them.
TEST_F(RetainedStoreTest, FindsTheChildrenOfALevelBehindItsLongerNeighbours) {
  retain_all({"s/a/b", "s/a-1/b", "s/a", "s/a\xC3\xA9/b", "t/a-1/b", "t/a/b"});
  EXPECT_EQ(matching(store_, "+/a/b"), (Topics{"s/a/b", "t/a/b"}));
  EXPECT_EQ(matching(store_, "+/a/#"), (Topics{"s/a", "s/a/b", "t/a/b"}));
}

// [MQTT-4.7.2-1]
TEST_F(RetainedStoreTest, LeadingWildcardsDoNotTakeDollarTopics) {
  retain_all({"#1", "$SYS/a", "$SYS/b", "$SYS", "%", "a"});
  EXPECT_EQ(matching(store_, "#"), (Topics{"#1", "%", "a"}));
  EXPECT_EQ(matching(store_, "+/a"), Topics{});
  EXPECT_EQ(matching(store_, "+"), (Topics{"#1", "%", "a"}));
  EXPECT_EQ(matching(store_, "$SYS/#"), (Topics{"$SYS", "$SYS/a", "$SYS/b"}));
  EXPECT_EQ(matching(store_, "$SYS/+"), (Topics{"$SYS/a", "$SYS/b"}));
}

TEST_F(RetainedStoreTest, AnExactFilterFindsItsTopicOnly) {
  retain_all({"a/b", "a/b/c", "a"});
  EXPECT_EQ(matching(store_, "a/b"), Topics{"a/b"});
  EXPECT_EQ(matching(store_, "a/x"), Topics{});
}

TEST_F(RetainedStoreTest, WalkBeginsWithTheTopicItIsGivenOrTheNextOne) {
  retain_all({"a", "b/1", "b/3", "c"});
  EXPECT_EQ(matching(store_, "#", "b/1"), (Topics{"b/1", "b/3", "c"}));
  EXPECT_EQ(matching(store_, "#", "b/2"), (Topics{"b/3", "c"}));
  EXPECT_EQ(matching(store_, "b/+", "b/2"), (Topics{"b/3"}));
  EXPECT_EQ(matching(store_, "#", "d"), Topics{});
  EXPECT_EQ(matching(store_, "b/1", "b/1"), (Topics{"b/1"}));
  EXPECT_EQ(matching(store_, "b/1", "b/2"), Topics{});
}

TEST_F(RetainedStoreTest, WalkLooksAtNoMoreTopicsThanItMay) {
  retain_all({"a/1", "a/2", "a/3", "b/1/x"});
  RetainedStore::Walk walk(store_, "+/+/x");
  std::size_t steps = 2;
  EXPECT_EQ(walk.next(steps), nullptr);
  EXPECT_EQ(steps, 0U);
  EXPECT_FALSE(walk.at_end());
  steps = 10;
  EXPECT_NE(walk.next(steps), nullptr);
  EXPECT_EQ(walk.next(steps), nullptr);
  EXPECT_TRUE(walk.at_end());
}

TEST_F(RetainedStoreTest, WalksTopicsOfSixtyFiveThousandLevels) {
  const std::string slashes(65'535, '/');
  const std::string fewer(65'534, '/');
  retain_all({slashes, fewer});
  EXPECT_EQ(matching(store_, "#"), (Topics{fewer, slashes}));
  EXPECT_EQ(matching(store_, std::string(65'533, '/') + "+/"), (Topics{fewer}));
  EXPECT_EQ(matching(store_, "/+"), Topics{});
}

TEST_F(RetainedStoreTest, ChurnLeavesNoGrowth) {
  const auto churn = [&] {
    for (int i = 0; i < 2000; ++i) store_.set(make_message("a/" + std::to_string(i * 7919 % 2000), "x"));
    for (int i = 0; i < 2000; ++i) EXPECT_EQ(store_.remove("a/" + std::to_string(i)), Outcome::Removed);
  };
  churn();
  const std::size_t overhead_bytes = store_.overhead_bytes();
  for (int i = 0; i < 3; ++i) churn();
  EXPECT_EQ(store_.overhead_bytes(), overhead_bytes);
}

// 300 bytes for each of 100,000 sensors, the message included; in a random order, which packs blocks worst.
TEST_F(RetainedStoreTest, ASensorsValueIsSmall) {
  constexpr std::size_t kTopics = 20'000;
  Random random(7);
  while (store_.messages() < kTopics) {
    std::string number = std::to_string(100'000 + random.below(900'000));
    store_.set(make_message("farm/" + number + "/moisture12", std::string(38, 'x')));  // 22 bytes of topic
  }
  EXPECT_LE((store_.bytes() + store_.overhead_bytes()) / kTopics, 150U);
}

TEST(RetainedStore, AgreesWithTheRuleOnRandomTopics) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    RetainedStore store({.messages_max = 0, .bytes_max = 0, .hash_seed = seed});
    std::map<std::string, std::string> expected;
    for (int i = 0; i < 600; ++i) {
      const std::string topic = random_name(random);
      const std::string payload = random.chance(20) ? "" : std::to_string(random.below(3));
      const auto known = expected.find(topic);
      const Outcome outcome = store.set(make_message(topic, payload));
      if (payload.empty()) {
        ASSERT_EQ(outcome, known == expected.end() ? Outcome::NotThere : Outcome::Removed);
        expected.erase(topic);
      } else {
        ASSERT_EQ(outcome, known == expected.end()    ? Outcome::Stored
                           : known->second == payload ? Outcome::Unchanged
                                                      : Outcome::Replaced);
        expected[topic] = payload;
      }
      const std::string filter = random_filter(random);
      Topics wanted;
      for (const auto& [name, value] : expected) {
        if (mqtt::matches(filter, name)) wanted.push_back(name);
      }
      ASSERT_EQ(matching(store, filter), wanted) << "filter '" << filter << "'";
      ASSERT_EQ(matching_step_by_step(store, filter), wanted) << "filter '" << filter << "'";
      ASSERT_EQ(store.messages(), expected.size());
    }
    std::size_t bytes = 0;
    for (const auto& [name, value] : expected) {
      ASSERT_EQ(as_text(store.find(name)->payload()), value);
      bytes += make_message(name, value)->memory_bytes();
    }
    EXPECT_EQ(store.bytes(), bytes);
  }
}

}  // namespace
}  // namespace furrow::broker
