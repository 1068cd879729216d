// Shared subscriptions: who of a group gets a message, and what becomes of it when nobody can or its member leaves.
#include "broker-core/session/shared_group.h"

#include "tests/support/broker_fixture.h"

namespace furrow::test {
namespace {

using mqtt::PacketType;
using mqtt::PropertyId;
using mqtt::Qos;
using mqtt::ReasonCode;
using mqtt::Version;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

constexpr std::string_view kFilter = "$share/g/farm/#";

class SharedGroupTest : public BrokerFixture {
 protected:
  // A member whose session ends with its connection, or outlives it; `window` is its receive maximum.
  Client& member(std::string_view client_id, Qos qos = kQos1, std::uint32_t window = 10) {
    return subscribed(connect({.client_id = client_id, .properties = with_window(window)}), qos);
  }
  Client& durable_member(std::string_view client_id, Qos qos = kQos1, std::uint32_t window = 10) {
    Properties properties = with_window(window);
    properties.number(PropertyId::SessionExpiryInterval, 3600);
    return subscribed(connect({.client_id = client_id, .properties = properties}), qos);
  }
  Client& back(std::string_view client_id, std::uint32_t window = 10) {
    Properties properties = with_window(window);
    properties.number(PropertyId::SessionExpiryInterval, 3600);
    return open(ConnectOptions{.client_id = client_id, .clean_start = false, .properties = properties});
  }
  void publish(std::string_view payload, Qos qos = kQos1) {
    if (sensor_ == nullptr) sensor_ = &connect({.client_id = "sensor"});
    sensor_->publish("farm/1", payload, qos, qos == kQos0 ? std::uint16_t{0} : ++packet_id_);
  }
  // What the publisher was told.
  std::vector<std::string> answers() { return sensor_->received(); }
  void restart() {
    sensor_ = nullptr;
    crash();
  }
  // The client begins anew, and leaves again: the session that it had ends.
  void end_session_of(std::string_view client_id) { open(ConnectOptions{.client_id = client_id}).vanish(); }
  // The medium has no room for messages, for so long.
  void fill_store(Duration duration) {
    store_answers = false;
    for (const Instant end = now + duration; now < end; advance(milliseconds(100))) {
      if (store.submitted().empty()) continue;
      if (store.submitted().front().segments.empty()) {
        persist();
      } else {
        broker().handle_not_persisted(store.fail_one(), now);
      }
    }
  }
  // It has none for a while, until the gateway dies; the next start finds room.
  void fill_store_and_restart() {
    fill_store(seconds(5));
    restart();
    store_answers = true;
    advance(seconds(2));
  }
  // accepted = delivered + waiting + expired + dropped, over all sessions and groups.
  void expect_balance(std::uint64_t waiting) {
    const broker::Books& books = broker().session_books();
    EXPECT_EQ(books.accepted, books.ended() + waiting);
  }

 private:
  Client& subscribed(Client& client, Qos qos) {
    client.subscribe(kFilter, qos);
    client.received();
    return client;
  }
  static Properties with_window(std::uint32_t window) {
    Properties properties;
    properties.number(PropertyId::ReceiveMaximum, window);
    return properties;
  }

  Client* sensor_ = nullptr;
  std::uint16_t packet_id_ = 0;
};

// --- who gets it ---

TEST_F(SharedGroupTest, EachMessageGoesToOneMember) {
  Client& a = member("a", kQos0);
  Client& b = member("b", kQos0);
  for (const char* payload : {"1", "2", "3", "4"}) publish(payload, kQos0);
  EXPECT_THAT(a.received(), ElementsAre(HasSubstr("\"1\""), HasSubstr("\"3\"")));
  EXPECT_THAT(b.received(), ElementsAre(HasSubstr("\"2\""), HasSubstr("\"4\"")));
}

TEST_F(SharedGroupTest, TheOneWithLeastInFlightGetsIt) {
  Client& slow = member("slow");
  Client& quick = member("quick");
  publish("1");
  publish("2");
  quick.acknowledge(PacketType::Puback, 1);
  publish("3");
  EXPECT_THAT(slow.received(), SizeIs(1));
  EXPECT_THAT(quick.received(), ElementsAre(HasSubstr("\"2\""), HasSubstr("\"3\"")));
}

TEST_F(SharedGroupTest, GroupsAndOrdinarySubscriptionsGetTheirOwn) {
  Client& a = member("a", kQos0);
  Client& other = connect({.client_id = "other"});
  other.subscribe("$share/h/farm/#");
  other.subscribe("farm/+");
  other.received();
  publish("1", kQos0);
  EXPECT_THAT(a.received(), SizeIs(1));
  EXPECT_THAT(other.received(), SizeIs(2));
}

TEST_F(SharedGroupTest, AMemberIsServedAtItsOwnQosWithItsIdentifier) {
  Client& a = connect({.client_id = "a"});
  a.subscribe(kFilter, kQos0, {.retain_as_published = true, .subscription_id = 7});
  Client& b = connect({.client_id = "b"});
  b.subscribe(kFilter, kQos2, {.subscription_id = 8});
  a.received();
  b.received();
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("farm/1", "1", kQos1, 1, {.retain = true});
  sensor.publish("farm/1", "2", kQos1, 2, {.retain = true});
  EXPECT_THAT(a.received(), ElementsAre("PUBLISH \"farm/1\" \"1\" qos=0 id=0 retain {0b=7}"));
  EXPECT_THAT(b.received(), ElementsAre("PUBLISH \"farm/1\" \"2\" qos=1 id=1 {0b=8}"));
}

TEST_F(SharedGroupTest, RetainedMessagesAreNotSentToANewMember) {
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("farm/1", "old", kQos0, 0, {.retain = true});
  Client& a = connect({.client_id = "a"});
  a.subscribe(kFilter);
  EXPECT_THAT(a.received(), ElementsAre("SUBACK id=1 reason=00"));
}

TEST_F(SharedGroupTest, AMalformedFilterEndsTheConnection) {
  for (const char* filter : {"$share/g", "$share//farm", "$share/g+/farm", "$share/g/", "$share/g/a#"}) {
    Client& a = connect({.client_id = "a"});
    a.subscribe(filter);
    EXPECT_THAT(a.received(), ElementsAre(StartsWith("DISCONNECT reason=81"))) << filter;
  }
}

TEST_F(SharedGroupTest, WhoHasUnsubscribedGetsNothingMore) {
  Client& a = member("a");
  Client& b = member("b");
  a.unsubscribe(kFilter);
  EXPECT_THAT(a.received(), ElementsAre("UNSUBACK id=1 reason=00"));
  publish("1");
  publish("2");
  EXPECT_THAT(a.received(), IsEmpty());
  EXPECT_THAT(b.received(), SizeIs(2));
  b.unsubscribe(kFilter);
  publish("3");
  EXPECT_THAT(answers(), Contains("PUBACK id=3 reason=10")) << "nobody is left";
  EXPECT_EQ(broker().subscriptions(), 0U);
}

// --- one session, several subscriptions that match ---

// A session that has a message several times, by subscriptions that overlap: each copy is a message of its own
// [MQTT 5.0 §4.8.2], and each is kept until it is acknowledged.
struct Overlap {
  std::vector<std::string_view> filters;
  Qos qos = kQos1;
  Version version = Version::V5;
};

class OverlapTest : public SharedGroupTest, public testing::WithParamInterface<Overlap> {
 protected:
  Client& subscribe_to_all() {
    Client& client = connect_durable("a", GetParam().version);
    for (const std::string_view filter : GetParam().filters) client.subscribe(filter, GetParam().qos);
    client.received();
    return client;
  }
  std::size_t copies() const { return GetParam().filters.size(); }
  static std::size_t publishes(const std::vector<std::string>& received) {
    return static_cast<std::size_t>(
        std::ranges::count_if(received, [](const std::string& line) { return line.starts_with("PUBLISH"); }));
  }
  // The client answers one copy to the end.
  void finish(Client& client, std::uint16_t id) {
    if (GetParam().qos == kQos1) {
      client.acknowledge(PacketType::Puback, id);
      return;
    }
    client.acknowledge(PacketType::Pubrec, id);
    advance(seconds(1));
    client.acknowledge(PacketType::Pubcomp, id);
  }
};

TEST_P(OverlapTest, UnacknowledgedCopiesAreStoredAndSentAgainAfterACrash) {
  Client& client = subscribe_to_all();
  publish("1", GetParam().qos);
  advance(seconds(5));
  EXPECT_EQ(publishes(client.received()), copies());
  restart();
  advance(seconds(1));
  Client& again = open_durable("a", GetParam().version);
  advance(seconds(1));
  EXPECT_EQ(publishes(again.received()), copies());
  for (std::uint16_t id = 1; id <= copies(); ++id) finish(again, id);
  advance(seconds(5));
  expect_balance(0);
}

TEST_P(OverlapTest, CopiesAreAcknowledgedInReverseBeforeTheyAreWritten) {
  Client& client = subscribe_to_all();
  publish("1", GetParam().qos);
  advance(GetParam().qos == kQos1 ? milliseconds(1) : seconds(1));
  EXPECT_EQ(publishes(client.received()), copies());
  for (auto id = static_cast<std::uint16_t>(copies()); id > 0; --id) finish(client, id);
  advance(seconds(5));
  expect_balance(0);
  EXPECT_EQ(broker().session_books().delivered, copies());
}

TEST_P(OverlapTest, OneCopyIsLeftWhenTheStoreIsFullForAWhile) {
  Client& client = subscribe_to_all();
  publish("1", kQos1);
  fill_store(seconds(3));
  EXPECT_EQ(publishes(client.received()), copies());
  client.acknowledge(PacketType::Puback, 2);
  fill_store(seconds(3));
  restart();
  store_answers = true;
  advance(seconds(2));
  expect_balance(0);
}

TEST_P(OverlapTest, TheSessionEndsWithItsCopiesUnacknowledged) {
  Client& client = subscribe_to_all();
  publish("1", GetParam().qos);
  advance(seconds(5));
  EXPECT_EQ(publishes(client.received()), copies());
  publish("2", GetParam().qos);
  client.vanish();
  open(ConnectOptions{.client_id = "a"}).vanish();
  advance(seconds(5));
  expect_balance(0);
}

INSTANTIATE_TEST_SUITE_P(Filters, OverlapTest,
                         testing::Values(Overlap{{"farm/1", "$share/g/farm/1"}}, Overlap{{"#", "$share/g/farm/1"}},
                                         Overlap{{"$share/g/farm/#", "$share/h/farm/#"}},
                                         Overlap{{"#", "$share/g/#", "$share/g/farm/1", "$share/h/farm/+"}},
                                         Overlap{{"farm/1", "$share/g/farm/1"}, kQos2},
                                         Overlap{{"$share/g/#", "$share/h/#"}, kQos2},
                                         Overlap{{"farm/1", "$share/g/farm/1"}, kQos1, Version::V3_1_1},
                                         Overlap{{"$share/g/#", "farm/1", "$share/h/#"}, kQos2, Version::V3_1_1}));

// --- nobody can take it ---

TEST_F(SharedGroupTest, WhoIsAwayIsPassedOver) {
  Client& a = durable_member("a");
  Client& b = durable_member("b");
  a.vanish();
  publish("1");
  publish("2");
  EXPECT_THAT(b.received(), SizeIs(2));
}

TEST_F(SharedGroupTest, WithEverybodyAwayItIsKeptForTheGroup) {
  Client& a = durable_member("a");
  Client& b = durable_member("b");
  a.vanish();
  b.vanish();
  publish("1");
  publish("2");
  advance(seconds(2));
  EXPECT_THAT(answers(), Contains("PUBACK id=2 reason=00"));
  EXPECT_THAT(back("b").received(), ElementsAre(StartsWith("CONNACK"), HasSubstr("\"1\""), HasSubstr("\"2\"")));
}

TEST_F(SharedGroupTest, AnEmptyQueueOfAGroupTakesAMessageOfAnySize) {
  options.limits.session_queue.bytes_max = 100;
  durable_member("one").vanish();
  publish(std::string(1000, 'x'));
  EXPECT_EQ(broker().session_books().drops(broker::DropReason::QueueFull), 0U);
  publish("small");
  EXPECT_EQ(broker().session_books().drops(broker::DropReason::QueueFull), 1U) << "the large one made room";
  publish(std::string(1000, 'y'));
  EXPECT_EQ(broker().session_books().drops(broker::DropReason::QueueFull), 2U) << "not for this one";
  Client& one = back("one");
  EXPECT_THAT(one.received(), ElementsAre(StartsWith("CONNACK"), HasSubstr("small")));
  publish(std::string(1000, 'z'));
  EXPECT_THAT(one.received(), ElementsAre(HasSubstr("zzz"))) << "what is in flight is for the window to bound";
  EXPECT_EQ(broker().session_books().drops(broker::DropReason::QueueFull), 2U);
}

TEST_F(SharedGroupTest, WhatIsKeptForTheGroupSurvivesACrash) {
  Client& a = durable_member("a");
  a.vanish();
  for (int i = 0; i < 20; ++i) publish(std::to_string(i));
  advance(seconds(2));
  restart();
  Client& again = back("a", 100);
  EXPECT_THAT(again.received(), SizeIs(21));
}

TEST_F(SharedGroupTest, MembersTakeMessagesAsTheirWindowsAllow) {
  Client& a = member("a", kQos1, 1);
  publish("1");
  publish("2");
  publish("3");
  EXPECT_THAT(a.received(), ElementsAre(HasSubstr("\"1\"")));
  expect_balance(3);
  a.acknowledge(PacketType::Puback, 1);
  EXPECT_THAT(a.received(), ElementsAre(HasSubstr("\"2\"")));
  Client& b = member("b", kQos1, 1);
  EXPECT_THAT(b.received(), IsEmpty()) << "it came with the SUBACK";
  b.acknowledge(PacketType::Puback, 1);
  a.acknowledge(PacketType::Puback, 2);
  expect_balance(0);
  EXPECT_EQ(broker().session_books().delivered, 3U);
}

TEST_F(SharedGroupTest, OrderHoldsForOneMember) {
  Client& a = durable_member("a", kQos1, 2);
  for (int i = 0; i < 10; ++i) publish(std::to_string(i));
  std::vector<std::string> seen;
  for (std::uint16_t id = 1; id <= 10; ++id) {
    for (std::string& line : a.received()) seen.push_back(std::move(line));
    a.acknowledge(PacketType::Puback, id);
    advance(seconds(1));
  }
  ASSERT_THAT(seen, SizeIs(10));
  for (int i = 0; i < 10; ++i) EXPECT_THAT(seen[static_cast<std::size_t>(i)], HasSubstr('"' + std::to_string(i) + '"'));
  EXPECT_EQ(answers().size(), 10U);
  expect_balance(0);
}

// --- a member leaves ---

TEST_F(SharedGroupTest, Qos1GoesBackToTheGroupWhenTheSessionEnds) {
  Client& a = member("a");
  Client& b = durable_member("b");
  publish("1");
  EXPECT_THAT(a.received(), SizeIs(1));
  b.received();
  a.vanish();
  EXPECT_THAT(b.received(), ElementsAre(HasSubstr("\"1\"")));
  b.acknowledge(PacketType::Puback, 1);
  EXPECT_THAT(answers(), ElementsAre("PUBACK id=1 reason=00"));
  expect_balance(0);
}

TEST_F(SharedGroupTest, UnacknowledgedMessageStaysWithASessionThatLives) {
  Client& a = durable_member("a");
  Client& b = durable_member("b");
  publish("1");
  a.received();
  a.vanish();
  EXPECT_THAT(b.received(), IsEmpty());
  EXPECT_THAT(back("a").received(), Contains(HasSubstr("\"1\" qos=1 id=1 dup")));
}

TEST_F(SharedGroupTest, Qos2IsNotGivenToAnother) {
  Client& a = member("a", kQos2);
  Client& b = member("b", kQos2);
  publish("1", kQos2);
  EXPECT_THAT(a.received(), SizeIs(1));
  a.vanish();
  advance(seconds(1));
  EXPECT_THAT(b.received(), IsEmpty());
  EXPECT_EQ(broker().session_books().drops(broker::DropReason::SessionEnded), 1U);
  expect_balance(0);
}

TEST_F(SharedGroupTest, Qos2MessageEndsWithASessionThatWasYetToSendIt) {
  Client& a = durable_member("a", kQos2);
  Client& b = durable_member("b", kQos2);
  a.vanish();
  b.vanish();
  publish("1", kQos2);
  advance(seconds(2));
  store_answers = false;
  publish("2", kQos2);
  advance(seconds(2));
  back("a");  // takes both, and waits for the store, which is busy with the second
  open_durable("a", mqtt::Version::V5, true).vanish();
  store_answers = true;
  persist();
  advance(seconds(2));
  EXPECT_EQ(broker().session_books().drops(broker::DropReason::SessionEnded), 2U);
  expect_balance(0);
  restart();
  EXPECT_THAT(back("b").received(), ElementsAre(StartsWith("CONNACK")));
}

TEST_F(SharedGroupTest, MessageTakenWhileTheStoreIsFullIsThereAfterACrash) {
  durable_member("a", kQos2).vanish();
  publish("1", kQos2);
  advance(seconds(2));
  store_answers = false;
  back("a");
  fill_store_and_restart();
  EXPECT_THAT(back("a").received(), Contains(HasSubstr("\"1\"")));
}

TEST_F(SharedGroupTest, WhatAMemberRefusesIsNotGivenToAnother) {
  Client& a = member("a");
  Client& b = member("b");
  publish("1");
  a.received();
  a.acknowledge(PacketType::Puback, 1, ReasonCode::UnspecifiedError);
  a.vanish();
  EXPECT_THAT(b.received(), IsEmpty());  // [MQTT-4.8.2-6]
}

TEST_F(SharedGroupTest, MessageOfAnEndedSessionWaitsInItsPlace) {
  Client& a = durable_member("a", kQos1, 1);
  for (int i = 0; i < 3; ++i) publish(std::to_string(i));
  a.received();
  a.acknowledge(PacketType::Puback, 1);  // takes the second
  EXPECT_THAT(a.received(), ElementsAre(HasSubstr("\"1\"")));
  Client& b = durable_member("b", kQos1, 5);
  b.received();
  b.vanish();
  a.disconnect(ReasonCode::NormalDisconnection, Properties().number(PropertyId::SessionExpiryInterval, 0));
  const std::vector<std::string> rest = back("b").received();
  EXPECT_THAT(rest, Contains(HasSubstr("\"1\"")));
  EXPECT_THAT(rest, Contains(HasSubstr("\"2\"")));
}

TEST_F(SharedGroupTest, TheGroupEndsWithItsLastMember) {
  Client& a = durable_member("a");
  a.vanish();
  publish("1");
  advance(seconds(2));
  advance(seconds(3600));
  EXPECT_EQ(broker().sessions(), 1U) << "the sensor's";
  EXPECT_EQ(broker().session_books().drops(broker::DropReason::SessionEnded), 1U);
  expect_balance(0);
  advance(seconds(2));
  restart();
  EXPECT_EQ(stats().queues_orphaned, 0U);
}

// --- after a restart ---

TEST_F(SharedGroupTest, UnfinishedQos1GoesToAnyMemberAfterARestart) {
  Client& a = durable_member("a");
  for (const char* payload : {"1", "2", "3"}) publish(payload);
  EXPECT_THAT(a.received(), SizeIs(3));
  advance(seconds(2));
  restart();
  Client& b = connect_durable("b");
  b.subscribe(kFilter, kQos1);
  EXPECT_THAT(b.received(),
              ElementsAre(HasSubstr("\"1\""), HasSubstr("\"2\""), HasSubstr("\"3\""), StartsWith("SUBACK")));
  for (std::uint16_t id = 1; id <= 3; ++id) b.acknowledge(PacketType::Puback, id);
  end_session_of("a");
  advance(seconds(2));
  EXPECT_EQ(broker().session_books().drops(broker::DropReason::SessionEnded), 0U);
  expect_balance(0);
  restart();
  EXPECT_EQ(stats().queues_orphaned, 0U);
  EXPECT_THAT(back("b").received(), ElementsAre(StartsWith("CONNACK")));
}

TEST_F(SharedGroupTest, GroupReturnsQos1WhenASessionExpires) {
  durable_member("b").vanish();
  durable_member("a").vanish();
  Client& a = back("a");
  publish("1");
  EXPECT_THAT(a.received(), Contains(HasSubstr("\"1\"")));
  a.vanish();
  advance(seconds(1800));
  Client& b = back("b");
  EXPECT_THAT(b.received(), ElementsAre(StartsWith("CONNACK")));
  advance(seconds(1900));
  EXPECT_THAT(b.received(), Contains(HasSubstr("\"1\"")));
}

TEST_F(SharedGroupTest, Qos2InFlightBeforeARestartEndsWithItsSession) {
  Client& a = durable_member("a", kQos2);
  publish("1", kQos2);
  publish("2", kQos1);
  EXPECT_THAT(a.received(), SizeIs(2));
  advance(seconds(2));
  restart();
  Client& b = connect_durable("b");
  b.subscribe(kFilter, kQos2);
  EXPECT_THAT(b.received(), ElementsAre(HasSubstr("\"2\" qos=1"), StartsWith("SUBACK")));
  end_session_of("a");
  advance(seconds(2));
  EXPECT_THAT(b.received(), IsEmpty());
  EXPECT_EQ(broker().session_books().drops(broker::DropReason::SessionEnded), 1U);
  expect_balance(1);
}

TEST_F(SharedGroupTest, Qos2InFlightBeforeARestartGoesOnWithItsSession) {
  Client& a = durable_member("a", kQos2);
  durable_member("b", kQos2).vanish();
  publish("1", kQos2);
  publish("2", kQos2);
  advance(seconds(1));
  EXPECT_THAT(a.received(), SizeIs(2));
  a.acknowledge(PacketType::Pubrec, 1);
  advance(seconds(1));
  EXPECT_THAT(a.received(), ElementsAre("PUBREL id=1 reason=00"));
  restart();
  Client& b = back("b");
  advance(seconds(1));
  EXPECT_THAT(b.received(), ElementsAre(StartsWith("CONNACK"))) << "a has both";
  Client& again = back("a");
  advance(seconds(1));
  EXPECT_THAT(again.received(),
              ElementsAre(StartsWith("CONNACK"), "PUBREL id=1 reason=00", HasSubstr("\"2\" qos=2 id=2 dup")));
  again.acknowledge(PacketType::Pubcomp, 1);
  again.acknowledge(PacketType::Pubrec, 2);
  advance(seconds(1));
  again.acknowledge(PacketType::Pubcomp, 2);
  advance(seconds(2));
  expect_balance(0);
  EXPECT_EQ(store.exchanges(), 0U);
}

TEST_F(SharedGroupTest, CrashWhileASessionEndsLosesNone) {
  Client& a = durable_member("a");
  publish("1");
  publish("2");
  EXPECT_THAT(a.received(), SizeIs(2));
  advance(seconds(2));
  restart();
  durable_member("b").vanish();
  end_session_of("a");
  store_answers = false;
  advance(seconds(2));
  restart();
  store_answers = true;
  advance(seconds(2));
  const std::vector<std::string> rest = back("b").received();
  EXPECT_THAT(rest, Contains(HasSubstr("\"1\"")));
  EXPECT_THAT(rest, Contains(HasSubstr("\"2\"")));
}

// The store takes no messages but goes on taking removals.
TEST_F(SharedGroupTest, MessageOfASessionThatEndsWhileTheStoreIsFullIsThereAfterACrash) {
  Client& a = durable_member("a");
  publish("1");
  EXPECT_THAT(a.received(), SizeIs(1));
  advance(seconds(2));
  restart();
  durable_member("b").vanish();
  store_answers = false;
  end_session_of("a");
  fill_store_and_restart();
  EXPECT_THAT(back("b").received(), Contains(HasSubstr("\"1\"")));
}

TEST_F(SharedGroupTest, MoreThanAPageOfMessagesComesInOrderAfterARestart) {
  constexpr int kMessages = 100;
  Client& a = durable_member("a", kQos1, 200);
  for (int i = 0; i < kMessages; ++i) publish(std::to_string(1000 + i) + std::string(30'000, ' '));
  EXPECT_THAT(a.received(), SizeIs(kMessages));
  advance(seconds(2));
  restart();
  Client& again = back("a", 200);
  const std::vector<std::string> all = again.received();
  ASSERT_THAT(all, SizeIs(1 + kMessages));
  for (int i = 0; i < kMessages; ++i)
    EXPECT_THAT(all[static_cast<std::size_t>(1 + i)], HasSubstr(std::to_string(1000 + i)));
  advance(seconds(2));
  expect_balance(kMessages);
}

TEST_F(SharedGroupTest, MessageOfTheOnlyMemberEndsWithItsSession) {
  Client& a = durable_member("a");
  publish("1");
  EXPECT_THAT(a.received(), SizeIs(1));
  advance(seconds(2));
  restart();
  end_session_of("a");
  advance(seconds(2));
  EXPECT_EQ(broker().session_books().drops(broker::DropReason::SessionEnded), 1U);
  expect_balance(0);
}

// --- exactly once ---

TEST_F(SharedGroupTest, Qos2MessageIsSentAgainWithItsIdentifierAfterACrash) {
  Client& a = durable_member("a", kQos2);
  a.vanish();
  publish("1", kQos2);
  advance(seconds(2));
  Client& again = back("a");
  EXPECT_THAT(again.received(), Contains(HasSubstr("\"1\" qos=2 id=1")));
  restart();  // the identifier was durable before the PUBLISH left; nothing was since
  Client& third = back("a");
  EXPECT_THAT(third.received(), ElementsAre(StartsWith("CONNACK"), HasSubstr("\"1\" qos=2 id=1 dup")));
}

// --- a member whose session ends with its connection ---

TEST_F(SharedGroupTest, Qos1HeldByAPassingMemberIsThereAfterACrash) {
  durable_member("a").vanish();
  Client& passing = member("passing");
  publish("1");
  EXPECT_THAT(passing.received(), ElementsAre(HasSubstr("\"1\"")));
  EXPECT_THAT(answers(), IsEmpty()) << "neither acknowledged by the member nor stored";
  advance(seconds(1));
  EXPECT_THAT(answers(), ElementsAre("PUBACK id=1 reason=00"));
  restart();
  EXPECT_THAT(back("a").received(), Contains(HasSubstr("\"1\"")));
}

TEST_F(SharedGroupTest, Qos1ThatAPassingMemberAcknowledgesInTimeIsNeverWritten) {
  durable_member("a").vanish();
  advance(seconds(100));
  Client& passing = member("passing");
  publish("1");
  passing.acknowledge(PacketType::Puback, 1);
  EXPECT_THAT(answers(), ElementsAre("PUBACK id=1 reason=00"));
  EXPECT_EQ(store.segments(), 0U);
  advance(seconds(5));
  EXPECT_EQ(store.segments(), 0U);
  restart();
  EXPECT_THAT(back("a").received(), ElementsAre(StartsWith("CONNACK")));
}

// A crash ends the passing session: nobody else may have what it was being sent [MQTT-4.8.2-5].
TEST_F(SharedGroupTest, Qos2HeldByAPassingMemberIsNotHandedOutAfterACrash) {
  durable_member("a", kQos2).vanish();
  Client& passing = member("passing", kQos2);
  store_answers = false;
  publish("1", kQos2);
  EXPECT_THAT(passing.received(), IsEmpty()) << "the store does not know yet that it is with this member";
  store_answers = true;
  persist();
  advance(seconds(1));
  EXPECT_THAT(passing.received(), ElementsAre(HasSubstr("\"1\" qos=2")));
  EXPECT_THAT(answers(), ElementsAre("PUBREC id=1 reason=00"));
  restart();
  advance(seconds(1));
  EXPECT_THAT(back("a").received(), ElementsAre(StartsWith("CONNACK")));
}

TEST_F(SharedGroupTest, Qos2OfABacklogTakenByAPassingMemberIsNotHandedOutAfterACrash) {
  durable_member("a", kQos2).vanish();
  for (const char* payload : {"1", "2", "3"}) publish(payload, kQos2);
  advance(seconds(2));
  Client& passing = connect({.client_id = "passing"});
  passing.subscribe(kFilter, kQos2);
  advance(seconds(1));
  EXPECT_THAT(passing.received(), SizeIs(4));
  passing.acknowledge(PacketType::Pubrec, 1);
  passing.acknowledge(PacketType::Pubcomp, 1);
  restart();
  advance(seconds(1));
  EXPECT_THAT(back("a").received(), ElementsAre(StartsWith("CONNACK")));
  EXPECT_EQ(store.segments(), 0U);
}

TEST_F(SharedGroupTest, MessagesLeftByAPassingMemberAreTheGroupsAgain) {
  durable_member("a", kQos2).vanish();
  Client& passing = member("passing", kQos2);
  publish("1", kQos1);
  publish("2", kQos2);
  advance(seconds(1));
  EXPECT_THAT(passing.received(), SizeIs(2));
  passing.vanish();
  EXPECT_EQ(broker().session_books().drops(broker::DropReason::SessionEnded), 1U);
  expect_balance(1);
  EXPECT_THAT(back("a").received(), ElementsAre(StartsWith("CONNACK"), HasSubstr("\"1\"")));
}

// --- a member unsubscribes with messages in flight ---

class UnsubscribingTest : public SharedGroupTest {
 protected:
  // Has one message in flight, and is no member any more.
  Client& leave_with_one(Client& client, Qos qos = kQos1) {
    publish("1", qos);
    advance(seconds(1));
    EXPECT_THAT(client.received(), ElementsAre(HasSubstr("\"1\"")));
    client.unsubscribe(kFilter);
    EXPECT_THAT(client.received(), ElementsAre("UNSUBACK id=1 reason=00"));
    return client;
  }
};

// How a consumer stops: it unsubscribes, and its session ends.
TEST_F(UnsubscribingTest, MessageGoesToAnotherMemberWhenTheSessionEnds) {
  Client& a = member("a");
  Client& b = durable_member("b");
  leave_with_one(a);
  EXPECT_THAT(b.received(), IsEmpty());
  a.disconnect();
  EXPECT_THAT(b.received(), ElementsAre(HasSubstr("\"1\"")));
  b.acknowledge(PacketType::Puback, 1);
  advance(seconds(2));
  expect_balance(0);
}

TEST_F(UnsubscribingTest, MessageOfTheLastMemberEndsWithItsSession) {
  Client& a = member("a");
  leave_with_one(a);
  a.disconnect();
  EXPECT_EQ(broker().session_books().drops(broker::DropReason::SessionEnded), 1U);
  expect_balance(0);
}

// The number by which the routing tables knew the first member is given to the next session.
TEST_F(UnsubscribingTest, AnotherSessionHasNothingToDoWithItsMessages) {
  Client& a = member("a");
  Client& b = durable_member("b", kQos1, 1);
  leave_with_one(a);
  publish("2");  // b's window is full
  EXPECT_THAT(b.received(), SizeIs(1));
  a.disconnect();
  Client& c = member("c");
  EXPECT_THAT(c.received(), IsEmpty()) << "it came with the SUBACK";
  c.acknowledge(PacketType::Puback, 1);
  b.acknowledge(PacketType::Puback, 1);
  advance(seconds(2));
  expect_balance(0);
  EXPECT_EQ(broker().session_books().delivered, 2U);
}

class KeepingTest : public UnsubscribingTest, public testing::WithParamInterface<std::tuple<Qos, bool>> {};

// [MQTT-3.10.4-3]: the delivery that was begun is completed, by this session alone.
TEST_P(KeepingTest, MessageStaysWithASessionThatLivesThroughACrash) {
  const auto [qos, with_another] = GetParam();
  Client& a = durable_member("a", qos);
  if (with_another) durable_member("b", qos).vanish();
  leave_with_one(a, qos);
  advance(seconds(1));
  restart();
  if (with_another) {
    EXPECT_THAT(back("b").received(), ElementsAre(StartsWith("CONNACK")));
  }
  Client& again = back("a");
  advance(seconds(1));
  EXPECT_THAT(again.received(), ElementsAre(StartsWith("CONNACK"), HasSubstr("\"1\"")));
  again.acknowledge(qos == kQos1 ? PacketType::Puback : PacketType::Pubrec, 1);
  advance(seconds(1));
  if (qos == kQos2) again.acknowledge(PacketType::Pubcomp, 1);
  advance(seconds(2));
  expect_balance(0);
  EXPECT_EQ(store.segments(), 0U);
  restart();
  EXPECT_THAT(back("a").received(), ElementsAre(StartsWith("CONNACK")));
  EXPECT_EQ(stats().queues_orphaned, 0U);
}

INSTANTIATE_TEST_SUITE_P(QosAndAnother, KeepingTest, testing::Combine(testing::Values(kQos1, kQos2), testing::Bool()));

TEST_F(UnsubscribingTest, WaitingMessagesEndWithTheLastMember) {
  Client& a = durable_member("a", kQos1, 1);
  publish("1");
  publish("2");
  advance(seconds(1));
  a.unsubscribe(kFilter);
  EXPECT_EQ(broker().session_books().drops(broker::DropReason::SessionEnded), 1U);
  expect_balance(1);
  a.acknowledge(PacketType::Puback, 1);
  advance(seconds(2));
  expect_balance(0);
  EXPECT_EQ(store.segments(), 0U);
}

TEST_F(UnsubscribingTest, GroupIsTheSameForWhoSubscribesMeanwhile) {
  Client& a = durable_member("a");
  leave_with_one(a);
  Client& b = durable_member("b");
  publish("2");
  EXPECT_THAT(b.received(), ElementsAre(HasSubstr("\"2\"")));
  end_session_of("a");
  EXPECT_THAT(b.received(), ElementsAre(HasSubstr("\"1\"")));
  b.acknowledge(PacketType::Puback, 1);
  b.acknowledge(PacketType::Puback, 2);
  advance(seconds(2));
  expect_balance(0);
}

// --- durability of the group ---

TEST_F(SharedGroupTest, AGroupBecomesDurableWithItsFirstDurableMember) {
  Client& a = member("a", kQos1, 1);
  publish("1");
  publish("2");
  publish("3");
  a.received();
  Client& b = durable_member("b", kQos1, 1);
  EXPECT_THAT(b.received(), IsEmpty());
  advance(seconds(2));
  expect_balance(3);
  restart();
  const std::vector<std::string> kept = back("b").received();
  EXPECT_THAT(kept, Contains(HasSubstr("\"2\"")));
}

}  // namespace
}  // namespace furrow::test
