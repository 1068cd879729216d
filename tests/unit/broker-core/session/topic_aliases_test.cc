#include "broker-core/session/topic_aliases.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace furrow::broker {
namespace {

TEST(TopicAliases, AreNotUsedWhereThePeerTakesNone) {
  TopicAliases aliases;
  EXPECT_FALSE(aliases.use("a"));
  aliases.reset(0);
  EXPECT_FALSE(aliases.use("a"));
}

TEST(TopicAliases, ATopicIsKnownFromItsSecondUse) {
  TopicAliases aliases;
  aliases.reset(2);
  EXPECT_EQ(aliases.use("a")->number, 1);
  EXPECT_EQ(aliases.use("b")->number, 2);
  const auto again = aliases.use("a");
  EXPECT_EQ(again->number, 1);
  EXPECT_TRUE(again->known);
}

TEST(TopicAliases, TheLeastRecentlyUsedMakesRoom) {
  TopicAliases aliases;
  aliases.reset(2);
  (void)aliases.use("a");
  (void)aliases.use("b");
  (void)aliases.use("a");
  const auto taken = aliases.use("c");
  EXPECT_EQ(taken->number, 2) << "b's";
  EXPECT_FALSE(taken->known);
  EXPECT_TRUE(aliases.use("a")->known);
  EXPECT_FALSE(aliases.use("b")->known);
}

TEST(TopicAliases, ANewConnectionKnowsNone) {
  TopicAliases aliases;
  aliases.reset(2);
  (void)aliases.use("a");
  aliases.reset(2);
  EXPECT_FALSE(aliases.use("a")->known);
}

TEST(TopicAliases, AnAliasThatWasNotSentIsToldAgain) {
  TopicAliases aliases;
  aliases.reset(1);
  (void)aliases.use("a");
  aliases.forget("a");
  const auto again = aliases.use("a");
  EXPECT_EQ(again->number, 1);
  EXPECT_FALSE(again->known);
}

TEST(TopicAliases, StayWithinTheirNumberWhateverIsForgotten) {
  TopicAliases aliases;
  aliases.reset(8);
  std::set<std::uint16_t> numbers;
  for (int i = 0; i < 1000; ++i) {
    const std::string topic = std::to_string(i * 7 % 31);
    numbers.insert(aliases.use(topic)->number);
    if (i % 3 == 0) aliases.forget(topic);
  }
  EXPECT_EQ(*numbers.begin(), 1);
  EXPECT_EQ(*numbers.rbegin(), 8);
}

TEST(TopicAliases, ALongTopicGetsNone) {
  TopicAliases aliases;
  aliases.reset(2);
  EXPECT_FALSE(aliases.use(std::string(TopicAliases::kTopicBytesMax + 1, 'x')));
  EXPECT_TRUE(aliases.use(std::string(TopicAliases::kTopicBytesMax, 'x')));
}

TEST(ReceivedAliases, StandForTheTopicThatWasAssignedLast) {
  ReceivedAliases aliases;
  EXPECT_EQ(aliases.topic(0), "");
  EXPECT_EQ(aliases.topic(3), "");
  aliases.set(3, "a");
  EXPECT_EQ(aliases.topic(3), "a");
  EXPECT_EQ(aliases.topic(2), "");
  aliases.set(3, "b");
  EXPECT_EQ(aliases.topic(3), "b");
  EXPECT_EQ(aliases.topic(4), "");
}

}  // namespace
}  // namespace furrow::broker
