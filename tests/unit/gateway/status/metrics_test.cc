// The metrics of a fixed picture, to the letter. `promtool check metrics` reads those of a running gateway in
// tests/integration/http_test.py.
#include "gateway/status/metrics.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>

namespace furrow::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

StatusModel picture() {
  StatusModel model;
  model.moment = {.seq = 7, .now = Instant(seconds(1000)), .wall = WallTime(seconds(1'795'514'400))};
  model.gateway = {.id = "barn-7", .version = "1.2.3", .acknowledge = "durable", .started = Instant(seconds(910))};
  model.listeners = {{.name = "lan", .protocol = "mqtt", .address = "0.0.0.0:1883"},
                     {.name = "wifi", .protocol = "mqtt", .address = "", .waiting = "no wlan0"}};
  model.certificates = {{.name = "listener lan",
                         .file = "server.crt",
                         .subject = "CN=barn",
                         .not_after = WallTime(seconds(1'800'000'000)),
                         .days = 51}};
  model.store.health = {.state = broker::StoreState::Full, .reason = "no room", .file_bytes = 4096, .commits = 6};
  model.sessions.drops(broker::DropReason::QueueFull) = 2;
  model.timing.commits.add(milliseconds(4));
  model.timing.commits.add(milliseconds(300));
  BridgeStatus region{.name = "region", .snapshot = {}};
  bridge::Snapshot& snapshot = region.snapshot;
  snapshot.state = bridge::State::Draining;
  snapshot.accepted = 20;
  snapshot.delivered = 8;
  snapshot.backlog_messages = 9;
  snapshot.backlog_bytes = 345;
  snapshot.inflight = 3;
  snapshot.oldest = model.moment.now - milliseconds(2'500);
  snapshot.drain_eta = seconds(12);
  snapshot.rules = {{.filter = "farm/#", .direction = bridge::Direction::Both, .up = 5, .down = 6},
                    {.filter = "farm/#", .direction = bridge::Direction::Up, .up = 1, .down = 0},
                    {.filter = "say/\"a\\b\"", .direction = bridge::Direction::Down, .up = 0, .down = 7}};
  model.bridges = {region};
  return model;
}

// The lines about one metric.
std::string of(const std::string& text, const std::string& metric) {
  std::istringstream lines(text);
  std::string found;
  for (std::string line; std::getline(lines, line);) {
    const std::string name = line.substr(0, line.find_first_of("{ "));
    if (name == metric || line.starts_with("# HELP " + metric + " ") || line.starts_with("# TYPE " + metric + " ")) {
      found += line + "\n";
    }
  }
  return found;
}

TEST(Metrics, CountTheAlarmsAndNameEach) {
  StatusModel model = picture();
  EXPECT_EQ(of(metrics_text(model), "furrow_alarm"), "");
  model.alarms = {{.id = "store", .severity = Alarm::Severity::Error}, {.id = "silent/a\"b"}, {.id = "clock"}};
  const std::string text = metrics_text(model);
  EXPECT_EQ(of(text, "furrow_alarms"),
            "# HELP furrow_alarms How many alarms are raised.\n"
            "# TYPE furrow_alarms gauge\n"
            "furrow_alarms{severity=\"error\"} 1\n"
            "furrow_alarms{severity=\"warning\"} 2\n");
  EXPECT_EQ(of(text, "furrow_alarm"),
            "# HELP furrow_alarm An alarm that is raised, always 1; see $SYS/furrow/alarms.\n"
            "# TYPE furrow_alarm gauge\n"
            "furrow_alarm{id=\"store\",severity=\"error\"} 1\n"
            "furrow_alarm{id=\"silent/a\\\"b\",severity=\"warning\"} 1\n"
            "furrow_alarm{id=\"clock\",severity=\"warning\"} 1\n");
}

TEST(Metrics, HaveAHelpAndAType) {
  const std::string text = metrics_text(picture());
  EXPECT_EQ(of(text, "furrow_info"),
            "# HELP furrow_info What runs here, always 1.\n"
            "# TYPE furrow_info gauge\n"
            "furrow_info{gateway=\"barn-7\",version=\"1.2.3\"} 1\n");
  EXPECT_EQ(of(text, "furrow_uptime_seconds"),
            "# HELP furrow_uptime_seconds Time since the gateway was started.\n"
            "# TYPE furrow_uptime_seconds gauge\n"
            "furrow_uptime_seconds 90\n");
  EXPECT_EQ(of(text, "furrow_listener_up"),
            "# HELP furrow_listener_up Whether the listener accepts: 0 while it waits for its address.\n"
            "# TYPE furrow_listener_up gauge\n"
            "furrow_listener_up{listener=\"lan\"} 1\n"
            "furrow_listener_up{listener=\"wifi\"} 0\n");
  EXPECT_EQ(
      of(text, "furrow_certificate_not_after_timestamp_seconds"),
      "# HELP furrow_certificate_not_after_timestamp_seconds When our own certificate ends.\n"
      "# TYPE furrow_certificate_not_after_timestamp_seconds gauge\n"
      "furrow_certificate_not_after_timestamp_seconds{certificate=\"listener lan\",file=\"server.crt\"} 1.8e+09\n");
}

TEST(Metrics, HaveAStateForEachValueThatItMayHave) {
  EXPECT_EQ(of(metrics_text(picture()), "furrow_store_state"),
            "# HELP furrow_store_state The state of the store: 1 for the one that it is in.\n"
            "# TYPE furrow_store_state gauge\n"
            "furrow_store_state{state=\"ok\"} 0\n"
            "furrow_store_state{state=\"slow\"} 0\n"
            "furrow_store_state{state=\"full\"} 1\n"
            "furrow_store_state{state=\"read_only\"} 0\n"
            "furrow_store_state{state=\"failing\"} 0\n"
            "furrow_store_state{state=\"salvaging\"} 0\n");
}

TEST(Metrics, OfAHistogramCountUpToEachBound) {
  const std::string text = metrics_text(picture());
  EXPECT_EQ(of(text, "furrow_store_commit_seconds_bucket"),
            "furrow_store_commit_seconds_bucket{le=\"0.001\"} 0\n"
            "furrow_store_commit_seconds_bucket{le=\"0.0025\"} 0\n"
            "furrow_store_commit_seconds_bucket{le=\"0.005\"} 1\n"
            "furrow_store_commit_seconds_bucket{le=\"0.01\"} 1\n"
            "furrow_store_commit_seconds_bucket{le=\"0.025\"} 1\n"
            "furrow_store_commit_seconds_bucket{le=\"0.05\"} 1\n"
            "furrow_store_commit_seconds_bucket{le=\"0.1\"} 1\n"
            "furrow_store_commit_seconds_bucket{le=\"0.25\"} 1\n"
            "furrow_store_commit_seconds_bucket{le=\"0.5\"} 2\n"
            "furrow_store_commit_seconds_bucket{le=\"1\"} 2\n"
            "furrow_store_commit_seconds_bucket{le=\"2.5\"} 2\n"
            "furrow_store_commit_seconds_bucket{le=\"5\"} 2\n"
            "furrow_store_commit_seconds_bucket{le=\"10\"} 2\n"
            "furrow_store_commit_seconds_bucket{le=\"30\"} 2\n"
            "furrow_store_commit_seconds_bucket{le=\"+Inf\"} 2\n");
  EXPECT_EQ(of(text, "furrow_store_commit_seconds_sum"), "furrow_store_commit_seconds_sum 0.304\n");
  EXPECT_EQ(of(text, "furrow_store_commit_seconds_count"), "furrow_store_commit_seconds_count 2\n");
  EXPECT_EQ(of(text, "furrow_bridge_acknowledgement_seconds_count"),
            "furrow_bridge_acknowledgement_seconds_count{bridge=\"region\"} 0\n");
}

TEST(Metrics, OfABridgeAreItsBooks) {
  const std::string text = metrics_text(picture());
  const auto value = [&](const std::string& name) {
    const std::string lines = of(text, name);
    return lines.substr(lines.rfind("\n", lines.size() - 2) + 1);
  };
  EXPECT_EQ(value("furrow_bridge_accepted_total"), "furrow_bridge_accepted_total{bridge=\"region\"} 20\n");
  EXPECT_EQ(value("furrow_bridge_delivered_total"), "furrow_bridge_delivered_total{bridge=\"region\"} 8\n");
  EXPECT_EQ(value("furrow_bridge_backlog_messages"), "furrow_bridge_backlog_messages{bridge=\"region\"} 9\n");
  EXPECT_EQ(value("furrow_bridge_inflight_messages"), "furrow_bridge_inflight_messages{bridge=\"region\"} 3\n");
  EXPECT_EQ(value("furrow_bridge_oldest_message_age_seconds"),
            "furrow_bridge_oldest_message_age_seconds{bridge=\"region\"} 2.5\n");
  EXPECT_EQ(value("furrow_bridge_drain_eta_seconds"), "furrow_bridge_drain_eta_seconds{bridge=\"region\"} 12\n");
  EXPECT_EQ(value("furrow_bridge_last_acknowledgement_age_seconds").substr(0, 6), "# TYPE") << "it is not known";
}

TEST(Metrics, OfRulesThatShareAFilterAreAddedUp) {
  EXPECT_EQ(of(metrics_text(picture()), "furrow_bridge_rule_messages_total"),
            "# HELP furrow_bridge_rule_messages_total Messages that a rule has taken, by direction.\n"
            "# TYPE furrow_bridge_rule_messages_total counter\n"
            "furrow_bridge_rule_messages_total{bridge=\"region\",rule=\"farm/#\",direction=\"down\"} 6\n"
            "furrow_bridge_rule_messages_total{bridge=\"region\",rule=\"farm/#\",direction=\"up\"} 6\n"
            "furrow_bridge_rule_messages_total{bridge=\"region\",rule=\"say/\\\"a\\\\b\\\"\",direction=\"down\"} 7\n");
}

// What promtool asks of all of them, and what is easily broken by one more.
TEST(Metrics, KeepTheRulesOfTheFormat) {
  std::istringstream lines(metrics_text(picture()));
  std::map<std::string, std::string> types;
  std::set<std::string> series;
  std::string last;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string hash, what, name;
    words >> hash >> what >> name;
    if (hash != "#") {
      const std::string labelled = line.substr(0, line.rfind(' '));
      EXPECT_TRUE(series.insert(labelled).second) << labelled << " comes twice";
      EXPECT_TRUE(line.starts_with(last)) << line;
      continue;
    }
    if (what == "HELP") {
      EXPECT_TRUE(line.ends_with('.')) << line;
      EXPECT_FALSE(types.contains(name)) << name << " begins twice";
      last = name;
      continue;
    }
    ASSERT_EQ(what, "TYPE");
    ASSERT_EQ(name, last);
    words >> types[name];
    EXPECT_TRUE(name.starts_with("furrow_"));
    EXPECT_EQ(types[name] == "counter", name.ends_with("_total")) << name;
  }
  EXPECT_GT(types.size(), 40U);
}

}  // namespace
}  // namespace furrow::gateway
