#include "gateway/net/refusal_log.h"

#include <gtest/gtest.h>

#include "tests/support/line_log.h"

namespace furrow::gateway {
namespace {

using std::chrono::seconds;

TEST(RefusalLog, SaysWhoByWhichListenerAndWhy) {
  test::LineLog log;
  RefusalLog refusals(log);
  refusals.write("lan", "192.0.2.1:9", "no header", Instant(seconds(100)));
  EXPECT_EQ(log.lines.front(),
            "warning connection.refused listener=lan peer=192.0.2.1:9 why=no header then=closed unlogged=0");
}

TEST(RefusalLog, WritesAFewLinesAMinuteAndCountsTheOthers) {
  test::LineLog log;
  RefusalLog refusals(log);
  for (int i = 0; i < 1000; ++i) refusals.write("lan", "192.0.2.1:9", "no header", Instant(seconds(100)));
  ASSERT_EQ(log.lines.size(), RefusalLog::kLinesPerMinute);
  EXPECT_NE(log.lines.back().find("then=more of these within a minute are only counted"), std::string::npos);
  refusals.write("lan", "192.0.2.1:9", "no header", Instant(seconds(159)));
  EXPECT_EQ(log.lines.size(), RefusalLog::kLinesPerMinute);
  refusals.write("lan", "192.0.2.1:9", "no header", Instant(seconds(160)));
  ASSERT_EQ(log.lines.size(), RefusalLog::kLinesPerMinute + 1);
  EXPECT_NE(log.lines.back().find("then=closed unlogged=991"), std::string::npos);
}

}  // namespace
}  // namespace furrow::gateway
