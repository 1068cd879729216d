#include "gateway/net/address_order.h"

#include <gtest/gtest.h>

#include <string>

namespace furrow::gateway {
namespace {

std::vector<SocketAddress> addresses(const std::vector<std::string>& hosts) {
  std::vector<SocketAddress> result;
  for (const std::string& host : hosts) result.push_back(*SocketAddress::parse(host, 1883));
  return result;
}

TEST(AddressOrder, FamiliesAlternateFromTheOneThatTheSystemPrefers) {
  EXPECT_EQ(in_order_of_trying(addresses({"2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1", "192.0.2.2"}), {}),
            addresses({"2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2", "2001:db8::3"}));
  EXPECT_EQ(in_order_of_trying(addresses({"192.0.2.1", "192.0.2.2", "2001:db8::1"}), {}),
            addresses({"192.0.2.1", "2001:db8::1", "192.0.2.2"}));
}

TEST(AddressOrder, TheAddressThatWorkedLastGoesFirst) {
  const auto found = addresses({"2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2"});
  EXPECT_EQ(in_order_of_trying(found, found.back()),
            addresses({"192.0.2.2", "2001:db8::1", "192.0.2.1", "2001:db8::2"}));
}

TEST(AddressOrder, AnAddressThatTheNameNoLongerHasIsNotTried) {
  EXPECT_EQ(in_order_of_trying(addresses({"192.0.2.1"}), addresses({"192.0.2.9"}).front()), addresses({"192.0.2.1"}));
}

TEST(AddressOrder, DuplicatesAreTriedOnce) {
  EXPECT_EQ(in_order_of_trying(addresses({"192.0.2.1", "192.0.2.1", "192.0.2.2"}), {}),
            addresses({"192.0.2.1", "192.0.2.2"}));
}

TEST(AddressOrder, NoMoreThanEightOfOneNameAreTried) {
  std::vector<std::string> hosts;
  for (int i = 1; i <= 20; ++i) hosts.push_back("192.0.2." + std::to_string(i));
  hosts.emplace_back("2001:db8::1");
  const auto order = in_order_of_trying(addresses(hosts), {});
  EXPECT_EQ(order.size(), kAddressesTriedMax);
  EXPECT_EQ(order[1], addresses({"2001:db8::1"}).front());
}

TEST(AddressOrder, NoAddressIsNoOrder) {
  EXPECT_TRUE(in_order_of_trying({}, {}).empty());
}

}  // namespace
}  // namespace furrow::gateway
