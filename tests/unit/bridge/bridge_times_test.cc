// A bridge that is not always connected: it waits, connects when it should, and leaves in order.
#include <chrono>

#include "tests/unit/bridge/bridge_fixture.h"

namespace furrow::test {
namespace {

using namespace std::chrono_literals;
using mqtt::Qos;
using mqtt::ReasonCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr std::uint16_t kOpen = 3 * 60;
constexpr std::uint16_t kClosed = 5 * 60;

class BridgeTimes : public BridgeFixture {
 protected:
  void start_with_window() {
    bridge_options.times = {.window_begin = 2 * 60, .window_end = 4 * 60};
    start();
  }
  void start_with_demand() {
    bridge_options.times = {.demand_messages = 2, .demand_age = 15min, .idle = 60s};
    bridge_options.keep_alive = 1h;
    start();
  }
  void minute(std::optional<std::uint16_t> minute) {
    bridge().handle_minute(minute, now);
    turn();
  }
  void puback(std::uint16_t id) { far(mqtt::Puback{PacketId{id}, ReasonCode::Success, {}}); }
};

// --- window ---

TEST_F(BridgeTimes, OutsideOfItsWindowABridgeWaitsAndMessagesWithIt) {
  start_with_window();
  minute(kClosed);
  publish("farm/1", "21", Qos::AtLeastOnce);
  pass(1h);
  EXPECT_THAT(dialed(), IsEmpty());
  EXPECT_EQ(state(), "waiting: until 02:00, when its window opens");
  EXPECT_EQ(snapshot().backlog_messages, 1U);
  EXPECT_THAT(sensor().received(), ElementsAre("PUBACK id=1 reason=00"));
  EXPECT_GT(snapshot().next_attempt, now);
}

TEST_F(BridgeTimes, WhenTheWindowOpensTheBridgeConnects) {
  start_with_window();
  minute(kClosed);
  minute(kOpen);
  accept();
  EXPECT_EQ(state(), "online");
}

TEST_F(BridgeTimes, WithAClockThatIsNotTrustedABridgeConnects) {
  start_with_window();
  minute(std::nullopt);
  EXPECT_TRUE(dialing());
}

TEST_F(BridgeTimes, WhenTheWindowClosesWhatIsInFlightIsFinishedFirst) {
  start_with_window();
  minute(kOpen);
  accept();
  publish("farm/1", "21", Qos::AtLeastOnce);
  said();
  minute(kClosed);
  publish("farm/2", "22", Qos::AtLeastOnce);
  EXPECT_THAT(said(), IsEmpty());
  EXPECT_TRUE(linked());
  puback(1);
  EXPECT_THAT(said(), ElementsAre(StartsWith("DISCONNECT")));
  EXPECT_FALSE(linked());
  EXPECT_THAT(state(), StartsWith("waiting: until 02:00"));
  EXPECT_EQ(snapshot().delivered, 1U);
  EXPECT_EQ(snapshot().backlog_messages, 1U);
}

TEST_F(BridgeTimes, WhatIsNotFinishedInTimeIsResumedInTheNextWindow) {
  start_with_window();
  minute(kOpen);
  accept();
  publish("farm/1", "21", Qos::AtLeastOnce);
  said();
  minute(kClosed);
  pass(10s);
  EXPECT_FALSE(linked());
  EXPECT_THAT(state(), StartsWith("waiting"));
  minute(kOpen);
  accept(true);
  EXPECT_THAT(said(), testing::Contains(HasSubstr("id=1 dup")));
  puback(1);
  EXPECT_EQ(snapshot().delivered, 1U);
}

TEST_F(BridgeTimes, AnAttemptEndsWithTheWindow) {
  start_with_window();
  minute(kOpen);
  EXPECT_TRUE(dialing());
  minute(kClosed);
  EXPECT_FALSE(dialing());
  EXPECT_THAT(state(), StartsWith("waiting"));
  minute(kOpen);
  refuse();
  EXPECT_THAT(state(), StartsWith("backoff"));
  minute(kClosed);
  EXPECT_THAT(state(), StartsWith("waiting"));
}

TEST_F(BridgeTimes, ABridgeThatWaitsCanBeTakenAway) {
  start_with_window();
  minute(kClosed);
  detach();
  attach();
  minute(kOpen);
  accept();
  EXPECT_EQ(state(), "online");
}

// --- demand ---

TEST_F(BridgeTimes, ABridgeConnectsOnceEnoughMessagesWait) {
  start_with_demand();
  EXPECT_THAT(state(), StartsWith("waiting: until 2 messages wait"));
  publish("farm/1", "21", Qos::AtLeastOnce);
  pass(1min);
  EXPECT_FALSE(dialing());
  publish("farm/1", "22", Qos::AtLeastOnce);
  pass(0s);
  EXPECT_TRUE(dialing());
}

TEST_F(BridgeTimes, ABridgeConnectsOnceAMessageHasWaitedForLong) {
  start_with_demand();
  publish("farm/1", "21", Qos::AtLeastOnce);
  pass(15min - 1s);
  EXPECT_FALSE(dialing());
  pass(1s);
  EXPECT_TRUE(dialing());
}

TEST_F(BridgeTimes, ABridgeLeavesWhenNothingHasMovedForAWhile) {
  start_with_demand();
  publish("farm/1", "21", Qos::AtLeastOnce);
  publish("farm/1", "22", Qos::AtLeastOnce);
  pass(0s);
  accept();
  pass(20s);
  puback(1);
  puback(2);
  said();
  pass(59s);
  EXPECT_TRUE(linked());
  pass(1s);
  EXPECT_THAT(said(), testing::Contains(StartsWith("DISCONNECT")));
  EXPECT_FALSE(linked());
  EXPECT_THAT(state(), StartsWith("waiting: until 2 messages wait"));
  EXPECT_EQ(snapshot().delivered, 2U);
}

TEST_F(BridgeTimes, WhatComesMeanwhileLeavesAtOnceAndKeepsTheBridge) {
  start_with_demand();
  publish("farm/1", "21", Qos::AtLeastOnce);
  publish("farm/1", "22", Qos::AtLeastOnce);
  pass(0s);
  accept();
  puback(1);
  puback(2);
  pass(50s);
  said();
  publish("farm/1", "23", Qos::AtLeastOnce);
  EXPECT_THAT(said(), testing::Contains(StartsWith("PUBLISH")));
  puback(3);
  pass(50s);
  EXPECT_TRUE(linked());
}

TEST_F(BridgeTimes, ALinkThatBreaksIsMadeAgainForLessThanDemanded) {
  start_with_demand();
  publish("farm/1", "21", Qos::AtLeastOnce);
  publish("farm/1", "22", Qos::AtLeastOnce);
  pass(0s);
  accept();
  puback(1);
  cut();
  redial();
  EXPECT_EQ(buffer().waiting(), 1U);
}

TEST_F(BridgeTimes, ABridgeThatWaitsCostsNoTurns) {
  start_with_demand();
  publish("farm/1", "21", Qos::AtLeastOnce);
  pass(1min);
  EXPECT_GT(bridge().next_deadline(), now);
}

}  // namespace
}  // namespace furrow::test
