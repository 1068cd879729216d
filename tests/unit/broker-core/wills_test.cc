// Presence that is true: last wills over crashes and planned stops, of clients with and without a session.
#include "broker-core/wills.h"

#include "tests/support/broker_fixture.h"

namespace furrow::test {
namespace {

using mqtt::PropertyId;
using mqtt::Qos;
using mqtt::ReasonCode;
using mqtt::Version;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

constexpr seconds kGrace = seconds(60);

// A sensor says with its will that it is gone. A reader with a session of its own, which is always there, hears of it.
class WillsTest : public BrokerFixture {
 protected:
  enum class End { Crash, Stop };
  static constexpr End kEnds[] = {End::Crash, End::Stop};

  void SetUp() override { read(); }

  // The reader connects, also after an end of the gateway.
  void read() {
    reader_ = &open_durable("reader", kV3);
    received_ = reader_->received();
    if (!received_.front().starts_with("CONNACK reason=00 session")) reader_->subscribe("gone/#", Qos::ExactlyOnce);
  }
  // The payloads that the reader has got since the last call; it acknowledges them.
  std::vector<std::string> heard() {
    std::vector<std::string> packets = std::exchange(received_, {});
    std::ranges::copy(reader_->received(), std::back_inserter(packets));
    std::vector<std::string> payloads;
    for (const std::string& packet : packets) {
      if (!packet.starts_with("PUBLISH")) continue;
      const std::size_t begin = packet.find("\" \"") + 3;
      payloads.push_back(packet.substr(begin, packet.find('"', begin) - begin));
      const auto id = static_cast<std::uint16_t>(std::stoi(packet.substr(packet.find(" id=") + 4)));
      if (packet.find("qos=1") != std::string::npos) reader_->acknowledge(mqtt::PacketType::Puback, id);
      if (packet.find("qos=2") == std::string::npos) continue;
      reader_->acknowledge(mqtt::PacketType::Pubrec, id);
      reader_->acknowledge(mqtt::PacketType::Pubcomp, id);
    }
    return payloads;
  }

  // A will of QoS 1.
  mqtt::Will will(std::string_view payload, std::uint32_t delay_s = 0) {
    delay_ = Properties();
    if (delay_s > 0) delay_.number(PropertyId::WillDelayInterval, delay_s);
    mqtt::Will will;
    will.topic = "gone/sensor";
    will.payload = as_bytes(payload);
    will.properties = delay_;
    will.qos = Qos::AtLeastOnce;
    return will;
  }
  // A client that leaves no session, as most sensors are.
  ConnectOptions passing(std::string_view payload, Version version = kV5) {
    return {.client_id = "sensor", .version = version, .will = will(payload)};
  }
  // And one that does: for an hour (MQTT 5) or for good.
  ConnectOptions lasting(std::string_view payload, Version version = kV5, std::uint32_t delay_s = 0) {
    ConnectOptions asked{.client_id = "sensor", .version = version, .clean_start = false, .will = will(payload)};
    if (version == kV5) asked.will = will(payload, delay_s);
    if (version == kV5) asked.properties = an_hour;
    return asked;
  }

  // The gateway ends and starts again, and the reader is back.
  void end(End how, Duration off = {}) {
    if (how == End::Crash) {
      now += off;
      crash();
    } else {
      restart(off);
    }
    started_ = now;
    read();
  }
  // Until so long after the last start.
  void advance_to(Duration since_start) { advance(started_ + since_start - now); }

  std::size_t session_rows() const { return store.session_rows_written(); }

 private:
  Client* reader_ = nullptr;
  std::vector<std::string> received_;  // with the CONNACK of its connection
  Properties delay_;
  Instant started_{};
};

// --- over the end of the gateway ---

TEST_F(WillsTest, WillOfEveryClientThatNeverReturnsIsPublishedAfterTheNextStart) {
  for (const End how : kEnds) {
    for (const Version version : {kV3, kV5}) {
      for (const bool lasts : {false, true}) {
        SCOPED_TRACE(testing::Message() << (how == End::Crash ? "crash" : "stop") << ", version "
                                        << static_cast<int>(version) << (lasts ? ", lasting" : ", passing"));
        connect(lasts ? lasting("1", version) : passing("1", version));
        advance(seconds(2));
        end(how);
        advance_to(kGrace - milliseconds(1));
        EXPECT_THAT(heard(), IsEmpty());
        advance_to(kGrace);
        EXPECT_THAT(heard(), ElementsAre("1"));
        advance(seconds(2));
        end(how);
        advance_to(hours(2));
        EXPECT_THAT(heard(), IsEmpty()) << "once";
        EXPECT_EQ(store.has_session("sensor"), lasts && version == kV3);
        open_durable("sensor", version, true).disconnect();
      }
    }
  }
}

TEST_F(WillsTest, ClientThatIsBackInTimeHasNotBeenGone) {
  for (const End how : kEnds) {
    for (const bool lasts : {false, true}) {
      for (const bool clean_start : {false, true}) {
        connect(lasts ? lasting("1") : passing("1"));
        advance(seconds(2));
        end(how);
        advance_to(kGrace - seconds(1));
        ConnectOptions again = lasts ? lasting("2") : passing("2");
        again.clean_start = clean_start;
        Client& back = open(again);
        EXPECT_THAT(back.received(),
                    Contains(StartsWith(lasts && !clean_start ? "CONNACK reason=00 session" : "CONNACK reason=00 {")));
        advance(seconds(100));
        EXPECT_THAT(heard(), IsEmpty());
        back.vanish();
        EXPECT_THAT(heard(), ElementsAre("2"));
        open_durable("sensor", kV5, true)
            .disconnect(ReasonCode::NormalDisconnection, Properties().number(PropertyId::SessionExpiryInterval, 0));
      }
    }
  }
}

TEST_F(WillsTest, StopClosesConnectionsAndPublishesNothing) {
  Client& passing_one = connect(passing("1"));
  ConnectOptions lasting_one = lasting("1", kV3);
  lasting_one.client_id = "another";
  Client& old = connect(lasting_one);
  broker().shut_down(now);
  settle();
  EXPECT_THAT(passing_one.received(), ElementsAre(StartsWith("DISCONNECT reason=8b")));
  EXPECT_TRUE(passing_one.closed() && old.closed());
  EXPECT_THAT(heard(), IsEmpty());
}

TEST_F(WillsTest, ClientThatComesTwiceWhileTheGatewayStopsLeavesItsLastWill) {
  broker().shut_down(now);
  open(passing("1"));
  open(passing("2")).vanish();
  end(End::Stop);
  advance_to(kGrace);
  EXPECT_THAT(heard(), ElementsAre("2"));
}

TEST_F(WillsTest, StopKeepsTheWillOfAClientThatHasJustConnected) {
  connect(passing("1"));
  end(End::Stop);
  advance_to(kGrace);
  EXPECT_THAT(heard(), ElementsAre("1"));
}

TEST_F(WillsTest, DelayedWillThatComesDueWhileTheGatewayStopsIsNotLost) {
  connect(lasting("1", kV5, 1)).vanish();
  store_answers = false;
  broker().shut_down(now);
  advance(seconds(2));
  EXPECT_THAT(heard(), IsEmpty());
  store_answers = true;
  end(End::Stop);
  advance_to(kGrace);
  EXPECT_THAT(heard(), ElementsAre("1"));
}

// No client can come back while the gateway is off.
TEST_F(WillsTest, DelayBeginsAnewWithTheStart) {
  for (const End how : kEnds) {
    connect(lasting("1", kV5, 300));
    end(how, std::chrono::minutes(10));
    advance_to(seconds(299));
    EXPECT_THAT(heard(), IsEmpty());
    advance_to(seconds(300));
    EXPECT_THAT(heard(), ElementsAre("1"));
    advance(hours(1));
  }
}

TEST_F(WillsTest, SessionExpiresFromTheStopAndItsWillWaitsForTheClient) {
  connect(lasting("1"));
  end(End::Stop, hours(2));
  EXPECT_EQ(broker().sessions(), 1U) << "the reader's";
  EXPECT_EQ(stats().sessions_expired, 1U);
  advance_to(kGrace - seconds(1));
  EXPECT_THAT(heard(), IsEmpty());
  advance_to(kGrace);
  EXPECT_THAT(heard(), ElementsAre("1"));

  connect(lasting("2"));
  end(End::Stop, hours(2));
  EXPECT_THAT(open(lasting("3")).received(), Contains(StartsWith("CONNACK reason=00 {"))) << "without a session";
  advance(seconds(100));
  EXPECT_THAT(heard(), IsEmpty());
}

TEST_F(WillsTest, SessionThatExpiresSoonAfterACrashLeavesItsWill) {
  ConnectOptions asked = lasting("1");
  const Properties ten_seconds = std::move(Properties().number(PropertyId::SessionExpiryInterval, 10));
  asked.properties = ten_seconds;
  connect(asked);
  end(End::Crash);
  advance_to(seconds(12));
  EXPECT_EQ(stats().sessions_expired, 1U);
  end(End::Crash);
  EXPECT_EQ(broker().wills().waiting(), 1U) << "the row has the will alone";
  advance_to(kGrace);
  EXPECT_THAT(heard(), ElementsAre("1"));
}

TEST_F(WillsTest, ClientsThatComeBackAgainAndAgainAreNotGone) {
  connect(passing("1"));
  advance(seconds(2));
  for (int i = 0; i < 5; ++i) {
    end(End::Crash);
    advance_to(seconds(50));
  }
  EXPECT_THAT(heard(), IsEmpty());
  connect(passing("1"));
  advance(seconds(100));
  EXPECT_THAT(heard(), IsEmpty());
}

TEST_F(WillsTest, WillThatWaitsIsNotASession) {
  connect(passing("1"));
  advance(seconds(2));
  end(End::Crash);
  EXPECT_EQ(broker().sessions(), 1U) << "the reader's";
  EXPECT_EQ(broker().wills().waiting(), 1U);
  advance_to(kGrace);
  EXPECT_EQ(broker().wills().waiting(), 0U);
}

TEST_F(WillsTest, WillKeepsItsQosItsRetainFlagAndItsProperties) {
  for (const End how : kEnds) {
    for (const Qos qos : {Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce}) {
      ConnectOptions asked = passing("1");
      const Properties properties = std::move(Properties().user("a", "b"));
      asked.will->qos = qos;
      asked.will->retain = true;
      asked.will->properties = properties;
      connect(asked);
      advance(seconds(2));
      end(how);
      advance_to(kGrace);
      EXPECT_THAT(heard(), ElementsAre("1"));
      advance(seconds(2));
      Client& curious = connect({.client_id = "curious"});
      curious.subscribe("gone/#", Qos::ExactlyOnce);
      const std::string flags = "\"1\" qos=" + std::to_string(static_cast<int>(qos));
      EXPECT_THAT(curious.received(),
                  Contains(testing::AllOf(HasSubstr(flags), HasSubstr(" retain {26=\"a\":\"b\"}"))));
      curious.disconnect();
    }
  }
}

// An identifier that we assign is not the one with which its client comes back.
TEST_F(WillsTest, WillOfAClientWithoutAnIdentifierDoesNotComeBehindItsReturn) {
  ConnectOptions asked = passing("1");
  asked.client_id = "";
  connect(asked);
  mqtt::Will of_another = will("another's");
  connect({.client_id = "furrow-in-the-barn", .will = of_another});
  advance(seconds(2));
  end(End::Crash);
  advance_to(Duration::zero());
  EXPECT_THAT(heard(), ElementsAre("1"));
}

// --- what is written, and when ---

TEST_F(WillsTest, WillOfAPassingClientIsWrittenWithinASecond) {
  store_answers = false;
  Client& sensor = open(passing("1"));
  EXPECT_THAT(sensor.received(), ElementsAre(StartsWith("CONNACK reason=00"))) << "it does not wait for the store";
  store_answers = true;
  advance(milliseconds(999));
  EXPECT_FALSE(store.has_session("sensor"));
  advance(milliseconds(1));
  EXPECT_TRUE(store.has_session("sensor"));
}

TEST_F(WillsTest, SubscribingDoesNotWaitForTheWill) {
  store_answers = false;
  Client& sensor = open(passing("1"));
  advance(seconds(1));
  ASSERT_THAT(store.submitted(), SizeIs(1));
  sensor.received();
  sensor.subscribe("a");
  EXPECT_THAT(sensor.received(), ElementsAre("SUBACK id=1 reason=00"));
}

TEST_F(WillsTest, SensorThatComesAndGoesWithinASecondCostsNoFlash) {
  const std::size_t batches = store.batches_written();
  for (int i = 0; i < 10; ++i) {
    Client& sensor = connect(passing("1"));
    sensor.publish("farm/1", "21.5", Qos::AtLeastOnce, 1);
    advance(milliseconds(900));
    sensor.disconnect();
    advance(seconds(10));
  }
  EXPECT_EQ(store.batches_written(), batches);
}

TEST_F(WillsTest, WillsOfAFleetShareTheirCommits) {
  std::vector<std::string> names;
  for (int i = 0; i < 400; ++i) names.push_back("sensor-" + std::to_string(i));
  const auto connect_all = [&](std::string_view payload) {
    ConnectOptions asked = passing(payload);
    for (const std::string& name : names) {
      asked.client_id = name;
      connect(asked);
      advance(milliseconds(5));
    }
    advance(seconds(2));
  };
  connect_all("1");
  end(End::Crash);
  const std::size_t batches = store.batches_written();
  const std::size_t rows = session_rows();
  connect_all("1");
  EXPECT_EQ(session_rows(), rows) << "the store has them";
  end(End::Crash);
  connect_all("2");
  EXPECT_EQ(session_rows(), rows + names.size());
  EXPECT_LE(store.batches_written(), batches + 8) << "two a second, of two seconds";
  EXPECT_THAT(heard(), IsEmpty());
}

TEST_F(WillsTest, DisconnectTakesTheWillOutOfTheStore) {
  Client& sensor = connect(passing("1"));
  advance(seconds(2));
  sensor.disconnect();
  advance(seconds(1));
  EXPECT_FALSE(store.has_session("sensor"));
  end(End::Crash);
  advance_to(hours(1));
  EXPECT_THAT(heard(), IsEmpty());
}

TEST_F(WillsTest, DisconnectWithWillPublishesIt) {
  Client& sensor = connect(passing("1"));
  advance(seconds(2));
  sensor.disconnect(ReasonCode::DisconnectWithWillMessage);
  EXPECT_THAT(heard(), ElementsAre("1"));
  advance(seconds(2));
  EXPECT_FALSE(store.has_session("sensor"));
}

TEST_F(WillsTest, PublishedWillStaysInTheStoreUntilItIsSafe) {
  Client& sensor = connect(passing("1"));
  advance(seconds(2));
  store_answers = false;
  sensor.vanish();  // and the reader, who has it, has not acknowledged it
  advance(seconds(5));
  EXPECT_TRUE(store.has_session("sensor"));
  crash();
  store_answers = true;
  end(End::Crash);
  advance_to(kGrace);
  EXPECT_THAT(heard(), ElementsAre("1")) << "nothing of it had been written";
  advance(seconds(2));
  EXPECT_FALSE(store.has_session("sensor"));
}

TEST_F(WillsTest, WillOfQos0IsSafeAtOnce) {
  ConnectOptions asked = passing("1");
  asked.will->qos = Qos::AtMostOnce;
  Client& sensor = connect(asked);
  advance(seconds(2));
  sensor.vanish();
  EXPECT_THAT(heard(), ElementsAre("1"));
  advance(seconds(1));
  EXPECT_FALSE(store.has_session("sensor"));
}

TEST_F(WillsTest, ClientHasTheWillOfItsLastConnect) {
  connect(passing("1"));
  advance(seconds(2));
  connect(passing("2"));  // takes over
  EXPECT_THAT(heard(), ElementsAre("1"));
  advance(seconds(2));
  end(End::Crash);
  connect(passing("3"));
  advance(seconds(2));
  end(End::Crash);
  advance_to(kGrace);
  EXPECT_THAT(heard(), ElementsAre("3"));
}

TEST_F(WillsTest, ClientThatComesBackWithoutAWillHasNone) {
  for (const bool vanishes : {false, true}) {
    Client& sensor = connect(passing("1"));
    advance(seconds(2));
    if (vanishes) {
      sensor.vanish();
    } else {
      end(End::Crash);
    }
    ConnectOptions without = passing("");
    without.will.reset();
    connect(without);
    advance(seconds(2));
    EXPECT_FALSE(store.has_session("sensor"));
    end(End::Crash);
    advance_to(hours(1));
    EXPECT_THAT(heard(), SizeIs(vanishes ? 1 : 0));
  }
}

TEST_F(WillsTest, ClientThatComesBackAndLeavesAtOnceLeavesNoWill) {
  connect(passing("1"));
  advance(seconds(2));
  end(End::Crash);
  connect(passing("2")).disconnect();
  advance(seconds(1));
  EXPECT_FALSE(store.has_session("sensor"));
}

// The will of the connection before is safe only after the client has come back, and gone in order.
TEST_F(WillsTest, DisconnectLeavesNoRowOfAnEarlierWill) {
  Client& sensor = connect(passing("1"));
  advance(seconds(2));
  store_answers = false;
  sensor.vanish();
  connect(passing("2")).disconnect();
  store_answers = true;
  advance(seconds(2));
  EXPECT_FALSE(store.has_session("sensor"));
}

TEST_F(WillsTest, NewWillIsNotTakenAwayWithTheOneBefore) {
  Client& sensor = connect(passing("1"));
  advance(seconds(2));
  store_answers = false;
  sensor.vanish();
  connect(passing("2"));
  advance(seconds(1));
  store_answers = true;
  advance(seconds(2));
  EXPECT_THAT(heard(), ElementsAre("1"));
  EXPECT_TRUE(store.has_session("sensor"));
  advance(seconds(2));
  end(End::Crash);
  advance_to(kGrace);
  EXPECT_THAT(heard(), ElementsAre("2"));
}

TEST_F(WillsTest, SameClientMayKeepASessionOneTimeAndNoneTheNext) {
  connect(passing("1"));
  advance(seconds(2));
  connect(lasting("2"));  // takes over
  EXPECT_THAT(heard(), ElementsAre("1"));
  advance(seconds(2));
  end(End::Crash);
  EXPECT_EQ(broker().sessions(), 2U);
  connect(passing("3"));
  advance(seconds(2));
  EXPECT_THAT(heard(), IsEmpty());
  end(End::Crash);
  EXPECT_EQ(broker().sessions(), 1U);
  EXPECT_THAT(open(lasting("4")).received(), Contains(StartsWith("CONNACK reason=00 {")));
  end(End::Crash);
  advance_to(kGrace);
  EXPECT_THAT(heard(), ElementsAre("4"));
}

// MQTT 5 may keep the session, and ask that it ends with this connection.
TEST_F(WillsTest, SessionThatEndsWithItsConnectionLeavesItsWill) {
  for (const End how : kEnds) {
    connect(lasting("1")).disconnect();
    ConnectOptions last = lasting("2");
    last.properties = {};
    EXPECT_THAT(open(last).received(), Contains(StartsWith("CONNACK reason=00 session")));
    end(how);
    EXPECT_EQ(broker().sessions(), 1U);
    advance_to(kGrace - seconds(1));
    EXPECT_THAT(heard(), IsEmpty());
    advance_to(kGrace);
    EXPECT_THAT(heard(), ElementsAre("2"));
  }
}

TEST_F(WillsTest, SessionThatEndsLeavesNoQueueBehindForItsWill) {
  Client& sensor = connect(lasting("1", kV5, 600));
  sensor.subscribe("a", Qos::AtLeastOnce);
  sensor.vanish();
  connect({.client_id = "publisher"}).publish("a", "1", Qos::AtLeastOnce, 1);
  advance(seconds(1));
  EXPECT_EQ(store.queues(), 1U);
  store_answers = false;
  Client& again = open(ConnectOptions{.client_id = "sensor", .clean_start = true});
  EXPECT_THAT(again.received(), testing::IsEmpty()) << "the old session is not off the disk yet";
  EXPECT_THAT(heard(), ElementsAre("1"));
  persist();
  EXPECT_THAT(again.received(), Contains(testing::StartsWith("CONNACK reason=00")));
  EXPECT_EQ(store.queues(), 1U) << "the reader's";
  EXPECT_TRUE(store.has_session("sensor"));
  persist();
  advance(seconds(2));
  persist();
  EXPECT_FALSE(store.has_session("sensor"));
}

// As nobody writes it; nor is it of any use.
TEST_F(WillsTest, RowWithoutSessionAndWithoutWillIsTakenAway) {
  broker::Batch batch;
  batch.sessions.push_back({"sensor", broker::encode(broker::SessionRecord{})});
  advance(seconds(2));
  store.write(batch);
  end(End::Crash);
  EXPECT_EQ(broker().wills().waiting(), 0U);
  advance(seconds(2));
  EXPECT_FALSE(store.has_session("sensor"));
}

// --- limits ---

TEST_F(WillsTest, WillsThatWaitAndClientsAreNoMoreThanConnectionsMayBe) {
  options.limits.connections = 4;
  end(End::Crash);
  ConnectOptions asked = passing("1");
  for (const char* name : {"a", "b", "c"}) {
    asked.client_id = name;
    connect(asked);
    advance(seconds(2));
  }
  end(End::Crash);
  EXPECT_EQ(broker().wills().waiting(), 3U);
  asked.client_id = "c";
  connect(asked);
  EXPECT_THAT(heard(), IsEmpty());
  asked.client_id = "d";
  connect(asked);
  EXPECT_EQ(broker().wills().waiting(), 1U);
  EXPECT_THAT(heard(), ElementsAre("1"));
  EXPECT_EQ(stats().wills_over_limit, 1U);
}

TEST_F(WillsTest, WillsAreInMemoryOnlyWhileTheStoreTakesNoWrites) {
  broker().handle_store_failing(true);
  Client& sensor = connect(passing("1"));
  ConnectOptions asked = passing("1");
  asked.client_id = "one that leaves";
  connect(asked).vanish();
  advance(seconds(2));
  EXPECT_FALSE(store.has_session("sensor"));
  EXPECT_EQ(stats().wills_not_stored, 1U);
  broker().handle_store_failing(false);
  advance(milliseconds(1));
  EXPECT_TRUE(store.has_session("sensor"));
  EXPECT_FALSE(store.has_session("one that leaves"));
  sensor.disconnect();
}

TEST_F(WillsTest, WillsAreNotCopiedWhileMemoryIsShort) {
  connect(passing("1"));
  broker().handle_memory(options.limits.memory_bytes + 1);
  advance(seconds(2));
  EXPECT_FALSE(store.has_session("sensor"));
  EXPECT_EQ(stats().wills_not_stored, 1U);
  broker().handle_memory(0);
  advance(milliseconds(1));
  EXPECT_TRUE(store.has_session("sensor"));
}

// A device that gives up and comes back each ten seconds would, in the end, be refused for want of memory.
TEST_F(WillsTest, ClientThatComesBackWhileNothingCanBeWrittenHasOneRow) {
  store_answers = false;
  ConnectOptions asked = lasting("1");
  asked.clean_start = true;
  for (int i = 0; i < 100; ++i) {
    open(asked).vanish();
    advance(seconds(10));
  }
  ASSERT_THAT(store.submitted(), SizeIs(1));
  broker().handle_persisted(store.complete_one(), now);
  settle();
  ASSERT_THAT(store.submitted(), SizeIs(1));
  EXPECT_THAT(store.submitted().front().sessions, SizeIs(1));
  EXPECT_THAT(store.submitted().front().queues_removed, IsEmpty());
}

}  // namespace
}  // namespace furrow::test
