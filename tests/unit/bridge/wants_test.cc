// What is subscribed to at a far broker for rules that bring down what somebody wants.
#include "bridge/wants.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker-core/base/random.h"
#include "broker-core/mqtt/topic.h"
#include "tests/unit/broker-core/routing/random_topics.h"

namespace furrow::bridge {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

Rule wanted(std::string filter) {
  Rule rule;
  rule.filter = std::move(filter);
  rule.direction = Direction::Down;
  rule.wanted.only = true;
  return rule;
}

class WantsTest : public testing::Test {
 protected:
  void set_rules(std::vector<Rule> rules, const std::vector<std::string>& present = {}) {
    map_ = TopicMap(std::move(rules));
    wants_.handle_rules_changed(present);
    (void)wants_.review(now_);
  }
  const std::vector<std::string>& filters(std::size_t rule = 0) {
    (void)wants_.review(now_);
    return wants_.filters(rule);
  }
  void pass(Duration time) { now_ += time; }

  TopicMap map_;
  Wants wants_{map_};
  Instant now_{};
};

TEST_F(WantsTest, RuleBringsDownWhatItHasInCommonWithWhatIsWanted) {
  set_rules({wanted("command/#")});
  EXPECT_THAT(filters(), IsEmpty());
  wants_.add("command/7/#");
  wants_.add("+/8/valve");
  wants_.add("farm/#");
  EXPECT_THAT(filters(), ElementsAre("command/7/#", "command/8/valve"));
}

TEST_F(WantsTest, FiltersThatAnotherOneCoversAreLeftOutUntilItGoes) {
  set_rules({wanted("command/#")});
  wants_.add("command/7/valve");
  wants_.add("command/7/#");
  wants_.add("command/7");
  wants_.add("command/7/pump");
  EXPECT_THAT(filters(), ElementsAre("command/7/#"));
  wants_.remove("command/7/#");
  EXPECT_THAT(filters(), ElementsAre("command/7/#"));
  pass(1min);
  EXPECT_THAT(filters(), ElementsAre("command/7", "command/7/pump", "command/7/valve"));
}

TEST_F(WantsTest, WhoeverWantsEverythingGetsTheWholeFilter) {
  set_rules({wanted("command/+/valve")});
  wants_.add("#");
  EXPECT_THAT(filters(), ElementsAre("command/+/valve"));
}

// Two copies of command/7/valve could not be told apart in MQTT 3.1.1.
TEST_F(WantsTest, FiltersThatOverlapPartlyBecomeTheWholeFilter) {
  set_rules({wanted("command/#")});
  wants_.add("command/7/+");
  wants_.add("command/+/valve");
  EXPECT_THAT(filters(), ElementsAre("command/#"));
}

TEST_F(WantsTest, WhatNobodyWantsAnyMoreLingersForAMinute) {
  set_rules({wanted("command/#")});
  EXPECT_EQ(wants_.next_deadline(), kNever);
  wants_.add("command/7");
  wants_.add("command/7");
  EXPECT_EQ(wants_.next_deadline(), Instant::min()) << "a want is said at once";
  filters();
  EXPECT_EQ(wants_.next_deadline(), kNever);
  wants_.remove("command/7");
  EXPECT_EQ(wants_.next_deadline(), kNever) << "another one wants it";
  wants_.remove("command/7");
  EXPECT_THAT(filters(), ElementsAre("command/7"));
  EXPECT_EQ(wants_.next_deadline(), now_ + 1min);
  pass(59s);
  EXPECT_FALSE(wants_.review(now_));
  pass(1s);
  EXPECT_TRUE(wants_.review(now_));
  EXPECT_THAT(filters(), IsEmpty());
  EXPECT_EQ(wants_.next_deadline(), kNever) << "nothing is busy when nothing lingers";
}

TEST_F(WantsTest, ClientThatComesBackEndsTheLingering) {
  set_rules({wanted("command/#")});
  wants_.add("command/7");
  filters();
  wants_.remove("command/7");
  filters();
  pass(30s);
  wants_.add("command/7");
  EXPECT_FALSE(wants_.review(now_));
  pass(1h);
  EXPECT_THAT(filters(), ElementsAre("command/7"));
  wants_.remove("command/7");
  filters();
  pass(59s);
  EXPECT_THAT(filters(), ElementsAre("command/7")) << "a minute from when it left again";
}

TEST_F(WantsTest, WhatComesAndGoesBetweenTwoLooksLingersToo) {
  set_rules({wanted("command/#")});
  wants_.add("command/7");
  wants_.remove("command/7");
  EXPECT_THAT(filters(), ElementsAre("command/7"));
  pass(1min);
  EXPECT_THAT(filters(), IsEmpty());
}

TEST_F(WantsTest, MoreThanTheBoundBecomeTheWholeFilterAndStaySoForAMinute) {
  std::vector<Rule> rules{wanted("command/#")};
  rules[0].wanted.filters_max = 3;
  set_rules(rules);
  const auto name = [](int number) { return "command/" + std::to_string(number); };
  for (int i = 0; i < 3; ++i) wants_.add(name(i));
  EXPECT_THAT(filters(), SizeIs(3));
  wants_.add(name(3));
  EXPECT_THAT(filters(), ElementsAre("command/#"));
  wants_.remove(name(3));
  EXPECT_THAT(filters(), ElementsAre("command/#"));
  EXPECT_EQ(wants_.next_deadline(), now_ + 1min);
  pass(1min);
  EXPECT_THAT(filters(), ElementsAre(name(0), name(1), name(2)));
  EXPECT_EQ(wants_.next_deadline(), kNever);
}

// Else clients that subscribe to one topic after the other would fill the link with that.
TEST_F(WantsTest, WhatLingersCountsToo) {
  std::vector<Rule> rules{wanted("command/#")};
  rules[0].wanted.filters_max = 3;
  set_rules(rules);
  std::size_t changes = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string topic = "command/" + std::to_string(i);
    wants_.add(topic);
    if (wants_.review(now_)) ++changes;
    wants_.remove(topic);
    if (wants_.review(now_)) ++changes;
    pass(10ms);
  }
  EXPECT_EQ(changes, 4U) << "the three of them, and the whole filter";
  pass(2min);
  EXPECT_THAT(filters(), IsEmpty());
}

// A far broker may end the connection at what is legal and advised against, or deeper than it takes.
TEST_F(WantsTest, FilterThatAFarBrokerMayTakeForMalformedIsNotPassedOn) {
  for (const std::string_view odd :
       {"command/\x01", "command/\xC2\x85", "command/\xEF\xBF\xBF", "command/1/2/3/4", "command/longer-than-that"}) {
    std::vector<Rule> rules{wanted("command/#")};
    rules[0].wanted.levels_max = 4;
    rules[0].wanted.bytes_max = 20;
    set_rules(rules);
    wants_.add(odd);
    EXPECT_THAT(filters(), ElementsAre("command/#")) << odd;
  }
}

TEST_F(WantsTest, EachRuleCountsForItself) {
  Rule always = wanted("all/#");
  always.wanted.only = false;
  Rule up = wanted("up/#");
  up.direction = Direction::Up;
  set_rules({always, wanted("command/#"), wanted("+/7"), up});
  wants_.add("command/+");
  wants_.add("up/+");
  EXPECT_THAT(filters(0), IsEmpty()) << "the rule's filter is subscribed to anyway";
  EXPECT_THAT(filters(1), ElementsAre("command/+"));
  EXPECT_THAT(filters(2), ElementsAre("command/7", "up/7"));
}

// After a restart clients need a while to come back.
TEST_F(WantsTest, WhatTheFarBrokerHasLingersFromTheStart) {
  set_rules({wanted("command/#")}, {"command/7", "other"});
  EXPECT_THAT(filters(), ElementsAre("command/7"));
  wants_.add("command/8");
  EXPECT_THAT(filters(), ElementsAre("command/7", "command/8"));
  pass(1min);
  EXPECT_THAT(filters(), ElementsAre("command/8"));
}

TEST_F(WantsTest, RulesThatAskNothingHaveNothingToDo) {
  Rule always = wanted("command/#");
  always.wanted.only = false;
  set_rules({always}, {"command/#"});
  EXPECT_FALSE(wants_.any());
  EXPECT_EQ(wants_.next_deadline(), kNever);
}

// Whatever comes and goes: all that somebody wants is subscribed to, nothing twice, and in the end no more than that.
TEST_F(WantsTest, SubscriptionsAreWhatIsWantedAtAnyTime) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    std::vector<Rule> rules{wanted(broker::random_filter(random)), wanted("#")};
    rules[0].wanted.filters_max = 1 + random.below(8);
    if (rules[0].filter.starts_with('$')) rules[0].filter = "a/#";
    set_rules(rules);
    std::vector<std::string> subscribed;
    for (int i = 0; i < 300; ++i) {
      if (random.chance(50) && !subscribed.empty()) {
        const std::size_t place = random.below(subscribed.size());
        wants_.remove(subscribed[place]);
        subscribed.erase(subscribed.begin() + static_cast<std::ptrdiff_t>(place));
      } else {
        wants_.add(subscribed.emplace_back(broker::random_filter(random)));
      }
      if (random.chance(30)) pass(std::chrono::seconds(random.below(40)));
      for (std::size_t rule = 0; rule < 2; ++rule) {
        const std::string topic = broker::random_name(random);
        int copies = 0;
        for (const std::string& filter : filters(rule)) copies += mqtt::matches(filter, topic) ? 1 : 0;
        ASSERT_LE(copies, 1) << topic << ", seed " << seed;
        bool is_wanted = false;
        for (const std::string& filter : subscribed) is_wanted = is_wanted || mqtt::matches(filter, topic);
        if (!is_wanted || !map_.down_by(rule, topic)) continue;
        ASSERT_EQ(copies, 1) << topic << " of rule " << rule << ", seed " << seed;
      }
    }
    for (const std::string& filter : subscribed) wants_.remove(filter);
    filters();
    while (wants_.next_deadline() != kNever) {
      now_ = std::max(now_, wants_.next_deadline());
      filters();
    }
    EXPECT_THAT(filters(0), IsEmpty()) << "seed " << seed;
    EXPECT_THAT(filters(1), IsEmpty()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace furrow::bridge
