// Worlds with a name: what random ones would seldom meet, and what they once found. Each is run over several seeds, so
// that a fault falls at many moments.
#include <gtest/gtest.h>

#include "tests/sim/world.h"

namespace furrow::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kSeeds = 12;

class ScenarioTest : public testing::Test {
 protected:
  static Options quiet() {
    Options options;
    options.sensors = 2;
    options.messages = 60;
    options.warm_up = true;
    options.commit_time_max = milliseconds(10);
    return options;
  }

  void expect_passes(Options options, std::uint64_t seeds = kSeeds) {
    for (options.seed = 1; options.seed <= seeds; ++options.seed) {
      World world(options);
      EXPECT_TRUE(world.run()) << "seed " << options.seed << ": " << world.summary() << "\n"
                               << describe(options) << "\n"
                               << testing::PrintToString(world.failures());
      wills_ += world.wills();
      peaks_ = world.peaks();
      if (HasFailure()) return;
    }
  }

  std::uint64_t wills_ = 0;  // that had to arrive, in all worlds
  Bounds::Peaks peaks_;      // of the last
};

TEST_F(ScenarioTest, WithoutFaultsEverythingArrives) {
  Options options = quiet();
  options.retainers = 1;
  options.deletions = 30;
  options.qos0_sensors = 2;
  options.subscribers = 2;
  options.commands = 30;
  expect_passes(options);
}

TEST_F(ScenarioTest, PowerCutsInTheMiddleOfCommitsLoseNothing) {
  Options options = quiet();
  options.sqlite = true;
  options.exactly_once = true;
  options.every(Fault::PowerCut) = milliseconds(150);
  options.every(Fault::UplinkOutage) = seconds(1);
  expect_passes(options);
}

TEST_F(ScenarioTest, ACleanStopIsCutWhileTheLogMovesIntoTheFiles) {
  Options options = quiet();
  options.sqlite = true;
  options.padding = 3000;
  options.every(Fault::GatewayRestart) = milliseconds(400);
  expect_passes(options);
}

// The queue file knew the packet identifier, and the value in the other file was not yet there.
TEST_F(ScenarioTest, ARetainedValueOfQos2SurvivesAKillBetweenTheTwoFiles) {
  Options options = quiet();
  options.sensors = 1;
  options.retainers = 2;
  options.exactly_once = true;
  options.every(Fault::GatewayKill) = milliseconds(300);
  expect_passes(options);
}

// The connection broke before its CONNACK, and the next one was told of a session that was not yet stored.
TEST_F(ScenarioTest, ASessionIsNotConfirmedBeforeItIsStored) {
  Options options = quiet();
  options.warm_up = false;
  options.subscribers = 2;
  options.commit_time_max = milliseconds(500);
  options.every(Fault::ClientCut) = milliseconds(50);
  options.every(Fault::PowerCut) = milliseconds(700);
  expect_passes(options);
}

TEST_F(ScenarioTest, SharedTopicsOfThreeGatewaysDoNotCircle) {
  for (const mqtt::Version version : {mqtt::Version::V5, mqtt::Version::V3_1_1}) {
    Options options = quiet();
    options.gateways = 3;
    options.shared = true;
    options.subscribers = 1;
    options.exactly_once = true;
    options.region_version = version;
    options.every(Fault::UplinkCut) = milliseconds(500);
    expect_passes(options);
  }
}

// The process was killed between a write and its sync: the next one read PUBREC from the page cache, sent PUBREL, and
// then the power failed.
TEST_F(ScenarioTest, WhatAStartReadsIsDurableBeforeItIsActedUpon) {
  Options options = quiet();
  options.sqlite = true;
  options.exactly_once = true;
  options.receive_maximum = 2;
  options.every(Fault::GatewayKill) = milliseconds(400);
  options.every(Fault::PowerCut) = milliseconds(400);
  expect_passes(options);
}

TEST_F(ScenarioTest, TenYearsMoreOrLessOnTheWallClockExpireNothing) {
  Options options = quiet();
  options.expiry_s = 36'000;
  options.every(Fault::ClockJump) = milliseconds(300);
  options.every(Fault::UplinkOutage) = seconds(2);
  options.every(Fault::PowerCut) = milliseconds(900);
  expect_passes(options);
}

TEST_F(ScenarioTest, WhatASlowCardHoldsUpIsNotLost) {
  Options options = quiet();
  options.subscribers = 1;
  options.commit_time_max = milliseconds(500);
  options.every(Fault::DiskStall) = seconds(1);
  options.every(Fault::GatewayKill) = seconds(1);
  expect_passes(options);
}

TEST_F(ScenarioTest, AFullDiskDelaysAndLosesNothing) {
  Options options = quiet();
  options.sqlite = true;
  options.every(Fault::DiskFull) = seconds(1);
  options.every(Fault::GatewayKill) = seconds(2);
  expect_passes(options);
}

TEST_F(ScenarioTest, AFullDiskIsNoReasonNotToStart) {
  Options options = quiet();
  options.sqlite = true;
  options.every(Fault::DiskFull) = milliseconds(500);
  options.every(Fault::GatewayKill) = milliseconds(300);
  options.every(Fault::GatewayRestart) = milliseconds(700);
  expect_passes(options);
}

// A kernel takes what it could not write for clean, and the next sync says that all is well.
TEST_F(ScenarioTest, SyncsThatFailLoseNothing) {
  for (const bool sqlite : {false, true}) {
    Options options = quiet();
    options.sqlite = sqlite;
    options.subscribers = 1;
    options.every(Fault::SyncFails) = seconds(1);
    options.every(Fault::UplinkOutage) = seconds(1);
    options.every(Fault::GatewayKill) = milliseconds(700);
    options.every(Fault::GatewayRestart) = seconds(2);
    options.every(Fault::PowerCut) = milliseconds(700);
    expect_passes(options);
  }
}

TEST_F(ScenarioTest, WhatTheRegionDoesNotTakeForNowArrivesLater) {
  Options options = quiet();
  options.every(Fault::RegionFull) = seconds(1);
  options.every(Fault::GatewayKill) = seconds(2);
  options.every(Fault::UplinkCut) = seconds(1);
  expect_passes(options);
}

// Its identifiers begin anew: one that a crash brought back was taken for the message that it had stood for.
TEST_F(ScenarioTest, CommandsArriveFromARegionThatForgetsItsSessions) {
  for (const bool sqlite : {false, true}) {
    Options options = quiet();
    options.sqlite = sqlite;
    options.subscribers = 1;
    options.commands = 200;
    options.exactly_once = true;
    options.commit_time_max = milliseconds(100);
    options.every(Fault::RegionForgets) = milliseconds(500);
    options.every(Fault::GatewayKill) = milliseconds(300);
    options.every(Fault::UplinkCut) = seconds(1);
    options.every(Fault::DiskFull) = seconds(2);
    expect_passes(options);
  }
}

// What a full disk holds back is written after the identifiers of the lost session are erased, and must not bring them
// back.
TEST_F(ScenarioTest, CommandsArriveFromARegionThatForgetsItsSessionsWhileTheDiskIsFull) {
  Options options = quiet();
  options.subscribers = 1;
  options.commands = 300;
  options.exactly_once = true;
  options.commit_time_max = milliseconds(30);
  options.every(Fault::RegionForgets) = milliseconds(1500);
  options.every(Fault::GatewayKill) = milliseconds(1500);
  options.every(Fault::DiskFull) = milliseconds(400);
  expect_passes(options, 200);  // without that, one in forty fails
}

TEST_F(ScenarioTest, BufferOutlivesItsBridges) {
  for (const bool exactly_once : {false, true}) {
    Options options = quiet();
    options.exactly_once = exactly_once;
    options.sqlite = exactly_once;
    options.subscribers = 1;
    options.retainers = 1;
    options.commands = 60;
    options.every(Fault::BridgeRemade) = milliseconds(200);
    options.every(Fault::UplinkCut) = milliseconds(700);
    options.every(Fault::GatewayKill) = seconds(1);
    expect_passes(options);
  }
}

TEST_F(ScenarioTest, AWindowOfOneKeepsOrderThroughCuts) {
  Options options = quiet();
  options.receive_maximum = 1;
  options.answer_after = milliseconds(50);
  options.every(Fault::UplinkCut) = milliseconds(400);
  options.every(Fault::RegionRestart) = seconds(1);
  expect_passes(options);
}

TEST_F(ScenarioTest, WhatIsDroppedAtALimitIsCounted) {
  for (const broker::WhenFull policy : {broker::WhenFull::DropOldest, broker::WhenFull::DropNewest}) {
    Options options = quiet();
    options.subscribers = 1;
    options.buffer.messages_max = 10;
    options.buffer.when_full = policy;
    options.sessions.messages_max = 5;
    options.sessions.when_full = policy;
    options.every(Fault::UplinkOutage) = seconds(1);
    options.every(Fault::ClientAway) = milliseconds(500);
    options.every(Fault::GatewayKill) = seconds(2);
    expect_passes(options);
  }
}

TEST_F(ScenarioTest, WillsOfClientsThatNeverReturnArrive) {
  Options options = quiet();
  options.mortals = 3;
  options.subscribers = 1;
  options.every(Fault::ClientCut) = milliseconds(300);
  options.every(Fault::ClientLeaves) = seconds(1);
  options.every(Fault::ClientDies) = seconds(1);
  options.every(Fault::GatewayKill) = seconds(1);
  options.every(Fault::PowerCut) = seconds(1);
  options.every(Fault::UplinkOutage) = seconds(2);
  expect_passes(options);
  EXPECT_GE(wills_, kSeeds);
}

TEST_F(ScenarioTest, WillsOutliveStopsAndCrashesAlike) {
  for (const Fault end : {Fault::GatewayRestart, Fault::PowerCut}) {
    for (const std::size_t passing : {std::size_t{0}, std::size_t{4}}) {
      Options options = quiet();
      options.messages = 300;
      options.mortals = 4;
      options.passing_mortals = passing;
      options.retained_wills = passing > 0;
      options.subscribers = 1;
      options.last_stop = end == Fault::GatewayRestart;
      options.last_crash = !options.last_stop;
      options.every(Fault::ClientCut) = seconds(3);
      options.every(Fault::ClientLeaves) = seconds(5);
      options.every(Fault::ClientDies) = seconds(5);
      options.every(end) = seconds(4);
      wills_ = 0;
      expect_passes(options);
      EXPECT_GE(wills_, kSeeds);
    }
  }
}

// It connected with a new will and left before that was stored; the old one must not stay behind.
TEST_F(ScenarioTest, ClientsThatComeBackAfterACrashOnlyToLeaveHaveNoWill) {
  Options options = quiet();
  options.mortals = options.passing_mortals = 3;
  options.every(Fault::ClientLeaves) = milliseconds(300);
  options.every(Fault::GatewayKill) = seconds(3);
  options.last_stop = true;
  expect_passes(options);
}

// The session's row without the will was written, and the will itself was only on its way to the region.
TEST_F(ScenarioTest, AWillThatIsOnItsWaySurvivesAKill) {
  Options options = quiet();
  options.sensors = 4;
  options.messages = 300;
  options.mortals = 20;
  options.commit_time_max = milliseconds(2);
  options.receive_maximum = 1000;
  options.answer_after = milliseconds(200);
  options.every(Fault::ClientDies) = milliseconds(150);
  options.every(Fault::UplinkSilence) = milliseconds(500);
  options.every(Fault::GatewayKill) = milliseconds(700);
  expect_passes(options);
  EXPECT_GE(wills_, kSeeds);
}

TEST_F(ScenarioTest, ASharedSubscriptionOutlivesTheSessionsOfItsMembers) {
  for (const bool exactly_once : {false, true}) {
    Options options = quiet();
    options.members = 3;
    options.exactly_once = exactly_once;
    options.answer_after = milliseconds(100);
    options.every(Fault::MemberRenewed) = milliseconds(300);
    options.every(Fault::ClientCut) = milliseconds(200);
    options.every(Fault::ClientAway) = milliseconds(300);
    options.every(Fault::ClientSilence) = seconds(5);
    expect_passes(options);
  }
}

TEST_F(ScenarioTest, ASharedSubscriptionSurvivesCrashes) {
  Options options = quiet();
  options.members = 3;
  options.answer_after = milliseconds(300);
  options.every(Fault::MemberRenewed) = milliseconds(100);
  options.every(Fault::ClientAway) = milliseconds(100);
  options.every(Fault::GatewayKill) = milliseconds(300);
  options.every(Fault::PowerCut) = seconds(1);
  expect_passes(options);
}

// Of a backlog only a front stays in memory, and the file is made small once it has drained.
TEST_F(ScenarioTest, ALargeBacklogLeavesMemoryAndThenTheFile) {
  for (const bool sqlite : {false, true}) {
    Options options = quiet();
    options.sqlite = sqlite;
    options.sensors = 4;
    options.subscribers = 1;
    options.messages = 200;
    options.padding = 30'000;
    options.every(Fault::UplinkOutage) = milliseconds(500);
    options.every(Fault::GatewayKill) = seconds(5);
    expect_passes(options, 2);
    EXPECT_GT(peaks_.queue_bytes, 16 * MiB);
    EXPECT_GT(peaks_.memory_bytes, 1 * MiB);
    EXPECT_LT(peaks_.memory_bytes, 4 * MiB);
    EXPECT_EQ(peaks_.file_bytes > 16 * MiB, sqlite);
  }
}

// What has drained makes room for what comes.
TEST_F(ScenarioTest, ManyOutagesTakeNoMoreOfTheDiskThanOne) {
  Options options = quiet();
  options.sqlite = true;
  options.sensors = 3;
  options.messages = 1200;
  options.padding = 10'000;
  options.receive_maximum = 100;
  options.every(Fault::UplinkOutage) = seconds(5);
  options.every(Fault::GatewayRestart) = seconds(10);
  expect_passes(options, 2);
  EXPECT_LT(peaks_.file_bytes, peaks_.queue_bytes + 2 * MiB);
  EXPECT_GT(options.sensors * options.messages * options.padding, 2 * peaks_.file_bytes);
}

}  // namespace
}  // namespace furrow::sim
