#include "broker-core/identity.h"

#include <gtest/gtest.h>

namespace furrow::broker {
namespace {

TEST(Identities, AnonymousIsNoNameAndNotTheEmptyOne) {
  Identities identities;
  EXPECT_EQ(identities.acquire({}), IdentityId{});
  const IdentityId empty = identities.acquire({.user = ""});
  EXPECT_NE(empty, IdentityId{});
  EXPECT_EQ(identities.at(empty).user, "");
  EXPECT_EQ(identities.at({}).user, std::nullopt);
}

TEST(Identities, AreSharedByAllWhoSayTheSame) {
  Identities identities;
  const IdentityId one = identities.acquire({.user = "pump", .listener = "lan"});
  EXPECT_EQ(identities.acquire({.user = "pump", .listener = "lan"}), one);
  EXPECT_NE(identities.acquire({.user = "pump", .listener = "wan"}), one);
  EXPECT_NE(identities.acquire({.listener = "lan"}), one);
  EXPECT_EQ(identities.size(), 3U);
}

TEST(Identities, GoWithTheLastWhoHasThem) {
  Identities identities;
  const IdentityId one = identities.acquire({.user = "pump"});
  (void)identities.acquire({.user = "pump"});
  identities.release(one);
  EXPECT_EQ(identities.at(one).user, "pump");
  identities.release(one);
  EXPECT_EQ(identities.size(), 0U);
  identities.release({});
  const IdentityId next = identities.acquire({.user = "tank"});
  EXPECT_EQ(next, one) << "places are used again";
  EXPECT_EQ(identities.at(next).user, "tank");
}

}  // namespace
}  // namespace furrow::broker
