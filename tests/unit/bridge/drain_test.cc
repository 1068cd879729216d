#include "bridge/drain.h"

#include <gtest/gtest.h>

namespace furrow::bridge {
namespace {

using namespace std::chrono_literals;

double seconds(const std::optional<Duration>& duration) {
  return duration ? std::chrono::duration<double>(*duration).count() : -1;
}

TEST(Drain, EstimateIsRightFromTheFirstSecondsOn) {
  Drain drain;
  Instant now{};
  Drain::Counts counts{.backlog = 10'000, .inflight = 0, .delivered = 0};
  drain.begin(counts, now);
  EXPECT_FALSE(drain.eta(counts.backlog).has_value());
  for (int i = 1; i <= 30; ++i) {
    now += 1s;
    counts.backlog -= 100;
    counts.delivered += 100;
    drain.update(counts, now);
    EXPECT_NEAR(seconds(drain.eta(counts.backlog)), 100 - i, 1);
  }
}

TEST(Drain, EstimateKnowsOfMessagesThatComeMeanwhile) {
  Drain drain;
  Instant now{};
  Drain::Counts counts{.backlog = 1'000, .inflight = 0, .delivered = 0};
  drain.begin(counts, now);
  for (int i = 1; i <= 5; ++i) {
    now += 1s;
    counts.backlog -= 100 - 80;  // 100 leave and 80 come
    counts.delivered += 100;
    drain.update(counts, now);
  }
  EXPECT_NEAR(seconds(drain.eta(counts.backlog)), 900.0 / 20, 1);
  for (int i = 1; i <= 60; ++i) {
    now += 1s;
    counts.backlog += 20;
    drain.update(counts, now);
  }
  EXPECT_FALSE(drain.eta(counts.backlog).has_value()) << "it grows";
}

TEST(Drain, EndsOnceTheLastOfTheBacklogIsAcknowledged) {
  Drain drain;
  drain.begin({.backlog = 3, .inflight = 0, .delivered = 7}, Instant{});
  EXPECT_FALSE(drain.poll_end({.backlog = 1, .inflight = 2, .delivered = 7}, Instant{1s}).has_value());
  EXPECT_FALSE(drain.poll_end({.backlog = 0, .inflight = 2, .delivered = 8}, Instant{2s}).has_value());
  const auto result = drain.poll_end({.backlog = 0, .inflight = 5, .delivered = 10}, Instant{3s});
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->after, 3s);
  EXPECT_EQ(result->delivered, 3U);
  EXPECT_FALSE(drain.active());
}

}  // namespace
}  // namespace furrow::bridge
