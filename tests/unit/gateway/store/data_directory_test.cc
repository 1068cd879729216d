#include "gateway/store/data_directory.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "gateway/store/disk_room.h"
#include "tests/support/temporary_directory.h"

namespace furrow::gateway {
namespace {

TEST(DataDirectory, IsMadeForItsOwnerOnly) {
  const TemporaryDirectory place;
  const auto directory = DataDirectory::open(place / "data");
  ASSERT_TRUE(directory);
  struct stat found = {};
  ASSERT_EQ(::stat((place / "data").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0700U);
}

TEST(DataDirectory, ASecondGatewayIsToldWhoHasIt) {
  const TemporaryDirectory place;
  const auto first = DataDirectory::open(place / "data");
  ASSERT_TRUE(first);
  const auto second = DataDirectory::open(place / "data");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Errc::InUse);
  EXPECT_EQ(second.error().message(), "data directory " + (place / "data") + " is used by process " +
                                          std::to_string(::getpid()) +
                                          ", another furrow: stop it or choose another directory with --data");
}

TEST(DataDirectory, IsFreeAgainAfterItsOwnerIsGone) {
  const TemporaryDirectory place;
  { const auto first = DataDirectory::open(place / "data"); }
  EXPECT_TRUE(DataDirectory::open(place / "data"));
}

// Else the store would be called full, and nobody be told that its directory is gone.
TEST(DataDirectory, FreeBytesOfADirectoryThatIsGoneAreNotKnown) {
  const TemporaryDirectory place;
  const auto directory = DataDirectory::open(place / "data");
  ASSERT_TRUE(directory);
  EXPECT_LT((*directory).free_bytes(), DiskRoom::kUnlimited);
  std::filesystem::remove_all(place / "data");
  EXPECT_EQ((*directory).free_bytes(), DiskRoom::kUnlimited);
}

TEST(DataDirectory, AFileInItsPlaceIsAnError) {
  const TemporaryDirectory place;
  std::ofstream(place / "file") << "x";
  const auto directory = DataDirectory::open(place / "file");
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().code(), Errc::InvalidArgument);
  EXPECT_EQ(directory.error().message(), "data directory " + (place / "file") + ": is a file, not a directory");
}

TEST(DataDirectory, AnImpossiblePlaceIsNamedWithItsReason) {
  const TemporaryDirectory place;
  std::ofstream(place / "file") << "x";
  const auto directory = DataDirectory::open(place / "file/data");
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().message(), "data directory " + (place / "file/data") + ": Not a directory");
}

TEST(DataDirectory, NamesFilesAfterTheMoment) {
  EXPECT_EQ(compact_utc(WallTime(std::chrono::seconds(1'763'892'672))), "20251123T101112Z");
}

}  // namespace
}  // namespace furrow::gateway
