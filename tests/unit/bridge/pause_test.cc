// What an operator does to a bridge: a rest, another connection, another address.
#include "bridge/pause.h"

#include "tests/unit/bridge/bridge_fixture.h"

namespace furrow {
namespace {

using namespace std::chrono_literals;

using bridge::Pause;
using bridge::State;
using broker::DropReason;
using mqtt::Qos;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

TEST(Pause, ComesBackFromTheStoreAsItWas) {
  const Pause pause{.since = {.boot = 3, .monotonic = Instant(5s), .wall = WallTime(100h), .trusted = true},
                    .length = 7200s};
  const auto read = bridge::decode_pause(bridge::encode(pause));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->length, 7200s);
  EXPECT_EQ(read->since.wall, WallTime(100h));
  EXPECT_EQ(read->reason(), "paused by operator since 1970-01-05T04:00:00Z until 1970-01-05T06:00:00Z");
}

TEST(Pause, DamagedRowIsNone) {
  const broker::Bytes whole = bridge::encode(Pause{});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(bridge::decode_pause(ByteView(whole).first(size))) << size;
  }
  broker::Bytes longer = whole;
  longer.push_back(0);
  EXPECT_FALSE(bridge::decode_pause(longer));
}

class PausedBridge : public test::BridgeFixture {
 protected:
  void pause(std::chrono::seconds length = 0s) {
    buffer().set_pause(Pause{.since = broker().journal().stamp(now), .length = length});
    bridge().handle_pause_changed(now);
    turn();
  }
  void resume() {
    buffer().set_pause(std::nullopt);
    bridge().handle_pause_changed(now);
    turn();
  }
  void reconnect(std::optional<std::size_t> place = std::nullopt) {
    bridge().reconnect(place, now);
    turn();
  }
};

TEST_F(PausedBridge, SaysGoodbyeAndKeepsBuffering) {
  start();
  accept();
  pause();
  EXPECT_THAT(said(), Contains(StartsWith("DISCONNECT")));
  EXPECT_FALSE(linked());
  EXPECT_THAT(state(), StartsWith("disabled: paused by operator since 20"));
  publish("farm/1", "21", Qos::AtLeastOnce);
  EXPECT_EQ(snapshot().backlog_messages, 1U);
  pass(3h);
  EXPECT_FALSE(dialing());
  resume();
  EXPECT_TRUE(dialing());
  accept();
  EXPECT_THAT(said(), Contains(HasSubstr("farm/1")));
}

TEST_F(PausedBridge, RestsWhileItConnectsAndWhileItBacksOff) {
  start();
  pause();
  EXPECT_FALSE(dialing());
  resume();
  refuse();
  EXPECT_EQ(snapshot().state, State::Backoff);
  pause();
  EXPECT_EQ(snapshot().state, State::Disabled);
  pass(10min);
  EXPECT_FALSE(dialing());
}

TEST_F(PausedBridge, PauseEndsByItself) {
  start();
  accept();
  pause(2h);
  pass(2h - 1s);
  EXPECT_FALSE(dialing());
  pass(1s);
  EXPECT_TRUE(dialing());
  EXPECT_FALSE(buffer().pause());
}

TEST_F(PausedBridge, PauseOutlivesAPowerCut) {
  start();
  pause();
  (void)dialed();
  crash_and_restart();
  EXPECT_THAT(dialed(), IsEmpty());
  EXPECT_THAT(state(), StartsWith("disabled: paused by operator since 20"));
  resume();
  crash_and_restart();
  EXPECT_TRUE(dialing());
}

TEST_F(PausedBridge, PauseThatRanOutWhileThePowerWasOffIsOver) {
  start();
  pause(30s);
  end_of_the_gateway();
  now += 1min;
  start();
  EXPECT_TRUE(dialing());
  EXPECT_FALSE(buffer().pause());
}

TEST_F(PausedBridge, SuccessorOfAPausedBridgeRests) {
  start();
  pause();
  detach();
  (void)dialed();
  attach();
  EXPECT_THAT(dialed(), IsEmpty());
  EXPECT_EQ(snapshot().state, State::Disabled);
}

TEST_F(PausedBridge, ResumedBeforeDisconnectHasLeftItComesBack) {
  start();
  accept();
  clog();
  pause();
  EXPECT_TRUE(linked());
  resume();
  clog(false);
  EXPECT_TRUE(dialing());
}

TEST_F(PausedBridge, ReconnectBeginsWithTheFirstAddress) {
  bridge_options.addresses = {{"one", 1883}, {"two", 1883}};
  start();
  refuse();
  accept();
  EXPECT_EQ(snapshot().remote, "mqtt://two:1883");
  (void)dialed();
  reconnect();
  EXPECT_THAT(said(), Contains(StartsWith("DISCONNECT")));
  EXPECT_THAT(dialed(), ElementsAre("mqtt://one:1883"));
}

TEST_F(PausedBridge, ChosenAddressIsUsedNowAndStaysWhileItIsWell) {
  bridge_options.addresses = {{"one", 1883}, {"two", 1883}};
  bridge_options.failback = 60s;
  start();
  accept();
  (void)dialed();
  reconnect(1);
  EXPECT_THAT(dialed(), ElementsAre("mqtt://two:1883"));
  accept();
  pass(1h);
  EXPECT_THAT(asked(), IsEmpty()) << "nobody goes back by himself from where the operator has sent him";
}

TEST_F(PausedBridge, ChosenAddressThatFailsGivesWayToTheOthers) {
  bridge_options.addresses = {{"one", 1883}, {"two", 1883}};
  start();
  accept();
  reconnect(1);
  (void)dialed();
  refuse();
  EXPECT_THAT(dialed(), ElementsAre("mqtt://one:1883"));
}

TEST_F(PausedBridge, PurgeDropsWhatWaitsAndWhatIsInFlight) {
  start();
  accept();
  publish("farm/1", "21", Qos::AtLeastOnce);
  EXPECT_EQ(snapshot().inflight, 1U);
  pause();
  publish("farm/2", "22", Qos::AtLeastOnce);
  buffer().purge(now);
  turn();
  EXPECT_EQ(dropped(DropReason::Purged), 2U);
  EXPECT_EQ(snapshot().backlog_messages + snapshot().inflight, 0U);
  resume();
  accept(true);
  EXPECT_THAT(said(), ::testing::Not(Contains(HasSubstr("farm/")))) << "nothing is left to be sent again";
  publish("farm/3", "23", Qos::AtLeastOnce);
  EXPECT_THAT(said(), Contains(HasSubstr("farm/3")));
}

TEST_F(PausedBridge, AcknowledgementOfAPurgedMessageChangesNothing) {
  start();
  accept();
  publish("farm/1", "21", Qos::AtLeastOnce);
  buffer().purge(now);
  turn();
  far(mqtt::Puback{PacketId{1}});
  EXPECT_EQ(snapshot().delivered, 0U);
  EXPECT_EQ(dropped(DropReason::Purged), 1U);
  EXPECT_EQ(snapshot().state, State::Online);
}

}  // namespace
}  // namespace furrow
