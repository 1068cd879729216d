#include "gateway/store/disk_room.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/support/temporary_directory.h"

namespace furrow::gateway {
namespace {

namespace fs = std::filesystem;

class DiskRoomTest : public ::testing::Test {
 protected:
  DiskRoom make(std::uint64_t reserve) {
    return DiskRoom({.reserve = reserve, .free_bytes = [this] { return free_; }, .ballast = ballast_});
  }
  bool measure(DiskRoom& room, std::uint64_t reusable = 0) {
    room.measure([&] { return reusable; });
    return room.is_full();
  }

  const TemporaryDirectory place_;
  const std::string ballast_ = place_ / "ballast";
  std::uint64_t free_ = 1 * GiB;
};

TEST_F(DiskRoomTest, WithoutAnythingKnownThereIsNoLimit) {
  DiskRoom room;
  EXPECT_EQ(room.growth(), DiskRoom::kUnlimited);
  room.keep_ballast();
  EXPECT_FALSE(measure(room));
  EXPECT_FALSE(room.give_up_ballast());
}

TEST_F(DiskRoomTest, FilesGrowUpToTheReserve) {
  DiskRoom room = make(64 * MiB);
  free_ = 100 * MiB;
  EXPECT_EQ(room.growth(), 36 * MiB);
  free_ = 64 * MiB;
  EXPECT_EQ(room.growth(), 0U);
  free_ = 0;
  EXPECT_EQ(room.growth(), 0U);
}

TEST_F(DiskRoomTest, WhatIsFreeInsideTheFilesIsRoomToo) {
  DiskRoom room = make(64 * MiB);
  free_ = 66 * MiB;
  EXPECT_TRUE(measure(room));
  EXPECT_FALSE(measure(room, 6 * MiB));
}

// A queue that drains at the limit must not make the state come and go with each batch.
TEST_F(DiskRoomTest, FullEndsWhenThereIsTwiceTheRoom) {
  DiskRoom room = make(64 * MiB);
  free_ = 69 * MiB;
  EXPECT_FALSE(measure(room));
  free_ = 67 * MiB;
  EXPECT_TRUE(measure(room));
  free_ = 70 * MiB;
  EXPECT_TRUE(measure(room));
  free_ = 72 * MiB;
  EXPECT_FALSE(measure(room));
}

TEST_F(DiskRoomTest, TheReasonSaysWhatIsFreeAndWhatIsKept) {
  DiskRoom room = make(64 * MiB);
  free_ = 65 * MiB;
  EXPECT_EQ(room.reason(), "65 MiB are free, and store.disk_reserve keeps 64 MiB: free some space");
}

TEST_F(DiskRoomTest, TheBallastHasItsBlocks) {
  DiskRoom room = make(0);
  room.keep_ballast();
  struct stat found = {};
  ASSERT_EQ(::stat(ballast_.c_str(), &found), 0);
  EXPECT_EQ(static_cast<std::uint64_t>(found.st_size), DiskRoom::kBallastBytes);
  EXPECT_GE(static_cast<std::uint64_t>(found.st_blocks) * 512, DiskRoom::kBallastBytes);
}

TEST_F(DiskRoomTest, TheBallastGoesWhenOthersFilledTheDisk) {
  DiskRoom room = make(64 * MiB);
  room.keep_ballast();
  EXPECT_FALSE(room.give_up_ballast());  // there is space: the limit is our own
  free_ = 0;
  EXPECT_TRUE(room.give_up_ballast());
  EXPECT_FALSE(fs::exists(ballast_));
  EXPECT_FALSE(room.give_up_ballast());
}

TEST_F(DiskRoomTest, WhatTheBallastHeldIsNotForNewMessages) {
  DiskRoom room = make(0);
  free_ = 100 * MiB;
  room.keep_ballast();
  EXPECT_EQ(room.growth(), 100 * MiB);
  free_ = 0;
  ASSERT_TRUE(room.give_up_ballast());
  free_ = DiskRoom::kBallastBytes;
  EXPECT_EQ(room.growth(), 0U);
}

TEST_F(DiskRoomTest, TheBallastComesBackWithTheSpace) {
  DiskRoom room = make(64 * MiB);
  room.keep_ballast();
  free_ = 0;
  ASSERT_TRUE(room.give_up_ballast());
  free_ = 64 * MiB + DiskRoom::kBallastBytes - 1;
  room.keep_ballast();
  EXPECT_FALSE(fs::exists(ballast_));
  free_ += 1;
  room.keep_ballast();
  EXPECT_TRUE(fs::exists(ballast_));
}

TEST_F(DiskRoomTest, TheBallastOfTheRunBeforeIsFound) {
  make(0).keep_ballast();
  DiskRoom room = make(0);
  free_ = 0;
  EXPECT_TRUE(room.give_up_ballast());
}

// Its folder may be gone, or read-only.
TEST_F(DiskRoomTest, ABallastThatCannotBeMadeIsDoneWithout) {
  DiskRoom room({.reserve = 0, .free_bytes = [] { return 1 * GiB; }, .ballast = place_ / "gone/ballast"});
  room.keep_ballast();
  EXPECT_FALSE(room.give_up_ballast());
}

}  // namespace
}  // namespace furrow::gateway
