#include "gateway/status/pace.h"

#include <gtest/gtest.h>

namespace furrow::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Instant kStart{seconds(100)};

TEST(StatusPace, AsksForNothingWhileNothingChanges) {
  StatusPace pace;
  EXPECT_EQ(pace.next(), kNever);
  pace.note_published(kStart);
  EXPECT_EQ(pace.next(), kNever);
}

TEST(StatusPace, PublishesAChangeAtMostOnceASecond) {
  StatusPace pace;
  pace.note_published(kStart);
  pace.note_change();
  EXPECT_FALSE(pace.is_due(kStart + milliseconds(999)));
  EXPECT_TRUE(pace.is_due(kStart + seconds(1)));
  pace.note_published(kStart + seconds(1));
  EXPECT_FALSE(pace.is_due(kStart + seconds(2)));
}

TEST(StatusPace, PublishesAChangeAtOnceAfterAQuietTime) {
  StatusPace pace;
  pace.note_published(kStart);
  EXPECT_FALSE(pace.is_due(kStart + seconds(5)));
  pace.note_change();
  EXPECT_TRUE(pace.is_due(kStart + seconds(5)));
}

}  // namespace
}  // namespace furrow::gateway
