#include "config/diff.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/config/loaded.h"

namespace furrow::config {
namespace {

std::string shown(const std::vector<Change>& changes) {
  std::string text;
  for (const Change& one : changes) {
    text += one.key + ": " + one.from + " -> " + one.to + (one.needs_restart ? " (restart)" : "") + "\n";
  }
  return text;
}

std::string difference(const std::string& running, const std::string& wanted) {
  return shown(diff(loaded(running), loaded(wanted)));
}

constexpr const char* kBridge = "bridges:\n  - name: region\n    connect: mqtt://a.example\n";

TEST(Diff, IsEmptyForTheSameValuesInAnotherLayout) {
  EXPECT_EQ(difference("status: {interval: 60s}", "# a comment\nstatus:\n  interval: 1m\n"), "");
  EXPECT_EQ(difference("", "limits: {inflight: 100}"), "");
}

TEST(Diff, NamesEachKeyWithBothValues) {
  EXPECT_EQ(difference("limits: {packet: 1MiB, inflight: 20}\nlog: {level: debug}",
                       "limits: {packet: 64KiB}\nlog: {level: debug}"),
            "limits.packet: 1MiB -> 64KiB\nlimits.inflight: 20 -> 100\n");
}

TEST(Diff, SaysWhatNeedsARestart) {
  EXPECT_EQ(difference("gateway: {id: barn-7}", "gateway: {id: barn-8}"), "gateway.id: barn-7 -> barn-8 (restart)\n");
}

TEST(Diff, ShowsAccessRulesAsOneValue) {
  const std::string one = "access: {rules: [{user: a, publish: a}]}";
  EXPECT_EQ(difference("", one), "access.rules: none -> 1 rule\n");
  EXPECT_EQ(difference(one, "access: {rules: []}"), "access.rules: 1 rule -> 0 rules\n");
  EXPECT_EQ(difference(one, "access: {rules: [{user: b, publish: a}]}"), "access.rules: 1 rule -> as many others\n");
  EXPECT_EQ(difference(one, "access:\n  rules:\n    - {publish: [a], user: [a]}\n"), "");
  EXPECT_EQ(difference("access: {groups: {f: a}}", "access: {groups: {f: [a, b], g: c}}"),
            "access.groups: {f: [a]} -> {f: [a, b], g: [c]}\n");
}

TEST(Diff, NamesTopicsThatAreWatchedByTheirFilters) {
  EXPECT_EQ(difference("status: {watch: [{filter: a, silent_after: 2h}, {filter: b, silent_after: 2h}]}",
                       "status: {watch: [{filter: c, silent_after: 2h}, {filter: a, silent_after: 3h}]}"),
            "status.watch[a].silent_after: 2h -> 3h\n"
            "status.watch[b]: configured -> none\n"
            "status.watch[c]: none -> configured\n");
}

TEST(Diff, PairsBridgesByName) {
  const std::string other = "  - name: other\n    connect: mqtt://b.example\n";
  EXPECT_EQ(difference(kBridge, std::string(kBridge) + other), "bridges[other]: none -> configured\n");
  EXPECT_EQ(difference(std::string(kBridge) + other, kBridge), "bridges[other]: configured -> none\n");
  EXPECT_EQ(difference(std::string(kBridge) + other, "bridges:\n" + other + std::string(kBridge).substr(9)), "");
  EXPECT_EQ(difference(kBridge, std::string(kBridge) + "    keepalive: 1m\n"),
            "bridges[region].keepalive: 30s -> 1m\n");
}

TEST(Diff, ShowsRulesThatComeAndGoAndTheirOrder) {
  const std::string bridge = kBridge;
  const std::string both = bridge + "    topics: [{filter: a/#}, {filter: b/#, direction: down}]\n";
  EXPECT_EQ(difference(bridge, both),
            "bridges[region].topics[up a/#]: none -> configured\n"
            "bridges[region].topics[down b/#]: none -> configured\n");
  EXPECT_EQ(difference(both, bridge + "    topics: [{filter: a/#, qos: 0}, {filter: b/#, direction: down}]\n"),
            "bridges[region].topics[up a/#].qos: 1 -> 0\n");
  EXPECT_EQ(difference(both, bridge + "    topics: [{filter: b/#, direction: down}, {filter: a/#}]\n"),
            "bridges[region].topics: up a/#, down b/# -> down b/#, up a/#\n");
}

TEST(Diff, TellsListenersOnFreePortsApart) {
  const std::string two = "listeners: [{bind: \"127.0.0.1:0\"}, {bind: \"127.0.0.1:0\"}]\n";
  EXPECT_EQ(difference(two, two), "");
  EXPECT_EQ(difference(two, "listeners: [{bind: \"127.0.0.1:0\"}]\n"),
            "listeners[127.0.0.1:0 #2]: configured -> none\n");
}

TEST(Diff, BridgeKeepsItsLinkWhenOnlyRulesOrItsBufferChange) {
  const std::string bridge = kBridge;
  const auto keeps = [&](const std::string& more) {
    return keeps_its_link(loaded(bridge).bridges.front(), loaded(bridge + more).bridges.front());
  };
  EXPECT_TRUE(keeps("    topics: [{filter: a/#}]\n    buffer: {bytes: 5MiB}\n"));
  EXPECT_FALSE(keeps("    keepalive: 5s\n"));
  EXPECT_FALSE(keeps("    enabled: false\n"));
}

TEST(Diff, KeepsWhatNeedsARestart) {
  const Config running = loaded("gateway: {id: barn-7}\nstatus: {interval: 5s}");
  Config wanted = loaded("gateway: {id: barn-8}\nstatus: {interval: 6s}");
  keep_what_needs_restart(running, wanted);
  EXPECT_EQ(wanted.gateway.id, "barn-7");
  EXPECT_EQ(shown(diff(running, wanted)), "status.interval: 5s -> 6s\n");
}

}  // namespace
}  // namespace furrow::config
