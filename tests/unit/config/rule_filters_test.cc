#include "config/rule_filters.h"

#include <gtest/gtest.h>

namespace furrow::config {
namespace {

TopicRule rule(std::string filter, Direction direction = Direction::Both) {
  TopicRule made;
  made.filter = std::move(filter);
  made.direction = direction;
  return made;
}

TopicRule prefixed(TopicRule made, std::string local, std::string remote) {
  made.local_prefix = std::move(local);
  made.remote_prefix = std::move(remote);
  return made;
}

TopicRule excepting(TopicRule made, std::string filter) {
  made.except.push_back(std::move(filter));
  return made;
}

TEST(RuleFilters, PrefixesStandBeforeTheFilter) {
  const TopicRule mapped = prefixed(rule("+/moisture"), "farm/", "us-east/barn-7/");
  EXPECT_EQ(local_filter(mapped), "farm/+/moisture");
  EXPECT_EQ(remote_filter(mapped), "us-east/barn-7/+/moisture");
}

TEST(RuleFilters, AreValidOnlyWithTheirPrefixes) {
  EXPECT_TRUE(has_valid_filters(prefixed(rule("+/a"), "x/", "")));
  EXPECT_FALSE(has_valid_filters(prefixed(rule("+/a"), "x", "")));
  EXPECT_FALSE(has_valid_filters(prefixed(rule("+/a"), "", "x")));
  EXPECT_FALSE(has_valid_filters(rule("")));
  EXPECT_FALSE(has_valid_filters(excepting(rule("a/#"), "a/#/b")));
}

TEST(Shadow, IsCastByAWiderRuleBefore) {
  EXPECT_TRUE(shadows_on_the_way_up(rule("farm/#"), rule("farm/+/moisture")));
  EXPECT_FALSE(shadows_on_the_way_up(rule("farm/+/moisture"), rule("farm/#")));
  EXPECT_FALSE(shadows_on_the_way_up(rule("farm/#", Direction::Down), rule("farm/a")));
  EXPECT_FALSE(shadows_on_the_way_up(rule("farm/#"), rule("farm/a", Direction::Down)));
}

TEST(Shadow, IsCastOnTheSideWhereMessagesComeFrom) {
  const TopicRule wide = prefixed(rule("#"), "", "a/");
  const TopicRule narrow = prefixed(rule("x"), "", "b/");
  EXPECT_TRUE(shadows_on_the_way_up(wide, narrow));
  EXPECT_FALSE(shadows_on_the_way_down(wide, narrow));
}

TEST(Shadow, EndsWhereTheEarlierRuleMakesAnException) {
  EXPECT_FALSE(shadows_on_the_way_up(excepting(rule("farm/#"), "farm/test/#"), rule("farm/test/gate")));
  EXPECT_TRUE(shadows_on_the_way_up(excepting(rule("farm/#"), "farm/test/#"), rule("farm/field/gate")));
}

TEST(Circle, IsCertainWhenTheSameTopicsComeDownAndGoUp) {
  EXPECT_EQ(circle_of(rule("a/#", Direction::Down), rule("a/b", Direction::Up)), Circle::Certain);
  EXPECT_EQ(circle_of(prefixed(rule("a/#"), "x/", "y/"), prefixed(rule("#"), "x/", "y/")), Circle::Certain);
}

TEST(Circle, NeedsAWayDownAndAWayUp) {
  EXPECT_EQ(circle_of(rule("a/#", Direction::Up), rule("a/#", Direction::Up)), Circle::None);
  EXPECT_EQ(circle_of(rule("a/#", Direction::Down), rule("a/#", Direction::Down)), Circle::None);
}

TEST(Circle, NeedsTopicsInCommonOnBothSides) {
  EXPECT_EQ(circle_of(rule("a/#"), rule("b/#")), Circle::None);
  // What came down under in/ goes up under out/, which does not come down.
  EXPECT_EQ(circle_of(rule("in/#"), prefixed(rule("in/#"), "", "out/")), Circle::None);
}

TEST(Circle, IsPossibleWhenPrefixesMoveTheTopicEachTime) {
  EXPECT_EQ(circle_of(prefixed(rule("#"), "region/", ""), rule("#")), Circle::Possible);
}

TEST(Circle, IsBrokenByAnExceptionThatTakesInTheOtherRule) {
  EXPECT_EQ(circle_of(rule("a/#"), excepting(rule("#"), "a/#")), Circle::None);
  EXPECT_EQ(circle_of(excepting(rule("#"), "a/#"), rule("a/b")), Circle::None);
  EXPECT_EQ(circle_of(rule("a/#"), excepting(rule("#"), "a/b")), Circle::Certain);
}

}  // namespace
}  // namespace furrow::config
