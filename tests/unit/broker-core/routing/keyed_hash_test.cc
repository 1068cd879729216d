#include "broker-core/routing/keyed_hash.h"

#include <gtest/gtest.h>

#include <string>

namespace furrow::broker {
namespace {

// Reference values of SipHash-1-3 with a key of zeros: CPython 3.11, PYTHONHASHSEED=0, hash() of bytes.
TEST(KeyedHash, AgreesWithAnotherImplementation) {
  const HashKey zeros;
  EXPECT_EQ(keyed_hash(zeros, "a"), 0x407448D2B89B1813U);
  EXPECT_EQ(keyed_hash(zeros, "sensor"), 0x95D0CFF018262C22U);
  EXPECT_EQ(keyed_hash(zeros, "siphash"), 0x8264CEECCB16BCBEU);
  EXPECT_EQ(keyed_hash(zeros, "moisture"), 0x306A55AABC48320EU);
  EXPECT_EQ(keyed_hash(zeros, "farm/42/moisture"), 0x319FDB2ABA62E6DDU);
  EXPECT_EQ(keyed_hash(zeros, std::string(63, 'x')), 0x1C308A9F11B6A742U);
}

TEST(KeyedHash, DependsOnTheSeed) {
  EXPECT_NE(keyed_hash(HashKey::from_seed(1), "farm/42"), keyed_hash(HashKey::from_seed(2), "farm/42"));
  EXPECT_EQ(keyed_hash(HashKey::from_seed(1), "farm/42"), keyed_hash(HashKey::from_seed(1), "farm/42"));
}

TEST(KeyedHash, TellsApartWhatDiffersInTrailingZeros) {
  const HashKey key = HashKey::from_seed(3);
  EXPECT_NE(keyed_hash(key, ""), keyed_hash(key, std::string_view("\0", 1)));
  EXPECT_NE(keyed_hash(key, "a"), keyed_hash(key, std::string_view("a\0", 2)));
}

}  // namespace
}  // namespace furrow::broker
