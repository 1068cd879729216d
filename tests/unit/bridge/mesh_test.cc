// A bridge in a mesh: what it says of messages, and what comes down a second time.
#include <chrono>
#include <string>

#include "tests/unit/bridge/bridge_fixture.h"

namespace furrow::test {
namespace {

using namespace std::chrono_literals;
using bridge::Direction;
using mqtt::PacketType;
using mqtt::Qos;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::Not;

// A local destination that can be made to refuse.
class Reader final : public broker::Destination {
 public:
  void deliver(broker::Publication& publication, const broker::RoutedDelivery&) override {
    payloads.emplace_back(as_text(publication.fields().payload));
  }
  bool refuses(const broker::Publication&, const broker::RoutedDelivery&) const override { return refusing; }
  bool may_refuse() const override { return true; }

  std::vector<std::string> payloads;
  bool refusing = false;
};

class BridgeMesh : public BridgeFixture {
 protected:
  BridgeMesh() {
    bridge_options.gateway_id = "b";
    bridge_options.mesh = true;
    bridge_options.rules = {rule(Direction::Both, "farm/#")};
  }
  ~BridgeMesh() override {
    if (number_) broker().remove_destination(number_);
  }
  void begin() {
    broker().set_gateway_id("b");
    start();
    number_ = broker().add_destination(reader);
    broker().subscribe(number_, "farm/#", {.qos = Qos::ExactlyOnce});
    accept();
    said();
  }
  // The bridge of another gateway, as a client here.
  Client& neighbour() {
    return connect({.client_id = "c-bridge", .properties = Properties().user("furrow-gateway", "c")});
  }
  void bring(Client& from, std::string_view id, Qos qos, std::uint16_t packet_id) {
    from.publish("farm/1", "up", qos, packet_id, {.properties = Properties().user("furrow-id", id)});
    turn();
  }
  void far_brings(std::string_view id, Qos qos, std::uint16_t packet_id) {
    far_publishes("farm/1", "down", qos, packet_id, Properties().user("furrow-id", id));
  }
  void make_room() {
    reader.refusing = false;
    broker().journal().condition().note_opening();
    turn();
  }

  Reader reader;
  broker::SubscriberId number_;  // of the reader
};

TEST_F(BridgeMesh, AMessageLeavesWithItsIdAndThisGateway) {
  begin();
  publish("farm/1", "21", Qos::AtLeastOnce);
  EXPECT_THAT(said(),
              ElementsAre(MatchesRegex(
                  R"(PUBLISH "farm/1" "21" qos=1 id=[0-9]+ \{26="furrow-id":"b:[0-9]+" 26="furrow-path":"b"\})")));
}

TEST_F(BridgeMesh, ItHasTheSameIdWhenItIsSentAgain) {
  begin();
  publish("farm/1", "21", Qos::ExactlyOnce);
  const std::string first = said().at(0);
  number_ = {};
  crash_and_restart();
  broker().set_gateway_id("b");
  accept(true);
  const std::vector<std::string> again = said();
  const std::size_t id = first.find("b:");
  EXPECT_THAT(again, testing::Contains(HasSubstr(first.substr(id, first.find('"', id) - id))));
}

TEST_F(BridgeMesh, InMqtt311ItSaysNothing) {
  bridge_options.version = bridge::VersionChoice::V3_1_1;
  begin();
  publish("farm/1", "21", Qos::AtLeastOnce);
  EXPECT_THAT(said(), ElementsAre(MatchesRegex(R"(PUBLISH "farm/1" "21" qos=1 id=[0-9]+)")));
}

TEST_F(BridgeMesh, WhatHasComeUpHereDoesNotComeDownAgain) {
  begin();
  bring(neighbour(), "a:7", Qos::ExactlyOnce, 1);
  (void)said();
  far_brings("a:7", Qos::ExactlyOnce, 9);
  EXPECT_THAT(said(), ElementsAre("PUBREC id=9 reason=00"));
  far(mqtt::Pubrel{PacketId{9}, {}, {}});
  EXPECT_THAT(said(), ElementsAre("PUBCOMP id=9 reason=00"));
  EXPECT_THAT(reader.payloads, ElementsAre("up"));
  EXPECT_EQ(snapshot().received, 1U);
  EXPECT_EQ(snapshot().received_dropped, 1U);
}

TEST_F(BridgeMesh, WhatHasComeDownIsNotTakenFromANeighbour) {
  begin();
  far_brings("a:7", Qos::AtLeastOnce, 9);
  EXPECT_THAT(said(), ElementsAre("PUBACK id=9 reason=00"));
  Client& other = neighbour();
  bring(other, "a:7", Qos::AtLeastOnce, 1);
  EXPECT_THAT(other.received(), ElementsAre("PUBACK id=1 reason=00"));
  EXPECT_THAT(reader.payloads, ElementsAre("down"));
  EXPECT_THAT(said(), IsEmpty()) << "nor passed on";
}

TEST_F(BridgeMesh, WhatTheFarBrokerRepeatsInANewSessionIsNotRepeatedHere) {
  begin();
  far_brings("a:7", Qos::ExactlyOnce, 9);
  cut();
  redial();
  accept(false);
  far_brings("a:7", Qos::ExactlyOnce, 1);
  EXPECT_THAT(reader.payloads, ElementsAre("down"));
}

// Held here for want of room, it comes another way as soon as there is some.
TEST_F(BridgeMesh, AHeldMessageThatHasComeMeanwhileIsDropped) {
  begin();
  reader.refusing = true;
  far_brings("a:7", Qos::ExactlyOnce, 9);
  EXPECT_THAT(said(), IsEmpty());
  Client& other = neighbour();
  bring(other, "a:7", Qos::ExactlyOnce, 1);
  EXPECT_THAT(other.received(), ElementsAre(HasSubstr("PUBREC id=1 reason=97")));
  reader.refusing = false;
  bring(other, "a:7", Qos::ExactlyOnce, 2);
  EXPECT_THAT(other.received(), ElementsAre("PUBREC id=2 reason=00"));
  make_room();
  EXPECT_THAT(said(), testing::Contains("PUBREC id=9 reason=00"));
  EXPECT_THAT(reader.payloads, ElementsAre("up"));
  EXPECT_EQ(snapshot().received, 1U);
  EXPECT_EQ(snapshot().routed, 0U);
}

TEST_F(BridgeMesh, AHeldMessageHasBeenHadOnceItIsTaken) {
  begin();
  reader.refusing = true;
  far_brings("a:7", Qos::ExactlyOnce, 9);
  make_room();
  EXPECT_THAT(said(), testing::Contains("PUBREC id=9 reason=00"));
  bring(neighbour(), "a:7", Qos::ExactlyOnce, 1);
  EXPECT_THAT(reader.payloads, ElementsAre("down"));
  EXPECT_EQ(snapshot().routed, 1U);
}

// It joins, and leaves, with the options of the next bridge that sends from the buffer.
TEST_F(BridgeMesh, AnotherBridgeMayBeInNoMesh) {
  begin();
  detach();
  bridge_options.mesh = false;
  attach();
  EXPECT_FALSE(broker().router().in_mesh());
  accept(true);
  said();
  publish("farm/1", "21", Qos::AtLeastOnce);
  EXPECT_THAT(said(), ElementsAre(Not(HasSubstr("furrow"))));
  detach();
  bridge_options.mesh = true;
  attach();
  EXPECT_TRUE(broker().router().in_mesh());
}

TEST_F(BridgeMesh, ABridgeThatIsDisabledIsInNone) {
  bridge_options.enabled = false;
  broker().set_gateway_id("b");
  start();
  EXPECT_FALSE(broker().router().in_mesh());
}

}  // namespace
}  // namespace furrow::test
