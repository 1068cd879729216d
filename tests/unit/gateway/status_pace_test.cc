#include "gateway/status_pace.h"

#include <gtest/gtest.h>

namespace furrow::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Instant kStart{seconds(100)};

TEST(StatusPace, PublishesAtOnceAndThenRegularly) {
  StatusPace pace(seconds(10));
  EXPECT_TRUE(pace.is_due(kStart));
  pace.published(kStart);
  EXPECT_FALSE(pace.is_due(kStart + milliseconds(9'999)));
  EXPECT_EQ(pace.next(), kStart + seconds(10));
  EXPECT_TRUE(pace.is_due(kStart + seconds(10)));
}

TEST(StatusPace, PublishesAChangeAtMostOnceASecond) {
  StatusPace pace(seconds(10));
  pace.published(kStart);
  pace.note_change();
  EXPECT_FALSE(pace.is_due(kStart + milliseconds(999)));
  EXPECT_TRUE(pace.is_due(kStart + seconds(1)));
  pace.published(kStart + seconds(1));
  EXPECT_FALSE(pace.is_due(kStart + seconds(2)));
}

TEST(StatusPace, PublishesAChangeAtOnceAfterAQuietTime) {
  StatusPace pace(seconds(10));
  pace.published(kStart);
  EXPECT_FALSE(pace.is_due(kStart + seconds(5)));
  pace.note_change();
  EXPECT_TRUE(pace.is_due(kStart + seconds(5)));
}

TEST(StatusPace, AShorterIntervalIsKeptAfterAChange) {
  StatusPace pace(milliseconds(500));
  pace.published(kStart);
  pace.note_change();
  EXPECT_EQ(pace.next(), kStart + milliseconds(500));
}

}  // namespace
}  // namespace furrow::gateway
