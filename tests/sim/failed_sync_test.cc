// What a failed sync leaves behind, on the real store: a kernel takes pages that it could not write for clean, so the
// next sync says that all is well and writes nothing of them.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "gateway/store/sqlite_store.h"
#include "tests/sim/sim_vfs.h"
#include "tests/support/store_rows.h"

namespace furrow::sim {
namespace {

using Ids = std::vector<std::uint64_t>;

// A start that finds a log of a few pages writes, truncates and syncs more often than this.
constexpr std::uint64_t kOperationsOfAStart = 12;

class FailedSyncTest : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  FailedSyncTest() {
    open();
    EXPECT_TRUE(commit({1}));
    vfs_.fail_syncs(true);
    EXPECT_FALSE(commit({2}));
  }

  void open() {
    auto opened = try_to_open();
    ASSERT_TRUE(opened) << opened.error().message();
    store_ = *std::move(opened);
  }
  Result<std::unique_ptr<gateway::SqliteStore>> try_to_open() {
    return gateway::SqliteStore::open({.directory = "data", .vfs = vfs_.name()}, log_);
  }
  // The process is gone before it can write anything more; the machine goes on, or not.
  void kill() {
    end();
    vfs_.kill();
  }
  void cut_power() {
    end();
    vfs_.cut_power();
  }
  void end() {
    vfs_.fail_after(0);
    store_.reset();
  }

  // A batch with one message each.
  Status commit(const Ids& numbers) {
    broker::Batch batch;
    batch.number = BatchNumber{++batches_};
    batch.queues_created = {queue(1)};
    for (const std::uint64_t number : numbers) {
      batch.segments.push_back(segment(number, {{1, {number}}}, std::string(700, 'x')));
    }
    return store_->commit(batch);
  }
  Ids stored() {
    const auto page = store_->read({.queue = QueueId{1}, .from = {1}, .after = {}, .bytes_max = MiB});
    EXPECT_TRUE(page) << page.error().message();
    Ids ids;
    for (const auto& row : page->segments) ids.push_back(row.id.value);
    return ids;
  }
  Ids stored_after_a_cut() {
    cut_power();
    open();
    return stored();
  }

  Random random_{GetParam()};
  SimVfs vfs_{random_};
  EventLog log_;
  std::unique_ptr<gateway::SqliteStore> store_;
  std::uint64_t batches_ = 0;
};

TEST_P(FailedSyncTest, TheRepeatedBatchIsWrittenAgain) {
  vfs_.fail_syncs(false);
  ASSERT_TRUE(commit({2}));
  EXPECT_EQ(stored_after_a_cut(), (Ids{1, 2}));
}

TEST_P(FailedSyncTest, AnotherBatchDoesNotLeanOnIt) {
  vfs_.fail_syncs(false);
  ASSERT_TRUE(commit({3}));
  EXPECT_EQ(stored_after_a_cut(), (Ids{1, 3}));
}

// What lies in the page cache only is found, and acted upon: it has to be written again, and what follows it must not
// be lost with it.
TEST_P(FailedSyncTest, WhatTheNextStartFindsIsWrittenAgain) {
  kill();
  vfs_.fail_syncs(false);
  open();
  Ids expected = stored();
  ASSERT_TRUE(commit({3}));
  expected.push_back(3);
  EXPECT_EQ(stored_after_a_cut(), expected);
}

// The file is then half of what it was and half new, and only the log can tell the rest.
TEST_P(FailedSyncTest, APowerCutWhileItIsWrittenAgainCostsNothing) {
  EXPECT_FALSE(commit({2, 3, 4, 5, 6, 7, 8, 9}));
  kill();
  vfs_.fail_syncs(false);
  vfs_.fail_after(random_.below(kOperationsOfAStart));
  EXPECT_FALSE(try_to_open());
  vfs_.cut_power();
  ASSERT_NO_FATAL_FAILURE(open());
  const Ids all = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  const Ids found = stored();
  EXPECT_TRUE(found == Ids{1} || found == (Ids{1, 2}) || found == all) << ::testing::PrintToString(found);
}

INSTANTIATE_TEST_SUITE_P(Seeds, FailedSyncTest, ::testing::Range<std::uint64_t>(1, 21));

}  // namespace
}  // namespace furrow::sim
