#include "gateway/status/topics.h"

#include <memory>
#include <optional>

#include "gateway/status/json.h"
#include "tests/support/broker_fixture.h"

namespace furrow::gateway {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::Client;
using test::ConnectOptions;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using Lines = std::vector<std::string>;

constexpr const char* kGateway = "$SYS/furrow/gateway";
constexpr const char* kAlarms = "$SYS/furrow/alarms";
constexpr const char* kHistory = "$SYS/furrow/history";
constexpr const char* kRegion = "$SYS/furrow/bridge/region";
constexpr const char* kRegionState = "$SYS/broker/connection/barn-region/state";

class StatusTopicsTest : public test::BrokerFixture {
 protected:
  void start(Duration interval) {
    buffers_ = std::make_unique<bridge::Buffers>(broker::Restored{}, broker());
    watch_.emplace(log, now);
    sources_.emplace(GatewayFacts{.id = "barn", .version = "1", .acknowledge = "durable", .started = now},
                     std::vector<ListenerStatus>{}, links_, broker(), *watch_, clock_);
    topics_.emplace(*sources_, broker(), log, interval);
    publish();
  }
  bridge::Buffer& add_bridge(std::string_view name) {
    bridge::Options wanted;
    wanted.name = name;
    wanted.client_id = "barn-" + wanted.name;
    wanted.addresses = {{"far", 1883}};
    bridge::Buffer& buffer = buffers_->of(wanted.name);
    bridge_ = std::make_unique<bridge::Bridge>(wanted, buffer, broker(), log, now);
    (void)bridge_->poll_command();
    sources_->add(buffer, bridge_.get());
    return buffer;
  }
  // The end of a turn.
  void publish() {
    topics_->publish(now);
    settle();
  }
  void pass(Duration time) {
    now += time;
    publish();
  }
  void note_store(broker::StoreState state) {
    broker::StoreHealth health;
    health.state = state;
    watch_->note(health, std::nullopt, now);
  }
  static void unescape_quotes(std::string& line) {
    constexpr std::string_view kQuote = "\\x22";
    for (auto at = line.find(kQuote); at != std::string::npos; at = line.find(kQuote)) {
      line.replace(at, kQuote.size(), "\"");
    }
  }
  // The documents among what came to `client`.
  static Lines documents(Client& client, std::string_view topic) {
    Lines documents = client.received();
    std::erase_if(documents, [&](const std::string& line) {
      return line.find('"' + std::string(topic) + '"') == std::string::npos;
    });
    for (std::string& line : documents) unescape_quotes(line);
    return documents;
  }
  // What a client that subscribes to `topic` gets at once.
  Lines new_subscriber(std::string_view topic) {
    Client& reader = connect({.client_id = "reader"});
    reader.subscribe(topic);
    Lines found = documents(reader, topic);
    reader.disconnect();
    return found;
  }

  Clock clock_;
  LinkStats links_;
  std::unique_ptr<bridge::Buffers> buffers_;
  std::unique_ptr<bridge::Bridge> bridge_;
  std::optional<StoreWatch> watch_;
  std::optional<StatusSources> sources_;
  std::optional<StatusTopics> topics_;
};

TEST_F(StatusTopicsTest, NewSubscriberGetsTheStateOfThisSecond) {
  start(hours(1));
  pass(seconds(100));
  connect({.client_id = "sensor"});
  const Lines found = new_subscriber(kGateway);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0], HasSubstr("retain"));
  EXPECT_THAT(found[0], HasSubstr(R"("uptime_s":100.0)"));
  EXPECT_THAT(found[0], HasSubstr(R"("connected":2)"));
}

TEST_F(StatusTopicsTest, NewSubscriberToAllTopicsGetsEachOnce) {
  start(hours(1));
  add_bridge("region");
  pass(seconds(100));
  Client& reader = connect({});
  reader.subscribe("$SYS/#");
  Lines found = reader.received();
  std::erase_if(found, [](const std::string& line) { return line.find("$SYS/furrow/") == std::string::npos; });
  EXPECT_THAT(found, SizeIs(4)) << "the gateway, its bridge, the alarms and the history";
}

TEST_F(StatusTopicsTest, SubscribingWithinASecondRendersNothing) {
  start(hours(1));
  pass(seconds(100));
  const Lines first = new_subscriber(kGateway);
  pass(milliseconds(999));
  EXPECT_EQ(new_subscriber(kGateway), first);
  pass(milliseconds(1));
  EXPECT_NE(new_subscriber(kGateway), first);
}

TEST_F(StatusTopicsTest, NewSubscriberCostsThoseNothingThatAreThere) {
  start(hours(1));
  Client& metered = connect({.client_id = "metered"});
  metered.subscribe(kGateway);
  metered.received();
  pass(seconds(100));
  EXPECT_THAT(new_subscriber(kGateway), SizeIs(1));
  publish();
  EXPECT_THAT(metered.received(), IsEmpty());
}

TEST_F(StatusTopicsTest, SubscriberToOtherTopicsRendersNothing) {
  start(hours(1));
  pass(seconds(100));
  Client& reader = connect({});
  reader.subscribe("#");
  reader.subscribe("$share/group/$SYS/#");
  EXPECT_THAT(std::string(as_text(broker().retained().find(kGateway)->payload())), HasSubstr(R"("uptime_s":0.0)"));
}

TEST_F(StatusTopicsTest, IdleGatewayIsWokenByTheIntervalAlone) {
  start(hours(1));
  const Instant started = now;
  pass(std::chrono::minutes(10));  // by then it is said what is wrong with this machine
  EXPECT_EQ(topics_->next_deadline(), started + hours(1));
  pass(seconds(100));
  new_subscriber(kGateway);
  publish();
  EXPECT_EQ(topics_->next_deadline(), started + hours(1));
}

TEST_F(StatusTopicsTest, PublishesRegularly) {
  start(seconds(10));
  Client& reader = connect({});
  reader.subscribe(kGateway);
  reader.received();
  pass(milliseconds(9'999));
  EXPECT_THAT(documents(reader, kGateway), IsEmpty());
  pass(milliseconds(1));
  EXPECT_THAT(documents(reader, kGateway), SizeIs(1));
}

TEST_F(StatusTopicsTest, ChangeOfTheStoreIsPublishedAtOnceAndOnceASecond) {
  start(hours(1));
  pass(seconds(100));
  Client& reader = connect({});
  reader.subscribe(kGateway);
  reader.received();
  note_store(broker::StoreState::Full);
  publish();
  EXPECT_THAT(documents(reader, kGateway), ElementsAre(HasSubstr(R"("state":"full")")));
  note_store(broker::StoreState::Ok);
  publish();
  EXPECT_THAT(reader.received(), IsEmpty());
  EXPECT_EQ(topics_->next_deadline(), now + seconds(1));
  pass(seconds(1));
  EXPECT_THAT(documents(reader, kGateway), ElementsAre(HasSubstr(R"("state":"ok")")));
}

TEST_F(StatusTopicsTest, AlarmIsPublishedOnceItIsRaisedAndOnceItIsCleared) {
  start(hours(1));
  pass(seconds(100));
  Client& reader = connect({});
  reader.subscribe(kAlarms);
  reader.received();
  note_store(broker::StoreState::Full);
  publish();
  EXPECT_THAT(documents(reader, kAlarms), ElementsAre(HasSubstr(R"("id":"store","severity":"error")")));
  pass(seconds(10));
  EXPECT_THAT(documents(reader, kAlarms), IsEmpty()) << "nothing has changed";
  note_store(broker::StoreState::Ok);
  pass(seconds(1));
  EXPECT_EQ(topics_->next_deadline(), now + Alarms::kClearAfter);
  pass(Alarms::kClearAfter);
  EXPECT_THAT(documents(reader, kAlarms), ElementsAre(Not(HasSubstr("\"store\""))));
}

TEST_F(StatusTopicsTest, AlarmIsRaisedWhenItsTimeHasComeAndNothingHappens) {
  start(hours(1));
  add_bridge("region");
  publish();
  bridge_->handle_connect_failed("refused", now);
  publish();
  const Instant away = now;
  while (now < away + std::chrono::minutes(5)) {
    ASSERT_LE(topics_->next_deadline(), away + std::chrono::minutes(5));
    pass(topics_->next_deadline() - now);
  }
  EXPECT_THAT(new_subscriber(kAlarms), ElementsAre(HasSubstr(R"("id":"bridge_away/region")")));
}

TEST_F(StatusTopicsTest, AlarmsAreInEveryPicture) {
  start(hours(1));
  note_store(broker::StoreState::Full);
  pass(seconds(1));
  const StatusModel model = sources_->take(sources_->moment(1, now));
  ASSERT_THAT(model.alarms, SizeIs(testing::Ge(1U)));
  EXPECT_EQ(model.alarms[0].id, "store");
}

TEST_F(StatusTopicsTest, HistoryIsTakenEachTenSecondsAndToldToNewSubscribersAlone) {
  start(seconds(10));
  add_bridge("region");
  Client& there = connect({.client_id = "there"});
  there.subscribe(kHistory);
  there.received();
  for (int i = 0; i < 400; ++i) pass(seconds(10));
  EXPECT_THAT(there.received(), IsEmpty());
  const Lines found = new_subscriber(kHistory);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0], HasSubstr(R"({"schema":1,"interval_s":10,"bridges":{"region":[{"time":")"));
  EXPECT_THAT(found[0], HasSubstr(R"("up_per_s":0.0,"backlog":0,"last_ack_s":null}]}})"));
  std::size_t points = 0;
  for (auto at = found[0].find("up_per_s"); at != std::string::npos; at = found[0].find("up_per_s", at + 1)) ++points;
  EXPECT_EQ(points, StatusHistory::kPoints) << "an hour";
}

TEST_F(StatusTopicsTest, ClockThatBecomesTrustedIsPublishedAtOnce) {
  start(hours(1));
  pass(seconds(100));
  Client& reader = connect({});
  reader.subscribe(kGateway);
  reader.received();
  sources_->note_machine(1, !clock_.trusted());
  publish();
  EXPECT_THAT(documents(reader, kGateway), SizeIs(1));
}

TEST_F(StatusTopicsTest, BridgeThatGoesOfflineIsPublishedAtOnce) {
  start(hours(1));
  add_bridge("region");
  publish();
  pass(seconds(100));
  Client& reader = connect({});
  reader.subscribe(kRegion);
  EXPECT_THAT(documents(reader, kRegion), ElementsAre(HasSubstr(R"("state":"connecting")")));
  bridge_->handle_connect_failed("refused", now);
  EXPECT_LE(topics_->next_deadline(), now) << "whenever in a turn it happened";
  publish();
  EXPECT_THAT(documents(reader, kRegion), ElementsAre(HasSubstr(R"("reason":"refused")")));
}

TEST_F(StatusTopicsTest, BridgeIsShownAsMosquittoShowsIt) {
  start(hours(1));
  add_bridge("region");
  publish();
  EXPECT_THAT(new_subscriber(kRegionState), ElementsAre(HasSubstr("\"0\"")));
  Client& reader = connect({});
  reader.subscribe(kRegionState);
  reader.received();
  bridge_->handle_connected(std::nullopt, now);
  ByteBuffer accepted;
  mqtt::encode(mqtt::Connack{}, mqtt::Version::V5, accepted);
  bridge_->handle_bytes(accepted.view(), true, now);
  pass(seconds(1));
  EXPECT_THAT(reader.received(), ElementsAre(HasSubstr("\"1\"")));
}

TEST_F(StatusTopicsTest, TopicsOfABridgeThatIsTakenAwayAreDeleted) {
  start(hours(1));
  const bridge::Buffer& buffer = add_bridge("region");
  publish();
  EXPECT_TRUE(broker().retained().contains(kRegion));
  Client& reader = connect({});
  reader.subscribe(kRegion);
  reader.received();
  sources_->remove(buffer);
  bridge_.reset();
  publish();
  EXPECT_THAT(reader.received(), SizeIs(1)) << "told by an empty payload";
  EXPECT_FALSE(broker().retained().contains(kRegion));
  EXPECT_FALSE(broker().retained().contains(kRegionState));
  EXPECT_TRUE(broker().retained().contains(kGateway));
}

TEST_F(StatusTopicsTest, BufferWithoutABridgeIsDisabled) {
  start(hours(1));
  sources_->add(buffers_->of("old"), nullptr);
  publish();
  const Lines found = new_subscriber("$SYS/furrow/bridge/old");
  EXPECT_THAT(found, ElementsAre(HasSubstr(R"("state":"disabled","reason":"not in configuration, 0 waiting")")));
}

TEST_F(StatusTopicsTest, LookingChangesNothing) {
  start(hours(1));
  add_bridge("region");
  connect({});
  now += seconds(30);
  const StatusModel once = sources_->take(sources_->moment(1, now));
  const StatusModel again = sources_->take(sources_->moment(1, now));
  EXPECT_EQ(once.load.sockets.over_1_minute(), again.load.sockets.over_1_minute());
  EXPECT_GT(once.load.sockets.over_1_minute(), 0);
  EXPECT_EQ(once.retained.messages, again.retained.messages);
  EXPECT_EQ(bridge_json(once.bridges[0], once.moment), bridge_json(again.bridges[0], again.moment));
}

}  // namespace
}  // namespace furrow::gateway
