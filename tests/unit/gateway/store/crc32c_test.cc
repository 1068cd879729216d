#include "gateway/store/crc32c.h"

#include <gtest/gtest.h>

#include <string>

namespace furrow::gateway {
namespace {

// RFC 3720, appendix B.4.
TEST(Crc32c, AgreesWithThePublishedVectors) {
  EXPECT_EQ(crc32c(0, as_bytes(std::string(32, '\0'))), 0x8A9136AAU);
  EXPECT_EQ(crc32c(0, as_bytes(std::string(32, '\xFF'))), 0x62A8AB43U);
  EXPECT_EQ(crc32c(0, as_bytes("123456789")), 0xE3069283U);
  EXPECT_EQ(crc32c(0, {}), 0U);
}

TEST(Crc32c, ContinuesOverParts) {
  const std::string text = "The quick brown fox jumps over the lazy dog";
  const std::uint32_t whole = crc32c(0, as_bytes(text));
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    const ByteView bytes = as_bytes(text);
    EXPECT_EQ(crc32c(crc32c(0, bytes.first(cut)), bytes.subspan(cut)), whole) << cut;
  }
}

}  // namespace
}  // namespace furrow::gateway
