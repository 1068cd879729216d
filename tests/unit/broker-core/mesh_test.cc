// A gateway in a mesh gives ids, and routes once what comes by several ways.
#include "broker-core/mesh.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/broker_fixture.h"

namespace furrow::test {
namespace {

using namespace std::chrono_literals;
using broker::id_of;
using mqtt::PacketType;
using mqtt::Qos;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// A bridge of this gateway to the next of the ring, as far as messages see it.
class NextGateway final : public broker::Destination {
 public:
  void deliver(broker::Publication& publication, const broker::RoutedDelivery&) override {
    const auto id = id_of(publication.fields().properties);
    ids.push_back(id ? broker::id_text(*id) : "none");
  }
  bool refuses(const broker::Publication&, const broker::RoutedDelivery&) const override { return refusing; }
  bool may_refuse() const override { return true; }
  bool guards_path() const override { return true; }
  bool is_meshed() const override { return meshed; }

  std::vector<std::string> take() { return std::exchange(ids, {}); }

  std::vector<std::string> ids;
  bool refusing = false;
  bool meshed = true;
};

class Mesh : public BrokerFixture {
 protected:
  ~Mesh() override { leave(); }

  void join(std::string_view filter = "farm/#") {
    broker().set_gateway_id("b");
    number_ = broker().add_destination(next);
    broker().handle_mesh_changed();
    broker().subscribe(number_, filter, {.qos = Qos::ExactlyOnce, .no_local = true, .retain_as_published = true});
    settle();
  }
  void leave() {
    if (!number_) return;
    broker().remove_destination(std::exchange(number_, {}));
  }
  void crash_and_join(int commits = 0) {
    number_ = {};
    next.ids.clear();
    crash(commits);
    join();
  }
  // The bridge of another gateway, with a session that is kept.
  Client& neighbour(std::string_view name) {
    const Properties properties =
        std::move(Properties().number(mqtt::PropertyId::SessionExpiryInterval, 3600).user("furrow-gateway", name));
    return connect({.client_id = name, .clean_start = false, .properties = properties});
  }
  void bring(Client& from, std::string_view id, Qos qos = Qos::AtLeastOnce, std::string_view topic = "farm/1",
             bool retain = false) {
    from.publish(topic, "21", qos, qos == Qos::AtMostOnce ? std::uint16_t{0} : ++packet_id_,
                 {.retain = retain, .properties = Properties().user("furrow-id", id)});
  }
  // The next neighbour message will have this identifier.
  std::string packet_id() const { return std::to_string(packet_id_); }
  std::uint64_t sequence(const std::string& id) { return broker::parse_message_id(id)->sequence; }

  NextGateway next;

 private:
  broker::SubscriberId number_;
  std::uint16_t packet_id_ = 0;
};

// --- ids ---

TEST_F(Mesh, AMessageGetsAnIdWhereItComesIn) {
  join();
  Client& sensor = connect({.client_id = "sensor"});
  for (int i = 0; i < 3; ++i) sensor.publish("farm/1", "21");
  ASSERT_THAT(next.ids, SizeIs(3));
  EXPECT_THAT(next.ids[0], testing::StartsWith("b:"));
  EXPECT_EQ(sequence(next.ids[1]), sequence(next.ids[0]) + 1);
  EXPECT_EQ(sequence(next.ids[2]), sequence(next.ids[0]) + 2);
}

TEST_F(Mesh, AMessageThatGoesNoFurtherGetsNone) {
  join();
  Client& reader = connect({.client_id = "reader"});
  reader.subscribe("#");
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("house/1", "21");
  sensor.publish("farm/1", "21");
  EXPECT_THAT(reader.received(), ElementsAre(HasSubstr("SUBACK"), "PUBLISH \"house/1\" \"21\" qos=0 id=0",
                                             HasSubstr(R"({26="furrow-id":"b:)")));
}

TEST_F(Mesh, NothingIsLookedAtWhileNobodyHasJoined) {
  next.meshed = false;
  join();
  Client& a = neighbour("a");
  bring(a, "a:7");
  bring(a, "a:7");
  EXPECT_THAT(next.take(), ElementsAre("a:7", "a:7"));
  next.meshed = true;
  broker().handle_mesh_changed();
  settle();
  bring(a, "a:7");
  bring(a, "a:7");
  EXPECT_THAT(next.take(), ElementsAre("a:7"));
  next.meshed = false;
  broker().handle_mesh_changed();
  bring(a, "a:7");
  EXPECT_THAT(next.take(), ElementsAre("a:7"));
}

// A flow that sends on what it has got, with all of its properties, has made a message of its own.
TEST_F(Mesh, AClientThatIsNoGatewayHasNoIdsToGive) {
  join();
  Client& flow = connect({.client_id = "flow"});
  for (int i = 0; i < 2; ++i) bring(flow, "a:7");
  ASSERT_THAT(next.ids, SizeIs(2));
  EXPECT_THAT(next.ids, testing::Each(testing::StartsWith("b:")));
  EXPECT_NE(next.ids[0], next.ids[1]);
}

TEST_F(Mesh, AWillSaysNoIdOfItsOwn) {
  join();
  Client& flow = connect(
      {.client_id = "flow",
       .will = mqtt::Will{
           .topic = "farm/1", .payload = as_bytes("gone"), .properties = Properties().user("furrow-id", "a:7")}});
  flow.vanish();
  ASSERT_THAT(next.ids, SizeIs(1));
  EXPECT_THAT(next.ids[0], testing::StartsWith("b:"));
}

TEST_F(Mesh, NoIdIsGivenBeforeTheStoreKnows) {
  store_answers = false;
  join();
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("farm/1", "21");
  EXPECT_THAT(next.take(), ElementsAre("none"));
  persist();
  sensor.publish("farm/1", "21");
  EXPECT_THAT(next.take(), ElementsAre(testing::StartsWith("b:")));
}

TEST_F(Mesh, NoIdIsGivenTwiceWhateverEndsTheGateway) {
  join();
  connect({.client_id = "sensor"}).publish("farm/1", "21");
  const std::uint64_t first = sequence(next.take().at(0));
  for (int i = 0; i < 2; ++i) {
    crash_and_join();
    connect({.client_id = "sensor"}).publish("farm/1", "21");
    const std::uint64_t later = sequence(next.take().at(0));
    EXPECT_GT(later, first);
    EXPECT_LE(later, first + static_cast<std::uint64_t>(i + 1) * broker::Mesh::kReserved);
    EXPECT_EQ(broker::life_of(later), broker::life_of(first));
  }
}

TEST_F(Mesh, IdsAreDenseAndCostACommitNowAndThen) {
  join();
  Client& sensor = connect({.client_id = "sensor"});
  const std::size_t before = store.batches_written();
  constexpr std::uint64_t kMessages = 3 * broker::Mesh::kReserved;
  for (std::uint64_t i = 0; i < kMessages; ++i) sensor.publish("farm/1", "21");
  ASSERT_THAT(next.ids, SizeIs(kMessages));
  EXPECT_EQ(sequence(next.ids.back()) - sequence(next.ids.front()), kMessages - 1);
  EXPECT_LE(store.batches_written() - before, 7U);
}

TEST_F(Mesh, AnIdWhoseMessageIsRefusedIsGivenAgain) {
  join();
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("farm/1", "21", Qos::AtLeastOnce, 1);
  next.refusing = true;
  sensor.publish("farm/1", "21", Qos::AtLeastOnce, 2);
  next.refusing = false;
  sensor.publish("farm/1", "21", Qos::AtLeastOnce, 3);
  ASSERT_THAT(next.ids, SizeIs(2));
  EXPECT_EQ(sequence(next.ids[1]), sequence(next.ids[0]) + 1);
}

// --- messages that come by several ways ---

TEST_F(Mesh, WhatComesASecondWayIsAcknowledgedAndNotRouted) {
  join();
  Client& a = neighbour("a");
  Client& c = neighbour("c");
  bring(a, "a:7");
  EXPECT_THAT(a.received(), ElementsAre("PUBACK id=1 reason=00"));
  bring(c, "a:7");
  EXPECT_THAT(c.received(), ElementsAre("PUBACK id=2 reason=00"));
  bring(c, "a:8");
  EXPECT_THAT(next.take(), ElementsAre("a:7", "a:8"));
  EXPECT_EQ(stats().mesh_had, 1U);
}

TEST_F(Mesh, AtQos2TheSecondHasAnExchangeOfItsOwn) {
  join();
  Client& a = neighbour("a");
  Client& c = neighbour("c");
  bring(a, "a:7", Qos::ExactlyOnce);
  bring(c, "a:7", Qos::ExactlyOnce);
  EXPECT_THAT(c.received(), ElementsAre("PUBREC id=2 reason=00"));
  c.publish("farm/1", "21", Qos::ExactlyOnce, 2,
            {.duplicate = true, .properties = Properties().user("furrow-id", "a:7")});
  EXPECT_THAT(c.received(), ElementsAre("PUBREC id=2 reason=00"));
  c.acknowledge(PacketType::Pubrel, 2);
  EXPECT_THAT(c.received(), ElementsAre("PUBCOMP id=2 reason=00"));
  a.acknowledge(PacketType::Pubrel, 1);
  EXPECT_THAT(next.take(), ElementsAre("a:7"));
}

// Whoever is answered sends the next message: after a crash the first one would come behind it.
TEST_F(Mesh, AtQos2TheSecondIsAnsweredOnceTheFirstIsOnDisk) {
  join();
  Client& a = neighbour("a");
  Client& c = neighbour("c");
  store_answers = false;
  bring(a, "a:7", Qos::ExactlyOnce);
  bring(c, "a:7", Qos::ExactlyOnce);
  EXPECT_THAT(c.received(), IsEmpty());
  while (!store.submitted().empty()) persist();
  EXPECT_THAT(c.received(), ElementsAre("PUBREC id=2 reason=00"));
  EXPECT_THAT(next.take(), ElementsAre("a:7"));
}

// At QoS 1 two gateways would wait for each other.
TEST_F(Mesh, AtQos1TheSecondIsAnsweredWhileTheFirstWaits) {
  join();
  connect_durable("reader").subscribe("farm/#", Qos::AtLeastOnce);
  Client& a = neighbour("a");
  Client& c = neighbour("c");
  bring(a, "a:7");
  bring(c, "a:7");
  EXPECT_THAT(a.received(), IsEmpty());
  EXPECT_THAT(c.received(), ElementsAre("PUBACK id=2 reason=00"));
}

TEST_F(Mesh, WhatComesBackToItsOriginIsNotRouted) {
  join();
  connect({.client_id = "sensor"}).publish("farm/1", "21");
  const std::string own = next.take().at(0);
  Client& a = neighbour("a");
  bring(a, own);
  EXPECT_THAT(next.take(), IsEmpty());
  crash_and_join();
  bring(neighbour("a"), own);
  EXPECT_THAT(next.take(), IsEmpty()) << "also after a restart";
}

TEST_F(Mesh, ARefusedMessageCountsAsNotHad) {
  join();
  Client& a = neighbour("a");
  Client& c = neighbour("c");
  next.refusing = true;
  bring(a, "a:7");
  EXPECT_THAT(a.received(), ElementsAre(HasSubstr("PUBACK id=1 reason=97")));
  next.refusing = false;
  bring(c, "a:7");
  bring(a, "a:7");
  EXPECT_THAT(next.take(), ElementsAre("a:7"));
  EXPECT_THAT(a.received(), ElementsAre("PUBACK id=3 reason=00"));
}

TEST_F(Mesh, AnotherConnectionOfTheSameGatewayBringsNothingTwice) {
  join();
  bring(neighbour("a"), "a:7", Qos::ExactlyOnce);
  Client& again = neighbour("a");
  bring(again, "a:7", Qos::ExactlyOnce);
  EXPECT_THAT(next.take(), ElementsAre("a:7"));
}

TEST_F(Mesh, WhatIsOlderThanTheWindowIsRoutedAndCounted) {
  join();
  Client& a = neighbour("a");
  bring(a, "a:5");
  bring(a, "a:2000000");
  bring(a, "a:5");
  EXPECT_THAT(next.take(), ElementsAre("a:5", "a:2000000", "a:5"));
  EXPECT_EQ(stats().mesh_older, 1U);
}

// --- over a crash ---

// Whatever part of its batch is on disk: a message that is there was had, and one that is not was not.
TEST_F(Mesh, AMessageAndItsIdAreOnDiskTogether) {
  for (int commits = 0; commits <= MemoryStore::kCommits; ++commits) {
    const std::string id = "a:" + std::to_string(100 + commits);
    crash_and_join();
    leave_subscribed("archive", "farm/#");
    Client& a = neighbour("a");
    store_answers = false;
    bring(a, id, Qos::ExactlyOnce);
    ASSERT_THAT(store.submitted(), SizeIs(1));
    store_answers = true;
    crash_and_join(commits);
    const bool is_there = store.exchanges() > 0;
    EXPECT_EQ(is_there, commits >= 2);
    bring(neighbour("c"), id, Qos::ExactlyOnce);
    EXPECT_EQ(next.take().size(), is_there ? 0U : 1U) << commits;
    ASSERT_TRUE(broker().forget("archive", now));
    ASSERT_TRUE(broker().forget("a", now));
    ASSERT_TRUE(broker().forget("c", now));
    advance(2s);
  }
}

// A message of QoS 1 that waits for its reader is in memory alone while another one is written.
TEST_F(Mesh, AnIdIsNotOnDiskBeforeItsMessage) {
  join();
  Client& reader = connect_durable("reader");
  reader.subscribe("farm/#", Qos::AtLeastOnce);
  Client& a = neighbour("a");
  bring(a, "a:7");
  EXPECT_THAT(a.received(), IsEmpty()) << "it waits for the reader";
  bring(a, "a:8", Qos::ExactlyOnce, "house/1");
  EXPECT_EQ(store.heard(), 1U);
  crash_and_join();
  Client& again = neighbour("a");
  bring(again, "a:7");
  bring(again, "a:8", Qos::ExactlyOnce, "farm/1");
  EXPECT_THAT(next.take(), ElementsAre("a:7"));
}

TEST_F(Mesh, WhatTheDiskDidNotTakeIsNotHadAfterACrash) {
  join();
  leave_subscribed("archive", "farm/#");
  Client& a = neighbour("a");
  store_answers = false;
  bring(a, "a:7");
  advance(200ms);
  ASSERT_THAT(store.submitted(), SizeIs(1));
  broker().handle_not_persisted(store.fail_one(), now);
  open_durable("other");  // a row that is written while messages rest
  persist();
  store_answers = true;
  crash_and_join();
  bring(neighbour("a"), "a:7");
  EXPECT_THAT(next.take(), ElementsAre("a:7"));
}

TEST_F(Mesh, QoS1WritesNothingForItsIds) {
  join();
  Client& a = neighbour("a");
  advance(2s);
  const std::size_t before = store.batches_written();
  for (int i = 1; i <= 1000; ++i) bring(a, "a:" + std::to_string(i));
  advance(5min);
  EXPECT_EQ(store.batches_written(), before);
}

// Rows of messages that are not written, and of others that were refused with the batch, go with the next one.
TEST_F(Mesh, IdsOfABatchThatTheDiskDidNotTakeGoWithTheNext) {
  join();
  leave_subscribed("archive", "house/#");
  Client& a = neighbour("a");
  bring(a, "a:7");
  store_answers = false;
  bring(a, "a:9000", Qos::AtLeastOnce, "house/1");  // in another block
  advance(200ms);
  ASSERT_THAT(store.submitted(), SizeIs(1));
  broker().handle_not_persisted(store.fail_one(), now);
  open_durable("other");
  persist();
  store_answers = true;
  crash_and_join();
  Client& again = neighbour("a");
  bring(again, "a:7");
  bring(again, "a:9000");
  EXPECT_THAT(next.take(), ElementsAre("a:9000"));
}

TEST_F(Mesh, ThatIdsArePutAsideIsTriedAgain) {
  store_answers = false;
  join();
  broker().handle_not_persisted(store.fail_one(), now);
  settle();
  while (!store.submitted().empty()) persist();
  connect({.client_id = "sensor"}).publish("farm/1", "21");
  EXPECT_THAT(next.take(), ElementsAre(testing::StartsWith("b:")));
}

// Of neighbours that leave no session, so that nothing else is written at the stop.
TEST_F(Mesh, APlannedStopKeepsAllIds) {
  join();
  advance(2s);
  const Properties properties = std::move(Properties().user("furrow-gateway", "a"));
  Client& a = connect({.client_id = "a", .properties = properties});
  bring(a, "a:7");
  a.disconnect();
  leave();
  restart();
  join();
  next.ids.clear();
  bring(neighbour("a"), "a:7");
  EXPECT_THAT(next.take(), IsEmpty());
}

TEST_F(Mesh, AStopIsNotOverBeforeTheIdsAreWritten) {
  store_answers = false;
  join();
  const Properties properties = std::move(Properties().user("furrow-gateway", "a"));
  bring(connect({.client_id = "a", .properties = properties}), "a:7");
  broker().shut_down(now);
  settle();
  broker().handle_persisted(store.complete(), now);
  EXPECT_FALSE(broker().journal().idle());
  leave();
}

TEST_F(Mesh, AnIdIsKnownOnceItsReadersHaveTheMessage) {
  join();
  Client& reader = connect_durable("reader");
  reader.subscribe("farm/#", Qos::AtLeastOnce);
  Client& a = neighbour("a");
  bring(a, "a:7");
  reader.acknowledge(PacketType::Puback, 1);
  EXPECT_THAT(a.received(), ElementsAre("PUBACK id=1 reason=00"));
  bring(a, "a:8", Qos::ExactlyOnce, "house/1");  // is written, and what is known with it
  crash_and_join();
  bring(neighbour("a"), "a:7");
  EXPECT_THAT(next.take(), IsEmpty());
}

// --- retained values ---

TEST_F(Mesh, ARetainedValueThatIsSaidAgainIsNotWrittenAgain) {
  join();
  Client& sensor = connect({.client_id = "sensor"});
  const auto set = [&](std::uint16_t packet_id) {
    sensor.publish("farm/1", "21", Qos::AtLeastOnce, packet_id, {.retain = true});
    advance(2s);
  };
  set(1);
  const std::size_t before = store.batches_written();
  set(2);
  EXPECT_EQ(store.batches_written(), before);
  EXPECT_THAT(next.take(), SizeIs(2)) << "it is passed on, as without a mesh";
}

TEST_F(Mesh, ADeletionThatComesASecondWayDeletesNothing) {
  join();
  Client& a = neighbour("a");
  Client& c = neighbour("c");
  bring(a, "a:7", Qos::AtLeastOnce, "farm/1", true);
  const auto remove = [&](Client& from, std::uint16_t packet_id) {
    from.publish("farm/1", "", Qos::AtLeastOnce, packet_id,
                 {.retain = true, .properties = Properties().user("furrow-id", "a:8")});
  };
  remove(a, 2);
  EXPECT_FALSE(broker().retained().find("farm/1"));
  bring(a, "a:9", Qos::AtLeastOnce, "farm/1", true);
  remove(c, 2);
  EXPECT_TRUE(broker().retained().find("farm/1"));
}

// The value of QoS 0 may be lost with a crash; then it may come again from whoever retains it.
TEST_F(Mesh, ARetainedValueOfQos0IsNotHadAfterACrash) {
  join();
  Client& a = neighbour("a");
  bring(a, "a:7", Qos::AtMostOnce, "farm/1", true);
  bring(a, "a:8", Qos::ExactlyOnce, "house/1");
  crash_and_join();
  Client& again = neighbour("a");
  bring(again, "a:7", Qos::AtMostOnce, "farm/1", true);
  bring(again, "a:8", Qos::ExactlyOnce, "farm/1");
  EXPECT_THAT(next.take(), ElementsAre("a:7"));
}

}  // namespace
}  // namespace furrow::test
