#include "broker-core/failed_logins.h"

#include <gtest/gtest.h>

#include "tests/support/line_log.h"

namespace furrow::broker {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class FailedLoginsTest : public testing::Test {
 protected:
  Duration fail(std::string_view address, std::string_view user = "ann") {
    return failed.note({.listener = "lan",
                        .address = IpAddress::parse(address),
                        .peer = "a unix socket",
                        .user = user,
                        .reason = "wrong_password"},
                       now);
  }

  test::LineLog log;
  FailedLogins failed{log};
  Instant now{seconds(1000)};
};

TEST_F(FailedLoginsTest, SayWhoAndWhyInOneLine) {
  fail("192.0.2.7");
  EXPECT_EQ(log.lines.back(),
            "warning login.failed listener=lan address=192.0.2.7 user=ann reason=wrong_password unlogged=0");
  fail("", "");
  EXPECT_EQ(log.lines.back(),
            "warning login.failed listener=lan address=a unix socket user= reason=wrong_password unlogged=0");
  fail("2001:db8::1", std::string(63, 'u') + "\u00e9\u00e9");
  EXPECT_EQ(log.lines.back(), "warning login.failed listener=lan address=2001:db8::1 user=" + std::string(63, 'u') +
                                  " reason=wrong_password unlogged=0");
}

TEST_F(FailedLoginsTest, AreAnsweredLaterAndLaterAndForgivenInTheEnd) {
  EXPECT_EQ(fail("192.0.2.7"), milliseconds(100));
  EXPECT_EQ(fail("192.0.2.7"), milliseconds(200));
  EXPECT_EQ(fail("192.0.2.7"), milliseconds(400));
  EXPECT_EQ(fail("192.0.2.8"), milliseconds(100)) << "others are not to blame";
  for (int i = 0; i < 100; ++i) fail("192.0.2.7");
  EXPECT_EQ(fail("192.0.2.7"), seconds(3));
  now += minutes(10);
  EXPECT_EQ(fail("192.0.2.7"), milliseconds(100));
}

TEST_F(FailedLoginsTest, OneNetworkOfIpv6IsOnePlace) {
  fail("2001:db8:0:1::1");
  EXPECT_EQ(fail("2001:db8:0:1:ffff::2"), milliseconds(200));
  EXPECT_EQ(fail("2001:db8:0:2::1"), milliseconds(100));
}

TEST_F(FailedLoginsTest, CostALimitedNumberOfLines) {
  for (int i = 0; i < 25; ++i) fail("192.0.2.7");
  EXPECT_EQ(log.lines.size(), FailedLogins::kLinesPerMinute);
  fail("192.0.2.8");
  EXPECT_EQ(log.lines.size(), FailedLogins::kLinesPerMinute + 1);
  now += minutes(1);
  fail("192.0.2.7");
  EXPECT_TRUE(log.lines.back().ends_with("unlogged=15")) << log.lines.back();
  for (int i = 0; i < 300; ++i) fail("10.0.0." + std::to_string(i % 250));
  EXPECT_EQ(log.lines.size(), FailedLogins::kLinesPerMinute + 1 + FailedLogins::kLinesPerMinuteOfAll);
}

TEST_F(FailedLoginsTest, RememberALimitedNumberOfPlacesTheLastOnes) {
  fail("192.0.2.7");
  now += seconds(1);
  for (std::size_t i = 0; i < FailedLogins::kPlacesMax; ++i) {
    fail("10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250));
    now += milliseconds(1);
  }
  EXPECT_EQ(failed.places(), FailedLogins::kPlacesMax);
  EXPECT_EQ(fail("10.0.0.1"), milliseconds(200));
  EXPECT_EQ(fail("192.0.2.7"), milliseconds(100)) << "forgotten";
}

}  // namespace
}  // namespace furrow::broker
