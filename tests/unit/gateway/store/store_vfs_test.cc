#include "gateway/store/store_vfs.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker-core/base/bytes.h"
#include "tests/support/faulty_vfs.h"
#include "tests/support/temporary_directory.h"

namespace furrow::gateway {
namespace {

class StoreVfsTest : public testing::Test {
 protected:
  using Done = std::vector<std::string>;

  StoreVfsTest() {
    disk_.on_write = [this](int size, std::int64_t offset) {
      done_.push_back("write " + std::to_string(size) + " at " + std::to_string(offset));
    };
    disk_.on_sync = [this] { done_.emplace_back("sync"); };
    auto made = StoreVfs::make(disk_.name());
    EXPECT_TRUE(made);
    vfs_ = std::move(*made);
    below_ = sqlite3_vfs_find(vfs_->name());
    memory_.resize(static_cast<std::size_t>(below_->szOsFile) / sizeof(std::uint64_t) + 1);
  }
  ~StoreVfsTest() override { close(); }

  int open(int type = SQLITE_OPEN_WAL, int more = SQLITE_OPEN_CREATE) {
    return below_->xOpen(below_, path_.c_str(), file(), type | SQLITE_OPEN_READWRITE | more, nullptr);
  }
  int close() {
    if (file()->pMethods == nullptr) return SQLITE_OK;
    const int code = file()->pMethods->xClose(file());
    file()->pMethods = nullptr;
    return code;
  }
  int write(std::string_view bytes, sqlite3_int64 offset) {
    return file()->pMethods->xWrite(file(), bytes.data(), static_cast<int>(bytes.size()), offset);
  }
  int sync() { return file()->pMethods->xSync(file(), SQLITE_SYNC_NORMAL); }
  std::string read(int size, sqlite3_int64 offset) {
    std::string bytes(static_cast<std::size_t>(size), '\0');
    EXPECT_EQ(file()->pMethods->xRead(file(), bytes.data(), size, offset), SQLITE_OK);
    return bytes;
  }
  sqlite3_int64 size() {
    sqlite3_int64 bytes = 0;
    EXPECT_EQ(file()->pMethods->xFileSize(file(), &bytes), SQLITE_OK);
    return bytes;
  }
  sqlite3_file* file() { return reinterpret_cast<sqlite3_file*>(memory_.data()); }
  // What was written and synced below since the last time.
  Done take() { return std::exchange(done_, {}); }
  std::string content() const {
    std::ifstream stream(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_ / "file.db";
  FaultyVfs disk_{"store-vfs-test"};
  Done done_;
  std::unique_ptr<StoreVfs> vfs_;
  sqlite3_vfs* below_ = nullptr;
  std::vector<std::uint64_t> memory_;  // as SQLite hands it in: zeros, aligned to 8 bytes
};

TEST_F(StoreVfsTest, WhatFollowsEachOtherIsOneWriteBeforeTheSync) {
  ASSERT_EQ(open(), SQLITE_OK);
  ASSERT_EQ(write("head", 32), SQLITE_OK);
  ASSERT_EQ(write("page", 36), SQLITE_OK);
  ASSERT_EQ(write("next", 40), SQLITE_OK);
  EXPECT_EQ(take(), Done{});
  ASSERT_EQ(sync(), SQLITE_OK);
  EXPECT_EQ(take(), (Done{"write 12 at 32", "sync"}));
  EXPECT_EQ(content().substr(32), "headpagenext");
  EXPECT_EQ(vfs_->counts().bytes, 12U);
  EXPECT_EQ(vfs_->counts().syncs, 1U);
}

TEST_F(StoreVfsTest, WhatDoesNotFollowComesInTheOrderItWasWritten) {
  ASSERT_EQ(open(), SQLITE_OK);
  ASSERT_EQ(write("aaaa", 0), SQLITE_OK);
  ASSERT_EQ(write("cccc", 8), SQLITE_OK);
  ASSERT_EQ(write("bb", 2), SQLITE_OK);
  ASSERT_EQ(sync(), SQLITE_OK);
  EXPECT_EQ(take(), (Done{"write 4 at 0", "write 4 at 8", "write 2 at 2", "sync"}));
}

TEST_F(StoreVfsTest, WhoLooksAtTheFileSeesWhatWasWritten) {
  ASSERT_EQ(open(SQLITE_OPEN_MAIN_DB), SQLITE_OK);
  ASSERT_EQ(write("one", 0), SQLITE_OK);
  EXPECT_EQ(read(3, 0), "one");
  ASSERT_EQ(write("two", 3), SQLITE_OK);
  EXPECT_EQ(size(), 6);
  ASSERT_EQ(write("three", 6), SQLITE_OK);
  ASSERT_EQ(file()->pMethods->xTruncate(file(), 8), SQLITE_OK);
  EXPECT_EQ(content(), "onetwoth");
  ASSERT_EQ(write("!", 8), SQLITE_OK);
  ASSERT_EQ(close(), SQLITE_OK);
  EXPECT_EQ(content(), "onetwoth!");
}

TEST_F(StoreVfsTest, NoMoreThan64KiBWait) {
  ASSERT_EQ(open(), SQLITE_OK);
  const std::string half(32 * KiB, 'h');
  for (int i = 0; i < 3; ++i) ASSERT_EQ(write(half, i * 32 * sqlite3_int64{KiB}), SQLITE_OK);
  EXPECT_EQ(take(), Done{"write 65536 at 0"});
  const std::string large(65 * KiB, 'l');
  ASSERT_EQ(write(large, 96 * KiB), SQLITE_OK);
  EXPECT_EQ(take(), (Done{"write 32768 at 65536", "write 66560 at 98304"}));
}

TEST_F(StoreVfsTest, FilesOfOtherKindsAreWrittenAtOnce) {
  ASSERT_EQ(open(SQLITE_OPEN_MAIN_JOURNAL), SQLITE_OK);
  ASSERT_EQ(write("a", 0), SQLITE_OK);
  ASSERT_EQ(write("b", 1), SQLITE_OK);
  EXPECT_EQ(take(), (Done{"write 1 at 0", "write 1 at 1"}));
}

TEST_F(StoreVfsTest, AWriteThatFailsLateFailsTheSync) {
  ASSERT_EQ(open(), SQLITE_OK);
  ASSERT_EQ(write("lost", 100), SQLITE_OK);
  disk_.write_code = SQLITE_FULL;
  EXPECT_EQ(sync(), SQLITE_FULL);
  EXPECT_EQ(take(), Done{"write 4 at 100"});
}

// A read between may have told somebody who does not care; the transaction must not become durable without it.
TEST_F(StoreVfsTest, NothingIsDurableUntilTheLostPlaceIsWrittenAgain) {
  ASSERT_EQ(open(), SQLITE_OK);
  ASSERT_EQ(write("lost", 100), SQLITE_OK);
  disk_.write_code = SQLITE_FULL;
  std::string bytes(4, '\0');
  EXPECT_EQ(file()->pMethods->xRead(file(), bytes.data(), 4, 0), SQLITE_FULL);
  disk_.write_code = SQLITE_OK;
  EXPECT_EQ(write("behind", 104), SQLITE_FULL);
  EXPECT_EQ(sync(), SQLITE_FULL);
  ASSERT_EQ(write("again!", 100), SQLITE_OK);
  EXPECT_EQ(sync(), SQLITE_OK);
  EXPECT_EQ(content().substr(100), "again!");
}

TEST_F(StoreVfsTest, CuttingTheLostPlaceOffDoes) {
  ASSERT_EQ(open(), SQLITE_OK);
  ASSERT_EQ(write("kept", 0), SQLITE_OK);
  ASSERT_EQ(sync(), SQLITE_OK);
  ASSERT_EQ(write("lost", 4), SQLITE_OK);
  disk_.write_code = SQLITE_FULL;
  EXPECT_EQ(file()->pMethods->xTruncate(file(), 6), SQLITE_FULL);
  disk_.write_code = SQLITE_OK;
  EXPECT_EQ(file()->pMethods->xTruncate(file(), 4), SQLITE_OK);
  EXPECT_EQ(sync(), SQLITE_OK);
  EXPECT_EQ(content(), "kept");
}

TEST_F(StoreVfsTest, AFileThatCannotBeOpenedIsNotClosed) {
  EXPECT_EQ(open(SQLITE_OPEN_WAL, 0), SQLITE_CANTOPEN);
  EXPECT_EQ(file()->pMethods, nullptr);
}

TEST(StoreVfs, NeedsOneToStandOn) {
  EXPECT_FALSE(StoreVfs::make("no-such-vfs"));
}

}  // namespace
}  // namespace furrow::gateway
