#include "gateway/status/load_average.h"

#include <gtest/gtest.h>

namespace furrow::gateway {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

// As Mosquitto 2.0.11 published them 2 s after a single connection, and 2 s later.
TEST(LoadAverage, ShowsWhatMosquittoShows) {
  LoadAverage load;
  load.move(1, seconds(2));
  EXPECT_NEAR(load.over_1_minute(), 0.98, 0.005);
  EXPECT_NEAR(load.over_5_minutes(), 0.20, 0.005);
  EXPECT_NEAR(load.over_15_minutes(), 0.07, 0.005);
  load.move(1, seconds(2));
  EXPECT_NEAR(load.over_1_minute(), 0.95, 0.005);
}

TEST(LoadAverage, ComesToTheRateThatLasts) {
  LoadAverage load;
  std::uint64_t total = 0;
  for (int minute = 0; minute < 150; ++minute) load.move(total += 60, minutes(1));
  EXPECT_NEAR(load.over_1_minute(), 60, 0.01);
  EXPECT_NEAR(load.over_5_minutes(), 60, 0.01);
  EXPECT_NEAR(load.over_15_minutes(), 60, 0.01);
}

TEST(LoadAverage, DoesNotDependOnHowOftenItIsMoved) {
  LoadAverage often;
  for (std::uint64_t total = 10; total <= 600; total += 10) often.move(total, seconds(1));
  LoadAverage once;
  once.move(600, seconds(60));
  EXPECT_NEAR(often.over_1_minute(), once.over_1_minute(), 1e-6);
  EXPECT_NEAR(often.over_15_minutes(), once.over_15_minutes(), 1e-6);
}

TEST(LoadAverage, WaitsForTimeToPass) {
  LoadAverage load;
  load.move(5, Duration::zero());
  EXPECT_EQ(load.over_1_minute(), 0);
  load.move(5, minutes(1));
  EXPECT_GT(load.over_1_minute(), 0) << "nothing is lost";
}

}  // namespace
}  // namespace furrow::gateway
