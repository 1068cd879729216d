// What an operator sees of clients, and does to them.
#include "broker-core/client_view.h"
#include "tests/support/broker_fixture.h"

namespace furrow::test {
namespace {

using namespace std::chrono_literals;

using broker::ClientView;
using broker::Session;
using broker::SubscriberId;
using mqtt::Qos;
using mqtt::Version;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class Operator : public BrokerFixture {
 protected:
  bool kick(std::string_view client_id) {
    const bool done = broker().kick(client_id, now);
    settle();
    return done;
  }
  bool forget(std::string_view client_id) {
    const bool done = broker().forget(client_id, now);
    settle();
    return done;
  }
  ClientView view(std::string_view client_id) {
    const Session* const session = broker().client_sessions().find(client_id);
    EXPECT_NE(session, nullptr) << client_id;
    return view_of(*session, broker().journal().stamp(now));
  }
  static mqtt::Will will(std::string_view topic) {
    mqtt::Will made;
    made.topic = topic;
    made.payload = as_bytes("gone");
    made.qos = Qos::AtLeastOnce;
    return made;
  }
};

TEST_F(Operator, KickedClientIsToldAndKeepsItsSession) {
  Client& sensor = connect_durable("sensor");
  sensor.subscribe("farm/#");
  (void)sensor.received();
  EXPECT_TRUE(kick("sensor"));
  EXPECT_THAT(sensor.received(), ElementsAre(HasSubstr("DISCONNECT reason=98")));
  EXPECT_TRUE(sensor.closed());
  EXPECT_EQ(broker().sessions(), 1U);
  EXPECT_FALSE(kick("sensor")) << "it is not connected any more";
  EXPECT_FALSE(kick("nobody"));
}

TEST_F(Operator, KickedClientOf311IsClosedWithoutAWord) {
  Client& sensor = connect({.client_id = "sensor", .version = Version::V3_1_1});
  EXPECT_TRUE(kick("sensor"));
  EXPECT_THAT(sensor.received(), IsEmpty());
  EXPECT_TRUE(sensor.closed());
}

TEST_F(Operator, ForgottenSessionPublishesItsWillAndIsOffTheDisk) {
  Client& watcher = connect({.client_id = "watcher"});
  watcher.subscribe("wills/#");
  (void)watcher.received();
  connect({.client_id = "sensor", .clean_start = false, .will = will("wills/sensor"), .properties = an_hour});
  EXPECT_TRUE(forget("sensor"));
  EXPECT_THAT(watcher.received(), Contains(HasSubstr("wills/sensor")));
  EXPECT_EQ(broker().client_sessions().find("sensor"), nullptr);
  advance(2s);
  EXPECT_THAT(store.restored().sessions, IsEmpty());
}

TEST_F(Operator, ForgottenSessionOfAClientThatIsAwayTakesItsQueueWithIt) {
  leave_subscribed("logger", "farm/#");
  connect({.client_id = "sensor"}).publish("farm/1", "21", Qos::AtLeastOnce, 1);
  settle();
  EXPECT_EQ(view("logger").queue_messages, 1U);
  EXPECT_TRUE(forget("logger"));
  EXPECT_EQ(broker().session_books().drops(broker::DropReason::SessionEnded), 1U);
  EXPECT_FALSE(forget("logger"));
  advance(2s);
  EXPECT_THAT(store.restored().queues, IsEmpty());
}

TEST_F(Operator, SessionThatEndsWithItsConnectionIsForgottenOnce) {
  Client& sensor = connect({.client_id = "sensor"});
  EXPECT_TRUE(forget("sensor"));
  EXPECT_TRUE(sensor.closed());
  EXPECT_EQ(broker().sessions(), 0U);
}

TEST_F(Operator, SessionsAreWalkedAsFarAsTheStepsGo) {
  for (const std::string_view id : {"a", "b", "c", "d"}) connect_durable(id);
  EXPECT_TRUE(forget("b"));
  std::vector<std::string> seen;
  SubscriberId place;
  int rounds = 0;
  for (; !broker().client_sessions().at_end(place); ++rounds) {
    std::size_t steps = 2;
    while (const Session* const session = broker().client_sessions().next(place, steps)) {
      seen.push_back(session->client_id());
    }
  }
  EXPECT_THAT(seen, ElementsAre("a", "c", "d"));
  EXPECT_GT(rounds, 1);
}

TEST_F(Operator, ViewOfAConnectedClient) {
  options.listeners = {{.name = "lan"}};
  Client& sensor = open({.client_id = "sensor", .version = Version::V3_1_1, .vouched_user = "ann", .listener = "lan"});
  sensor.subscribe("farm/#");
  const Instant connected = now;
  advance(90s);
  sensor.publish("farm/1", "21");
  settle();
  advance(10s);
  const ClientView shown = view("sensor");
  EXPECT_EQ(shown.client_id, "sensor");
  ASSERT_NE(shown.user, nullptr);
  EXPECT_EQ(*shown.user, "ann");
  EXPECT_EQ(shown.listener, "lan");
  ASSERT_TRUE(shown.network);
  EXPECT_EQ(shown.network->peer, "192.0.2.1:1024");
  EXPECT_EQ(shown.network->version, Version::V3_1_1);
  EXPECT_EQ(shown.network->last_heard, now - 10s);
  EXPECT_EQ(shown.since, connected);
  EXPECT_EQ(shown.subscriptions, 1U);
  EXPECT_FALSE(shown.network->paced);
}

TEST_F(Operator, ViewOfAClientThatIsAwaySaysSinceWhenAndHowLongYet) {
  options.limits.session_queue.messages_max = 2;
  leave_subscribed("logger", "farm/#");
  advance(58s);  // behind two seconds
  Client& sensor = connect({.client_id = "sensor"});
  for (std::uint16_t i = 1; i <= 3; ++i) sensor.publish("farm/1", "21", Qos::AtLeastOnce, i);
  settle();
  const ClientView shown = view("logger");
  EXPECT_FALSE(shown.network);
  EXPECT_EQ(shown.since, now - 60s);
  ASSERT_TRUE(shown.expires);
  EXPECT_EQ(*shown.expires - now, 3600s - 60s);
  EXPECT_EQ(shown.queue_messages, 2U);
  EXPECT_EQ(shown.dropped, 1U) << "of this one, not of all";
  EXPECT_EQ(view("sensor").dropped, 0U);
}

TEST_F(Operator, ViewCountsWhatASlowClientDidNotRead) {
  Client& slow = connect({.client_id = "slow"});
  slow.subscribe("farm/#");
  slow.stop_reading();
  Client& sensor = connect({.client_id = "sensor"});
  const std::string payload(100'000, 'x');
  for (int i = 0; i < 20; ++i) sensor.publish("farm/1", payload);
  settle();
  EXPECT_GT(view("slow").dropped, 0U);
  EXPECT_EQ(view("slow").dropped, stats().dropped_qos0_slow);
}

}  // namespace
}  // namespace furrow::test
