// A far broker that sends us elsewhere.
#include "tests/unit/bridge/bridge_fixture.h"

namespace furrow::test {
namespace {

using mqtt::PropertyId;
using mqtt::ReasonCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class BridgeRedirect : public BridgeFixture {
 protected:
  void send_to(std::string_view reference, ReasonCode reason = ReasonCode::UseAnotherServer) {
    link();
    far(mqtt::Connack{false, reason, Properties().text(PropertyId::ServerReference, reference)});
  }
};

TEST_F(BridgeRedirect, IsFollowedAtOnce) {
  start();
  dialed();
  send_to("other.example.org:1884");
  EXPECT_THAT(dialed(), ElementsAre("mqtt://other.example.org:1884"));
  EXPECT_EQ(state(), "connecting: mqtt://far:1883 sends us to mqtt://other.example.org:1884");
  accept();
  EXPECT_EQ(state(), "online");
  EXPECT_EQ(snapshot().remote, "mqtt://other.example.org:1884");
}

TEST_F(BridgeRedirect, HoldsForOneConnection) {
  start();
  send_to("other.example.org");
  accept();
  dialed();
  cut();
  redial();
  EXPECT_THAT(dialed(), ElementsAre("mqtt://far:1883"));
}

TEST_F(BridgeRedirect, OneForGoodSaysWhatToWrite) {
  start();
  send_to("other.example.org", ReasonCode::ServerMoved);
  EXPECT_THAT(state(), HasSubstr("sends us to mqtt://other.example.org:1883 for good: write that into connect"));
}

TEST_F(BridgeRedirect, InACircleEndsInBackoff) {
  start();
  for (int i = 0; i < 3; ++i) send_to(i % 2 == 0 ? "b" : "a");
  dialed();
  send_to("a");
  EXPECT_THAT(dialed(), IsEmpty());
  EXPECT_THAT(state(), StartsWith("backoff: the far broker refused CONNECT"));
  redial();
  EXPECT_THAT(dialed(), ElementsAre("mqtt://far:1883"));
}

TEST_F(BridgeRedirect, WithoutAHostItIsARefusal) {
  start();
  send_to("");
  EXPECT_THAT(state(), StartsWith("backoff: the far broker refused CONNECT"));
}

TEST_F(BridgeRedirect, KeepsTheKindOfConnection) {
  bridge_options.addresses = {{.host = "far", .port = 443, .scheme = "wss", .path = "/mqtt"}};
  start();
  dialed();
  send_to("other.example.org");
  EXPECT_THAT(dialed(), ElementsAre("wss://other.example.org:443/mqtt"));
}

}  // namespace
}  // namespace furrow::test
