#include "gateway/status/alarms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/line_log.h"

namespace furrow::gateway {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Severity = Alarm::Severity;

class AlarmsTest : public ::testing::Test {
 protected:
  Finding finding(const std::string& id, Duration raise_after = {}) const {
    return {.alarm = {.id = id, .since = now, .about = id, .what = "is wrong", .todo = "mend it"},
            .raise_after = raise_after};
  }
  void review(std::vector<Finding> found) { alarms.review(std::move(found), now); }
  std::vector<std::string> raised() const {
    std::vector<std::string> ids;
    for (const Alarm& one : alarms.raised()) ids.push_back(one.id);
    return ids;
  }

  test::LineLog log;
  Alarms alarms{log};
  Instant now{hours(1)};
};

TEST_F(AlarmsTest, RaisedAndClearedWithALineEach) {
  review({finding("store")});
  EXPECT_THAT(raised(), ElementsAre("store"));
  now += seconds(60);
  review({finding("store")});
  EXPECT_EQ(alarms.raised()[0].since, now - seconds(60));
  EXPECT_EQ(alarms.changes(), 1U) << "it was known";
  review({});
  EXPECT_THAT(raised(), ElementsAre("store")) << "perhaps it comes back";
  EXPECT_EQ(alarms.next_deadline(), now + Alarms::kClearAfter);
  now += Alarms::kClearAfter;
  review({});
  EXPECT_THAT(raised(), IsEmpty());
  EXPECT_EQ(alarms.changes(), 2U);
  EXPECT_EQ(alarms.next_deadline(), kNever);
  EXPECT_THAT(log.lines, ElementsAre("warning alarm.raised id=store about=store what=is wrong do=mend it",
                                     "info alarm.cleared id=store about=store after_s=65"));
}

TEST_F(AlarmsTest, WhatComesBackAtOnceWasNeverGone) {
  review({finding("store")});
  review({});
  now += Alarms::kClearAfter - seconds(1);
  review({finding("store")});
  now += seconds(2);
  review({});
  EXPECT_THAT(raised(), ElementsAre("store"));
  EXPECT_THAT(log.lines, SizeIs(1));
}

TEST_F(AlarmsTest, IsRaisedOnceItLasts) {
  review({finding("away", minutes(5))});
  EXPECT_THAT(raised(), IsEmpty());
  EXPECT_EQ(alarms.next_deadline(), now + minutes(5));
  now += minutes(5);
  review({finding("away", minutes(5))});
  EXPECT_THAT(raised(), ElementsAre("away"));
}

TEST_F(AlarmsTest, WhatMendsItselfIsNeverSaid) {
  review({finding("away", minutes(5))});
  now += minutes(4);
  review({});
  now += minutes(2);
  review({finding("away", minutes(5))});
  EXPECT_THAT(raised(), IsEmpty());
  EXPECT_THAT(log.lines, IsEmpty());
}

TEST_F(AlarmsTest, WhatOnlyKeepsRaisesNothing) {
  Finding keeps = finding("buffer");
  keeps.only_keeps = true;
  review({keeps});
  EXPECT_THAT(raised(), IsEmpty());
  review({finding("buffer")});
  now += hours(1);
  review({keeps});
  now += hours(1);
  review({keeps});
  EXPECT_THAT(raised(), ElementsAre("buffer"));
  EXPECT_EQ(alarms.next_deadline(), kNever);
}

TEST_F(AlarmsTest, WhatBecomesWorseIsSaidAgain) {
  Finding found = finding("certificate");
  review({found});
  found.alarm.severity = Severity::Error;
  review({found});
  EXPECT_EQ(alarms.changes(), 2U);
  EXPECT_THAT(log.lines, ElementsAre(HasSubstr("warning alarm.raised"), HasSubstr("error alarm.raised")));
}

TEST_F(AlarmsTest, TheWorstComeFirstThenTheOldest) {
  Finding bad = finding("c");
  bad.alarm.severity = Severity::Error;
  review({finding("b")});
  now += seconds(1);
  review({finding("a"), finding("b"), bad});
  EXPECT_THAT(raised(), ElementsAre("c", "b", "a"));
}

TEST_F(AlarmsTest, ManyAtOnceAreOneLineMore) {
  std::vector<Finding> many;
  for (int i = 0; i < 300; ++i) many.push_back(finding("silent/" + std::to_string(i)));
  review(many);
  EXPECT_THAT(log.lines, SizeIs(Alarms::kLinesMax + 1));
  EXPECT_EQ(log.lines.back(), "warning alarm.more unlogged=290 see=$SYS/furrow/alarms");
  EXPECT_THAT(raised(), SizeIs(300));
}

}  // namespace
}  // namespace furrow::gateway
