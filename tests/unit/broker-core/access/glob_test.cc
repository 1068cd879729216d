#include "broker-core/access/glob.h"

#include <gtest/gtest.h>

#include <string>

namespace furrow::access {
namespace {

TEST(Glob, WithoutWildcardsIsTheName) {
  EXPECT_TRUE(glob_matches("sensor-1", "sensor-1"));
  EXPECT_FALSE(glob_matches("sensor-1", "sensor-12"));
  EXPECT_FALSE(glob_matches("sensor-12", "sensor-1"));
  EXPECT_FALSE(glob_matches("sensor-1", "Sensor-1"));
  EXPECT_TRUE(glob_matches("", ""));
  EXPECT_FALSE(glob_matches("", "x"));
}

TEST(Glob, StarStandsForAnyText) {
  EXPECT_TRUE(glob_matches("*", ""));
  EXPECT_TRUE(glob_matches("*", "a/b+#"));
  EXPECT_TRUE(glob_matches("sensor-*", "sensor-"));
  EXPECT_TRUE(glob_matches("sensor-*", "sensor-north-1"));
  EXPECT_FALSE(glob_matches("sensor-*", "a-sensor-1"));
  EXPECT_TRUE(glob_matches("*-1", "sensor-1-1"));
  EXPECT_TRUE(glob_matches("a*b*c", "a-b-b-c"));
  EXPECT_FALSE(glob_matches("a*b*c", "a-c-b"));
}

TEST(Glob, QuestionMarkStandsForOneCharacter) {
  EXPECT_TRUE(glob_matches("s?", "s1"));
  EXPECT_FALSE(glob_matches("s?", "s"));
  EXPECT_FALSE(glob_matches("s?", "s12"));
  EXPECT_TRUE(glob_matches("m?ller", "m\xC3\xBCller"));
  EXPECT_TRUE(glob_matches("*?r", "\xC3\xBCr"));
}

// Whoever chooses a name cannot choose a pattern with it.
TEST(Glob, WildcardsInANameMeanNothing) {
  EXPECT_FALSE(glob_matches("admin", "*"));
  EXPECT_FALSE(glob_matches("admin", "a*"));
  EXPECT_FALSE(glob_matches("admin", "?????"));
  EXPECT_TRUE(glob_matches("?", "?"));
}

TEST(Glob, ManyStarsDoNotMultiply) {
  std::string glob;
  for (int i = 0; i < 200; ++i) glob += "a*";
  EXPECT_FALSE(glob_matches(glob + "b", std::string(2'000, 'a')));
}

}  // namespace
}  // namespace furrow::access
