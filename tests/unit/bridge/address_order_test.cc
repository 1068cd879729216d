#include <gtest/gtest.h>

#include "bridge/address.h"

namespace furrow::bridge {
namespace {

TEST(AddressOrder, FollowsTheFileUntilOneHasWorked) {
  AddressOrder order(3);
  EXPECT_EQ(order.current(), 0U);
  EXPECT_TRUE(order.advance());
  EXPECT_EQ(order.current(), 1U);
  EXPECT_TRUE(order.advance());
  EXPECT_EQ(order.current(), 2U);
  EXPECT_FALSE(order.advance());
  EXPECT_EQ(order.current(), 0U);
}

TEST(AddressOrder, WhatWorkedLastGoesFirstAndEachOtherIsTriedOnce) {
  AddressOrder order(4);
  (void)order.advance();
  (void)order.advance();
  order.note_worked();
  EXPECT_EQ(order.current(), 2U);
  for (const std::size_t other : {0U, 1U, 3U}) {
    EXPECT_TRUE(order.advance());
    EXPECT_EQ(order.current(), other);
  }
  EXPECT_FALSE(order.advance());
  EXPECT_EQ(order.current(), 2U);
}

TEST(AddressOrder, OneAloneIsARoundOfItsOwn) {
  AddressOrder order(1);
  EXPECT_FALSE(order.advance());
  EXPECT_EQ(order.current(), 0U);
}

TEST(Address, AnIpv6AddressStandsInBrackets) {
  EXPECT_EQ((Address{"2001:db8::1", 1884}.url()), "mqtt://[2001:db8::1]:1884");
  EXPECT_EQ((Address{"far", 1883}.text()), "far:1883");
}

}  // namespace
}  // namespace furrow::bridge
