#include "broker-core/routing/hash_index.h"

#include <gtest/gtest.h>

#include <map>

#include "broker-core/base/random.h"

namespace furrow::broker {
namespace {

std::uint32_t find(const HashIndex& table, std::uint32_t hash, std::uint32_t index) {
  return table.find(hash, [&](std::uint32_t candidate) { return candidate == index; });
}

TEST(HashIndex, OwnsNoHeapBeforeTheFirstInsert) {
  const HashIndex table;
  EXPECT_EQ(table.memory_bytes(), 0U);
  EXPECT_EQ(find(table, 1, 1), HashIndex::kNone);
}

TEST(HashIndex, TellsApartRecordsOfOneHash) {
  HashIndex table;
  table.insert(7, 1);
  table.insert(7, 2);
  EXPECT_EQ(find(table, 7, 1), 1U);
  EXPECT_EQ(find(table, 7, 2), 2U);
  table.erase(7, 1);
  EXPECT_EQ(find(table, 7, 1), HashIndex::kNone);
  EXPECT_EQ(find(table, 7, 2), 2U);
}

// A run of neighbours that wraps around the end of the table loses one in the middle.
TEST(HashIndex, FindsTheFollowersOfAnErasedRecordAcrossTheEnd) {
  HashIndex table;
  table.insert(14, 1);
  table.insert(15, 2);
  table.insert(15, 3);  // lands in slot 0
  table.insert(0, 4);   // lands in slot 1
  table.insert(14, 5);  // lands in slot 2
  table.erase(15, 2);
  EXPECT_EQ(find(table, 14, 1), 1U);
  EXPECT_EQ(find(table, 15, 3), 3U);
  EXPECT_EQ(find(table, 0, 4), 4U);
  EXPECT_EQ(find(table, 14, 5), 5U);
}

TEST(HashIndex, AgreesWithAMapUnderChurn) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    HashIndex table;
    std::map<std::uint32_t, std::uint32_t> hashes;  // by index
    for (int i = 0; i < 2000; ++i) {
      const auto index = static_cast<std::uint32_t>(random.below(100));
      const auto known = hashes.find(index);
      if (known != hashes.end()) {
        table.erase(known->second, index);
        hashes.erase(known);
      } else {
        const auto hash = static_cast<std::uint32_t>(random.below(40));  // many meet
        table.insert(hash, index);
        hashes.emplace(index, hash);
      }
      ASSERT_EQ(table.size(), hashes.size());
      for (const auto& [kept, hash] : hashes) ASSERT_EQ(find(table, hash, kept), kept);
    }
    EXPECT_LE(table.memory_bytes(), 256U * 8);
  }
}

TEST(HashIndex, ForgetsAllAndKeepsTheTable) {
  HashIndex table;
  for (std::uint32_t i = 0; i < 100; ++i) table.insert(i * 31, i);
  const std::size_t memory_bytes = table.memory_bytes();
  table.clear();
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(find(table, 31, 1), HashIndex::kNone);
  EXPECT_EQ(table.memory_bytes(), memory_bytes);
}

TEST(HashIndexDeathTest, ErasingWhatIsNotThereBreaksAPromise) {
  HashIndex table;
  table.insert(1, 1);
  EXPECT_DEATH(table.erase(1, 2), "broken promise");
}

}  // namespace
}  // namespace furrow::broker
