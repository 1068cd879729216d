// What is found in pictures that each have one thing wrong.
#include "gateway/status/findings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace furrow::gateway {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Severity = Alarm::Severity;

class FindingsTest : public ::testing::Test {
 protected:
  FindingsTest() {
    model.moment.now = Instant(std::chrono::hours(100));
    model.clock.trusted = true;
    model.bridges = {{.name = "region", .snapshot = {}}};
    region().state = bridge::State::Online;
    region().since = model.moment.now;
    region().remote = "mqtts://far:8883";
  }

  bridge::Snapshot& region() { return model.bridges[0].snapshot; }
  // The one that there is.
  Finding found() {
    std::vector<Finding> all = findings(model);
    EXPECT_THAT(all, SizeIs(1));
    return all.empty() ? Finding{} : all[0];
  }

  StatusModel model;
};

TEST_F(FindingsTest, NothingIsWrong) {
  EXPECT_THAT(findings(model), IsEmpty());
}

TEST_F(FindingsTest, BridgeThatStallsIsSaidAtOnce) {
  region().state = bridge::State::Stalled;
  region().reason = "no acknowledgement for 30 s";
  const Finding one = found();
  EXPECT_EQ(one.alarm.id, "bridge_stalled/region");
  EXPECT_EQ(one.alarm.severity, Severity::Error);
  EXPECT_EQ(one.alarm.what, "is connected, but the region acknowledges nothing: no acknowledgement for 30 s");
  EXPECT_THAT(one.alarm.todo, HasSubstr("mqtts://far:8883"));
  EXPECT_EQ(one.raise_after, Duration::zero());
}

TEST_F(FindingsTest, BridgeThatIsAwayIsSaidOnceThatLasts) {
  region().state = bridge::State::Backoff;
  region().since = model.moment.now - minutes(6);
  region().reason = "connection refused";
  const Finding one = found();
  EXPECT_EQ(one.alarm.id, "bridge_away/region");
  EXPECT_EQ(one.alarm.since, region().since);
  EXPECT_EQ(one.raise_after, minutes(5));
  EXPECT_EQ(one.alarm.what, "has no connection to its region: connection refused");
}

TEST_F(FindingsTest, StallThatIsSaidOutlivesTheWaitBeforeTheNextAttempt) {
  region().state = bridge::State::Backoff;
  region().since = model.moment.now - minutes(1);
  const std::vector<Finding> all = findings(model);
  const auto stalled = std::ranges::find(all, "bridge_stalled/region", [](const Finding& one) { return one.alarm.id; });
  ASSERT_NE(stalled, all.end());
  EXPECT_TRUE(stalled->only_keeps);
}

TEST_F(FindingsTest, BufferRaisesAt80PercentAndKeepsFrom70) {
  region().bytes_max = 1000;
  region().backlog_bytes = 699;
  EXPECT_THAT(findings(model), IsEmpty());
  region().backlog_bytes = 700;
  EXPECT_TRUE(found().only_keeps);
  region().backlog_bytes = 800;
  EXPECT_FALSE(found().only_keeps);
  EXPECT_EQ(found().alarm.severity, Severity::Warning);
  EXPECT_EQ(found().alarm.what, "has a buffer that is 80 % full");
  region().backlog_bytes = 950;
  EXPECT_EQ(found().alarm.severity, Severity::Error);
}

TEST_F(FindingsTest, BufferIsFullByMessagesToo) {
  region().bytes_max = 1000;
  region().messages_max = 10;
  region().backlog_messages = 9;
  EXPECT_EQ(found().alarm.what, "has a buffer that is 90 % full");
}

TEST_F(FindingsTest, BufferWithoutALimitIsNeverFull) {
  region().backlog_bytes = 1'000'000'000'000;
  EXPECT_THAT(findings(model), IsEmpty());
}

TEST_F(FindingsTest, QuarantineIsCounted) {
  region().quarantined = 1;
  EXPECT_THAT(found().alarm.what, HasSubstr("has 1 message in quarantine"));
}

TEST_F(FindingsTest, BridgeThatSharesItsClientIdIsSaidForTenMinutes) {
  region().client_id = "barn-region";
  region().contested = model.moment.now - minutes(10);
  EXPECT_EQ(found().alarm.id, "client_id/bridge region");
  EXPECT_THAT(found().alarm.what, HasSubstr("client id barn-region"));
  region().contested = model.moment.now - minutes(10) - seconds(1);
  EXPECT_THAT(findings(model), IsEmpty());
}

TEST_F(FindingsTest, BridgeThatMayShareItsClientIdIsAWarning) {
  region().client_id = "barn-region";
  region().pushed_out = model.moment.now - minutes(10);
  EXPECT_EQ(found().alarm.id, "client_id/bridge region");
  EXPECT_EQ(found().alarm.severity, Severity::Warning);
  EXPECT_THAT(found().alarm.what, HasSubstr("does another client use client id barn-region?"));
  region().contested = model.moment.now;
  EXPECT_EQ(found().alarm.severity, Severity::Error) << "the far broker says so";
}

TEST_F(FindingsTest, StoreThatIsSlowIsGivenTimeAndOneThatFailsIsNot) {
  model.store.since = model.moment.now;
  model.store.health = {.state = broker::StoreState::Slow, .reason = ""};
  EXPECT_EQ(found().raise_after, minutes(5));
  EXPECT_EQ(found().alarm.severity, Severity::Warning);
  model.store.health = {.state = broker::StoreState::Full, .reason = "12 MiB left"};
  EXPECT_EQ(found().raise_after, Duration::zero());
  EXPECT_EQ(found().alarm.severity, Severity::Error);
  EXPECT_EQ(found().alarm.what, "is full: 12 MiB left");
}

TEST_F(FindingsTest, CertificateNearItsEnd) {
  const auto with_days = [&](std::int64_t days) {
    model.certificates = {{.name = "listener lan", .file = "lan.crt", .subject = "", .not_after = {}, .days = days}};
  };
  with_days(31);
  EXPECT_THAT(findings(model), IsEmpty());
  with_days(30);
  EXPECT_EQ(found().alarm.severity, Severity::Warning);
  EXPECT_EQ(found().alarm.what, "has a certificate that ends in 30 days: lan.crt");
  with_days(1);
  EXPECT_EQ(found().alarm.severity, Severity::Error);
  EXPECT_EQ(found().alarm.what, "has a certificate that ends in 1 day: lan.crt");
  with_days(-2);
  EXPECT_EQ(found().alarm.what, "has a certificate that has expired 2 days ago: lan.crt");
}

TEST_F(FindingsTest, ListenerThatWaits) {
  model.listeners = {{.name = "lan", .protocol = "mqtt", .address = ""},
                     {.name = "wifi", .protocol = "mqtt", .address = "", .waiting = "no interface wlan0"}};
  EXPECT_EQ(found().alarm.id, "listener/wifi");
  EXPECT_EQ(found().alarm.what, "waits for its address: no interface wlan0");
}

TEST_F(FindingsTest, ClientIdOfTwoClientsIsMadePrintable) {
  model.clients.contested = {"pump\x1b[31m"};
  EXPECT_EQ(found().alarm.id, "client_id/pump\\u001b[31m");
}

TEST_F(FindingsTest, ClockThatIsNotTrustedIsGivenTime) {
  model.clock.trusted = false;
  EXPECT_EQ(found().alarm.id, "clock");
  EXPECT_GT(found().raise_after, minutes(1));
}

TEST_F(FindingsTest, MemoryNearItsLimit) {
  model.memory.limit_bytes = 1000;
  model.memory.heap_bytes = 850;
  EXPECT_EQ(found().alarm.what, "is used for 85 % of limits.memory");
  model.memory.limit_bytes = 0;
  EXPECT_THAT(findings(model), IsEmpty());
}

}  // namespace
}  // namespace furrow::gateway
