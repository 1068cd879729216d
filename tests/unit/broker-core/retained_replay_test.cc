// Retained messages on their way to a new subscription: past the queue, as the client takes them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/support/broker_fixture.h"

namespace furrow::broker {
namespace {

using mqtt::PacketType;
using mqtt::Qos;
using mqtt::RetainHandling;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::Client;
using test::Properties;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

std::string topic_of(int number) {
  return "farm/" + std::to_string(100'000 + number);
}

std::uint16_t packet_id_of(const std::string& publish) {
  return static_cast<std::uint16_t>(std::stoi(publish.substr(publish.find(" id=") + 4)));
}

class RetainedReplayTest : public test::BrokerFixture {
 protected:
  void retain(std::string_view topic, std::string_view payload, Qos qos = Qos::AtLeastOnce) {
    if (publisher_ == nullptr) publisher_ = &connect({.client_id = "publisher"});
    publisher_->publish(topic, payload, qos, next_id_++, {.retain = true});
    (void)publisher_->received();
  }
  void retain_many(int count, Qos qos = Qos::AtLeastOnce, std::string_view payload = "1") {
    for (int i = 0; i < count; ++i) retain(topic_of(i), payload, qos);
    advance(seconds(2));
  }
  void publish_live(std::string_view topic, std::string_view payload, Qos qos = Qos::AtLeastOnce) {
    if (publisher_ == nullptr) publisher_ = &connect({.client_id = "publisher"});
    publisher_->publish(topic, payload, qos, next_id_++);
    (void)publisher_->received();
  }
  void forget_clients() { publisher_ = nullptr; }

  // With `inflight` messages in flight at most, as receive maximum.
  Client& reader_with_window(std::uint16_t window, std::string_view client_id = "reader") {
    windows_.push_back(std::make_unique<Properties>());
    windows_.back()->number(mqtt::PropertyId::ReceiveMaximum, window);
    return connect({.client_id = client_id, .properties = *windows_.back()});
  }
  Client& durable_reader_with_window(std::uint16_t window, std::string_view client_id = "reader") {
    windows_.push_back(std::make_unique<Properties>());
    windows_.back()
        ->number(mqtt::PropertyId::ReceiveMaximum, window)
        .number(mqtt::PropertyId::SessionExpiryInterval, 3600);
    // What follows its CONNACK is still there.
    return open({.client_id = client_id, .clean_start = false, .properties = *windows_.back()});
  }

  // Acknowledges whatever comes until nothing comes any more; returns the PUBLISH packets in their order.
  std::vector<std::string> take_all(Client& client) {
    std::vector<std::string> publishes;
    for (std::vector<std::string> packets = client.received(); !packets.empty(); packets = client.received()) {
      for (const std::string& packet : packets) answer(client, packet, publishes);
    }
    return publishes;
  }
  static std::set<std::string> topics(const std::vector<std::string>& publishes) {
    std::set<std::string> topics;
    for (const std::string& publish : publishes) topics.insert(publish.substr(9, publish.find('"', 9) - 9));
    return topics;
  }

 private:
  static void answer(Client& client, const std::string& packet, std::vector<std::string>& publishes) {
    if (packet.starts_with("PUBREL")) client.acknowledge(PacketType::Pubcomp, packet_id_of(packet));
    if (!packet.starts_with("PUBLISH")) return;
    publishes.push_back(packet);
    if (packet.find(" qos=1") != std::string::npos) client.acknowledge(PacketType::Puback, packet_id_of(packet));
    if (packet.find(" qos=2") != std::string::npos) client.acknowledge(PacketType::Pubrec, packet_id_of(packet));
  }

  Client* publisher_ = nullptr;
  std::uint16_t next_id_ = 1;
  std::vector<std::unique_ptr<Properties>> windows_;
};

// --- bounded, whatever is retained ---

TEST_F(RetainedReplayTest, AllValuesArriveHoweverFewTheQueueHolds) {
  retain_many(2'500);
  Client& reader = connect({.client_id = "reader"});
  reader.subscribe("#", Qos::AtLeastOnce);
  const auto received = take_all(reader);
  EXPECT_THAT(received, SizeIs(2'500));
  EXPECT_THAT(topics(received), SizeIs(2'500));
  EXPECT_EQ(broker().session_books().drops(DropReason::QueueFull), 0U);
}

TEST_F(RetainedReplayTest, ValuesAreSentNoFurtherThanTheWindow) {
  retain_many(100);
  Client& reader = reader_with_window(10);
  reader.subscribe("#", Qos::AtLeastOnce);
  EXPECT_THAT(reader.received(), SizeIs(1 + 10));
  reader.acknowledge(PacketType::Puback, 1);
  EXPECT_THAT(reader.received(), SizeIs(1));
}

TEST_F(RetainedReplayTest, ReplayPushesNothingOutOfTheQueue) {
  retain_many(2'500);
  Client& reader = durable_reader_with_window(10);
  reader.subscribe("live/#", Qos::AtLeastOnce);
  reader.disconnect();
  for (int i = 0; i < 800; ++i) publish_live("live/" + std::to_string(i), "1");
  Client& back = durable_reader_with_window(10);
  back.subscribe("#", Qos::AtLeastOnce);
  const auto received = take_all(back);
  EXPECT_THAT(received, SizeIs(800 + 2'500));
  EXPECT_THAT(topics(received), SizeIs(800 + 2'500));
  EXPECT_EQ(broker().session_books().drops(DropReason::QueueFull), 0U);
}

TEST_F(RetainedReplayTest, ReaderThatStopsTakesNoMoreThanItsOutputHolds) {
  retain_many(1'000, Qos::AtMostOnce, std::string(2'000, 'x'));
  Client& reader = connect({.client_id = "reader"});
  reader.stop_reading();
  reader.subscribe("#", Qos::AtMostOnce);
  EXPECT_LE(broker().output(reader.id()).size(), kOutputBytesMax + 4'000);
  reader.start_reading();
  EXPECT_THAT(take_all(reader), SizeIs(1'000));
  EXPECT_EQ(stats().dropped_qos0_slow, 0U);
}

TEST_F(RetainedReplayTest, WindowAndQueueStayEmptyBehindAReaderThatStops) {
  retain_many(300);
  Client& reader = reader_with_window(20);
  reader.stop_reading();
  reader.subscribe("#", Qos::AtLeastOnce);
  EXPECT_EQ(broker().session_books().accepted, 20U);
}

TEST_F(RetainedReplayTest, FilterThatFewTopicsMatchIsWalkedOverSeveralTurns) {
  options.limits.retained_messages = 0;
  retain_many(8 * static_cast<int>(RetainedReplays::kStepsMax), Qos::AtMostOnce);
  retain("farm/999999/here", "1", Qos::AtMostOnce);
  Client& reader = connect({.client_id = "reader"});
  reader.subscribe("+/+/here");
  EXPECT_THAT(reader.received(), ElementsAre(StartsWith("SUBACK")));
  EXPECT_LE(broker().next_deadline(), now) << "the walk goes on with the next turn";
  advance(Duration::zero());
  EXPECT_THAT(reader.received(), ElementsAre(HasSubstr("farm/999999/here")));
  EXPECT_GT(broker().next_deadline(), now);
}

// --- what is sent, and when ---

TEST_F(RetainedReplayTest, SubackLeavesBeforeTheValues) {
  retain_many(2);
  store_answers = false;
  Client& reader = open_durable("reader");
  persist();
  (void)reader.received();
  reader.subscribe("#", Qos::AtLeastOnce);
  EXPECT_THAT(reader.received(), IsEmpty());
  persist();
  EXPECT_THAT(reader.received(),
              ElementsAre(StartsWith("SUBACK"), StartsWith("PUBLISH \"farm/100000\""), StartsWith("PUBLISH")));
}

TEST_F(RetainedReplayTest, ValueIsTheOneOfTheMomentItIsSent) {
  retain_many(3);
  Client& reader = reader_with_window(1);
  reader.subscribe("#", Qos::AtLeastOnce);
  (void)reader.received();
  retain(topic_of(1), "");
  retain(topic_of(2), "2");
  reader.acknowledge(PacketType::Puback, 1);
  const auto received = take_all(reader);
  EXPECT_THAT(topics(received), Contains(topic_of(2)));
  EXPECT_THAT(received.back(), StartsWith("PUBLISH \"farm/100002\" \"2\""));
}

TEST_F(RetainedReplayTest, ValueThatHasExpiredIsNotSentAndIsRemoved) {
  retain_many(2);
  const Properties soon = std::move(Properties().number(mqtt::PropertyId::MessageExpiryInterval, 1));
  connect({.client_id = "sensor"}).publish("farm/1", "1", Qos::AtMostOnce, 0, {.retain = true, .properties = soon});
  advance(seconds(2));
  Client& reader = connect({.client_id = "reader"});
  reader.subscribe("#");
  EXPECT_THAT(take_all(reader), SizeIs(2));
  EXPECT_EQ(broker().retained().messages(), 2U);
}

TEST_F(RetainedReplayTest, ValueMayBeOlderThanTheQueueKeepsMessages) {
  options.limits.session_queue.age_max = seconds(1);
  retain_many(5);
  advance(seconds(10));
  Client& reader = reader_with_window(2);
  reader.subscribe("#", Qos::AtLeastOnce);
  EXPECT_THAT(take_all(reader), SizeIs(5));
}

TEST_F(RetainedReplayTest, EachSubscriptionGetsItsOwnValues) {
  retain_many(3);
  Client& reader = reader_with_window(2);
  reader.subscribe("#", Qos::AtLeastOnce, {.subscription_id = 1});
  reader.subscribe("farm/+", Qos::AtLeastOnce, {.subscription_id = 2});
  const auto received = take_all(reader);
  EXPECT_EQ(std::ranges::count_if(received, [](const auto& one) { return one.find("0b=1}") != std::string::npos; }), 3);
  EXPECT_EQ(std::ranges::count_if(received, [](const auto& one) { return one.find("0b=2}") != std::string::npos; }), 3);
}

TEST_F(RetainedReplayTest, UnsubscribeEndsIt) {
  retain_many(10);
  Client& reader = reader_with_window(2);
  reader.subscribe("#", Qos::AtLeastOnce);
  reader.unsubscribe("#");
  EXPECT_THAT(take_all(reader), SizeIs(2));
}

TEST_F(RetainedReplayTest, SubscribingAgainStartsAnew) {
  retain_many(10);
  Client& reader = reader_with_window(2);
  reader.subscribe("#", Qos::AtLeastOnce);
  reader.subscribe("#", Qos::AtLeastOnce);
  EXPECT_THAT(take_all(reader), SizeIs(2 + 10));
}

TEST_F(RetainedReplayTest, SubscribingAgainForNewValuesOnlyGoesOn) {
  retain_many(10);
  Client& reader = reader_with_window(2);
  reader.subscribe("#", Qos::AtLeastOnce);
  reader.subscribe("#", Qos::AtMostOnce, {.retain_handling = RetainHandling::SendIfNew});
  const auto received = take_all(reader);
  EXPECT_THAT(received, SizeIs(10));
  EXPECT_THAT(received.back(), HasSubstr("qos=0"));
}

TEST_F(RetainedReplayTest, SubscribingAgainWithoutValuesEndsIt) {
  retain_many(10);
  Client& reader = reader_with_window(2);
  reader.subscribe("#", Qos::AtLeastOnce);
  reader.subscribe("#", Qos::AtLeastOnce, {.retain_handling = RetainHandling::DoNotSend});
  EXPECT_THAT(take_all(reader), SizeIs(2));
}

// --- beside live messages ---

TEST_F(RetainedReplayTest, LiveMessageDoesNotOvertakeTheValueOfItsTopic) {
  retain_many(10, Qos::AtLeastOnce, "retained");
  Client& reader = reader_with_window(1);
  reader.subscribe("#", Qos::AtLeastOnce);
  publish_live(topic_of(5), "live");
  publish_live(topic_of(5), "later");
  const auto received = take_all(reader);
  EXPECT_THAT(received, SizeIs(12));
  std::vector<std::string> of_topic;
  for (const std::string& one : received) {
    if (one.find("farm/100005") != std::string::npos) of_topic.push_back(one);
  }
  EXPECT_THAT(of_topic, ElementsAre(HasSubstr("\"retained\""), HasSubstr("\"live\""), HasSubstr("\"later\"")));
}

TEST_F(RetainedReplayTest, LiveMessageOfQos0DoesNotOvertakeAValueOfQos0) {
  retain_many(3);
  retain("farm/999999", "retained", Qos::AtMostOnce);
  Client& reader = reader_with_window(1);
  reader.subscribe("#", Qos::AtLeastOnce);
  (void)reader.received();
  publish_live("farm/999999", "live", Qos::AtMostOnce);
  EXPECT_THAT(reader.received(), ElementsAre(HasSubstr("\"retained\""), HasSubstr("\"live\"")));
  reader.acknowledge(PacketType::Puback, 1);
  EXPECT_THAT(topics(take_all(reader)), ElementsAre(topic_of(1), topic_of(2)));
}

TEST_F(RetainedReplayTest, ValueOfQos0DoesNotComeBehindALiveMessageThatWaitsForASlowReader) {
  retain_many(500, Qos::AtMostOnce, std::string(2'000, 'x'));
  Client& reader = connect({.client_id = "reader"});
  reader.stop_reading();
  reader.subscribe("#", Qos::AtLeastOnce);
  publish_live(topic_of(499), "live");
  EXPECT_EQ(stats().dropped_qos0_slow, 1U);
  reader.start_reading();
  const auto received = take_all(reader);
  EXPECT_THAT(received, SizeIs(500));
  EXPECT_THAT(received, Contains(StartsWith("PUBLISH \"farm/100499\" \"live\"")));
}

TEST_F(RetainedReplayTest, LiveMessageThatIsItselfTheNewValueNeedsNoOlderOne) {
  retain_many(10, Qos::AtLeastOnce, "old");
  Client& reader = reader_with_window(1);
  reader.subscribe("#", Qos::AtLeastOnce);
  retain(topic_of(5), "new");
  const auto received = take_all(reader);
  EXPECT_THAT(received, Contains(StartsWith("PUBLISH \"farm/100005\" \"new\"")));
  EXPECT_THAT(received, Not(Contains(StartsWith("PUBLISH \"farm/100005\" \"old\""))));
}

TEST_F(RetainedReplayTest, ValueThatIsSentAheadPushesNothingOutOfAFullQueue) {
  options.limits.session_queue.messages_max = 5;
  retain_many(10, Qos::AtLeastOnce, "retained");
  Client& reader = reader_with_window(1);
  reader.subscribe("#", Qos::AtLeastOnce);
  reader.subscribe("other/#", Qos::AtLeastOnce);
  for (int i = 1; i <= 3; ++i) publish_live("other/" + std::to_string(i), "1");
  publish_live(topic_of(5), "live");  // for which there is a place, but not for the value, too
  const auto received = take_all(reader);
  EXPECT_THAT(received, Contains(HasSubstr("\"live\"")));
  EXPECT_EQ(std::ranges::count_if(received, [](const auto& one) { return one.find("other/") != std::string::npos; }),
            3);
  EXPECT_THAT(received, Not(Contains(StartsWith("PUBLISH \"farm/100005\" \"retained\""))));
  EXPECT_EQ(broker().session_books().drops(DropReason::QueueFull), 1U);
}

TEST_F(RetainedReplayTest, MoreTopicsThanCanBeRememberedAreCounted) {
  options.limits.session_queue.messages_max = 0;
  constexpr int kMany = static_cast<int>(RetainedReplays::kAheadMax) + 10;
  retain_many(kMany + 1, Qos::AtLeastOnce, "retained");
  Client& reader = reader_with_window(1);
  reader.subscribe("#", Qos::AtLeastOnce);
  for (int i = 1; i <= kMany; ++i) publish_live(topic_of(i), "live");
  EXPECT_EQ(stats().retained_overtaken, 10U);
  EXPECT_THAT(take_all(reader), SizeIs(2 * kMany + 1));
}

// --- sessions that live longer ---

TEST_F(RetainedReplayTest, ReplayGoesOnWhenTheClientOfADurableSessionIsBack) {
  retain_many(50);
  Client& reader = durable_reader_with_window(5);
  reader.subscribe("#", Qos::AtLeastOnce);
  reader.vanish();
  Client& back = durable_reader_with_window(5);
  const auto received = take_all(back);
  EXPECT_THAT(received, SizeIs(50));
  EXPECT_THAT(topics(received), SizeIs(50));
}

TEST_F(RetainedReplayTest, ReplayOfADurableSessionStartsAnewAfterACrash) {
  retain_many(50);
  Client& reader = durable_reader_with_window(5);
  reader.subscribe("#", Qos::AtLeastOnce);
  reader.acknowledge(PacketType::Puback, 1);
  forget_clients();
  crash();
  Client& back = durable_reader_with_window(5);
  EXPECT_THAT(topics(take_all(back)), SizeIs(50));
}

TEST_F(RetainedReplayTest, LastValueThatIsInFlightIsSentAgainAfterACrash) {
  retain_many(1);
  Client& reader = durable_reader_with_window(5);
  reader.subscribe("#", Qos::AtLeastOnce);
  EXPECT_THAT(reader.received(), Contains(StartsWith("PUBLISH")));
  advance(milliseconds(50));
  forget_clients();
  crash();
  EXPECT_THAT(take_all(durable_reader_with_window(5)), SizeIs(1));
}

TEST_F(RetainedReplayTest, ReplayThatIsFinishedIsNotRepeatedAfterACrash) {
  retain_many(50);
  Client& reader = durable_reader_with_window(5);
  reader.subscribe("#", Qos::ExactlyOnce);
  EXPECT_THAT(take_all(reader), SizeIs(50));
  advance(seconds(2));
  forget_clients();
  crash();
  EXPECT_THAT(take_all(durable_reader_with_window(5)), IsEmpty());
}

TEST_F(RetainedReplayTest, SubscriptionMadeBeforeItsSubackWasSentGetsItsValuesOnReturn) {
  retain_many(3);
  store_answers = false;
  Client& reader = open_durable("reader");
  persist();
  reader.subscribe("#", Qos::AtLeastOnce);
  reader.vanish();
  store_answers = true;
  persist();
  EXPECT_THAT(take_all(durable_reader_with_window(5)), SizeIs(3));
}

TEST_F(RetainedReplayTest, SubscriptionWithoutValuesCostsNoFurtherRow) {
  retain_many(3);
  Client& reader = durable_reader_with_window(5);
  reader.subscribe("other/#", Qos::AtLeastOnce);
  advance(seconds(2));
  const BatchNumber stored = broker().journal().durable();
  reader.subscribe("other/#", Qos::AtLeastOnce);
  advance(seconds(2));
  EXPECT_EQ(broker().journal().durable(), stored);
}

TEST_F(RetainedReplayTest, ReplayEndsWithTheConnectionOfASessionInMemory) {
  retain_many(50);
  Client& reader = reader_with_window(5);
  reader.subscribe("#", Qos::AtLeastOnce);
  reader.vanish();
  EXPECT_THAT(take_all(reader_with_window(5)), IsEmpty());
}

}  // namespace
}  // namespace furrow::broker
