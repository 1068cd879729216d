// Who is told of subscriptions as they begin and end.
#include "broker-core/subscription_watch.h"

#include <string>
#include <vector>

#include "tests/support/broker_fixture.h"

namespace furrow::test {
namespace {

using mqtt::Qos;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class Watch final : public broker::SubscriptionWatch {
 public:
  void handle_subscribed(std::string_view filter, broker::SubscriberId) override { note('+', filter); }
  void handle_unsubscribed(std::string_view filter, broker::SubscriberId) override { note('-', filter); }
  std::vector<std::string> seen() { return std::exchange(seen_, {}); }

 private:
  void note(char what, std::string_view filter) { seen_.push_back(what + std::string(filter)); }
  std::vector<std::string> seen_;
};

class SubscriptionWatchTest : public BrokerFixture {
 protected:
  SubscriptionWatchTest() { broker().router().watch(watch); }
  Watch watch;
};

TEST_F(SubscriptionWatchTest, SubscriptionBeginsOnceAndEndsOnce) {
  Client& client = connect({.client_id = "client"});
  client.subscribe("farm/#", Qos::AtMostOnce);
  client.subscribe("farm/#", Qos::AtLeastOnce);
  EXPECT_THAT(watch.seen(), ElementsAre("+farm/#")) << "other options are no other subscription";
  client.unsubscribe("farm/#");
  client.unsubscribe("farm/#");
  EXPECT_THAT(watch.seen(), ElementsAre("-farm/#"));
}

TEST_F(SubscriptionWatchTest, SubscriptionsEndWithTheirSessionAndNotWithItsConnection) {
  Client& brief = connect({.client_id = "brief"});
  brief.subscribe("brief/#");
  Client& durable = connect_durable("durable");
  durable.subscribe("durable/#");
  watch.seen();
  brief.vanish();
  durable.vanish();
  EXPECT_THAT(watch.seen(), ElementsAre("-brief/#"));
  EXPECT_TRUE(broker().forget("durable", now));
  EXPECT_THAT(watch.seen(), ElementsAre("-durable/#"));
}

TEST_F(SubscriptionWatchTest, GroupIsOneReceiverOfItsFilter) {
  Client& one = connect({.client_id = "one"});
  Client& other = connect({.client_id = "other"});
  one.subscribe("$share/pumps/farm/#");
  other.subscribe("$share/pumps/farm/#");
  EXPECT_THAT(watch.seen(), ElementsAre("+farm/#"));
  one.vanish();
  EXPECT_THAT(watch.seen(), IsEmpty());
  other.vanish();
  EXPECT_THAT(watch.seen(), ElementsAre("-farm/#"));
}

TEST_F(SubscriptionWatchTest, WhatIsThereAlreadyCanBeAskedForAlsoAfterARestart) {
  Client& client = connect_durable("durable");
  client.subscribe("#");
  client.subscribe("/+//valve");
  broker().router().unwatch(watch);
  crash();
  std::vector<std::string> all;
  broker().router().for_each_subscription(
      [&](std::string_view filter, broker::SubscriberId) { all.emplace_back(filter); });
  EXPECT_THAT(all, UnorderedElementsAre("#", "/+//valve"));
}

}  // namespace
}  // namespace furrow::test
