// Rules that let fewer values of a topic up: what is held is as safe as the rest, and in the books.
#include <chrono>

#include "tests/unit/bridge/bridge_fixture.h"

namespace furrow::test {
namespace {

using namespace std::chrono_literals;
using broker::DropReason;
using mqtt::Qos;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class WayUpThinning : public BridgeFixture {
 protected:
  WayUpThinning() {
    bridge_options.rules[0].thinning.every = 10s;
    bridge_options.keep_alive = {};
  }
  void online(bool session_present = false) {
    if (!dialing()) redial();
    accept(session_present);
    (void)payloads();
  }
  // The payloads of the PUBLISH packets that were said, which are acknowledged.
  std::vector<std::string> payloads() {
    std::vector<std::string> found;
    for (const std::string& one : said()) {
      if (!one.starts_with("PUBLISH")) continue;
      const std::size_t begin = one.find('"', one.find('"', one.find('"') + 1) + 1) + 1;
      found.push_back(one.substr(begin, one.find('"', begin) - begin));
      const int id = std::stoi(one.substr(one.find(" id=") + 4));
      if (id != 0) far(mqtt::Puback{PacketId{static_cast<std::uint16_t>(id)}, {}, {}});
    }
    return found;
  }
  std::uint64_t thinned() { return dropped(DropReason::Thinned); }
};

TEST_F(WayUpThinning, TheFirstValueLeavesAtOnceAndThenTheNewestOfEachInterval) {
  start();
  online();
  for (const char* payload : {"1", "2", "3"}) publish("farm/1", payload, Qos::AtLeastOnce);
  EXPECT_THAT(payloads(), ElementsAre("1"));
  pass(1s);
  EXPECT_EQ(thinned(), 1U);
  EXPECT_EQ(snapshot().backlog_messages, 1U) << "3 waits";
  EXPECT_EQ(snapshot().inflight, 0U);
  EXPECT_EQ(state(), "online");
  pass(8s);
  EXPECT_THAT(payloads(), IsEmpty());
  pass(1s);
  EXPECT_THAT(payloads(), ElementsAre("3"));
  EXPECT_EQ(snapshot().delivered, 2U);
}

// Else a crash would take the newer value, and leave nothing of an older one that was acknowledged.
TEST_F(WayUpThinning, AValueGoesOnceTheOneThatFollowsItIsSafe) {
  start();
  online();
  for (const char* payload : {"1", "2"}) publish("farm/1", payload, Qos::AtLeastOnce);
  (void)payloads();
  pass(1s);
  EXPECT_THAT(sensor().received(), ElementsAre("PUBACK id=1 reason=00", "PUBACK id=2 reason=00")) << "2 is on disk";
  store_answers = false;
  publish("farm/1", "3", Qos::AtLeastOnce);
  EXPECT_EQ(thinned(), 0U);
  crash_and_restart();
  accept();
  EXPECT_THAT(payloads(), ElementsAre("2"));
}

// After a crash what is in flight at QoS 2 leaves first, and an older value behind it would stand for the topic.
TEST_F(WayUpThinning, AtQos2WhatGaveWayIsOffTheDiskBeforeTheNewerOneLeaves) {
  start();
  online();
  publish("farm/1", "1", Qos::AtLeastOnce, {.retain = true});
  publish("farm/1", "2", Qos::AtLeastOnce, {.retain = true});
  pass(1s);
  (void)payloads();
  publish("farm/1", "", Qos::ExactlyOnce, {.retain = true});
  std::vector<std::string> left;
  for (int i = 0; i < 10 && left.empty(); ++i) {
    turn();
    left = said();
  }
  EXPECT_THAT(left, ElementsAre(HasSubstr("PUBLISH")));
  crash_and_restart();
  accept(true);
  EXPECT_THAT(payloads(), ElementsAre("")) << "and not 2";
}

TEST_F(WayUpThinning, AnEqualValueIsAcknowledgedAtOnceAndNotWritten) {
  bridge_options.rules[0].thinning = {.every = {}, .changed_only = true, .heartbeat = {}};
  start();
  online();
  publish("farm/1", "on", Qos::AtLeastOnce);
  EXPECT_THAT(payloads(), ElementsAre("on"));
  (void)sensor().received();
  const auto written = store.segments();
  publish("farm/1", "on", Qos::AtLeastOnce);
  EXPECT_THAT(sensor().received(), ElementsAre("PUBACK id=2 reason=00"));
  pass(1s);
  EXPECT_EQ(store.segments(), written);
}

// It was to leave, and has expired: what nobody has judged does not take its place.
TEST_F(WayUpThinning, NothingLeavesThatWasNotJudged) {
  bridge_options.inflight_max = 2;
  start();
  online();
  publish("farm/1", "1", Qos::AtLeastOnce);
  EXPECT_THAT(payloads(), ElementsAre("1"));
  cut();
  publish("farm/2", "a", Qos::AtLeastOnce);
  publish("farm/3", "brief", Qos::AtLeastOnce,
          {.properties = Properties().number(mqtt::PropertyId::MessageExpiryInterval, 2)});
  publish("farm/1", "2", Qos::AtLeastOnce);
  publish("farm/1", "3", Qos::AtLeastOnce);
  pass(3s);
  if (!dialing()) redial();
  accept(true);
  EXPECT_THAT(payloads(), ElementsAre("a"));
  EXPECT_EQ(snapshot().expired, 1U);
  pass(10s);
  EXPECT_THAT(payloads(), ElementsAre("3"));
}

TEST_F(WayUpThinning, AValueThatIsHeldOutlivesACrash) {
  start();
  online();
  for (const char* payload : {"1", "2"}) publish("farm/1", payload, Qos::AtLeastOnce);
  EXPECT_THAT(payloads(), ElementsAre("1"));
  pass(1s);
  crash_and_restart();
  EXPECT_EQ(snapshot().backlog_messages, 1U);
  accept();
  EXPECT_THAT(payloads(), ElementsAre("2")) << "when the one before crossed is not known any more";
}

TEST_F(WayUpThinning, AHeldValueIsNotWaitedFor) {
  bridge_options.rules[0].thinning.every = 10min;
  start();
  online();
  for (const char* payload : {"1", "2"}) publish("farm/1", payload, Qos::AtLeastOnce);
  (void)payloads();
  pass(5min);
  EXPECT_EQ(state(), "online") << "nothing is stalled";
  publish("farm/2", "1", Qos::AtLeastOnce);
  EXPECT_THAT(payloads(), ElementsAre("1")) << "of another topic";
}

TEST_F(WayUpThinning, ABacklogIsThinnedWhenItLeaves) {
  start();
  online();
  cut();
  for (int i = 0; i < 30; ++i) {
    publish("farm/1", std::to_string(i), Qos::AtLeastOnce);
    pass(1s);
  }
  EXPECT_EQ(snapshot().backlog_messages, 30U) << "all are safe until then";
  if (!dialing()) redial();
  accept();
  std::vector<std::string> all;
  for (auto some = payloads(); !some.empty(); some = payloads()) all.insert(all.end(), some.begin(), some.end());
  pass(20s);
  for (auto some = payloads(); !some.empty(); some = payloads()) all.insert(all.end(), some.begin(), some.end());
  EXPECT_THAT(all, ElementsAre("0", "10", "20", "29"));
  EXPECT_EQ(thinned(), 26U);
  EXPECT_EQ(snapshot().backlog_messages, 0U);
}

TEST_F(WayUpThinning, ValuesOfQos0AreHeldInMemory) {
  start();
  online();
  for (const char* payload : {"1", "2", "3"}) publish("farm/1", payload, Qos::AtMostOnce);
  EXPECT_THAT(payloads(), ElementsAre("1"));
  EXPECT_EQ(thinned(), 1U);
  pass(10s);
  EXPECT_THAT(payloads(), ElementsAre("3"));
  publish("farm/1", "4", Qos::AtMostOnce);
  cut();
  pass(10s);
  EXPECT_EQ(dropped(DropReason::Qos0Offline), 1U) << "nobody was there when its time had come";
}

TEST_F(WayUpThinning, ADeletionLeavesAtOnceAndNothingComesBehindIt) {
  start();
  online();
  publish("farm/1", "1", Qos::AtLeastOnce, {.retain = true});
  publish("farm/1", "2", Qos::AtLeastOnce, {.retain = true});
  publish("farm/1", "", Qos::AtLeastOnce, {.retain = true});
  EXPECT_THAT(payloads(), ElementsAre("1", ""));
  pass(1min);
  EXPECT_THAT(payloads(), IsEmpty());
  EXPECT_EQ(thinned(), 1U);
}

TEST_F(WayUpThinning, OnlyChangesCrossAndAHeartbeat) {
  bridge_options.rules[0].thinning = {.every = {}, .changed_only = true, .heartbeat = 1min};
  start();
  online();
  for (const char* payload : {"on", "on", "off", "off"}) publish("farm/1", payload, Qos::AtLeastOnce);
  EXPECT_THAT(payloads(), ElementsAre("on", "off"));
  EXPECT_EQ(thinned(), 2U);
  pass(1min);
  publish("farm/1", "off", Qos::AtLeastOnce);
  EXPECT_THAT(payloads(), ElementsAre("off"));
}

TEST_F(WayUpThinning, AFarSideThatHasForgottenGetsTheValueAgain) {
  bridge_options.rules[0].thinning = {.every = {}, .changed_only = true, .heartbeat = {}};
  start();
  online();
  publish("farm/1", "on", Qos::AtLeastOnce);
  EXPECT_THAT(payloads(), ElementsAre("on"));
  cut();
  online(true);
  publish("farm/1", "on", Qos::AtLeastOnce);
  EXPECT_THAT(payloads(), IsEmpty()) << "it has its session";
  cut();
  online(false);
  publish("farm/1", "on", Qos::AtLeastOnce);
  EXPECT_THAT(payloads(), ElementsAre("on"));
}

TEST_F(WayUpThinning, WhatIsHeldIsPurgedWithTheRest) {
  start();
  online();
  for (const char* payload : {"1", "2", "3"}) publish("farm/1", payload, Qos::AtLeastOnce);
  for (const char* payload : {"4", "5"}) publish("farm/2", payload, Qos::AtMostOnce);
  EXPECT_THAT(payloads(), ElementsAre("1", "4"));
  buffer().purge(now);
  EXPECT_EQ(snapshot().backlog_messages, 0U);
  EXPECT_EQ(snapshot().inflight, 0U);
  EXPECT_EQ(dropped(DropReason::Purged), 3U);
  pass(1min);
  EXPECT_THAT(payloads(), IsEmpty());
}

TEST_F(WayUpThinning, OtherRulesLetGoOfWhatIsHeld) {
  start();
  online();
  for (const char* payload : {"1", "2"}) publish("farm/1", payload, Qos::AtLeastOnce);
  EXPECT_THAT(payloads(), ElementsAre("1"));
  set_rules({rule(bridge::Direction::Up, "farm/#")});
  pass(0s);
  EXPECT_THAT(payloads(), ElementsAre("2"));
  EXPECT_EQ(snapshot().backlog_messages, 0U);
}

TEST_F(WayUpThinning, ABridgeThatIsMadeAnewSendsWhatItsBufferHolds) {
  start();
  online();
  for (const char* payload : {"1", "2"}) publish("farm/1", payload, Qos::AtLeastOnce);
  (void)payloads();
  detach();
  attach();
  accept(true);
  EXPECT_THAT(payloads(), ElementsAre("2"));
}

}  // namespace
}  // namespace furrow::test
