#include "gateway/status/pace.h"

#include <gtest/gtest.h>

namespace furrow::gateway {
namespace {

using std::chrono::seconds;

const Instant kBegin{seconds(100)};

TEST(StatusPace, AsksForNothingWhileNothingChanges) {
  StatusPace pace;
  EXPECT_EQ(pace.due(0), kNever);
  pace.note_published(3, kBegin);
  EXPECT_EQ(pace.due(3), kNever);
}

TEST(StatusPace, PublishesAChangeAtMostOnceASecond) {
  StatusPace pace;
  pace.note_published(0, kBegin);
  EXPECT_EQ(pace.due(1), kBegin + seconds(1));
  pace.note_published(1, kBegin + seconds(1));
  EXPECT_EQ(pace.due(4), kBegin + seconds(2));
}

TEST(StatusPace, PublishesAChangeAtOnceAfterAQuietTime) {
  StatusPace pace;
  pace.note_published(0, kBegin);
  EXPECT_LE(pace.due(1), kBegin + seconds(5));
}

}  // namespace
}  // namespace furrow::gateway
