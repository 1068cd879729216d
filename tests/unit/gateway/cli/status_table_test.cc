// The table of `furrow status`, to the letter, from documents as a gateway publishes them.
#include "gateway/cli/status_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace furrow::gateway {
namespace {

GatewayDocument barn() {
  return read_gateway_document(
             R"({"schema":1,"id":"barn-7","version":"1.2.3","uptime_s":273600.5,)"
             R"("clients":{"connected":12,"sessions":15},)"
             R"("store":{"state":"ok","reason":null},"listeners":[{"name":"lan","state":"listening","reason":null}],)"
             R"("clock":{"trusted":true}})")
      .value();
}

BridgeDocument region() {
  return read_bridge_document(
             R"({"schema":1,"name":"region","state":"draining","reason":null,"remote":"mqtts://a.example.org:8883",)"
             R"("backlog":{"messages":12345,"bytes":1258291,"oldest_s":192.7,"disk_messages":12000},"inflight":100,)"
             R"("delivered":1234567,"quarantined":0,"dropped":{"age":3,"queue_full":4},)"
             R"("rate":{"up_per_s":210.5,"down_per_s":0.0},"drain_eta_s":61.0,"next_attempt_s":null})")
      .value();
}

TEST(StatusTable, HasTheGatewayAndARowForEachBridge) {
  BridgeDocument lab = region();
  lab.name = "laboratory-in-the-north";
  lab.state = "backoff";
  lab.reason =
      "a.example.org:8883: connection refused; b.example.org:8883: the certificate has expired on 2026-11-24, "
      "ask whoever runs it";
  lab.next_attempt_s = 4.2;
  lab.oldest_s = std::nullopt;
  lab.drain_eta_s = std::nullopt;
  lab.backlog_messages = 0;
  lab.backlog_bytes = 0;
  lab.up_per_s = 0;
  EXPECT_EQ(status_table({.gateway = barn(), .bridges = {region(), lab}}, false),
            "barn-7  furrow 1.2.3, up 3 d, 12 clients, 15 sessions\n"
            "\n"
            "BRIDGE       STATE      BACKLOG     SIZE OLDEST  PER S    ETA DELIVERED DROPPED\n"
            "region       draining     12345  1.2 MiB  3 min    210  1 min      1.2M       7\n"
            "laboratory-… backoff          0      0 B      -    0.0      -      1.2M       7\n"
            "  a.example.org:8883: connection refused; b.example.org:8883: the certificate\n"
            "  has expired on 2026-11-24, ask whoever runs it; next attempt in 4 s\n");
}

TEST(StatusTable, ListsTheAlarmsBeneathTheBridges) {
  const AlarmsDocument alarms =
      read_alarms_document(R"({"schema":1,"alarms":[{"id":"buffer/region","severity":"error",)"
                           R"("since_at":"2026-11-24T09:59:00.123Z",)"
                           R"("what":"has a buffer that is 96 % full","about":"bridge region",)"
                           R"("do":"get the link up, or raise bridges[].buffer; )"
                           R"(buffer.when_full says what goes first"}],"more":3})")
          .value();
  EXPECT_EQ(status_table({.gateway = barn(), .bridges = {}, .alarms = alarms}, false),
            "barn-7  furrow 1.2.3, up 3 d, 12 clients, 15 sessions\n"
            "\n"
            "no bridges\n"
            "\n"
            "error, since 2026-11-24 09:59 UTC\n"
            "  bridge region has a buffer that is 96 % full\n"
            "  To do: get the link up, or raise bridges[].buffer; buffer.when_full says what\n"
            "  goes first\n"
            "\n"
            "and 3 more alarms\n");
}

TEST(StatusTable, SaysWhatIsWrongWithTheGatewayItself) {
  GatewayDocument gateway = barn();
  gateway.store_state = "full";
  gateway.store_reason = "no room on /var/lib/furrow";
  gateway.listeners.push_back({.name = "wifi", .reason = "there is no interface wlan0"});
  gateway.clock_trusted = false;
  gateway.clients = 1;
  EXPECT_EQ(status_table({.gateway = gateway, .bridges = {}}, false),
            "barn-7  furrow 1.2.3, up 3 d, 1 client, 15 sessions\n"
            "  store full: no room on /var/lib/furrow\n"
            "  listener wifi waits: there is no interface wlan0\n"
            "  the clock is not trusted: it may be wrong\n"
            "\n"
            "no bridges\n");
}

TEST(StatusTable, HasColoursWhereTheyAreWanted) {
  const StatusPicture picture{.gateway = barn(), .bridges = {region()}};
  std::string coloured = status_table(picture, true);
  EXPECT_NE(coloured.find("\x1b[33mdraining  \x1b[0m"), std::string::npos) << coloured;
  for (std::size_t at = coloured.find('\x1b'); at != std::string::npos; at = coloured.find('\x1b')) {
    coloured.erase(at, coloured.find('m', at) + 1 - at);
  }
  EXPECT_EQ(coloured, status_table(picture, false));
}

// Names and reasons come from others.
TEST(StatusTable, ShowsNothingThatATerminalWouldObey) {
  GatewayDocument gateway = barn();
  BridgeDocument bridge = region();
  gateway.id = bridge.name = bridge.state = bridge.reason = "\x1b[2J\nevil";
  const std::string table = status_table({.gateway = gateway, .bridges = {bridge}}, false);
  EXPECT_EQ(table.find('\x1b'), std::string::npos);
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 5);
}

TEST(StatusTable, FitsEightyColumnsWhateverTheNumbers) {
  BridgeDocument bridge = region();
  bridge.backlog_messages = bridge.delivered = bridge.dropped = UINT64_MAX;
  bridge.backlog_bytes = UINT64_MAX;
  bridge.up_per_s = 1e12;
  bridge.oldest_s = bridge.drain_eta_s = 1e12;
  bridge.reason = std::string(300, 'x');
  std::istringstream lines(status_table({.gateway = barn(), .bridges = {bridge}}, false));
  for (std::string line; std::getline(lines, line);) {
    const auto characters = std::ranges::count_if(line, [](char c) { return (c & 0xC0) != 0x80; });
    EXPECT_LE(characters, 80) << line;
  }
}

TEST(StatusTable, NumbersAreShort) {
  EXPECT_EQ(short_count(0), "0");
  EXPECT_EQ(short_count(99'999), "99999");
  EXPECT_EQ(short_count(100'000), "100k");
  EXPECT_EQ(short_count(999'999), "1.0M");
  EXPECT_EQ(short_count(12'345'678), "12M");
  EXPECT_EQ(short_size(1023), "1023 B");
  EXPECT_EQ(short_size(1024), "1.0 KiB");
  EXPECT_EQ(short_size(1024 * 1024 - 1), "1.0 MiB");
  EXPECT_EQ(short_size(std::uint64_t{5} << 40U), "5.0 TiB");
  EXPECT_EQ(short_time(-1), "0 s");
  EXPECT_EQ(short_time(59.9), "59 s");
  EXPECT_EQ(short_time(60), "1 min");
  EXPECT_EQ(short_time(3600), "1 h");
  EXPECT_EQ(short_time(47.9 * 3600), "47 h");
  EXPECT_EQ(short_time(48 * 3600), "2 d");
}

TEST(StatusDocuments, OfAnotherVersionAreReadAsFarAsTheyGo) {
  for (const char* text : {"", "{", "[]", "7", "null", R"({"name":1})", R"({"id":7})", R"("x")"}) {
    EXPECT_FALSE(read_gateway_document(text)) << text;
    EXPECT_FALSE(read_bridge_document(text)) << text;
  }
  const auto gateway = read_gateway_document(R"({"id":"a","clients":7,"listeners":{"x":1},"store":[],"clock":null})");
  ASSERT_TRUE(gateway);
  EXPECT_EQ(gateway->clients, 0U);
  const auto bridge = read_bridge_document(R"({"name":"a","state":"online","backlog":[1],"dropped":{"x":-1,"y":2}})");
  ASSERT_TRUE(bridge);
  EXPECT_EQ(bridge->dropped, 2U);
}

}  // namespace
}  // namespace furrow::gateway
