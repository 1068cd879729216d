#include "broker-core/mqtt/topic_pattern.h"

#include <gtest/gtest.h>

namespace furrow::mqtt {
namespace {

std::string made(std::string_view filter, std::string_view pattern, std::string_view topic) {
  const auto parsed = TopicPattern::parse(filter, pattern);
  if (!parsed) return parsed.error().message();
  return parsed->make(topic).value_or("(none)");
}

std::string made_filter(std::string_view filter, std::string_view pattern) {
  const auto parsed = TopicPattern::parse(filter, pattern);
  return parsed ? parsed->made_filter() : parsed.error().message();
}

std::string why_irreversible(std::string_view filter, std::string_view pattern) {
  return TopicPattern::parse(filter, pattern)->why_irreversible();
}

TEST(TopicPattern, PutsWhatTheWildcardsMatchedIntoTheirPlaces) {
  EXPECT_EQ(made("farm/+/moisture/#", "v1/{1}/data/{rest}", "farm/7/moisture/deep/a"), "v1/7/data/deep/a");
  EXPECT_EQ(made("+/+", "{2}/by/{1}", "barn/t"), "t/by/barn");
  EXPECT_EQ(made("farm/+", "{gateway}/x-{1}-{1}", "farm/7"), "{gateway}/x-7-7") << "names are put in by others";
  EXPECT_EQ(made("farm/#", "all", "farm/7"), "all");
  EXPECT_EQ(made("farm/{x}/+", "{1}", "farm/{x}/7"), "7") << "a filter has no placeholders";
}

TEST(TopicPattern, EmptyLevelsAreLevels) {
  EXPECT_EQ(made("farm/+/#", "v1/{1}/{rest}", "farm//"), "v1//");
  EXPECT_EQ(made("#", "v1/{rest}", "/"), "v1//");
}

TEST(TopicPattern, TheParentLevelOfTheFilterBecomesThatOfThePattern) {
  EXPECT_EQ(made("farm/#", "v1/{rest}", "farm"), "v1");
  EXPECT_EQ(made("farm/#", "{rest}", "farm"), "(none)") << "nothing would be left";
}

TEST(TopicPattern, KnowsTheFilterOfWhatItMakes) {
  EXPECT_EQ(made_filter("farm/+/moisture/#", "v1/{1}/data/{rest}"), "v1/+/data/#");
  EXPECT_EQ(made_filter("+/+", "x-{1}{2}/{2}"), "+/+");
}

TEST(TopicPattern, LeadsBackWhereEachWildcardIsThereOnce) {
  const auto pattern = TopicPattern::parse("a/+/b/+/#", "{2}/{1}/c/{rest}");
  ASSERT_TRUE(pattern.has_value());
  EXPECT_EQ(pattern->why_irreversible(), "");
  const TopicPattern back = pattern->reversed();
  EXPECT_EQ(back.made_filter(), "a/+/b/+/#");
  for (const std::string_view topic : {"a/1/b/2/x/y", "a/1/b/2/", "a/1/b/2", "a//b//x"}) {
    EXPECT_EQ(back.make(*pattern->make(topic)), topic);
  }
}

TEST(TopicPattern, SaysWhyThereIsNoWayBack) {
  EXPECT_EQ(why_irreversible("+/+", "{1}"), "{2} is missing");
  EXPECT_EQ(why_irreversible("farm/+/#", "{1}"), "{rest} is missing");
  EXPECT_EQ(why_irreversible("+", "{1}/{1}"), "{1} appears 2 times");
  EXPECT_EQ(why_irreversible("+", "x-{1}"), "{1} shares its level");
  EXPECT_EQ(why_irreversible("+/+", "{1}{2}"), "{1} shares its level");
  EXPECT_EQ(why_irreversible("farm", "{gateway}/barn"), "");
}

TEST(TopicPattern, RefusesWhatStandsForNothing) {
  EXPECT_EQ(made("farm/+", "{2}", ""), "{2} stands for a + that the filter 'farm/+' has not: it has 1");
  EXPECT_EQ(made("farm", "{1}", ""), "{1} stands for a + that the filter 'farm' has not: it has none");
  EXPECT_EQ(made("farm/+", "{rest}", ""), "{rest} stands for what # takes, and the filter 'farm/+' has no #");
  EXPECT_EQ(made("farm/+", "v1/{1", ""), "'{1' has no } that ends it");
  EXPECT_EQ(made("farm/+", "{gatway}", ""),
            "'{gatway}' is none of {1}, {2} … for each + of the filter, {rest} for #, {gateway}, {bridge}");
  EXPECT_EQ(made("farm/+", "{0}", ""),
            "'{0}' is none of {1}, {2} … for each + of the filter, {rest} for #, {gateway}, {bridge}");
  EXPECT_EQ(made("farm/+", "v1/+", ""), "'v1/+' has a wildcard: write {1} for the first + of the filter, {rest} for #");
}

TEST(TopicPattern, TheRestStandsAloneInTheLastLevel) {
  constexpr std::string_view kWhy = "{rest} stands alone in the last level, as # does";
  for (const std::string_view pattern : {"{rest}/x", "x{rest}", "{rest}{rest}", "{rest}x"}) {
    EXPECT_EQ(made("#", pattern, ""), kWhy) << pattern;
  }
}

}  // namespace
}  // namespace furrow::mqtt
