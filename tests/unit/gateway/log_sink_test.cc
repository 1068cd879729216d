#include "gateway/log_sink.h"

#include <gtest/gtest.h>

#include "gateway/clock.h"

namespace furrow::gateway {
namespace {

const WallTime kTime{std::chrono::milliseconds(1'795'514'400'123)};

constexpr std::size_t kHead = sizeof("2026-11-24T10:00:00.123Z info bridge.offline") - 1;

std::string text_line(std::initializer_list<LogField> fields) {
  return format_log_line(LogFormat::Text, kTime, LogLevel::Info, "bridge.offline", fields);
}

TEST(LogLine, SaysTimeLevelEventAndFields) {
  EXPECT_EQ(text_line({{"name", "cloud"}, {"queued", std::uint64_t{1204}}}),
            "2026-11-24T10:00:00.123Z info bridge.offline name=cloud queued=1204\n");
}

TEST(LogLine, QuotesOnlyWhatNeedsIt) {
  EXPECT_EQ(text_line({{"reason", "connection refused"}}).substr(kHead), " reason=\"connection refused\"\n");
  EXPECT_EQ(text_line({{"a", ""}, {"b", "x=y"}, {"c", "plain-1.2/3:4"}}).substr(kHead),
            " a=\"\" b=\"x=y\" c=plain-1.2/3:4\n");
}

TEST(LogLine, AClientCannotWriteALineOfItsOwn) {
  const std::string line = text_line({{"client", "a\n2026 error forged \"x\" \\ \x1b"}});
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_EQ(line.substr(kHead), " client=\"a\\n2026 error forged \\\"x\\\" \\\\ \\u001b\"\n");
}

TEST(LogLine, IsJsonWhenAsked) {
  EXPECT_EQ(
      format_log_line(LogFormat::Json, kTime, LogLevel::Warning, "a.b", {{"n", std::uint64_t{7}}, {"t", "x\"y"}}),
      "{\"time\":\"2026-11-24T10:00:00.123Z\",\"level\":\"warning\",\"event\":\"a.b\",\"n\":7,\"t\":\"x\\\"y\"}\n");
}

TEST(LogSink, LeavesOutWhatIsBelowItsLevel) {
  const Clock clock;
  const LogSink sink({.level = LogLevel::Warning, .format = LogFormat::Text}, clock);
  EXPECT_TRUE(sink.enabled(LogLevel::Error));
  EXPECT_TRUE(sink.enabled(LogLevel::Warning));
  EXPECT_FALSE(sink.enabled(LogLevel::Info));
}

}  // namespace
}  // namespace furrow::gateway
