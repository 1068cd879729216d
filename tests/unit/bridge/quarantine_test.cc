// A message for which the far broker ends the connection each time, and what becomes of it.
#include "bridge/quarantine.h"

#include <chrono>
#include <functional>
#include <string>
#include <tuple>
#include <vector>

#include "tests/unit/bridge/bridge_fixture.h"

namespace furrow::test {
namespace {

using namespace std::chrono_literals;
using broker::DropReason;
using mqtt::Qos;
using mqtt::ReasonCode;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::IsEmpty;

class QuarantineTest : public BridgeFixture {
 protected:
  // The far broker answers what the bridge says, in order, and ends the connection at a line that has `poison`; then
  // the bridge comes back. Ends when nothing is said any more, or after `ends` ends.
  void play(int ends = 100) {
    while (ends > 0) {
      if (dialing()) accept(has_session_);
      if (!linked()) redial();
      if (!linked()) continue;
      const std::vector<std::string> lines = said();
      if (lines.empty()) return;
      for (const std::string& line : lines) {
        if (line.find(poison_) == std::string::npos) {
          answer(line);
          continue;
        }
        --ends;
        end_connection_();
        break;
      }
    }
  }
  void answer(const std::string& line) {
    const std::size_t at = line.find(" id=");
    const PacketId id{static_cast<std::uint16_t>(at == std::string::npos ? 0 : std::stoi(line.substr(at + 4)))};
    if (line.starts_with("PUBLISH")) {
      arrived_.push_back(line.substr(9, line.find('"', 9) - 9));
      if (line.find(" qos=1") != std::string::npos) far(mqtt::Puback{id, ReasonCode::Success, {}});
      if (line.find(" qos=2") != std::string::npos) far(mqtt::Pubrec{id, ReasonCode::Success, {}});
    } else if (line.starts_with("PUBREL")) {
      far(mqtt::Pubcomp{id, ReasonCode::Success, {}});
    }
  }
  void publish_four(Qos qos) {
    for (const char* topic : {"farm/1", "farm/bad", "farm/2", "farm/3"}) publish(topic, "x", qos);
  }

  std::string poison_ = "farm/bad";
  bool has_session_ = true;
  std::function<void()> end_connection_ = [this] { cut({Errc::Closed, "closed by the peer"}); };
  std::vector<std::string> arrived_;  // topics
};

// At each QoS, with a far session that is kept, and with one that is new each time.
class CulpritTest : public QuarantineTest, public testing::WithParamInterface<std::tuple<Qos, bool>> {};
INSTANTIATE_TEST_SUITE_P(, CulpritTest,
                         testing::Combine(testing::Values(Qos::AtLeastOnce, Qos::ExactlyOnce), testing::Bool()));

TEST_P(CulpritTest, IsSetAsideAndTheRestArrives) {
  const Qos qos = std::get<0>(GetParam());
  has_session_ = std::get<1>(GetParam());
  start();
  publish_four(qos);
  play();
  EXPECT_THAT(arrived_, ElementsAre("farm/1", "farm/2", "farm/3"));
  EXPECT_EQ(snapshot().quarantined, 1U);
  EXPECT_EQ(snapshot().delivered, 3U);
  EXPECT_EQ(snapshot().accepted, 4U);
  EXPECT_EQ(state(), "online");
  EXPECT_THAT(log.lines, Contains(AllOf(HasSubstr("bridge.set_aside name=region topic=farm/bad"),
                                        HasSubstr("furrow buffer show --quarantine"))));
  EXPECT_THAT(log.lines, Not(Contains(HasSubstr("does another client use client id"))));
  EXPECT_FALSE(snapshot().pushed_out) << "it is known why";
}

TEST_P(CulpritTest, IsInQuarantineStillAfterAPowerCut) {
  has_session_ = std::get<1>(GetParam());
  start();
  publish_four(std::get<0>(GetParam()));
  play();
  pass(2s);
  crash_and_restart();
  EXPECT_EQ(snapshot().quarantined, 1U);
  EXPECT_EQ(snapshot().backlog_messages + snapshot().inflight, 0U);
  play();
  EXPECT_EQ(arrived_.size(), 3U) << "it is not sent again";
}

TEST_P(CulpritTest, IsNotLostWhenThePowerFailsBeforeTheCopyIsOnDisk) {
  has_session_ = std::get<1>(GetParam());
  start();
  publish_four(std::get<0>(GetParam()));
  play(4);
  end_connection_ = [this] {
    store_answers = false;
    cut({Errc::Closed, "closed by the peer"});
  };
  play(1);
  ASSERT_THAT(log.lines, Contains(HasSubstr("bridge.set_aside")));
  EXPECT_EQ(snapshot().quarantined, 0U) << "it counts where it was until then";
  store_answers = true;
  crash_and_restart();
  EXPECT_EQ(snapshot().quarantined, 0U);
  EXPECT_EQ(snapshot().backlog_messages + snapshot().inflight, 3U);
  end_connection_ = [this] { cut({Errc::Closed, "closed by the peer"}); };
  play();
  EXPECT_EQ(snapshot().quarantined, 1U);
}

TEST_P(CulpritTest, IsSentAgainWhenTheOperatorSaysSo) {
  has_session_ = std::get<1>(GetParam());
  start();
  publish_four(std::get<0>(GetParam()));
  play();
  poison_ = "nothing";
  buffer().quarantine().replay(now);
  turn();
  play();
  EXPECT_THAT(arrived_, ElementsAre("farm/1", "farm/2", "farm/3", "farm/bad"));
  EXPECT_EQ(snapshot().quarantined, 0U);
  EXPECT_EQ(snapshot().accepted, 4U);
  EXPECT_FALSE(buffer().quarantine().is_moving());
  pass(2s);
  crash_and_restart();
  EXPECT_EQ(snapshot().quarantined + snapshot().backlog_messages, 0U);
}

// A far broker that bears no PUBREL twice (aedes) has the message already.
TEST_F(QuarantineTest, MessageThatTheFarBrokerHasCountsAsDelivered) {
  start();
  accept();
  for (const char* topic : {"farm/1", "farm/2", "farm/3"}) publish(topic, "x", Qos::ExactlyOnce);
  for (const std::string& line : said()) answer(line);
  ASSERT_THAT(said(), testing::SizeIs(3)) << "PUBRELs that are lost";
  cut();
  poison_ = "PUBREL";
  play(7);
  EXPECT_EQ(snapshot().delivered, 3U);
  EXPECT_EQ(snapshot().quarantined, 0U);
  EXPECT_THAT(log.lines, Contains(HasSubstr("counted as delivered")));
}

TEST_F(QuarantineTest, DisconnectThatMeansAMessageCounts) {
  end_connection_ = [this] { far(mqtt::Disconnect{ReasonCode::NotAuthorized, {}}); };
  start();
  publish_four(Qos::AtLeastOnce);
  play();
  EXPECT_EQ(snapshot().quarantined, 1U);
  EXPECT_THAT(arrived_, ElementsAre("farm/1", "farm/2", "farm/3"));
}

TEST_F(QuarantineTest, NoOtherEndSaysAnythingOfAMessage) {
  const std::vector<std::function<void()>> ends{
      [this] {
        cut({Errc::Reset, "connection reset by peer"});
      },
      [this] {
        far(mqtt::Disconnect{ReasonCode::ServerShuttingDown, {}});
      },
      [this] { pass(40s); },  // no acknowledgement
      [this] {
        pass(6s);  // not for what was sent then
        cut({Errc::Closed, "closed by the peer"});
      },
  };
  start();
  publish_four(Qos::AtLeastOnce);
  for (const auto& end : ends) {
    end_connection_ = end;
    play(8);
  }
  EXPECT_EQ(snapshot().quarantined, 0U);
  EXPECT_EQ(snapshot().backlog_messages + snapshot().inflight, 3U);
  EXPECT_THAT(log.lines, testing::Not(Contains(HasSubstr("set_aside"))));
}

// A broker that reads no further than the length of a packet leaves the rest to TCP, which resets the connection.
TEST_F(QuarantineTest, ResetCountsForAMessageThatIsLargerThanAllThatWereAnswered) {
  end_connection_ = [this] { cut({Errc::Reset, "connection reset by peer"}); };
  start();
  publish("farm/1", "x", Qos::AtLeastOnce);
  publish("farm/bad", std::string(2000, 'x'), Qos::AtLeastOnce);
  publish("farm/2", "x", Qos::AtLeastOnce);
  play();
  EXPECT_EQ(snapshot().quarantined, 1U);
  EXPECT_THAT(arrived_, ElementsAre("farm/1", "farm/2"));

  publish("farm/3", std::string(3000, 'x'), Qos::AtLeastOnce);
  publish("farm/bad", std::string(2000, 'x'), Qos::AtLeastOnce);
  play(8);
  EXPECT_EQ(snapshot().quarantined, 1U) << "it takes larger ones";
}

TEST_F(QuarantineTest, RegionThatTakesNothingHasOneMessageInTenMinutesSetAside) {
  poison_ = "PUBLISH";
  start();
  publish_four(Qos::AtLeastOnce);
  const Instant begin = now;
  while (now - begin < 9min) play(1);
  EXPECT_EQ(snapshot().quarantined, 1U);
  EXPECT_EQ(snapshot().backlog_messages + snapshot().inflight, 3U);
}

// What the far broker may have ended the connection for is then what was not answered beside the message.
TEST_F(QuarantineTest, NoMessageIsBlamedForASubscription) {
  bridge_options.rules.push_back(rule(bridge::Direction::Down, "news/#"));
  poison_ = "SUBSCRIBE";
  start();
  publish_four(Qos::AtLeastOnce);
  play(12);
  EXPECT_EQ(snapshot().quarantined, 0U);
}

TEST_F(QuarantineTest, ReasonSaysThatOneMessageAtATimeIsSent) {
  start();
  publish_four(Qos::AtLeastOnce);
  play(2);
  EXPECT_THAT(state(), HasSubstr("closed by the peer, again and again soon after a message was sent: one at a time"));
}

TEST_F(QuarantineTest, PurgeCountsWhatWasSetAside) {
  start();
  publish_four(Qos::AtLeastOnce);
  play();
  buffer().quarantine().purge(now);
  turn();
  EXPECT_EQ(snapshot().quarantined, 0U);
  EXPECT_EQ(dropped(DropReason::Purged), 1U);
  pass(2s);
  crash_and_restart();
  EXPECT_EQ(snapshot().quarantined, 0U);
  EXPECT_EQ(dropped(DropReason::Purged), 1U);
}

TEST_F(QuarantineTest, MessageThatEqualsTheLastOneFollowsAtOnce) {
  start();
  for (int i = 0; i < 5; ++i) publish("farm/bad", "x", Qos::AtLeastOnce);
  play(9);
  EXPECT_EQ(snapshot().quarantined, 5U);
}

TEST_F(QuarantineTest, IsRenamedWithItsBridge) {
  start();
  publish_four(Qos::AtLeastOnce);
  play();
  detach();
  ASSERT_EQ(buffers().rename("region", "us"), bridge::Buffers::Renaming::Done);
  bridge_options.name = "us";
  attach();
  pass(2s);
  crash_and_restart();
  EXPECT_EQ(snapshot().quarantined, 1U);
}

TEST_F(QuarantineTest, TakesAThousandMessagesAndThenTheBridgeWaits) {
  start();
  accept(true);
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 100; ++i) publish("farm/" + std::to_string(i), "x", Qos::AtLeastOnce);
    const auto open = buffer().window().open_messages();
    ASSERT_EQ(open.size(), 100U);
    for (const auto& one : open) (void)buffer().set_aside(one.queue, one.sequence, now);
    turn();
  }
  ASSERT_EQ(snapshot().quarantined, 1000U);
  publish("farm/bad", "x", Qos::AtLeastOnce);
  play(12);
  EXPECT_EQ(snapshot().quarantined, 1000U);
  EXPECT_THAT(state(), HasSubstr("the quarantine is full"));
  EXPECT_EQ(snapshot().backlog_messages + snapshot().inflight, 1U) << "none is lost";
}

TEST_F(QuarantineTest, ReplayEndsWhereTheBufferHasNoRoom) {
  start();
  for (int i = 0; i < 10; ++i) publish("farm/" + std::to_string(i), "x", Qos::AtLeastOnce);
  accept(true);
  for (const auto& one : buffer().window().open_messages()) (void)buffer().set_aside(one.queue, one.sequence, now);
  turn();
  ASSERT_EQ(snapshot().quarantined, 10U);
  cut();
  buffer().set_limits({.messages_max = 4});
  buffer().quarantine().replay(now);
  turn();
  EXPECT_EQ(snapshot().quarantined, 6U);
  EXPECT_EQ(snapshot().backlog_messages, 4U);
  EXPECT_EQ(dropped(DropReason::QueueFull), 0U);
}

}  // namespace
}  // namespace furrow::test
