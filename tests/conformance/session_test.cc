// What outlives a connection, and what does not: MQTT 5.0 §3.1.2 and §4.1, MQTT 3.1.1 §3.1.2 and §4.1.
#include "tests/conformance/conformance.h"

namespace furrow::test {
namespace {

class Session : public ConformanceTest {
 public:
  // A client that comes with this session, and goes again without a word.
  std::vector<std::string> visit(Version version, bool clean_start = false, std::string_view client_id = "kept") {
    Client& client = open_durable(client_id, version, clean_start);
    std::vector<std::string> received = client.received();
    client.vanish();
    return received;
  }
  // Leaves behind a session with a subscription and a message that waits.
  void leave(Version version, std::string_view client_id = "kept") {
    Client& client = connect_durable(client_id, version);
    client.subscribe("t", kQos2);
    client.disconnect();
    advance(seconds(2));
    connect({.client_id = "sensor"}).publish("t", "waiting", kQos1, 1);
  }
};

TEST_F(Session, GoesOnWithoutCleanStart) {
  SHOWS("MQTT-3.1.2-5 MQTT-3.1.2-23 MQTT-3.1.3-2 MQTT-3.1.4-4");
  SHOWS("v3.1.1:MQTT-3.1.2-4 v3.1.1:MQTT-3.1.2-5 v3.1.1:MQTT-3.1.3-2 v3.1.1:MQTT-3.1.4-3 v3.1.1:MQTT-4.1.0-1");
  for (const Version version : kVersions) {
    leave(version);
    EXPECT_THAT(visit(version, false, "another"), ElementsAre(Not(HasSubstr("session")))) << "it has its name";
    Client& back = open_durable("kept", version);
    EXPECT_THAT(back.received(),
                ElementsAre(StartsWith("CONNACK reason=00 session"), "PUBLISH \"t\" \"waiting\" qos=1 id=1"));
    back.acknowledge(PacketType::Puback, 1);
    connect({.client_id = "sensor"}).publish("t", "new", kQos1, 1);
    EXPECT_THAT(back.received(), ElementsAre(HasSubstr("\"new\""))) << "the subscription is still there";
    back.vanish();
    visit(version, true);
    visit(version, true, "another");
  }
}

TEST_F(Session, BeginsWhereThereIsNone) {
  SHOWS("MQTT-3.1.2-6 MQTT-3.2.2-3 v3.1.1:MQTT-3.1.2-4 v3.1.1:MQTT-3.2.2-3");
  for (const Version version : kVersions) {
    EXPECT_THAT(visit(version), ElementsAre(AllOf(StartsWith("CONNACK reason=00"), Not(HasSubstr("session")))));
    EXPECT_THAT(visit(version), ElementsAre(StartsWith("CONNACK reason=00 session")));
    visit(version, true);
    open({.client_id = "kept", .version = version}).disconnect();
  }
}

TEST_F(Session, IsThrownAwayByCleanStart) {
  SHOWS("MQTT-3.1.2-4 MQTT-3.1.4-4 MQTT-3.2.2-2 v3.1.1:MQTT-3.1.2-6 v3.1.1:MQTT-3.1.4-3 v3.1.1:MQTT-3.2.2-1");
  for (const Version version : kVersions) {
    leave(version);
    Client& clean = open({.client_id = "kept", .version = version, .clean_start = true});
    EXPECT_THAT(clean.received(), ElementsAre(AllOf(StartsWith("CONNACK reason=00"), Not(HasSubstr("session")))));
    connect({.client_id = "sensor"}).publish("t", "new", kQos1, 1);
    EXPECT_THAT(clean.received(), IsEmpty()) << "the subscription is gone";
    clean.vanish();
    EXPECT_THAT(visit(version), ElementsAre(Not(HasSubstr("session")))) << "and the clean session ended, too";
    visit(version, true);
  }
}

TEST_F(Session, LeavesRetainedMessagesBehind) {
  SHOWS("v3.1.1:MQTT-3.1.2-7");
  Client& client = connect({.version = kV3});
  client.publish("t", "1", kQos1, 1, {.retain = true});
  client.disconnect();
  EXPECT_EQ(broker().sessions(), 0U);
  EXPECT_THAT(retained("#"), ElementsAre("PUBLISH \"t\" \"1\" qos=1 id=1 retain"));
}

TEST_F(Session, EndsOnceItHasHadNoConnectionForItsExpiryInterval) {
  SHOWS("MQTT-4.1.0-2 MQTT-3.1.2-23");
  const Properties minute = std::move(Properties().number(PropertyId::SessionExpiryInterval, 60));
  const ConnectOptions asked{.client_id = "kept", .clean_start = false, .properties = minute};
  connect(asked).vanish();
  advance(milliseconds(59'999));
  Client& again = open(asked);
  EXPECT_THAT(again.received(), ElementsAre(StartsWith("CONNACK reason=00 session")));
  again.vanish();
  advance(milliseconds(60'000));
  EXPECT_THAT(open(asked).received(), ElementsAre(Not(HasSubstr("session"))));
}

TEST_F(Session, WithoutAnExpiryIntervalEndsWithItsConnection) {
  SHOWS("MQTT-4.1.0-2");
  connect({.clean_start = false}).vanish();
  EXPECT_THAT(open({.clean_start = false}).received(), ElementsAre(Not(HasSubstr("session"))));
}

TEST_F(Session, DoesNotEndWhileItsConnectionIsOpen) {
  SHOWS("MQTT-4.1.0-1 v3.1.1:MQTT-4.1.0-1 v3.1.1:MQTT-4.1.0-2");
  const Properties second = std::move(Properties().number(PropertyId::SessionExpiryInterval, 1));
  Client& young = connect({.client_id = "young", .properties = second});
  Client& old = connect({.client_id = "old", .version = kV3});
  young.subscribe("t");
  old.subscribe("t");
  advance(std::chrono::hours(24 * 365));
  young.received();
  old.received();
  connect({.client_id = "sensor"}).publish("t", "1");
  EXPECT_THAT(young.received(), ElementsAre("PUBLISH \"t\" \"1\" qos=0 id=0"));
  EXPECT_THAT(old.received(), ElementsAre("PUBLISH \"t\" \"1\" qos=0 id=0"));
}

TEST_F(Session, ItsExpiryMayChangeWithDisconnectButNotBegin) {
  SHOWS("MQTT-4.1.0-2");
  const auto expiry = [](std::uint32_t interval) {
    return std::move(Properties().number(PropertyId::SessionExpiryInterval, interval));
  };
  connect_durable("kept").disconnect(ReasonCode::NormalDisconnection, expiry(5));
  advance(seconds(6));
  EXPECT_THAT(visit(kV5), ElementsAre(Not(HasSubstr("session"))));
  Client& client = connect({.client_id = "other"});
  client.disconnect(ReasonCode::NormalDisconnection, expiry(5));
  EXPECT_THAT(client.received(), ElementsAre(StartsWith("DISCONNECT reason=82")));
}

}  // namespace
}  // namespace furrow::test
