#include "broker-core/session/stamp_codec.h"

#include <gtest/gtest.h>

#include <vector>

namespace furrow::broker {
namespace {

constexpr ClockStamp kStamp{.boot = 0x0123456789ABCDEF,
                            .monotonic = Instant(std::chrono::hours(5)),
                            .wall = WallTime(std::chrono::hours(500'000)),
                            .trusted = true};
constexpr std::size_t kBytes = 25;

TEST(StampCodec, GivesBackWhatWasPut) {
  ByteBuffer out;
  put_stamp(out, kStamp);
  out.push_back(0x55);
  EXPECT_EQ(out.size(), kBytes + 1);
  EXPECT_EQ(out.view()[0], 0xEF);  // little-endian
  ByteView in = out.view();
  ClockStamp stamp;
  ASSERT_TRUE(take_stamp(in, stamp));
  EXPECT_EQ(stamp.boot, kStamp.boot);
  EXPECT_EQ(stamp.monotonic, kStamp.monotonic);
  EXPECT_EQ(stamp.wall, kStamp.wall);
  EXPECT_TRUE(stamp.trusted);
  EXPECT_EQ(in.size(), 1U);
}

TEST(StampCodec, ClockBeforeItsZeroIsStoredAsZero) {
  ByteBuffer out;
  put_stamp(out, {.boot = 1, .monotonic = Instant(Duration(-5)), .wall = WallTime(Duration(-5)), .trusted = false});
  ByteView in = out.view();
  ClockStamp stamp;
  ASSERT_TRUE(take_stamp(in, stamp));
  EXPECT_EQ(stamp.monotonic, Instant{});
  EXPECT_EQ(stamp.wall, WallTime{});
}

TEST(StampCodec, RefusesWhatIsCutShort) {
  ByteBuffer out;
  put_stamp(out, kStamp);
  for (std::size_t size = 0; size < kBytes; ++size) {
    ByteView in = out.view().first(size);
    ClockStamp stamp;
    EXPECT_FALSE(take_stamp(in, stamp)) << size;
  }
}

TEST(StampCodec, RefusesTimesThatNoClockShows) {
  ByteBuffer out;
  put_stamp(out, kStamp);
  for (const std::size_t place : {15U, 23U, 24U}) {  // the high bytes of both times, and the flag
    std::vector<std::uint8_t> bytes(out.view().begin(), out.view().end());
    bytes[place] = 0xFF;
    ByteView in = bytes;
    ClockStamp stamp;
    EXPECT_FALSE(take_stamp(in, stamp)) << place;
  }
}

}  // namespace
}  // namespace furrow::broker
