#include "broker-core/access/rules.h"

#include <gtest/gtest.h>

namespace furrow::access {
namespace {

TEST(AccessEntry, IsAFilterWithNamesInIt) {
  for (const char* text :
       {"#", "farm/+/x", "farm/{user}/#", "{client}", "dev-{client}-{user}/+", "$SYS/#", "$SYS/{user}", "a/{b}"}) {
    EXPECT_TRUE(Entry::is_valid(text)) << text;
  }
  for (const char* text : {"", "farm/#/x", "a+", "{user}#", "+{client}", "$share/g/x", "$share", "$S{user}/x"}) {
    EXPECT_FALSE(Entry::is_valid(text)) << text;
  }
}

TEST(AccessEntry, FindsWhatStandsForNothing) {
  EXPECT_EQ(Entry::unknown_placeholder("farm/{user}/{client}"), "");
  EXPECT_EQ(Entry::unknown_placeholder("farm/{username}/x"), "{username}");
  EXPECT_EQ(Entry::unknown_placeholder("farm/{user}/{User}"), "{User}");
  EXPECT_EQ(Entry::unknown_placeholder("farm/{/x}"), "");
}

TEST(AccessEntry, ReachesFromTheFirstName) {
  EXPECT_EQ(Entry("farm/{user}/#").reach(), "farm/#");
  EXPECT_EQ(Entry("farm/a-{client}/{user}").reach(), "farm/#");
  EXPECT_EQ(Entry("{user}/x").reach(), "#");
  EXPECT_EQ(Entry("a/b/c{client}").reach(), "a/b/#");
}

TEST(AccessEntry, PutsNamesIn) {
  const Subject subject{.user = "u", .client = "c"};
  EXPECT_EQ(Entry("farm/{user}-{client}/#").expand(subject), "farm/u-c/#");
  EXPECT_EQ(Entry("farm/#").expand({}), "farm/#");
  EXPECT_EQ(Entry("farm/{user}").expand({.client = "c"}), std::nullopt);
  EXPECT_EQ(Entry("farm/{client}").expand({.client = "c"}), "farm/c") << "an anonymous client has an identifier";
  // A name is not looked at for placeholders.
  EXPECT_EQ(Entry("farm/{user}").expand({.user = "{client}", .client = "+"}), "farm/{client}");
}

TEST(AccessWithoutRules, ClosesWhatIsTheGatewaysOwn) {
  EXPECT_TRUE(may_publish_without_rules("farm/x"));
  EXPECT_FALSE(may_publish_without_rules("$SYS/x"));
  EXPECT_FALSE(may_publish_without_rules("$x"));
  for (const char* filter : {"#", "+/x", "farm/$x", "$SYS/#", "$SYS", "$SYS/broker/+"}) {
    EXPECT_TRUE(may_subscribe_without_rules(filter)) << filter;
  }
  for (const char* filter : {"$CONTROL/#", "$SYSTEM/x", "$SYS2", "$/x"}) {
    EXPECT_FALSE(may_subscribe_without_rules(filter)) << filter;
  }
}

}  // namespace
}  // namespace furrow::access
