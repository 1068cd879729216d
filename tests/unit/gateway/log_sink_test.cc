#include "gateway/log_sink.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "broker-core/base/bytes.h"
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

TEST(LogLine, CutsWhatIsLong) {
  const std::string line = text_line({{"client", std::string(65'000, 'c')}, {"n", std::uint64_t{1}}});
  EXPECT_LT(line.size(), 600U);
  EXPECT_NE(line.find("cc…\" n=1\n"), std::string::npos) << line;
  EXPECT_LT(text_line({{"client", std::string(65'000, '\x01')}}).size(), 600U);
}

TEST(LogLine, CutsBetweenCharacters) {
  std::string umlauts;
  while (umlauts.size() < 2000) umlauts += "ä";
  for (const char* before : {"", "x"}) {
    const std::string line = text_line({{"client", before + umlauts}});
    EXPECT_NE(line.find("ä…\"\n"), std::string::npos) << line;
  }
}

TEST(LogLine, IsJsonWhenAsked) {
  EXPECT_EQ(
      format_log_line(LogFormat::Json, kTime, LogLevel::Warning, "a.b", {{"n", std::uint64_t{7}}, {"t", "x\"y"}}),
      "{\"time\":\"2026-11-24T10:00:00.123Z\",\"level\":\"warning\",\"event\":\"a.b\",\"n\":7,\"t\":\"x\\\"y\"}\n");
}

TEST(LogLine, NumbersAndTruthValuesAreThatInJson) {
  const std::string line = format_log_line(LogFormat::Json, kTime, LogLevel::Info, "a",
                                           {{"n", std::uint64_t{7}}, {"yes", true}, {"no", false}, {"t", "7"}});
  EXPECT_NE(line.find(R"("n":7,"yes":true,"no":false,"t":"7"})"), std::string::npos) << line;
  EXPECT_EQ(text_line({{"yes", true}}).substr(kHead), " yes=true\n");
}

// A reader of JSON takes no other bytes, and a terminal obeys some characters beyond ASCII.
TEST(LogLine, IsUtf8WhateverAClientCallsItself) {
  const std::string_view hostile =
      "\xFF\xC2\x9B"
      "31m\xE2\x80\xAE";
  EXPECT_EQ(text_line({{"client", hostile}}).substr(kHead), " client=\"\\ufffd\\u009b31m\\u202e\"\n");
  const std::string json = format_log_line(LogFormat::Json, kTime, LogLevel::Info, "a", {{"client", hostile}});
  EXPECT_NE(json.find(R"("client":"\ufffd\u009b31m\u202e"})"), std::string::npos) << json;
}

TEST(LogSink, LeavesOutWhatIsBelowItsLevel) {
  const Clock clock;
  const LogSink sink({.level = LogLevel::Warning, .format = LogFormat::Text}, clock);
  EXPECT_TRUE(sink.enabled(LogLevel::Error));
  EXPECT_TRUE(sink.enabled(LogLevel::Warning));
  EXPECT_FALSE(sink.enabled(LogLevel::Info));
}

// Whoever reads it has stopped: this test would not end if the gateway waited.
TEST(LogSink, LeavesOutWhatAFullPipeWouldHoldUpAndSaysHowMuch) {
  int ends[2] = {};
  ASSERT_EQ(::pipe(ends), 0);
  const Clock clock;
  LogSink sink({.descriptor = ends[1]}, clock);
  const std::string text(400, 't');
  for (int i = 0; i < 1000; ++i) sink.write(LogLevel::Info, "event", {{"text", text}});

  std::string read(256 * KiB, '\0');
  read.resize(static_cast<std::size_t>(::read(ends[0], read.data(), read.size())));
  const auto written = std::count(read.begin(), read.end(), '\n');
  EXPECT_GT(written, 10);
  EXPECT_EQ(read.back(), '\n');
  sink.write(LogLevel::Info, "fits", {});
  std::string rest(4 * KiB, '\0');
  rest.resize(static_cast<std::size_t>(::read(ends[0], rest.data(), rest.size())));
  EXPECT_NE(rest.find("warning log.lost lines=" + std::to_string(1000 - written) + "\n"), std::string::npos) << rest;
  EXPECT_NE(rest.find("info fits\n"), std::string::npos) << rest;
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace furrow::gateway
