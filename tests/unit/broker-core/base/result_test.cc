#include "broker-core/base/result.h"

#include <gtest/gtest.h>

#include <memory>

namespace furrow {
namespace {

Result<int> parse(bool good) {
  if (good) return 7;
  return Error(Errc::InvalidArgument, "not a number");
}

Result<int> twice(bool good) {
  FURROW_TRY(const int number, parse(good));
  return 2 * number;
}

Status check(bool good) {
  FURROW_TRY_STATUS(good ? Status() : Status(Error(Errc::NoSpace, "disk full")));
  return {};
}

TEST(Result, HoldsAValueOrAnError) {
  EXPECT_TRUE(parse(true).has_value());
  EXPECT_EQ(*parse(true), 7);
  const Result<int> failed = parse(false);
  EXPECT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), Errc::InvalidArgument);
  EXPECT_EQ(failed.error().message(), "not a number");
}

TEST(Result, TryPassesTheErrorUpward) {
  EXPECT_EQ(*twice(true), 14);
  EXPECT_EQ(twice(false).error().message(), "not a number");
}

TEST(Result, CarriesWhatCanOnlyBeMoved) {
  Result<std::unique_ptr<int>> made(std::make_unique<int>(3));
  const std::unique_ptr<int> taken = *std::move(made);
  EXPECT_EQ(*taken, 3);
}

TEST(Result, ErrorSaysWhereFromTheOutsideIn) {
  const Error error = Error(Errc::NotFound, "No such file").within("open ca.pem").within("bridge 'cloud'");
  EXPECT_EQ(error.message(), "bridge 'cloud': open ca.pem: No such file");
  EXPECT_EQ(error.code(), Errc::NotFound);
}

TEST(Status, IsSuccessOrAnError) {
  EXPECT_TRUE(check(true));
  EXPECT_EQ(check(false).error().code(), Errc::NoSpace);
}

TEST(ResultDeathTest, ValueOfAnErrorIsABrokenPromise) {
  EXPECT_DEATH((void)*parse(false), "broken promise: has_value");
}

}  // namespace
}  // namespace furrow
