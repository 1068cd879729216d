// How long a publisher waits for the acknowledgement of a slow receiver, before its message is written.
#include "broker-core/session/commit_interval.h"

#include "tests/support/broker_fixture.h"

namespace furrow::test {
namespace {

using mqtt::PacketType;
using std::chrono::milliseconds;

class CommitIntervalTest : public BrokerFixture {
 protected:
  void SetUp() override {
    reader = &connect_durable("reader");
    reader->subscribe("farm/#", kQos1);
    sensor = &connect({.client_id = "sensor"});
  }
  // The reader acknowledges each of some messages after so long, as over a far link.
  void settle_in(Duration time) {
    for (std::uint16_t id = 1; id <= 8; ++id) {
      sensor->publish("farm/1", "x", kQos1, id);
      advance(time);
      reader->acknowledge(PacketType::Puback, id);
    }
    EXPECT_THAT(sensor->received(), testing::SizeIs(8));
  }
  // How long a publisher waits for its PUBACK when the reader says nothing any more.
  Duration wait_of_a_publisher() {
    const Instant since = now;
    sensor->publish("farm/1", "x", kQos1, 9);
    while (sensor->received().empty()) advance(milliseconds(10));
    return now - since;
  }

  Client* reader = nullptr;
  Client* sensor = nullptr;
};

TEST_F(CommitIntervalTest, NobodyWaitsLongerThanHalfASecondForASlowReceiver) {
  settle_in(milliseconds(400));
  EXPECT_EQ(wait_of_a_publisher(), milliseconds(500));
}

TEST_F(CommitIntervalTest, FourAcknowledgementTimesAreWaitedFor) {
  settle_in(milliseconds(50));
  EXPECT_EQ(wait_of_a_publisher(), milliseconds(200));
}

TEST_F(CommitIntervalTest, AFastReceiverHasATenthOfASecond) {
  settle_in(milliseconds(1));
  EXPECT_EQ(wait_of_a_publisher(), milliseconds(100));
}

}  // namespace
}  // namespace furrow::test
