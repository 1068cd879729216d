#include "gateway/gateway_id.h"

#include <gtest/gtest.h>

namespace furrow::gateway {
namespace {

TEST(GatewayId, IsTheHostNameAndSixHexDigits) {
  const std::string id = make_gateway_id("barn-7", "3d1c0f6d7f3e4a0c9f0e");
  EXPECT_EQ(id.substr(0, 7), "barn-7-");
  EXPECT_EQ(id.size(), 13U);
  EXPECT_EQ(id.find_first_not_of("0123456789abcdef", 7), std::string::npos);
}

TEST(GatewayId, IsTheSameAtEachStart) {
  EXPECT_EQ(make_gateway_id("barn", "one"), make_gateway_id("barn", "one"));
}

TEST(GatewayId, KeepsClonedHostsApart) {
  EXPECT_NE(make_gateway_id("barn", "one"), make_gateway_id("barn", "two"));
}

TEST(GatewayId, HasNothingInItThatATopicOrClientIdMinds) {
  EXPECT_EQ(make_gateway_id("my barn/+#", "one").substr(0, 11), "my-barn----");
}

}  // namespace
}  // namespace furrow::gateway
