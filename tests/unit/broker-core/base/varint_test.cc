#include "broker-core/base/varint.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace furrow {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes written(std::uint64_t value) {
  ByteBuffer out;
  put_varint(out, value);
  return {out.view().begin(), out.view().end()};
}

TEST(Varint, PutsSevenBitsAByteLeastSignificantFirst) {
  EXPECT_EQ(written(0), (Bytes{0x00}));
  EXPECT_EQ(written(127), (Bytes{0x7F}));
  EXPECT_EQ(written(128), (Bytes{0x80, 0x01}));
  EXPECT_EQ(written(300), (Bytes{0xAC, 0x02}));
}

TEST(Varint, GivesBackEveryWidth) {
  for (unsigned bits = 0; bits < 64; ++bits) {
    for (const std::uint64_t value : {std::uint64_t{1} << bits, (std::uint64_t{1} << bits) - 1}) {
      const Bytes bytes = written(value);
      ByteView in(bytes);
      std::uint64_t taken = 0;
      ASSERT_TRUE(take_varint(in, taken));
      EXPECT_EQ(taken, value);
      EXPECT_TRUE(in.empty());
    }
  }
  const Bytes largest = written(std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(largest.size(), 10U);
  ByteView in(largest);
  std::uint64_t taken = 0;
  ASSERT_TRUE(take_varint(in, taken));
  EXPECT_EQ(taken, std::numeric_limits<std::uint64_t>::max());
}

TEST(Varint, RefusesWhatIsCutShortOrTooLong) {
  std::uint64_t taken = 0;
  const Bytes cut{0x80, 0x80};
  ByteView in(cut);
  EXPECT_FALSE(take_varint(in, taken));
  const Bytes eleven(11, 0x80);
  in = eleven;
  EXPECT_FALSE(take_varint(in, taken));
  in = {};
  EXPECT_FALSE(take_varint(in, taken));
}

TEST(Varint, BytesCarryTheirLength) {
  ByteBuffer out;
  put_bytes(out, as_bytes("soil"));
  put_bytes(out, {});
  ByteView in = out.view();
  ByteView bytes;
  ASSERT_TRUE(take_bytes(in, bytes));
  EXPECT_EQ(as_text(bytes), "soil");
  ASSERT_TRUE(take_bytes(in, bytes));
  EXPECT_TRUE(bytes.empty());
  EXPECT_TRUE(in.empty());
}

TEST(Varint, BytesLongerThanWhatIsThereAreRefused) {
  const Bytes lie{0x05, 'a', 'b'};
  ByteView in(lie);
  ByteView bytes;
  EXPECT_FALSE(take_bytes(in, bytes));
}

}  // namespace
}  // namespace furrow
