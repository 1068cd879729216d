#include "bridge/topic_map.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "broker-core/base/random.h"
#include "broker-core/mqtt/topic.h"
#include "tests/unit/broker-core/routing/random_topics.h"

namespace furrow::bridge {
namespace {

Rule rule(Direction direction, std::string filter, std::string local_prefix = "", std::string remote_prefix = "",
          std::vector<std::string> except = {}) {
  Rule made;
  made.direction = direction;
  made.filter = std::move(filter);
  made.local_prefix = std::move(local_prefix);
  made.remote_prefix = std::move(remote_prefix);
  made.except = std::move(except);
  return made;
}

Rule renamed(Direction direction, std::string filter, std::string remote, std::string local_prefix = "",
             std::vector<std::string> except = {}) {
  Rule made = rule(direction, std::move(filter), std::move(local_prefix), "", std::move(except));
  made.remote = std::move(remote);
  return made;
}

std::string topic(const std::optional<TopicMap::Mapping>& mapping) {
  return mapping ? mapping->topic() : "(none)";
}

struct Case {
  const char* name;
  Rule rule;
  const char* local;
  const char* remote;
};
void PrintTo(const Case& given, std::ostream* out) {
  *out << given.name;
}

class BothWays : public testing::TestWithParam<Case> {};

TEST_P(BothWays, MapsAndMapsBack) {
  const TopicMap map({GetParam().rule});
  EXPECT_EQ(topic(map.up(GetParam().local)), GetParam().remote);
  EXPECT_EQ(topic(map.down(GetParam().remote)), GetParam().local);
}

INSTANTIATE_TEST_SUITE_P(
    TopicMap, BothWays,
    testing::Values(
        Case{"nothing to change", rule(Direction::Both, "farm/+/moisture"), "farm/7/moisture", "farm/7/moisture"},
        Case{"a remote prefix", rule(Direction::Both, "farm/#", "", "us-east/barn-7/"), "farm/7/moisture",
             "us-east/barn-7/farm/7/moisture"},
        Case{"a local prefix", rule(Direction::Both, "farm/#", "local/", ""), "local/farm/7", "farm/7"},
        Case{"both prefixes", rule(Direction::Both, "#", "in/", "out/"), "in/a/b", "out/a/b"},
        Case{"an empty level", rule(Direction::Both, "+/+", "l/", "r/"), "l//x", "r//x"},
        Case{"X that is an empty level", rule(Direction::Both, "#", "farm/", "us/"), "farm/", "us/"},
        Case{"X that is nothing at all", rule(Direction::Both, "/#", "farm", "us"), "farm", "us"},
        Case{"X that begins with a dollar sign", rule(Direction::Both, "#", "in/", "out/"), "in/$x", "out/$x"},
        Case{"the parent of a multi-level wildcard", rule(Direction::Both, "farm/#", "l/", "r/"), "l/farm", "r/farm"},
        Case{"a pattern", renamed(Direction::Both, "farm/+/moisture/#", "v1/{1}/data/{rest}"), "farm/7/moisture/a/b",
             "v1/7/data/a/b"},
        Case{"a pattern in another order", renamed(Direction::Both, "+/+", "{2}/{1}"), "barn/t", "t/barn"},
        Case{"a pattern behind a local prefix", renamed(Direction::Both, "#", "v1/{rest}", "in/"), "in/$x", "v1/$x"},
        Case{"a pattern and an X that is nothing", renamed(Direction::Both, "/#", "v1/{rest}", "farm"), "farm", "v1"},
        Case{"a pattern and an X that is an empty level", renamed(Direction::Both, "#", "v1/{rest}", "farm/"), "farm/",
             "v1/"}));

TEST(TopicMap, LeavesAloneWhatNoRuleTakes) {
  const TopicMap map({rule(Direction::Up, "farm/+", "in/", "out/"), rule(Direction::Up, "#", "in/deep/", "x/")});
  EXPECT_EQ(topic(map.up("farm/7")), "(none)") << "without its prefix";
  EXPECT_EQ(topic(map.up("in/farm/7/8")), "(none)") << "deeper than the filter";
  EXPECT_EQ(topic(map.up("in/deep")), "(none)") << "X would be nothing";
  EXPECT_EQ(topic(map.up("in/farm/")), "out/farm/") << "an empty level is one";
  EXPECT_EQ(topic(map.down("out/farm/7")), "(none)") << "against the direction";
}

TEST(TopicMap, WildcardsDoNotTakeTopicsOfTheServer) {
  const TopicMap map({rule(Direction::Up, "#")});
  EXPECT_EQ(topic(map.up("$SYS/broker/uptime")), "(none)");
}

TEST(TopicMap, AnEmptyXIsNoTopicWhereNoPrefixStandsBeforeIt) {
  const TopicMap map({rule(Direction::Both, "#", "farm/", "")});
  EXPECT_EQ(topic(map.up("farm/")), "(none)");
  EXPECT_EQ(topic(map.up("farm//")), "/");
}

// Else a region that may only publish below barn-7/ could forge the status of the gateway.
TEST(TopicMap, AWildcardBringsDownNoTopicOfTheServer) {
  const TopicMap map({rule(Direction::Both, "#", "", "barn-7/"), rule(Direction::Both, "$aws/#", "", "cloud/")});
  EXPECT_EQ(topic(map.down("barn-7/$SYS/furrow/gateway")), "(none)");
  EXPECT_EQ(topic(map.answer_up("$SYS/furrow/gateway")), "(none)");
  EXPECT_EQ(topic(map.down("cloud/$aws/things")), "(none)") << "also where the rule names it";
  EXPECT_EQ(topic(map.up("$aws/things")), "cloud/$aws/things");
  const TopicMap prefixed({rule(Direction::Down, "#", "$SYS/", "barn-7/")});
  EXPECT_EQ(topic(prefixed.down("barn-7/furrow/gateway")), "(none)");
}

TEST(TopicMap, AWildcardTakesUpNoTopicOfTheFarServer) {
  const TopicMap map({rule(Direction::Up, "#", "out/", "")});
  EXPECT_EQ(topic(map.up("out/$SYS/broker/uptime")), "(none)");
  EXPECT_EQ(topic(map.up("out/sys")), "sys");
}

TEST(TopicMap, TheFirstRuleInTheFileDecides) {
  const TopicMap map({rule(Direction::Up, "farm/test/#", "", "lab/"), rule(Direction::Up, "farm/#", "", "prod/"),
                      rule(Direction::Up, "farm/late/#", "", "never/")});
  EXPECT_EQ(topic(map.up("farm/test/1")), "lab/farm/test/1");
  EXPECT_EQ(topic(map.up("farm/7")), "prod/farm/7");
  EXPECT_EQ(topic(map.up("farm/late/1")), "prod/farm/late/1");
  EXPECT_EQ(map.up("farm/7")->rule, 1U);
}

TEST(TopicMap, AnExceptionIsLeftToTheNextRule) {
  const TopicMap map({rule(Direction::Up, "farm/#", "", "a/", {"farm/test/#"}), rule(Direction::Up, "#", "", "b/")});
  EXPECT_EQ(topic(map.up("farm/7")), "a/farm/7");
  EXPECT_EQ(topic(map.up("farm/test/7")), "b/farm/test/7");
}

TEST(TopicMap, ExceptionsAreAboutXNotAboutThePrefixes) {
  const TopicMap map({rule(Direction::Both, "#", "in/", "out/", {"test/#"})});
  EXPECT_EQ(topic(map.up("in/test/1")), "(none)");
  EXPECT_EQ(topic(map.down("out/test/1")), "(none)");
  EXPECT_EQ(topic(map.up("in/7")), "out/7");
}

TEST(TopicMap, ExceptionsAreAboutXNotAboutThePattern) {
  const TopicMap map({renamed(Direction::Both, "farm/#", "v1/{rest}", "in/", {"farm/test/#"})});
  EXPECT_EQ(topic(map.up("in/farm/test/1")), "(none)");
  EXPECT_EQ(topic(map.down("v1/test/1")), "(none)");
  EXPECT_EQ(topic(map.down("v1/7")), "in/farm/7");
  EXPECT_EQ(*map.exception_there(0, "v1/test/1"), "farm/test/#");
  EXPECT_EQ(map.exception_there(0, "v1/7"), nullptr);
}

TEST(TopicMap, APatternSubscribesToWhatItMakes) {
  EXPECT_EQ(renamed(Direction::Down, "farm/+/moisture/#", "v1/{1}/data/{rest}").remote_filter(), "v1/+/data/#");
}

TEST(TopicMap, APatternMakesNoTopicOfTheServerOutOfAWildcard) {
  const TopicMap map({renamed(Direction::Both, "+/x", "{1}/y", "in/"), renamed(Direction::Up, "aws/#", "$aws/{rest}"),
                      renamed(Direction::Both, "#", "v1/{rest}")});
  EXPECT_EQ(topic(map.up("in/$SYS/x")), "v1/in/$SYS/x") << "left to the next rule";
  EXPECT_EQ(topic(map.up("aws/things")), "$aws/things") << "the pattern names it";
  EXPECT_EQ(topic(map.down("v1/$SYS/furrow/gateway")), "(none)");
}

TEST(TopicMap, AnAnswerCrossesByAPatternThatLeadsBack) {
  const TopicMap map({renamed(Direction::Up, "request/+", "v1/{1}/request"),
                      renamed(Direction::Up, "lossy/+", "v1/lossy-{1}"),
                      renamed(Direction::Down, "answer/+", "v1/{1}/answer")});
  EXPECT_EQ(topic(map.answer_up("answer/7")), "v1/7/answer");
  EXPECT_EQ(topic(map.answer_down("v1/7/request")), "request/7");
  EXPECT_EQ(topic(map.answer_down("v1/lossy-7")), "(none)");
}

TEST(TopicMap, ANamedRuleMapsAloneAndOnlyWhatItTakes) {
  const TopicMap map({rule(Direction::Down, "#", "one/", ""), rule(Direction::Down, "a/#", "two/", ""),
                      rule(Direction::Up, "#", "three/", "")});
  EXPECT_EQ(topic(map.down_by(1, "a/b")), "two/a/b");
  EXPECT_EQ(topic(map.down_by(1, "b")), "(none)");
  EXPECT_EQ(topic(map.down_by(2, "a/b")), "(none)") << "goes up only";
  EXPECT_EQ(topic(map.down_by(3, "a/b")), "(none)") << "no such rule";
}

TEST(TopicMap, AnAnswerComesBackAgainstTheArrow) {
  const TopicMap map(
      {rule(Direction::Up, "request/#", "", "barn-7/"), rule(Direction::Down, "answer/#", "", "barn-7/")});
  EXPECT_EQ(topic(map.answer_up("answer/1")), "barn-7/answer/1");
  EXPECT_EQ(topic(map.answer_up("request/1")), "(none)") << "nothing would bring the answer down";
  EXPECT_EQ(topic(map.answer_down("barn-7/request/1")), "request/1");
}

std::string down_to(const Rule& rule, std::string_view local_filter) {
  return TopicMap({rule}).down_to(0, local_filter).value_or("(none)");
}

TEST(TopicMap, FilterGoesToTheFarSideAsFarAsTheRuleTakesIt) {
  const Rule prefixed = rule(Direction::Down, "command/#", "in/", "barn-7/");
  EXPECT_EQ(down_to(prefixed, "#"), "barn-7/command/#");
  EXPECT_EQ(down_to(prefixed, "in/command/+"), "barn-7/command/+");
  EXPECT_EQ(down_to(prefixed, "+/+/valve/#"), "barn-7/command/valve/#");
  EXPECT_EQ(down_to(prefixed, "in/command"), "barn-7/command");
  EXPECT_EQ(down_to(prefixed, "in"), "(none)");
  EXPECT_EQ(down_to(prefixed, "command/#"), "(none)");
  const Rule pattern = renamed(Direction::Down, "+/command/+/#", "v1/{2}/{1}/{rest}", "in/");
  EXPECT_EQ(down_to(pattern, "in/a/command/7/valve"), "v1/7/a/valve");
  EXPECT_EQ(down_to(pattern, "in/a/command/#"), "v1/+/a/#");
  EXPECT_EQ(down_to(pattern, "in/+/+/7"), "v1/7/+");
  EXPECT_EQ(down_to(pattern, "in/a/#"), "v1/+/a/#");
}

// What is subscribed to for somebody who subscribes here brings all that the rule has for that subscription, and
// nothing else. The rules put `$` and empty levels first on one side, and within a topic on the other.
TEST(TopicMap, FilterAtTheFarSideBringsWhatTheLocalOneTakes) {
  const Rule rules[] = {
      rule(Direction::Down, "#"),
      rule(Direction::Down, "+/b/#", "in/", ""),
      rule(Direction::Down, "#", "in/", ""),
      rule(Direction::Down, "#", "", "out/"),
      rule(Direction::Down, "+/#", "a/b/", "$out/"),
      rule(Direction::Down, "/#", "in", "out"),
      renamed(Direction::Down, "a/+/#", "{1}/{rest}", "in/"),
      renamed(Direction::Down, "+/b/+", "{2}/a/{1}"),
      renamed(Direction::Down, "a/#", "{rest}", "in/"),
  };
  Random random(7);
  for (const Rule& one : rules) {
    const TopicMap map({one});
    std::vector<std::string> topics;
    for (int i = 0; i < 500; ++i) topics.push_back(broker::random_name(random));
    for (const std::string& name : {"a/b/", "in/", "out/", "$out/"}) {
      for (int i = 0; i < 60; ++i) topics.push_back(name + broker::random_name(random));
    }
    int brought = 0;
    for (int i = 0; i < 100; ++i) {
      const std::string_view head = random.chance(50) ? std::string_view(one.local_prefix) : std::string_view();
      const std::string filter = std::string(head) + broker::random_filter(random);
      const auto there = map.down_to(0, filter);
      ASSERT_TRUE(!there || mqtt::covers(one.remote_filter(), *there)) << *there;
      for (const std::string& remote : topics) {
        const auto mapping = map.down(remote);
        if (!mapping) continue;
        const bool is_brought = there && mqtt::matches(*there, remote);
        ASSERT_EQ(is_brought, mqtt::matches(filter, mapping->topic()))
            << remote << " by " << one.remote_filter() << " for " << filter;
        brought += is_brought ? 1 : 0;
      }
    }
    EXPECT_GT(brought, 0) << one.remote_filter();
  }
}

}  // namespace
}  // namespace furrow::bridge
