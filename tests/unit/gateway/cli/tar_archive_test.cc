#include "gateway/cli/tar_archive.h"

#include <gtest/gtest.h>

#include <string>

namespace furrow::gateway {
namespace {

std::string field(const std::string& archive, std::size_t at, std::size_t size) {
  return archive.substr(at, size);
}

TEST(TarArchive, HeaderIsThatOfUstar) {
  TarArchive tar;
  tar.add("diag/a.txt", "hello", 1'700'000'000);
  const std::string archive = std::move(tar).finish();
  ASSERT_EQ(archive.size(), 4 * 512U) << "a header, a block, and two of zeroes";
  EXPECT_STREQ(archive.c_str(), "diag/a.txt");
  EXPECT_EQ(field(archive, 100, 8), std::string("0000600\0", 8)) << "for its owner alone";
  EXPECT_EQ(field(archive, 124, 12), std::string("00000000005\0", 12));
  EXPECT_EQ(field(archive, 136, 12), std::string("14524770400\0", 12)) << "1,700,000,000 s, octal";
  EXPECT_EQ(field(archive, 156, 1), "0");
  EXPECT_EQ(field(archive, 257, 8), std::string("ustar\0"
                                                "00",
                                                8));
  EXPECT_EQ(field(archive, 512, 6), std::string("hello\0", 6));
}

TEST(TarArchive, ChecksumIsTheSumOfTheHeaderWithBlanksInItsPlace) {
  TarArchive tar;
  tar.add("a", "", 0);
  const std::string archive = std::move(tar).finish();
  unsigned sum = 8 * ' ';
  for (std::size_t i = 0; i < 512; ++i) {
    if (i < 148 || i >= 156) sum += static_cast<unsigned char>(archive[i]);
  }
  EXPECT_EQ(std::stoul(field(archive, 148, 6), nullptr, 8), sum);
  EXPECT_EQ(field(archive, 154, 2), std::string("\0 ", 2));
}

TEST(TarArchive, ContentFillsWholeBlocks) {
  TarArchive tar;
  tar.add("a", std::string(512, 'x'), 0);
  tar.add("b", std::string(513, 'y'), 0);
  const std::string archive = std::move(tar).finish();
  EXPECT_EQ(archive.size(), (1 + 1 + 1 + 2 + 2) * 512U);
  EXPECT_EQ(archive[1024], 'b');
}

}  // namespace
}  // namespace furrow::gateway
