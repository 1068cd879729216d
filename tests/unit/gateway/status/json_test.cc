#include "gateway/status/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <optional>

#include "broker-core/session/session_record.h"

namespace furrow::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

const StatusMoment kMoment{.seq = 7, .now = Instant(seconds(1000)), .wall = WallTime(milliseconds(1'795'514'400'123))};

BridgeStatus backing_off() {
  BridgeStatus status{.name = "region", .snapshot = {}};
  bridge::Snapshot& snapshot = status.snapshot;
  snapshot.state = bridge::State::Backoff;
  snapshot.reason = "connection refused";
  snapshot.since = kMoment.now - seconds(60);
  snapshot.remote = "mqtt://region:1883";
  snapshot.backlog_messages = 12;
  snapshot.backlog_bytes = 345;
  snapshot.oldest = kMoment.now - milliseconds(2'500);
  snapshot.next_attempt = kMoment.now + seconds(4);
  snapshot.books.drops(broker::DropReason::Age) = 3;
  return status;
}

TEST(BridgeDocument, HasTheFieldsOfTheContractInItsOrder) {
  EXPECT_EQ(bridge_json(backing_off(), kMoment),
            R"({"schema":1,"seq":7,"time":"2026-11-24T10:00:00.123Z","name":"region","state":"backoff",)"
            R"("reason":"connection refused","since_at":"2026-11-24T09:59:00.123Z","remote":"mqtt://region:1883",)"
            R"("backlog":{"messages":12,"bytes":345,"oldest_s":2.5,"disk_messages":0},"inflight":0,"accepted":0,)"
            R"("delivered":0,"received":0,"routed":0,"received_dropped":0,"expired":0,"quarantined":0,)"
            R"("dropped":{"queue_full":0,"age":3,"replaced":0,"qos0_offline":0,"refused_qos0":0,"too_large":0,)"
            R"("loop":0,"hop_limit":0,"purged":0,"rule_removed":0,"store_failed":0,"salvage_lost":0,)"
            R"("refused_remote":0,"session_ended":0,"not_authorized":0,"thinned":0},"rules":[],)"
            R"("rate":{"up_per_s":0.0,"down_per_s":0.0},)"
            R"("drain_eta_s":null,"connects":0,"last_ack_s":null,"next_attempt_s":4.0})");
}

TEST(BridgeDocument, SaysNullForWhatIsNotKnown) {
  BridgeStatus status;
  status.snapshot.since = kMoment.now;
  const std::string document = bridge_json(status, kMoment);
  for (const char* field : {"reason", "remote", "oldest_s", "last_ack_s", "next_attempt_s", "drain_eta_s"}) {
    EXPECT_THAT(document, HasSubstr("\"" + std::string(field) + "\":null")) << field;
  }
}

TEST(BridgeDocument, AnAttemptThatIsOverdueIsNow) {
  BridgeStatus status = backing_off();
  status.snapshot.next_attempt = kMoment.now - seconds(1);
  EXPECT_THAT(bridge_json(status, kMoment), HasSubstr(R"("next_attempt_s":0.0)"));
}

TEST(BridgeDocument, NamesItsRulesWithTheirCounts) {
  BridgeStatus status = backing_off();
  status.snapshot.rules.push_back({.filter = "farm/#", .direction = bridge::Direction::Both, .up = 5, .down = 6});
  EXPECT_THAT(bridge_json(status, kMoment),
              HasSubstr(R"("rules":[{"filter":"farm/#","direction":"both","up":5,"down":6}])"));
  status.snapshot.rules[0].wanted = 2;
  EXPECT_THAT(bridge_json(status, kMoment), HasSubstr(R"("up":5,"down":6,"wanted":2}])"));
}

TEST(BridgeDocument, AReasonThatIsNotUtf8IsReplacedRatherThanFatal) {
  BridgeStatus status = backing_off();
  status.snapshot.reason = "bad \xff byte";
  EXPECT_THAT(bridge_json(status, kMoment), HasSubstr("bad \xEF\xBF\xBD byte"));
}

TEST(BridgeDocument, CanBeReadBack) {
  BridgeStatus status = backing_off();
  status.snapshot.inflight = 4;
  const auto summary = read_bridge_status(bridge_json(status, kMoment));
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->state, "backoff");
  EXPECT_EQ(summary->backlog, 12U);
  EXPECT_EQ(summary->inflight, 4U);
}

TEST(AlarmsDocument, HasTheFieldsOfTheContractInItsOrder) {
  const std::vector<Alarm> alarms = {{.id = "store",
                                      .severity = Alarm::Severity::Error,
                                      .since = kMoment.now - seconds(60),
                                      .about = "store",
                                      .what = "is full",
                                      .todo = "make room"}};
  EXPECT_EQ(alarms_json(alarms, kMoment),
            R"({"schema":1,"seq":7,"time":"2026-11-24T10:00:00.123Z","alarms":[{"id":"store","severity":"error",)"
            R"("since_at":"2026-11-24T09:59:00.123Z","what":"is full","about":"store","do":"make room"}],"more":0})");
}

TEST(PresenceDocument, HasWhatAFleetWantsToKnow) {
  StatusModel model;
  model.moment = kMoment;
  model.gateway = {.id = "barn-7", .version = "1.2.3", .acknowledge = "durable", .started = kMoment.now - seconds(90)};
  model.bridges = {backing_off()};
  model.alarms.assign(12, {.id = "buffer/region"});
  model.alarms[1].id = "clock";
  EXPECT_EQ(presence_json(model),
            R"({"schema":1,"id":"barn-7","state":"online","time":"2026-11-24T10:00:00.123Z","version":"1.2.3",)"
            R"("started_at":"2026-11-24T09:58:30.123Z","alarms":{"count":12,"ids":["buffer/region","clock",)"
            R"("buffer/region","buffer/region","buffer/region","buffer/region","buffer/region","buffer/region",)"
            R"("buffer/region","buffer/region"]},"bridges":[{"name":"region","state":"backoff","backlog":12}]})");
  EXPECT_EQ(offline_json(model.gateway, "connection lost"),
            R"({"schema":1,"id":"barn-7","state":"offline","time":null,"version":"1.2.3","reason":"connection lost"})");
}

TEST(ClientDocument, HasItsFieldsInTheirOrder) {
  const ClientDetails client{.id = "pump",
                             .connected = true,
                             .since = kMoment.now - seconds(60),
                             .user = "ann",
                             .listener = "lan",
                             .address = "192.0.2.1:1024",
                             .version = "5",
                             .expiry_s = broker::kExpiryNever,
                             .subscriptions = 2,
                             .queue_messages = 3,
                             .queue_bytes = 40,
                             .inflight = 1};
  EXPECT_EQ(client_json(client, kMoment),
            R"({"schema":1,"seq":7,"time":"2026-11-24T10:00:00.123Z","id":"pump","connected":true,)"
            R"("since_at":"2026-11-24T09:59:00.123Z","user":"ann","listener":"lan","address":"192.0.2.1:1024",)"
            R"("version":"5","expiry_s":null,"subscriptions":2,"queue":{"messages":3,"bytes":40},"inflight":1})");
}

TEST(HistoryDocument, HasThePointsOfEachBridge) {
  const StatusHistory::Points points = {
      {"region",
       {{.time = kMoment.now - seconds(10), .up_per_s = 1.25F, .backlog = 3, .since_ack = seconds(2)},
        {.time = kMoment.now, .up_per_s = 0, .backlog = 4, .since_ack = std::nullopt}}},
      {"west", {}}};
  EXPECT_EQ(history_json(points, kMoment),
            R"({"schema":1,"interval_s":10,"bridges":{"region":[)"
            R"({"time":"2026-11-24T09:59:50.123Z","up_per_s":1.2,"backlog":3,"last_ack_s":2.0},)"
            R"({"time":"2026-11-24T10:00:00.123Z","up_per_s":0.0,"backlog":4,"last_ack_s":null}],"west":[]}})");
}

TEST(AlarmsDocument, IsBounded) {
  const std::string document = alarms_json(std::vector<Alarm>(250, Alarm{.id = "x"}), kMoment);
  EXPECT_THAT(document, HasSubstr(R"("more":150})"));
  EXPECT_LT(document.size(), 20'000U);
}

TEST(StatusDocument, HasTheOthersByName) {
  StatusModel model;
  model.moment = kMoment;
  model.alarms = {{.id = "clock", .about = "clock", .what = "is not trusted", .todo = "run NTP"}};
  const std::string alarms = ",\"alarms\":" + alarms_json(model.alarms, kMoment) + "}";
  EXPECT_EQ(status_json(model), "{\"gateway\":" + gateway_json(model) + ",\"bridges\":{}" + alarms);
  model.bridges = {backing_off(), backing_off()};
  model.bridges[1].name = "so \"called\"";
  EXPECT_EQ(status_json(model), "{\"gateway\":" + gateway_json(model) +
                                    ",\"bridges\":{\"region\":" + bridge_json(model.bridges[0], kMoment) +
                                    ",\"so \\\"called\\\"\":" + bridge_json(model.bridges[1], kMoment) + "}" + alarms);
}

TEST(BridgeDocument, AnythingElseIsNotRead) {
  for (const char* text :
       {"", "{", "[]", "7", R"({"state":"online"})", R"({"state":1,"backlog":{"messages":1},"inflight":1})"}) {
    EXPECT_FALSE(read_bridge_status(text)) << text;
  }
}

TEST(GatewayDocument, HasTheFieldsOfTheContractInItsOrder) {
  StatusModel model;
  model.moment = kMoment;
  model.gateway = {.id = "barn-7", .version = "1.2.3", .acknowledge = "durable", .started = kMoment.now - seconds(90)};
  model.clients = {.connected = 2, .sessions = 3, .subscriptions = {}, .wills_waiting = 7};
  model.stats.clients_maximum = 2;
  model.stats.messages_received = 10;
  model.stats.messages_sent = 20;
  model.stats.dropped_qos0_slow = 1;
  model.sessions.drops(broker::DropReason::QueueFull) = 2;
  model.retained = {.messages = 4, .bytes = 400, .own_messages = 1, .own_bytes = 100};
  model.memory = {.resident_bytes = std::nullopt, .heap_bytes = 8, .heap_bytes_maximum = 9};
  model.store.health = {.state = broker::StoreState::ReadOnly,
                        .reason = "read-only file system",
                        .file_bytes = 4096,
                        .bytes_written = 512,
                        .commits = 6};
  model.store.since = kMoment.now - seconds(1);
  model.store.messages = 5;
  model.store.bytes = 50;
  model.listeners.push_back({.name = "mqtt", .protocol = "mqtt", .address = "127.0.0.1:1883"});
  model.links = {.strangers = 4,
                 .openings_failed = 3,
                 .openings_timed_out = 2,
                 .openings_over_limit = 1,
                 .accepts_late = 7,
                 .questions = 6,
                 .control_over_limit = 8,
                 .descriptors_short = 9};
  model.clock = {.trusted = true, .expired_by_correction = 2};
  EXPECT_EQ(
      gateway_json(model),
      R"({"schema":1,"seq":7,"time":"2026-11-24T10:00:00.123Z","id":"barn-7","version":"1.2.3",)"
      R"("started_at":"2026-11-24T09:58:30.123Z","uptime_s":90.0,"acknowledge":"durable",)"
      R"("clients":{"connected":2,"sessions":3,"maximum":2,"expired":0},)"
      R"("messages":{"received":10,"sent":20,"dropped":3,"dropped_by":{"qos0_slow":1,"too_large":0,"refused":0,)"
      R"("not_authorized":0,"over_limit":0}},)"
      R"("retained":{"messages":4,"bytes":400,"own_messages":1,"own_bytes":100,"overtaken":0},)"
      R"("store":{"state":"read_only","reason":"read-only file system",)"
      R"("since_at":"2026-11-24T09:59:59.123Z","messages":5,"bytes":50,"file_bytes":4096,"bytes_written":512,)"
      R"("commits":6,"queues_orphaned":0},"listeners":[{"name":"mqtt","protocol":"mqtt","address":"127.0.0.1:1883",)"
      R"("tls":null,"state":"listening","reason":null}],)"
      R"("certificates":[],"memory_bytes":null,"clock":{"trusted":true,"expired_by_correction":2},)"
      R"("limits_reached":{"connections":0,"connections_per_address":0,"connections_per_second":0,)"
      R"("packet":0,"inflight":0,"topic_levels":0,)"
      R"("topic":0,"client_id":0,"sessions":0,"sessions_per_user":0,)"
      R"("subscriptions":0,"user_properties":0,"publish":0,"retained":0,"queued":0,"commit_waiting":0,"memory":0},)"
      R"("wills":{"waiting":7,"over_limit":0,"not_stored":0},)"
      R"("access_refused":{"subscriptions":0,"wills":0,"deliveries":0},)"
      R"("connections":{"offered":0,"accepted":0,"refused":0,"connect_timeouts":0,"keep_alive_timeouts":0,)"
      R"("protocol_errors":0,"takeovers":0,"sessions_of_others":0,)"
      R"("logins":{"checked":0,"failed":0,"overloaded":0}},"traffic":{"packets_received":0,"packets_sent":0,)"
      R"("publishes_received":0,"payload_bytes_received":0,"payload_bytes_sent":0,"bytes_received":0,)"
      R"("bytes_sent":0},"sessions":{"accepted":0,"delivered":0,"expired":0,"dropped":{"queue_full":2,"age":0,)"
      R"("replaced":0,"qos0_offline":0,"refused_qos0":0,"too_large":0,"loop":0,"hop_limit":0,"purged":0,)"
      R"("rule_removed":0,"store_failed":0,"salvage_lost":0,"refused_remote":0,"session_ended":0,)"
      R"("not_authorized":0,"thinned":0}},"mesh":{"had":0,"older":0},)"
      R"("heap":{"bytes":8,"bytes_maximum":9},"links":{"strangers":4,"not_allowed":0,)"
      R"("openings_failed":3,"openings_timed_out":2,)"
      R"("openings_over_limit":1,"descriptors_short":9,"accepts_late":7,"control_over_limit":8,"questions":6},)"
      R"("watch":{"topics":0,"silent":0,"over_limit":0}})");
}

// A counter that is added to broker::Stats must be added to the document, too.
TEST(GatewayDocument, ShowsEveryCounterOfTheBroker) {
  constexpr std::size_t kCount = sizeof(broker::Stats) / sizeof(std::uint64_t);
  std::array<std::uint64_t, kCount> numbers{};
  for (std::size_t i = 0; i < kCount; ++i) numbers[i] = 700'000 + i;
  StatusModel model;
  model.stats = std::bit_cast<broker::Stats>(numbers);
  const std::string document = gateway_json(model);
  for (std::size_t i = 0; i < kCount; ++i) {
    EXPECT_THAT(document, HasSubstr(':' + std::to_string(numbers[i]))) << "counter " << i << " of stats.h, from 0";
  }
}

}  // namespace
}  // namespace furrow::gateway
