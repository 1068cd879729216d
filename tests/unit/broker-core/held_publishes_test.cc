// Publishers that cannot be told of a refusal wait for room; and what a store that takes no writes means for all.
#include "tests/support/broker_fixture.h"

namespace furrow::test {
namespace {

using mqtt::PacketType;
using mqtt::PropertyId;
using mqtt::Version;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

// A queue with room for one message, which refuses more.
class HeldPublishesTest : public BrokerFixture {
 protected:
  HeldPublishesTest() {
    options.limits.session_queue = {
        .messages_max = 1, .bytes_max = 0, .age_max = {}, .when_full = broker::WhenFull::Refuse};
  }
  Client& connect_old(std::string_view client_id = "old") {
    if (broker().sessions() == 0) leave_subscribed("reader", "farm/#");
    return connect({.client_id = client_id, .version = Version::V3_1_1});
  }
  // The reader is back and takes the first message that waits for it.
  Client& read_one() {
    Client& reader = connect_durable("reader");
    reader.acknowledge(PacketType::Puback, 1);
    return reader;
  }
};

TEST_F(HeldPublishesTest, AMessageIsTakenOnceThereIsRoom) {
  Client& old = connect_old();
  old.publish("farm/1", "1", kQos1, 1);
  old.publish("farm/1", "2", kQos1, 2);
  old.publish("farm/1", "3", kQos2, 3);
  advance(seconds(1));
  EXPECT_THAT(old.received(), ElementsAre("PUBACK id=1 reason=00"));
  Client& reader = read_one();
  EXPECT_THAT(old.received(), IsEmpty()) << "not safe yet";
  EXPECT_THAT(reader.received(), ElementsAre(HasSubstr("\"2\" qos=1 id=2")));
  reader.acknowledge(PacketType::Puback, 2);
  advance(seconds(1));
  EXPECT_THAT(old.received(), ElementsAre("PUBACK id=2 reason=00", "PUBREC id=3 reason=00"));
}

TEST_F(HeldPublishesTest, WhatComesBehindAHeldMessageKeepsItsOrder) {
  Client& old = connect_old();
  Client& other = connect({.client_id = "other"});
  other.subscribe("elsewhere", kQos1);
  other.received();
  old.publish("farm/1", "1", kQos1, 1);
  old.publish("farm/1", "held", kQos1, 2);
  old.publish("elsewhere", "behind it", kQos1, 3);
  old.publish("elsewhere", "QoS 0 has no order with them");
  EXPECT_THAT(other.received(), ElementsAre(HasSubstr("QoS 0 has no order")));
  (void)read_one();
  EXPECT_THAT(other.received(), ElementsAre(HasSubstr("behind it")));
}

TEST_F(HeldPublishesTest, ReadingPausesBehindAWindowFullOfThem) {
  options.limits.inflight = 2;
  Client& old = connect_old();
  old.publish("farm/1", "is taken", kQos1, 1);
  advance(seconds(1));
  for (std::uint16_t id = 2; id <= 3; ++id) old.publish("farm/1", "is held", kQos1, id);
  old.send(mqtt::Pingreq{});
  EXPECT_FALSE(broker().reading_paused(old.id()));
  EXPECT_THAT(old.received(), Contains("PINGRESP"));
  old.publish("farm/1", "waits", kQos1, 4);
  EXPECT_TRUE(broker().reading_paused(old.id()));
  (void)read_one();
  EXPECT_TRUE(broker().reading_paused(old.id())) << "taken, and not yet safe";
  advance(seconds(1));
  EXPECT_FALSE(broker().reading_paused(old.id()));
}

TEST_F(HeldPublishesTest, TheyAreForgottenWithTheirConnection) {
  leave_subscribed("reader", "farm/#");
  Client& old = connect_durable("old", Version::V3_1_1);
  old.publish("farm/1", "1", kQos1, 1);
  old.publish("farm/1", "2", kQos2, 2);
  old.vanish();
  Client& reader = read_one();
  reader.received();
  Client& again = connect_durable("old", Version::V3_1_1);
  again.publish("farm/1", "2", kQos2, 2, {.duplicate = true});
  EXPECT_THAT(reader.received(), ElementsAre(HasSubstr("\"2\" qos=2"))) << "not taken for one that was received";
}

TEST_F(HeldPublishesTest, RepeatedMessageIsHeldOnce) {
  Client& old = connect_old();
  old.publish("farm/1", "1", kQos1, 1);
  old.publish("farm/1", "2", kQos1, 2);
  old.publish("farm/1", "3", kQos2, 3);
  advance(seconds(1));
  EXPECT_THAT(old.received(), ElementsAre("PUBACK id=1 reason=00"));
  old.publish("farm/1", "2", kQos1, 2, {.duplicate = true});
  old.publish("farm/1", "3", kQos2, 3, {.duplicate = true});
  old.publish("farm/1", "3", kQos2, 3);  // until its PUBREL the flag does not matter
  Client& reader = read_one();
  EXPECT_THAT(reader.received(), ElementsAre(HasSubstr("\"2\" qos=1 id=2")));
  reader.acknowledge(PacketType::Puback, 2);
  advance(seconds(1));
  EXPECT_THAT(reader.received(), ElementsAre(HasSubstr("\"3\" qos=2 id=3")));
  EXPECT_THAT(old.received(), ElementsAre("PUBACK id=2 reason=00", "PUBREC id=3 reason=00"));
  reader.acknowledge(PacketType::Pubrec, 3);
  advance(seconds(1));
  reader.acknowledge(PacketType::Pubcomp, 3);
  advance(seconds(1));
  EXPECT_THAT(reader.received(), ElementsAre("PUBREL id=3 reason=00")) << "and nothing more";
}

TEST_F(HeldPublishesTest, SeveralPublishersWaitEachForItself) {
  Client& first = connect_old("first");
  Client& second = connect_old("second");
  first.publish("farm/1", "1", kQos1, 1);
  first.publish("farm/1", "2", kQos1, 2);
  second.publish("farm/2", "3", kQos1, 1);
  second.vanish();
  Client& reader = read_one();
  EXPECT_THAT(reader.received(), ElementsAre(HasSubstr("\"2\"")));
}

// --- the store takes no writes ---

class FailingStore : public BrokerFixture {
 protected:
  void fail() { broker().handle_store_failing(true); }
  void recover() {
    broker().handle_store_failing(false);
    settle();
  }
};

TEST_F(FailingStore, WhatWouldHaveToBeWrittenIsRefused) {
  leave_subscribed("reader", "farm/#");
  fail();
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("farm/1", "1", kQos1, 1);
  sensor.publish("elsewhere", "2", kQos1, 2);
  sensor.publish("elsewhere", "3", kQos1, 3, {.retain = true});
  EXPECT_THAT(
      sensor.received(),
      ElementsAre("PUBACK id=1 reason=97 {1f=\"over limits.user_properties, or no room in a queue or on the disk\"}",
                  "PUBACK id=2 reason=10",
                  "PUBACK id=3 reason=97 {1f=\"over limits.user_properties, or no room in a queue or on the disk\"}"));
  recover();
  sensor.publish("farm/1", "4", kQos1, 4);
  advance(seconds(1));
  EXPECT_THAT(sensor.received(), ElementsAre("PUBACK id=4 reason=00"));
}

TEST_F(FailingStore, WhatAReaderAcknowledgesGoesOn) {
  Client& reader = connect_durable("reader");
  reader.subscribe("farm/#", kQos1);
  reader.received();
  fail();
  store_answers = false;
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("farm/1", "1", kQos1, 1);
  EXPECT_THAT(reader.received(), ElementsAre(StartsWith("PUBLISH")));
  EXPECT_THAT(sensor.received(), IsEmpty());
  reader.acknowledge(PacketType::Puback, 1);
  EXPECT_THAT(sensor.received(), ElementsAre("PUBACK id=1 reason=00"));
}

TEST_F(FailingStore, Qos0Passes) {
  Client& reader = connect_durable("reader");
  reader.subscribe("farm/#", kQos1);
  reader.received();
  fail();
  connect({.client_id = "sensor"}).publish("farm/1", "1");
  EXPECT_THAT(reader.received(), ElementsAre(StartsWith("PUBLISH")));
}

TEST_F(FailingStore, APublisherThatCannotBeToldWaitsUntilItWritesAgain) {
  leave_subscribed("reader", "farm/#");
  fail();
  Client& old = connect({.client_id = "old", .version = Version::V3_1_1});
  old.publish("farm/1", "1", kQos1, 1);
  advance(seconds(1));
  EXPECT_THAT(old.received(), IsEmpty());
  recover();
  advance(seconds(1));
  EXPECT_THAT(old.received(), ElementsAre("PUBACK id=1 reason=00"));
}

// Nothing is written for it then: whoever takes it at once makes it safe.
TEST_F(FailingStore, OrUntilItsReaderComes) {
  leave_subscribed("reader", "farm/#");
  fail();
  Client& old = connect({.client_id = "old", .version = Version::V3_1_1});
  old.publish("farm/1", "1", kQos1, 1);
  old.publish("farm/1", "2", kQos1, 2);
  Client& reader = open_durable("reader", Version::V5);
  store_answers = false;
  EXPECT_THAT(reader.received(), ElementsAre(StartsWith("CONNACK"), HasSubstr("\"1\""), HasSubstr("\"2\"")));
  EXPECT_THAT(old.received(), IsEmpty());
  reader.acknowledge(PacketType::Puback, 1);
  reader.acknowledge(PacketType::Puback, 2);
  EXPECT_THAT(old.received(), ElementsAre("PUBACK id=1 reason=00", "PUBACK id=2 reason=00"));
}

TEST_F(FailingStore, AndBehindOthersUntilTheReaderHasAcknowledgedThose) {
  options.limits.inflight = 1;
  Client& reader = connect_durable("reader");
  reader.subscribe("farm/#", kQos1);
  reader.received();
  fail();
  store_answers = false;
  Client& old = connect({.client_id = "old", .version = Version::V3_1_1});
  old.publish("farm/1", "1", kQos1, 1);
  old.publish("farm/1", "2", kQos1, 2);
  EXPECT_THAT(reader.received(), ElementsAre(HasSubstr("\"1\"")));
  reader.acknowledge(PacketType::Puback, 1);
  EXPECT_THAT(reader.received(), ElementsAre(HasSubstr("\"2\"")));
  reader.acknowledge(PacketType::Puback, 2);
  EXPECT_THAT(old.received(), ElementsAre("PUBACK id=1 reason=00", "PUBACK id=2 reason=00"));
}

}  // namespace
}  // namespace furrow::test
