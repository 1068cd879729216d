#include "broker-core/gateway_path.h"

#include <gtest/gtest.h>

#include "tests/support/packet_text.h"

namespace furrow::broker {
namespace {

class GatewayPath : public testing::Test {
 protected:
  mqtt::PropertyView with(std::string_view name, std::string_view value) {
    mqtt::PropertyWriter(properties_).user(name, value);
    return mqtt::PropertyView::from_valid(properties_.view());
  }
  // The path of a message with this one that `own` passes on.
  std::string passed_on(std::string_view path, std::string_view from, std::string_view own) {
    properties_.clear();
    const mqtt::PropertyView before = path.empty() ? mqtt::PropertyView() : with(kPathProperty, path);
    return std::string(path_of(broker::passed_on(before, from, own, properties_)));
  }

 private:
  ByteBuffer properties_;
};

TEST_F(GatewayPath, TheGatewayAddsTheOneBeforeItAndItself) {
  EXPECT_EQ(passed_on("", "", "b"), "b");
  EXPECT_EQ(passed_on("", "a", "b"), "a/b");
  EXPECT_EQ(passed_on("a", "a", "b"), "a/b") << "it has said so itself";
  EXPECT_EQ(passed_on("a/b", "c", "d"), "a/b/c/d");
}

TEST_F(GatewayPath, OtherPropertiesStay) {
  (void)with("site", "north");
  ByteBuffer out;
  const auto changed = broker::passed_on(with(kPathProperty, "a"), "", "b", out);
  EXPECT_EQ(test::describe(changed), R"( {26="site":"north" 26="furrow-path":"a/b"})");
}

TEST_F(GatewayPath, AGatewayHasCircledWhenItIsThereBeforeTheLast) {
  EXPECT_FALSE(has_circled("", "a"));
  EXPECT_FALSE(has_circled("a", "a")) << "that is this time";
  EXPECT_FALSE(has_circled("b/a", "a"));
  EXPECT_TRUE(has_circled("a/b/a", "a"));
  EXPECT_TRUE(has_circled("a/a", "a"));
  EXPECT_TRUE(has_circled("c/a/b", "a")) << "nobody has added it this time";
  EXPECT_FALSE(has_circled("aa/ba/b", "a"));
}

TEST_F(GatewayPath, CountsItsGateways) {
  EXPECT_EQ(hops(""), 0U);
  EXPECT_EQ(hops("a"), 1U);
  EXPECT_EQ(hops("a/b/c"), 3U);
}

TEST_F(GatewayPath, APathThatIsTooLongIsNotMadeLongerAndCountsForMoreThanAnyLimit) {
  const std::string path(60'000, 'x');
  EXPECT_EQ(passed_on(path, "a", "b"), path);
  EXPECT_GT(hops(path), 255U);
}

TEST_F(GatewayPath, WhatIsNoIdentifierIsNotTakenForOne) {
  EXPECT_EQ(gateway_of(with(kGatewayProperty, "barn-7")), "barn-7");
  for (const std::string& said : {std::string("a/b"), std::string(), std::string(65, 'x'), std::string("a b")}) {
    ByteBuffer connect;
    mqtt::PropertyWriter(connect).user(kGatewayProperty, said);
    EXPECT_EQ(gateway_of(mqtt::PropertyView::from_valid(connect.view())), "") << said;
  }
}

}  // namespace
}  // namespace furrow::broker
