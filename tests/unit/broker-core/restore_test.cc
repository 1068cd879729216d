// What a start makes of a batch that was cut short.
#include "tests/support/broker_fixture.h"

namespace furrow::test {
namespace {

using mqtt::Qos;
using ::testing::Contains;
using ::testing::StartsWith;

class RestoreTest : public BrokerFixture {};

// The last member leaves a group, and another client begins it anew while the writer is busy: one batch makes the new
// queue and, last of all, takes the old one away. With only the first half of that on disk, both have the group's name.
TEST_F(RestoreTest, GroupThatBeganAnewHasItsYoungerQueueAfterAPowerCut) {
  constexpr std::string_view kFilter = "$share/g/t";
  Client& member = connect_durable("member");
  member.subscribe(kFilter, Qos::ExactlyOnce);
  Client& successor = connect_durable("successor");
  Client& sensor = connect({.client_id = "sensor"});
  settle();
  store_answers = false;
  open_durable("another");
  settle();
  ASSERT_EQ(store.submitted().size(), 1U) << "the writer is busy";
  member.unsubscribe(kFilter);
  settle();
  successor.subscribe(kFilter, Qos::ExactlyOnce);
  settle();
  sensor.publish("t", "1", Qos::ExactlyOnce, 1);
  settle();
  broker().handle_persisted(store.complete_one(), now);
  settle();
  ASSERT_FALSE(store.submitted().front().queues_created.empty());
  ASSERT_FALSE(store.submitted().front().queues_removed.empty());
  ASSERT_FALSE(store.submitted().front().segments.empty());

  crash(2);  // after the queue file, before sessions and removals
  EXPECT_EQ(store.queues(), 2U);
  store_answers = true;
  broker().handle_refusals_changed();  // asks every receiver
  Client& returned = open_durable("successor");  // which had taken the message
  EXPECT_THAT(returned.received(), Contains(StartsWith("PUBLISH \"t\" \"1\" qos=2")));
  advance(std::chrono::seconds(2));
  EXPECT_EQ(store.queues(), 1U);
}

}  // namespace
}  // namespace furrow::test
