#include "config/scalar.h"

#include <gtest/gtest.h>

#include "broker-core/base/bytes.h"

namespace furrow::config {
namespace {

using namespace std::chrono_literals;

std::optional<std::string> known_variable(const std::string& name) {
  if (name == "BARN_7") return "barn-7";
  if (name == "EMPTY") return "";
  if (name == "NESTED") return "${BARN_7} $$";
  return std::nullopt;
}

std::string interpolated(std::string_view text) {
  const Result<std::string> result = interpolate(text, known_variable);
  return result.has_value() ? *result : "error: " + result.error().message();
}

TEST(Scalar, ReadsTimesInEveryUnit) {
  EXPECT_EQ(*parse_time("250ms"), Duration(250ms));
  EXPECT_EQ(*parse_time("30s"), Duration(30s));
  EXPECT_EQ(*parse_time("5m"), Duration(5min));
  EXPECT_EQ(*parse_time("12h"), Duration(12h));
  EXPECT_EQ(*parse_time("7d"), Duration(std::chrono::days(7)));
}

TEST(Scalar, ReadsSizesInEveryUnit) {
  EXPECT_EQ(*parse_size("3KiB"), 3 * KiB);
  EXPECT_EQ(*parse_size("4MiB"), 4 * MiB);
  EXPECT_EQ(*parse_size("1GiB"), GiB);
}

TEST(Scalar, ZeroNeedsNoUnit) {
  EXPECT_EQ(*parse_time("0"), Duration::zero());
  EXPECT_EQ(*parse_time("0s"), Duration::zero());
  EXPECT_EQ(*parse_size("0"), 0U);
}

TEST(Scalar, RefusesWhatIsNoQuantity) {
  for (const char* text : {"", "s", "-1s", "+1s", "1.5s", " 1s", "1s ", "1h30m", "0x1s"}) {
    EXPECT_FALSE(parse_time(text).has_value()) << text;
  }
  for (const char* text : {"", "MiB", "1MB", "1mib", "1 MiB", "1"}) EXPECT_FALSE(parse_size(text).has_value()) << text;
  for (const char* text : {"", "-1", "+1", "1.0", "1e3", "one", "1 "})
    EXPECT_FALSE(parse_count(text).has_value()) << text;
}

// 106751991 days are the most that fit into 64 bits of microseconds.
TEST(Scalar, RefusesWhatDoesNotFit) {
  EXPECT_TRUE(parse_time("106751991d").has_value());
  EXPECT_FALSE(parse_time("106751992d").has_value());
  EXPECT_FALSE(parse_time("18446744073709551616s").has_value());
  EXPECT_FALSE(parse_size("18446744073709551615").has_value());
  EXPECT_EQ(*parse_count("18446744073709551615"), 18446744073709551615U);
  EXPECT_FALSE(parse_count("18446744073709551616").has_value());
}

TEST(Scalar, TextIsTheShortestThatIsReadBack) {
  for (const char* text : {"1ms", "1500ms", "90s", "90m", "36h", "7d", "0"})
    EXPECT_EQ(time_text(*parse_time(text)), text);
  for (const char* text : {"1KiB", "1536KiB", "64MiB", "2GiB", "0"}) EXPECT_EQ(size_text(*parse_size(text)), text);
  EXPECT_EQ(time_text(*parse_time("120s")), "2m");
}

TEST(Interpolate, ReplacesVariables) {
  EXPECT_EQ(interpolated("${BARN_7}"), "barn-7");
  EXPECT_EQ(interpolated("a/${BARN_7}/${EMPTY}b"), "a/barn-7/b");
}

TEST(Interpolate, KeepsDollarsThatStandForThemselves) {
  EXPECT_EQ(interpolated("$SYS/#"), "$SYS/#");
  EXPECT_EQ(interpolated("$$"), "$");
  EXPECT_EQ(interpolated("$${BARN_7}"), "${BARN_7}");
  EXPECT_EQ(interpolated("a$"), "a$");
  EXPECT_EQ(interpolated("{gateway}"), "{gateway}");
}

TEST(Interpolate, DoesNotLookAgainAtWhatAVariableBrought) {
  EXPECT_EQ(interpolated("${NESTED}"), "${BARN_7} $$");
}

TEST(Interpolate, RefusesWhatItCannotReplace) {
  EXPECT_EQ(interpolated("${MISSING}"), "error: environment variable MISSING is not set");
  EXPECT_TRUE(interpolated("${BARN_7").starts_with("error: "));
  EXPECT_TRUE(interpolated("${}").starts_with("error: "));
  EXPECT_TRUE(interpolated("${7}").starts_with("error: "));
}

TEST(Scalar, SplitsWords) {
  EXPECT_EQ(split_words("up | down | both"), (std::vector<std::string_view>{"up", "down", "both"}));
  EXPECT_EQ(split_words("auto"), (std::vector<std::string_view>{"auto"}));
  EXPECT_TRUE(split_words("").empty());
}

}  // namespace
}  // namespace furrow::config
