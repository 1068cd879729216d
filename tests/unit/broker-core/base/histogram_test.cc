#include "broker-core/base/histogram.h"

#include <gtest/gtest.h>

namespace furrow {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

std::uint64_t total(const Histogram& histogram) {
  std::uint64_t all = 0;
  for (std::size_t i = 0; i <= Histogram::kBounds.size(); ++i) all += histogram.count(i);
  return all;
}

TEST(Histogram, CountsADurationUnderTheFirstBoundThatIsNotLess) {
  Histogram histogram;
  histogram.add(milliseconds(1));
  histogram.add(microseconds(1'001));
  histogram.add(seconds(30));
  histogram.add(microseconds(30'000'001));
  EXPECT_EQ(histogram.count(0), 1U);
  EXPECT_EQ(histogram.count(1), 1U);
  EXPECT_EQ(histogram.count(13), 1U);
  EXPECT_EQ(histogram.count(14), 1U);
  EXPECT_EQ(total(histogram), 4U);
  EXPECT_EQ(histogram.sum(), microseconds(1'000 + 1'001 + 30'000'000 + 30'000'001));
}

TEST(Histogram, TakesANegativeDurationForNone) {
  Histogram histogram;
  histogram.add(milliseconds(-5));
  EXPECT_EQ(histogram.count(0), 1U);
  EXPECT_EQ(histogram.sum(), Duration::zero());
}

}  // namespace
}  // namespace furrow
