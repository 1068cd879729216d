// Which messages of a mesh were had, in memory and over a restart.
#include "broker-core/session/heard_ids.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <utility>

#include "broker-core/base/random.h"

namespace furrow::broker {
namespace {

using testing::SizeIs;
using Verdict = HeardIds::Verdict;

constexpr std::uint64_t kWindow = HeardIds::kWindow;
constexpr std::uint64_t kBlock = HeardIds::kBlockIds;
constexpr std::uint64_t kLife = std::uint64_t{7} << kIdLifeShift;

class HeardIdsTest : public testing::Test {
 protected:
  // A message comes, and is safe at once.
  void take(std::uint64_t sequence, std::string_view origin = "a") {
    heard.note_safe(heard.note_taken({origin, sequence}));
  }
  Verdict judge(std::uint64_t sequence, std::string_view origin = "a") { return heard.judge({origin, sequence}); }
  // What has changed goes to the store; returns how many rows that are.
  std::size_t store() {
    std::vector<HeardRow> rows;
    heard.write(rows);
    for (HeardRow& row : rows) {
      if (row.data) {
        stored[{row.origin, row.block}] = *row.data;
      } else {
        stored.erase({row.origin, row.block});
      }
    }
    return rows.size();
  }
  // The gateway starts again on what the store has.
  void restart() {
    std::vector<HeardRow> rows;
    for (const auto& [key, data] : stored) rows.push_back({key.first, key.second, data});
    heard = {};
    heard.restore(rows);
  }

  HeardIds heard;
  std::map<std::pair<std::string, std::uint64_t>, Bytes> stored;
};

TEST_F(HeardIdsTest, AnIdIsNewOnce) {
  EXPECT_EQ(judge(kLife + 1), Verdict::New);
  take(kLife + 1);
  EXPECT_EQ(judge(kLife + 1), Verdict::Had);
  EXPECT_EQ(judge(kLife + 2), Verdict::New);
  EXPECT_EQ(judge(kLife + 1, "b"), Verdict::New);
}

TEST_F(HeardIdsTest, WhatIsMissingIsNewWhenItComes) {
  for (const std::uint64_t sequence : {5U, 1U, 4200U, 3U}) take(kLife + sequence);
  for (const std::uint64_t sequence : {1U, 3U, 5U, 4200U}) EXPECT_EQ(judge(kLife + sequence), Verdict::Had);
  for (const std::uint64_t sequence : {2U, 4U, 6U, 4199U, 4201U}) EXPECT_EQ(judge(kLife + sequence), Verdict::New);
}

TEST_F(HeardIdsTest, WhatIsOlderThanTheWindowIsNotKnown) {
  take(kLife + 1);
  take(kLife + kWindow);
  EXPECT_EQ(judge(kLife + 1), Verdict::Had) << "the oldest that the window has";
  take(kLife + kWindow + 1);
  EXPECT_EQ(judge(kLife + 1), Verdict::Older);
  EXPECT_EQ(judge(kLife + 2), Verdict::New);
  EXPECT_FALSE(heard.note_taken({"a", kLife + 1})) << "it is taken, and not remembered";
  EXPECT_EQ(judge(kLife + 1), Verdict::Older);
}

TEST_F(HeardIdsTest, ALeapLeavesNothingBehind) {
  take(kLife + 1);
  take(kLife + 10 * kWindow);
  EXPECT_EQ(judge(kLife + 1), Verdict::Older);
  EXPECT_EQ(judge(kLife + 10 * kWindow), Verdict::Had);
  EXPECT_EQ(judge(kLife + 9 * kWindow + 1), Verdict::New);
  (void)store();
  EXPECT_THAT(stored, SizeIs(1));
}

TEST_F(HeardIdsTest, TheEndOfTheNumbersIsNoEdge) {
  take(kIdSequenceMax - 1);
  take(kIdSequenceMax);
  EXPECT_EQ(judge(kIdSequenceMax), Verdict::Had);
  (void)store();
  restart();
  EXPECT_EQ(judge(kIdSequenceMax), Verdict::Had);
  EXPECT_EQ(judge(kIdSequenceMax - 2), Verdict::New);
}

TEST_F(HeardIdsTest, ANewLifeOfAnOriginIsAnother) {
  take(kLife + 5);
  constexpr std::uint64_t kOther = std::uint64_t{3} << kIdLifeShift;
  EXPECT_EQ(judge(kOther + 5), Verdict::New) << "a lower one, too";
  take(kOther + 5);
  EXPECT_EQ(heard.origins(), 2U);
  EXPECT_EQ(judge(kLife + 5), Verdict::Had);
}

TEST_F(HeardIdsTest, WhoWasSilentForLongestMakesRoom) {
  for (std::size_t i = 0; i < HeardIds::kOriginsMax; ++i) take(kLife + 1, "o" + std::to_string(i));
  take(kLife + 2, "o0");
  (void)store();
  EXPECT_THAT(stored, SizeIs(HeardIds::kOriginsMax));
  take(kLife + 1, "late");
  EXPECT_EQ(heard.origins(), HeardIds::kOriginsMax);
  EXPECT_EQ(judge(kLife + 1, "o0"), Verdict::Had);
  EXPECT_EQ(judge(kLife + 1, "o1"), Verdict::New);
  (void)store();
  EXPECT_THAT(stored, SizeIs(HeardIds::kOriginsMax));
  EXPECT_FALSE(stored.contains({"o1", kLife / kBlock}));
}

TEST_F(HeardIdsTest, AMarkOfAnOriginThatIsGoneChangesNothing) {
  const HeardIds::Mark mark = heard.note_taken({"gone", kLife + 1});
  for (std::size_t i = 0; i < HeardIds::kOriginsMax; ++i) take(kLife + 1, "o" + std::to_string(i));
  heard.note_safe(mark);
  heard.note_unsafe(mark);
  (void)store();
  EXPECT_THAT(stored, SizeIs(HeardIds::kOriginsMax));
}

TEST_F(HeardIdsTest, ABlockThatIsAllSafeTakesNoMemory) {
  for (std::uint64_t sequence = 0; sequence < 3 * kBlock; ++sequence) take(kLife + sequence);
  EXPECT_EQ(heard.open_blocks_for_test(), 0U);
  EXPECT_EQ(judge(kLife + kBlock), Verdict::Had);
  EXPECT_EQ(store(), 3U);
  for (const auto& [key, row] : stored) EXPECT_THAT(row, SizeIs(1));
}

TEST_F(HeardIdsTest, TheStoreGetsWhatIsSafe) {
  const HeardIds::Mark first = heard.note_taken({"a", kLife + 1});
  (void)heard.note_taken({"a", kLife + 2});
  EXPECT_FALSE(heard.has_changes());
  heard.note_safe(first);
  EXPECT_EQ(store(), 1U);
  EXPECT_FALSE(heard.has_changes());
  restart();
  EXPECT_EQ(judge(kLife + 1), Verdict::Had);
  EXPECT_EQ(judge(kLife + 2), Verdict::New) << "its message went with the crash";
}

TEST_F(HeardIdsTest, WhatTheStoreDidNotTakeIsWrittenAgain) {
  const HeardIds::Mark mark = heard.note_taken({"a", kLife + 1});
  take(kLife + 2);
  heard.note_safe(mark);
  std::vector<HeardRow> rows;
  heard.write(rows);
  heard.note_unsafe(mark);
  heard.handle_not_written(rows);
  EXPECT_EQ(store(), 1U);
  restart();
  EXPECT_EQ(judge(kLife + 1), Verdict::New);
  EXPECT_EQ(judge(kLife + 2), Verdict::Had);
}

TEST_F(HeardIdsTest, AFullBlockCanBecomeUnsafeAgain) {
  HeardIds::Mark last;
  for (std::uint64_t sequence = 0; sequence < kBlock; ++sequence) {
    last = heard.note_taken({"a", kLife + sequence});
    heard.note_safe(last);
  }
  heard.note_unsafe(last);
  EXPECT_EQ(judge(last.sequence), Verdict::Had);
  (void)store();
  restart();
  EXPECT_EQ(judge(last.sequence), Verdict::New);
  EXPECT_EQ(judge(last.sequence - 1), Verdict::Had);
}

TEST_F(HeardIdsTest, ARemovalThatTheStoreDidNotTakeIsTriedAgain) {
  take(kLife + 1);
  (void)store();
  take(kLife + 2 * kWindow);
  std::vector<HeardRow> rows;
  heard.write(rows);
  EXPECT_THAT(rows, SizeIs(2));
  heard.handle_not_written(rows);
  EXPECT_EQ(store(), 2U);
  EXPECT_THAT(stored, SizeIs(1));
}

// Half of the messages come here, in any order, and some of the rows are lost: the same as a table of all of them.
TEST_F(HeardIdsTest, IsWhatATableOfAllIdsWouldSay) {
  Random random(11);
  std::set<std::uint64_t> had;
  std::uint64_t end = 0;
  for (int i = 0; i < 200'000; ++i) {
    const std::uint64_t back = random.below(random.chance(1) ? 2 * kWindow : 3000);
    const std::uint64_t sequence = kLife + 3 * kWindow + static_cast<std::uint64_t>(i) * 20 - back;
    const bool is_older = sequence + kWindow < end;
    const Verdict expected = is_older ? Verdict::Older : had.contains(sequence) ? Verdict::Had : Verdict::New;
    ASSERT_EQ(judge(sequence), expected) << sequence;
    if (random.chance(50)) {
      take(sequence);
      if (!is_older) had.insert(sequence);
      end = std::max(end, sequence + 1);
    }
    if (random.chance(5)) (void)store();
    if (i % 50'000 == 0) {
      (void)store();
      restart();
    }
  }
  (void)store();
  EXPECT_LE(stored.size(), kWindow / kBlock + 1);
}

// --- rows ---

Bytes round_trip(const HeardIds::Ids& ids) {
  Bytes row = encode_heard(ids);
  EXPECT_EQ(decode_heard(row), ids);
  return row;
}

TEST(HeardRows, AreTheShorterOfRunsAndBits) {
  HeardIds::Ids ids;
  EXPECT_THAT(round_trip(ids), SizeIs(1));
  ids.set(0).set(1).set(4095);
  EXPECT_THAT(round_trip(ids), SizeIs(6));
  for (std::size_t place = 0; place < kBlock; place += 2) ids.set(place);
  EXPECT_THAT(round_trip(ids), SizeIs(513));
  ids.set();
  EXPECT_EQ(round_trip(ids), Bytes{0});
  ids.reset(17);
  EXPECT_THAT(round_trip(ids), SizeIs(6));
}

TEST(HeardRows, BytesThatMakeNoSenseAreNone) {
  for (const Bytes& row :
       {Bytes{}, Bytes{0, 0}, Bytes{1, 0}, Bytes{1, 5, 0}, Bytes{1, 0, 0x81, 0x20}, Bytes{1, 0x80, 0x20, 1},
        Bytes{1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 5}, Bytes(512, 2), Bytes(514, 2), Bytes{3}}) {
    EXPECT_EQ(decode_heard(row), std::nullopt);
  }
}

TEST(HeardRows, DamagedOnesAreForgottenAndTakenOffTheDisk) {
  HeardIds heard;
  heard.restore({{"a", kLife / kBlock, Bytes{9}}, {"b", kLife / kBlock, Bytes{1}}, {"c", kLife / kBlock, Bytes{0}}});
  EXPECT_EQ(heard.origins(), 1U);
  EXPECT_EQ(heard.judge({"c", kLife + 1}), Verdict::Had);
  std::vector<HeardRow> rows;
  heard.write(rows);
  ASSERT_THAT(rows, SizeIs(2));
  EXPECT_EQ(rows[0].origin, "a");
  EXPECT_FALSE(rows[0].data.has_value());
}

}  // namespace
}  // namespace furrow::broker
