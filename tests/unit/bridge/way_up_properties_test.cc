// What messages are told to say of themselves on the way up: properties of rules, and stamps.
#include <chrono>

#include "broker-core/base/utc_text.h"
#include "tests/unit/bridge/bridge_fixture.h"

namespace furrow::test {
namespace {

using namespace std::chrono_literals;
using broker::DropReason;
using mqtt::PropertyId;
using mqtt::Qos;
using testing::Contains;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class WayUpProperties : public BridgeFixture {
 protected:
  void online(bool session_present = false, mqtt::PropertyView properties = {}) {
    if (!dialing()) redial();
    accept(session_present, properties);
    said();
  }
  void puback(std::uint16_t id) { far(mqtt::Puback{PacketId{id}, mqtt::ReasonCode::Success, {}}); }
  // The stamps `seq` of the PUBLISH packets that were said.
  std::vector<std::uint64_t> numbers() {
    std::vector<std::uint64_t> found;
    for (const std::string& one : said()) {
      const std::size_t at = one.find("\"seq\":\"");
      if (at != std::string::npos) found.push_back(std::stoull(one.substr(at + 7)));
    }
    return found;
  }
};

TEST_F(WayUpProperties, ARuleAddsItsOwnAndLeavesThoseOfTheMessage) {
  bridge_options.rules[0].properties = {{"site", "north"}, {"unit", "C"}};
  start();
  online();
  publish("farm/1", "21", Qos::AtLeastOnce, {.properties = Properties().user("unit", "F")});
  publish("farm/1", "21", Qos::AtMostOnce);
  EXPECT_THAT(said(), ElementsAre(EndsWith(R"({26="unit":"F" 26="site":"north"})"),
                                  EndsWith(R"({26="site":"north" 26="unit":"C"})")));
}

TEST_F(WayUpProperties, ThereAreNoneIn311) {
  bridge_options.version = bridge::VersionChoice::V3_1_1;
  bridge_options.rules[0].properties = {{"site", "north"}};
  bridge_options.stamp = {.received_at = true, .gateway = true, .sequence = true};
  start();
  online();
  pass(1s);
  publish("farm/1", "21", Qos::AtLeastOnce);
  EXPECT_THAT(said(), ElementsAre("PUBLISH \"farm/1\" \"21\" qos=1 id=1"));
}

TEST_F(WayUpProperties, CountForTheLargestPacket) {
  bridge_options.rules[0].properties = {{"site", std::string(60, 'x')}};
  start();
  online(false, Properties().number(PropertyId::MaximumPacketSize, 60));
  publish("farm/1", "21", Qos::AtLeastOnce);
  EXPECT_THAT(said(), IsEmpty());
  EXPECT_EQ(dropped(DropReason::TooLarge), 1U);
}

TEST_F(WayUpProperties, ReceivedAtIsWhenTheGatewayTookTheMessage) {
  bridge_options.stamp = {.received_at = true, .gateway = true};
  bridge_options.gateway_id = "barn";
  start();
  const std::string taken = utc_text(wall_time());
  publish("farm/1", "21", Qos::AtLeastOnce);
  pass(1h);
  end_of_the_gateway();
  start();
  accept();
  EXPECT_THAT(said(), Contains(EndsWith("{26=\"received-at\":\"" + taken + "\" 26=\"gateway\":\"barn\"}")));
}

TEST_F(WayUpProperties, AClockThatCannotBeTrustedStampsNothing) {
  bridge_options.stamp = {.received_at = true};
  start();
  online();
  publish("farm/1", "21", Qos::AtMostOnce);
  EXPECT_THAT(said(), ElementsAre(HasSubstr("received-at")));
  distrust_clock();
  publish("farm/1", "21", Qos::AtMostOnce);
  EXPECT_THAT(said(), ElementsAre("PUBLISH \"farm/1\" \"21\" qos=0 id=0"));
}

TEST_F(WayUpProperties, AMessageKeepsItsNumberWhenItIsSentAgain) {
  bridge_options.stamp = {.sequence = true};
  start();
  online();
  pass(1s);
  publish("farm/1", "a", Qos::AtLeastOnce);
  publish("farm/1", "b", Qos::AtLeastOnce);
  const auto first = numbers();
  ASSERT_THAT(first, SizeIs(2));
  EXPECT_LT(first[0], first[1]);
  pass(1s);  // they are written now
  cut();
  redial();
  accept(true);
  EXPECT_EQ(numbers(), first);
  crash_and_restart();
  accept(true);
  EXPECT_EQ(numbers(), first);
}

// Nothing of it was ever written: its place in the queue is free after a crash, its number is not.
TEST_F(WayUpProperties, ANumberThatLeftIsNotGivenToAnotherMessageAfterACrash) {
  bridge_options.stamp = {.sequence = true};
  start();
  online();
  pass(1s);
  publish("farm/1", "a", Qos::AtLeastOnce);
  const auto before = numbers();
  ASSERT_THAT(before, SizeIs(1));
  puback(1);
  crash_and_restart();
  online();
  pass(1s);
  publish("farm/1", "b", Qos::AtLeastOnce);
  const auto after = numbers();
  ASSERT_THAT(after, SizeIs(1));
  EXPECT_GT(after[0], before[0]);
}

TEST_F(WayUpProperties, NoNumberLeavesBeforeTheDiskKnows) {
  bridge_options.stamp = {.sequence = true};
  start();
  store_answers = false;
  accept();
  publish("farm/1", "a", Qos::AtLeastOnce);
  EXPECT_THAT(numbers(), IsEmpty());
  store_answers = true;
  turn();
  EXPECT_THAT(numbers(), SizeIs(1));
}

// It has none.
TEST_F(WayUpProperties, AMessageOutsideTheBufferDoesNotWaitForNumbers) {
  bridge_options.stamp = {.sequence = true};
  start();
  store_answers = false;
  accept();
  (void)said();
  publish("farm/1", "a", Qos::AtMostOnce);
  EXPECT_THAT(said(), ElementsAre("PUBLISH \"farm/1\" \"a\" qos=0 id=0"));
}

// It would hold up the whole bridge. After a crash their numbers are given again, so they leave without.
TEST_F(WayUpProperties, ADiskThatTakesNothingDoesNotHoldUpMessages) {
  bridge_options.stamp = {.sequence = true};
  start();
  store_answers = false;
  broker().handle_store_failing(true);
  accept();
  publish("farm/1", "a", Qos::AtLeastOnce);
  EXPECT_THAT(said(), ElementsAre(HasSubstr("CONNECT"), "PUBLISH \"farm/1\" \"a\" qos=1 id=1"));
}

}  // namespace
}  // namespace furrow::test
