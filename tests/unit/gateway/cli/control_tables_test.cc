#include "gateway/cli/control_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "gateway/cli/progress_bar.h"
#include "gateway/cli/table_text.h"

namespace furrow::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Names as long as they come, and with what no terminal should see.
ClientItem large_client() {
  return {.client = "sensor-\x1b[31m" + std::string(60, 'x'),
          .user = std::string(40, 'u'),
          .listener = std::string(64, 'l'),
          .connected = true,
          .version = "3.1.1",
          .since_s = 99 * 86400,
          .last_heard_s = 3599,
          .subscriptions = 1'234'567,
          .queue_messages = 12'345'678,
          .dropped = 999'999'999};
}

void expect_80_columns(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(width(line), 80U) << line;
    EXPECT_EQ(line.find('\x1b'), std::string::npos) << line;
    EXPECT_FALSE(line.ends_with(' ')) << "'" << line << "'";
  }
}

TEST(ClientTable, HasALineForEach) {
  const ClientItem connected{.client = "sensor-1",
                             .user = "ann",
                             .listener = "lan",
                             .connected = true,
                             .version = "5",
                             .since_s = 7200,
                             .last_heard_s = 3,
                             .subscriptions = 2,
                             .queue_messages = 5,
                             .dropped = 1};
  const ClientItem away{
      .client = "logger", .listener = "lan", .since_s = 90, .subscriptions = 1, .queue_messages = 120};
  EXPECT_EQ(client_table({connected, away}, false),
            "CLIENT             USER         LISTENER   MQTT   SINCE  HEARD  SUBS QUEUE DROPS\n"
            "sensor-1           ann          lan        5        2 h    3 s     2     5     1\n"
            "logger             -            lan        away   1 min      -     1   120     0\n");
}

TEST(ClientTable, FitsATerminalWhateverClientsAreCalled) {
  const std::string table = client_table({large_client()}, false);
  expect_80_columns(table);
  EXPECT_THAT(table, HasSubstr("sensor-\\u001b[31m…"));
}

TEST(ClientTable, HasColourOnlyWhereItIsWanted) {
  EXPECT_TRUE(client_table({}, true).starts_with("\x1b[1mCLIENT"));
  EXPECT_THAT(client_table({}, false), Not(HasSubstr("\x1b")));
}

TEST(ClientSheet, SaysWhatIsKnownOfOneThatIsAway) {
  const ClientItem away{.client = "logger",
                        .listener = "lan",
                        .tls = true,
                        .since_at = "2026-11-29T10:00:00.000Z",
                        .since_s = 90,
                        .expires_s = 7200,
                        .subscriptions = 1,
                        .queue_messages = 1,
                        .queue_bytes = 2048,
                        .dropped = 4};
  EXPECT_EQ(client_sheet(away, {{.filter = "farm/#", .qos = 1}}),
            "client        logger\n"
            "user          anonymous\n"
            "listener      lan (TLS)\n"
            "away          since 2026-11-29T10:00:00.000Z (1 min)\n"
            "expires       in 2 h\n"
            "queue         1 message, 2.0 KiB, 0 in flight\n"
            "dropped       4\n"
            "subscriptions 1\n"
            "  farm/#  QoS 1\n");
}

TEST(BridgeTable, HasTheReasonBeneath) {
  const BridgeItem paused{.bridge = "region",
                          .state = "disabled",
                          .reason = "paused by operator since 2026-11-29T10:00:00Z",
                          .since_s = 60,
                          .remote = "mqtts://a.example.org:8883",
                          .paused = true,
                          .backlog = 12,
                          .bytes = 4096};
  EXPECT_EQ(bridge_table({paused}, false),
            "BRIDGE         STATE       SINCE BACKLOG     SIZE REMOTE\n"
            "region         disabled    1 min      12  4.0 KiB mqtts://a.example.org:8883\n"
            "  paused by operator since 2026-11-29T10:00:00Z\n");
  BridgeItem large = paused;
  large.bridge = large.remote = large.reason = std::string(200, 'x');
  large.backlog = 123'456'789;
  expect_80_columns(bridge_table({large}, false));
}

TEST(BufferTable, SaysWhatWaitsWhere) {
  const BridgeItem one{.bridge = "region",
                       .state = "backoff",
                       .backlog = 1'000'000,
                       .bytes = 123'456'789,
                       .inflight = 20,
                       .on_disk = 999'990,
                       .quarantined = 3,
                       .oldest_s = 86400};
  EXPECT_EQ(buffer_table({one}, false),
            "BRIDGE           STATE       WAITING IN FLIGHT     SIZE OLDEST  ON DISK   ASIDE\n"
            "region           backoff        1.0M        20  118 MiB   24 h     1.0M       3\n");
  expect_80_columns(buffer_table({one}, false));
}

TEST(RetainedLine, EndsWithTheWholeTopic) {
  const MessageItem message{
      .topic = "farm/" + std::string(100, 'x'), .qos = 1, .bytes = 4, .age_s = 200, .expires_s = 9};
  EXPECT_EQ(retained_heading(false), "QOS     SIZE    AGE EXPIRES TOPIC\n");
  EXPECT_EQ(retained_line(message), "1        4 B  3 min     9 s farm/" + std::string(100, 'x') + "\n");
}

TEST(PayloadLine, IsOneLineWhateverIsInIt) {
  EXPECT_EQ(payload_line({.topic = "a", .payload = "x\ny"}), "a x\\ny\n");
  EXPECT_EQ(payload_line({.topic = "a", .payload_base64 = "/w=="}), "a base64:/w==\n");
}

TEST(WaitingLine, IsCutToTheTerminal) {
  EXPECT_EQ(waiting_heading(false), "QOS    AGE STATE    TOPIC AND PAYLOAD\n");
  const std::string line =
      waiting_line({.topic = "farm/1", .qos = 2, .payload = std::string(200, 'x'), .age_s = 5, .state = "inflight"});
  EXPECT_EQ(line, "2      5 s inflight farm/1 " + std::string(51, 'x') + "…\n");
  expect_80_columns(line);
}

TEST(ProgressText, GrowsToTheWholeAndNoFurther) {
  EXPECT_EQ(progress_text(5'000, 10'000), "[###############               ] 50 %  5000 of 10000");
  EXPECT_EQ(progress_text(0, 0), "[                              ] 0 %  0 of 1");
  EXPECT_EQ(progress_text(12, 10), "[##############################] 100 %  12 of 12") << "more came meanwhile";
}

}  // namespace
}  // namespace furrow::gateway
