#include "gateway/store/row_walk.h"

#include <gtest/gtest.h>

#include <fstream>
#include <vector>

#include "tests/support/temporary_directory.h"

namespace furrow::gateway {
namespace {

constexpr std::uint64_t kRows = 2000;
constexpr std::uint64_t kPageBytes = 1024;

// A table whose rows fill dozens of pages.
class RowWalkTest : public ::testing::Test {
 protected:
  RowWalkTest() {
    const auto database = Database::open(options_);
    EXPECT_TRUE(database);
    EXPECT_TRUE((*database)->execute("CREATE TABLE t(id INTEGER PRIMARY KEY, text TEXT)"));
    EXPECT_TRUE(
        (*database)->execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) "
                             "INSERT INTO t SELECT i, 'row ' || i FROM n"));
  }

  // Overwrites a page of the file.
  void ruin_page(std::uint64_t page) {
    std::fstream file(options_.path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>((page - 1) * kPageBytes));
    file << std::string(kPageBytes, '\x55');
  }

  struct Seen {
    std::vector<std::uint64_t> keys;
    std::uint64_t unreadable = 0;
  };
  Seen walk(std::uint64_t first, std::uint64_t last) {
    Seen seen;
    const auto database = Database::open_damaged(options_);
    auto rows = RowWalk::prepare(**database, "t", "id", "text");
    EXPECT_TRUE(rows);
    rows->start(first, last);
    for (auto step = rows->next(); step != RowWalk::Step::End; step = rows->next()) {
      if (step == RowWalk::Step::Unreadable) {
        ++seen.unreadable;
        continue;
      }
      EXPECT_EQ(rows->row().text(1), "row " + std::to_string(rows->key()));
      seen.keys.push_back(rows->key());
    }
    return seen;
  }

  const TemporaryDirectory place_;
  const DatabaseOptions options_{.path = place_ / "t.db", .vfs = "", .page_bytes = kPageBytes};
};

TEST_F(RowWalkTest, ShowsTheKeysAskedFor) {
  const Seen seen = walk(10, 12);
  EXPECT_EQ(seen.keys, (std::vector<std::uint64_t>{10, 11, 12}));
  EXPECT_EQ(seen.unreadable, 0U);
}

TEST_F(RowWalkTest, GoesOnBehindAPageThatIsRuined) {
  ruin_page(20);
  const Seen seen = walk(1, kRows);
  EXPECT_EQ(seen.keys.size() + seen.unreadable, kRows);
  EXPECT_GT(seen.unreadable, 0U);
  EXPECT_LT(seen.unreadable, 100U);
  EXPECT_EQ(seen.keys.back(), kRows);
}

TEST_F(RowWalkTest, EndsWhenNothingCanBeRead) {
  ruin_page(2);  // the root of the table
  EXPECT_EQ(walk(1, 100).unreadable, 100U);
  EXPECT_EQ(walk(1, RowWalk::kKeyMax).unreadable, RowWalk::kLookupsMax);
}

TEST_F(RowWalkTest, EndsBehindTheLastKeyWhenTheEndIsNotKnown) {
  ruin_page(20);
  EXPECT_EQ(walk(1, RowWalk::kKeyMax).keys.back(), kRows);
}

}  // namespace
}  // namespace furrow::gateway
