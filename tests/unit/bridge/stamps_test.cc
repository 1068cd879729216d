#include "bridge/stamps.h"

#include <gtest/gtest.h>

#include "tests/support/packet_text.h"

namespace furrow::bridge {
namespace {

class StampsTest : public testing::Test {
 protected:
  StampsTest() { mqtt::PropertyWriter(properties).user("site", "south"); }
  std::string text() const { return test::describe(mqtt::PropertyView::from_valid(properties.view())); }

  ByteBuffer properties;
};

TEST_F(StampsTest, APropertyThatTheMessageHasStays) {
  UserProperties({{"site", "north"}, {"unit", "C"}}).add_to(properties);
  EXPECT_EQ(text(), R"( {26="site":"south" 26="unit":"C"})");
}

TEST_F(StampsTest, SayWhenAndWhereAMessageCameInAndItsNumber) {
  const Stamp stamp{.received = WallTime(std::chrono::milliseconds(1'795'514'400'123)),
                    .gateway = "barn-7",
                    .number = 42};
  add_stamp({.received_at = true, .gateway = true, .sequence = true}, stamp, properties);
  EXPECT_EQ(text(), R"( {26="site":"south" 26="received-at":"2026-11-24T10:00:00.123Z" 26="gateway":"barn-7")"
                    R"( 26="seq":"42"})");
}

TEST_F(StampsTest, WhatIsNotKnownIsNotSaid) {
  add_stamp({.received_at = true, .gateway = false, .sequence = true}, {.gateway = "barn-7"}, properties);
  EXPECT_EQ(text(), R"( {26="site":"south"})");
}

TEST_F(StampsTest, AStampOfAnEarlierGatewayStays) {
  mqtt::PropertyWriter(properties).user("gateway", "barn-1");
  add_stamp({.gateway = true}, {.gateway = "barn-7"}, properties);
  EXPECT_EQ(text(), R"( {26="site":"south" 26="gateway":"barn-1"})");
}

}  // namespace
}  // namespace furrow::bridge
