// Messages that come back over other gateways are not passed on again.
#include "bridge/loop_guard.h"

#include <chrono>

#include "tests/unit/bridge/bridge_fixture.h"

namespace furrow::test {
namespace {

using namespace std::chrono_literals;
using bridge::Direction;
using broker::DropReason;
using mqtt::Qos;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Mode = bridge::LoopGuard::Mode;

class LoopGuard : public BridgeFixture {
 protected:
  LoopGuard() { bridge_options.gateway_id = "b"; }
  void begin() {
    start();
    broker().set_gateway_id("b");
    accept();
    said();
  }
  // The bridge of the gateway `a`.
  Client& neighbour() {
    return connect({.client_id = "a-region", .properties = Properties().user("furrow-gateway", "a")});
  }
  void pass_on(Client& from, const Client::PublishOptions& how = {}) {
    from.publish("farm/1", "21", Qos::AtLeastOnce, 1, how);
    turn();
  }
  std::string packet(std::string_view path) {
    return R"(PUBLISH "farm/1" "21" qos=1 id=1 {26="furrow-path":")" + std::string(path) + "\"}";
  }
};

TEST_F(LoopGuard, TheGatewayIsToldOnceInConnect) {
  start();
  link();
  EXPECT_THAT(said(), ElementsAre(HasSubstr(R"(26="furrow-gateway":"b")")));
}

TEST_F(LoopGuard, WhatComesFromAnotherGatewaySaysBothOfThem) {
  begin();
  pass_on(neighbour());
  EXPECT_THAT(said(), ElementsAre(packet("a/b")));
}

TEST_F(LoopGuard, WhatComesFromAClientSaysNothing) {
  begin();
  publish("farm/1", "21", Qos::AtLeastOnce);
  EXPECT_THAT(said(), ElementsAre("PUBLISH \"farm/1\" \"21\" qos=1 id=1"));
}

TEST_F(LoopGuard, AlwaysAlsoThatOfClients) {
  bridge_options.loop_guard.mode = Mode::Always;
  begin();
  publish("farm/1", "21", Qos::AtLeastOnce);
  EXPECT_THAT(said(), ElementsAre(packet("b")));
}

TEST_F(LoopGuard, AMessageThatHasComeByThisGatewayIsDropped) {
  begin();
  pass_on(neighbour(), {.properties = Properties().user("furrow-path", "b/c")});
  EXPECT_THAT(said(), IsEmpty());
  EXPECT_EQ(dropped(DropReason::Loop), 1U);
  pass(1min);
  EXPECT_THAT(log.lines, testing::Contains(HasSubstr("bridge.circling name=region topic=farm/1 path=b/c/a/b")));
}

// Behind a broker that does not say who it is.
TEST_F(LoopGuard, AlsoWhereTheOneWhoBringsItIsNoGateway) {
  begin();
  publish("farm/1", "21", Qos::AtLeastOnce, {.properties = Properties().user("furrow-path", "b")});
  EXPECT_THAT(said(), IsEmpty());
  EXPECT_EQ(dropped(DropReason::Loop), 1U);
}

TEST_F(LoopGuard, AMessageThatManyGatewaysHavePassedOnIsDropped) {
  begin();
  pass_on(neighbour(), {.properties = Properties().user("furrow-path", "x/y")});
  EXPECT_THAT(said(), ElementsAre(packet("x/y/a/b")));
  publish("farm/1", "21", Qos::AtLeastOnce, {.properties = Properties().user("furrow-path", "x/y/z/a")});
  EXPECT_THAT(said(), IsEmpty());
  EXPECT_EQ(dropped(DropReason::HopLimit), 1U);
}

TEST_F(LoopGuard, OffNeitherSaysNorLooks) {
  bridge_options.loop_guard.mode = Mode::Off;
  start();
  broker().set_gateway_id("b");
  accept();
  EXPECT_THAT(said(), ElementsAre(Not(HasSubstr("furrow"))));
  pass_on(neighbour(), {.properties = Properties().user("furrow-path", "b/c")});
  EXPECT_THAT(said(), ElementsAre(packet("b/c")));
}

TEST_F(LoopGuard, ThePathIsKeptOverACrash) {
  start();
  broker().set_gateway_id("b");
  pass_on(neighbour());
  pass(1s);
  crash_and_restart();
  accept();
  EXPECT_THAT(said(), ElementsAre(testing::StartsWith("CONNECT"), packet("a/b")));
}

// Another bridge of this gateway, as far as messages see it.
class OtherBridge final : public broker::Destination {
 public:
  void deliver(broker::Publication& publication, const broker::RoutedDelivery&) override {
    paths.emplace_back(broker::path_of(publication.fields().properties));
  }
  bool refuses(const broker::Publication&, const broker::RoutedDelivery&) const override { return false; }
  bool guards_path() const override { return true; }

  std::vector<std::string> paths;
};

TEST_F(LoopGuard, WhatComesDownAndGoesOnByAnotherBridgeSaysThisGateway) {
  bridge_options.rules = {rule(Direction::Down, "farm/#")};
  begin();
  OtherBridge other;
  const broker::SubscriberId number = broker().add_destination(other);
  broker().subscribe(number, "farm/1", {.qos = Qos::ExactlyOnce, .retain_as_published = true});
  far_publishes("farm/1", "21", Qos::AtLeastOnce, 1);
  far_publishes("farm/1", "21", Qos::AtLeastOnce, 2, Properties().user("furrow-path", "a"));
  EXPECT_THAT(other.paths, ElementsAre("b", "a/b"));
  broker().unsubscribe(number, "farm/1");
  broker().remove_destination(number);
}

TEST_F(LoopGuard, WhatGoesOnToNobodySaysNothing) {
  begin();
  Client& reader = connect({.client_id = "reader"});
  reader.subscribe("house/#");
  (void)reader.received();
  neighbour().publish("house/1", "21", Qos::AtMostOnce);
  turn();
  EXPECT_THAT(reader.received(), ElementsAre("PUBLISH \"house/1\" \"21\" qos=0 id=0"));
}

}  // namespace
}  // namespace furrow::test
