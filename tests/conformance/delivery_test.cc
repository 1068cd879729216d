// How messages get across: MQTT 5.0 and 3.1.1 §4.3 to §4.6, and the packet identifiers of §2.
#include <set>

#include "tests/conformance/conformance.h"

namespace furrow::test {
namespace {

class Delivery : public ConformanceTest {
 public:
  // A client whose session is kept, subscribed to everything with QoS 2.
  Client& kept(Version version) {
    Client& client = connect_durable("kept", version);
    client.subscribe("#", kQos2);
    client.received();
    return client;
  }
  // The packets that a new connection to that session gets after its CONNACK.
  std::vector<std::string> back(Version version) {
    Client& client = open_durable("kept", version);
    std::vector<std::string> received = client.received();
    EXPECT_THAT(received.at(0), StartsWith("CONNACK reason=00 session"));
    received.erase(received.begin());
    client.vanish();
    return received;
  }
  void forget(Version version) { open_durable("kept", version, true).disconnect(); }
};

// --- from us ---

TEST_F(Delivery, EachNewMessageHasAnIdentifierOfItsOwn) {
  SHOWS("MQTT-2.2.1-4 MQTT-4.3.2-1 MQTT-4.3.2-2 MQTT-4.3.3-1 MQTT-4.3.3-2");
  SHOWS("v3.1.1:MQTT-2.3.1-4 v3.1.1:MQTT-2.3.1-1 v3.1.1:MQTT-2.3.1-2 v3.1.1:MQTT-4.3.2-1 v3.1.1:MQTT-4.3.3-1");
  for (const Version version : kVersions) {
    Client& reader = this->reader("#", kQos2, {}, {.client_id = "reader", .version = version});
    Client& sensor = connect({.client_id = "sensor"});
    sensor.publish("t", "1", kQos1, 1);
    sensor.publish("t", "2", kQos2, 2);
    sensor.publish("t", "3", kQos1, 3);
    sensor.publish("t", "4", kQos0);
    EXPECT_THAT(reader.received(), ElementsAre("PUBLISH \"t\" \"1\" qos=1 id=1", "PUBLISH \"t\" \"2\" qos=2 id=2",
                                               "PUBLISH \"t\" \"3\" qos=1 id=3", "PUBLISH \"t\" \"4\" qos=0 id=0"));
    // 2 stays taken until its exchange is complete.
    reader.acknowledge(PacketType::Puback, 1);
    reader.acknowledge(PacketType::Pubrec, 2);
    reader.received();
    for (int i = 0; i < 50; ++i) sensor.publish("t", "", kQos1, 1);
    std::set<std::string> ids;
    for (const std::string& publish : reader.received()) ids.insert(publish.substr(publish.find(" id=")));
    EXPECT_THAT(ids, SizeIs(50));
    EXPECT_THAT(ids, AllOf(Not(Contains(" id=0")), Not(Contains(" id=2")), Not(Contains(" id=3"))));
    reader.disconnect();
  }
}

TEST_F(Delivery, Qos1IsUnacknowledgedUntilItsPuback) {
  SHOWS("MQTT-4.3.2-3 MQTT-4.4.0-1 v3.1.1:MQTT-4.3.2-1 v3.1.1:MQTT-4.4.0-1");
  for (const Version version : kVersions) {
    Client& reader = kept(version);
    connect({.client_id = "sensor"}).publish("t", "1", kQos1, 1);
    reader.acknowledge(PacketType::Puback, 2);  // of something else
    reader.vanish();
    for (int i = 0; i < 2; ++i) EXPECT_THAT(back(version), ElementsAre("PUBLISH \"t\" \"1\" qos=1 id=1 dup"));
    Client& again = open_durable("kept", version);
    again.acknowledge(PacketType::Puback, 1);
    again.vanish();
    EXPECT_THAT(back(version), IsEmpty());
    forget(version);
  }
}

TEST_F(Delivery, Qos2IsSentAsPublishUntilItsPubrecThenAsPubrelUntilItsPubcomp) {
  SHOWS("MQTT-4.3.3-3 MQTT-4.3.3-4 MQTT-4.3.3-5 MQTT-4.3.3-6 MQTT-4.4.0-1 MQTT-2.2.1-5");
  SHOWS("v3.1.1:MQTT-4.3.3-1 v3.1.1:MQTT-4.4.0-1 v3.1.1:MQTT-2.3.1-6");
  for (const Version version : kVersions) {
    Client& reader = kept(version);
    connect({.client_id = "sensor"}).publish("t", "1", kQos2, 1);
    EXPECT_THAT(reader.received(), ElementsAre("PUBLISH \"t\" \"1\" qos=2 id=1"));
    reader.vanish();
    EXPECT_THAT(back(version), ElementsAre("PUBLISH \"t\" \"1\" qos=2 id=1 dup"));
    Client& again = open_durable("kept", version);
    again.received();
    again.acknowledge(PacketType::Pubrec, 1);
    EXPECT_THAT(again.received(), ElementsAre("PUBREL id=1 reason=00"));
    again.vanish();
    for (int i = 0; i < 2; ++i) EXPECT_THAT(back(version), ElementsAre("PUBREL id=1 reason=00"));
    Client& last = open_durable("kept", version);
    last.acknowledge(PacketType::Pubcomp, 1);
    last.vanish();
    EXPECT_THAT(back(version), IsEmpty());
    forget(version);
  }
}

TEST_F(Delivery, NothingIsSentAgainOnTheSameConnection) {
  SHOWS("MQTT-4.4.0-1");
  Client& reader = kept(kV5);
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("t", "1", kQos1, 1);
  sensor.publish("t", "2", kQos2, 2);
  reader.received();
  advance(std::chrono::hours(24));
  EXPECT_THAT(reader.received(), IsEmpty());
}

TEST_F(Delivery, WhatTheClientRefusesIsNotSentAgain) {
  SHOWS("MQTT-4.4.0-2");
  Client& reader = kept(kV5);
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("t", "1", kQos1, 1);
  sensor.publish("t", "2", kQos2, 2);
  reader.received();
  reader.acknowledge(PacketType::Puback, 1, ReasonCode::PayloadFormatInvalid);
  reader.acknowledge(PacketType::Pubrec, 2, ReasonCode::NotAuthorized);
  EXPECT_THAT(reader.received(), IsEmpty()) << "no PUBREL either";
  reader.vanish();
  EXPECT_THAT(back(kV5), IsEmpty());
}

TEST_F(Delivery, AMessageThatWasSentDoesNotExpire) {
  SHOWS("MQTT-4.3.3-7");
  Client& reader = kept(kV5);
  connect({.client_id = "sensor"})
      .publish("t", "1", kQos2, 1, {.properties = Properties().number(PropertyId::MessageExpiryInterval, 10)});
  EXPECT_THAT(reader.received(), SizeIs(1));
  reader.vanish();
  advance(seconds(20));
  Client& again = open_durable("kept");
  EXPECT_THAT(again.received(), ElementsAre(StartsWith("CONNACK"), StartsWith("PUBLISH \"t\" \"1\" qos=2 id=1 dup")));
  again.acknowledge(PacketType::Pubrec, 1);
  EXPECT_THAT(again.received(), ElementsAre("PUBREL id=1 reason=00"));
}

// --- to us ---

TEST_F(Delivery, AfterItsPubackTheSameIdentifierIsAnotherMessage) {
  SHOWS("MQTT-4.3.2-4 MQTT-4.3.2-5 v3.1.1:MQTT-4.3.2-2");
  Client& all = reader("#");
  for (const Version version : kVersions) {
    Client& sensor = connect({.client_id = "sensor", .version = version});
    sensor.publish("t", "1", kQos1, 7);
    sensor.publish("t", "2", kQos1, 7, {.duplicate = true});
    sensor.publish("t", "2", kQos1, 7);
    EXPECT_THAT(sensor.received(),
                ElementsAre("PUBACK id=7 reason=00", "PUBACK id=7 reason=00", "PUBACK id=7 reason=00"));
    EXPECT_THAT(all.received(), SizeIs(3));
  }
}

TEST_F(Delivery, UntilItsPubrelTheSameIdentifierIsTheSameMessage) {
  SHOWS("MQTT-4.3.3-8 MQTT-4.3.3-10 MQTT-4.3.3-11 MQTT-4.3.3-12 v3.1.1:MQTT-4.3.3-2");
  Client& all = reader("#");
  for (const Version version : kVersions) {
    Client& sensor = connect_durable("sensor", version);
    sensor.publish("t", "1", kQos2, 7);
    sensor.publish("t", "1", kQos2, 7, {.duplicate = true});
    sensor.publish("t", "1", kQos2, 7);  // the flag does not matter
    EXPECT_THAT(sensor.received(),
                ElementsAre("PUBREC id=7 reason=00", "PUBREC id=7 reason=00", "PUBREC id=7 reason=00"));
    EXPECT_THAT(all.received(), SizeIs(1));
    sensor.vanish();
    Client& again = connect_durable("sensor", version);
    again.publish("t", "1", kQos2, 7, {.duplicate = true});
    again.acknowledge(PacketType::Pubrel, 7);
    EXPECT_THAT(again.received(), ElementsAre("PUBREC id=7 reason=00", "PUBCOMP id=7 reason=00"));
    EXPECT_THAT(all.received(), IsEmpty());
    again.publish("t", "2", kQos2, 7);
    EXPECT_THAT(again.received(), ElementsAre("PUBREC id=7 reason=00"));
    EXPECT_THAT(all.received(), ElementsAre("PUBLISH \"t\" \"2\" qos=0 id=0"));
    again.vanish();
    open_durable("sensor", version, true).vanish();
  }
}

TEST_F(Delivery, AfterAPubrecOfFailureTheSameIdentifierIsAnotherMessage) {
  SHOWS("MQTT-4.3.3-9");
  Client& all = reader("#");
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("$SYS/x", "1", kQos2, 7);
  EXPECT_THAT(sensor.received(), ElementsAre(StartsWith("PUBREC id=7 reason=87")));
  sensor.publish("t", "2", kQos2, 7);
  EXPECT_THAT(sensor.received(), ElementsAre("PUBREC id=7 reason=00"));
  EXPECT_THAT(all.received(), ElementsAre("PUBLISH \"t\" \"2\" qos=0 id=0"));
}

TEST_F(Delivery, TheExchangeGoesOnThoughTheMessageHasExpired) {
  SHOWS("MQTT-4.3.3-13");
  leave_subscribed("away", "#");
  Client& sensor = connect({.client_id = "sensor"});
  const Properties second = std::move(Properties().number(PropertyId::MessageExpiryInterval, 1));
  sensor.publish("t", "1", kQos2, 7, {.properties = second});
  advance(seconds(10));
  EXPECT_THAT(sensor.received(), ElementsAre("PUBREC id=7 reason=00"));
  sensor.publish("t", "1", kQos2, 7, {.duplicate = true, .properties = second});
  sensor.acknowledge(PacketType::Pubrel, 7);
  EXPECT_THAT(sensor.received(), ElementsAre("PUBREC id=7 reason=00", "PUBCOMP id=7 reason=00"));
  EXPECT_THAT(open_durable("away").received(), SizeIs(1)) << "CONNACK and no message";
}

// --- order ---

TEST_F(Delivery, WhatIsSentAgainKeepsItsOrder) {
  SHOWS("MQTT-4.6.0-1 v3.1.1:MQTT-4.6.0-1");
  for (const Version version : kVersions) {
    Client& reader = kept(version);
    Client& sensor = connect({.client_id = "sensor"});
    for (std::uint16_t id = 1; id <= 4; ++id) sensor.publish("t", std::to_string(id), kQos2, id);
    EXPECT_THAT(reader.received(), SizeIs(4));
    reader.acknowledge(PacketType::Pubrec, 2);
    reader.acknowledge(PacketType::Pubcomp, 2);
    reader.vanish();
    EXPECT_THAT(back(version), ElementsAre("PUBLISH \"t\" \"1\" qos=2 id=1 dup", "PUBLISH \"t\" \"3\" qos=2 id=3 dup",
                                           "PUBLISH \"t\" \"4\" qos=2 id=4 dup"));
    forget(version);
  }
}

TEST_F(Delivery, AcknowledgementsAreInTheOrderOfTheMessages) {
  SHOWS("MQTT-4.6.0-2 MQTT-4.6.0-3 v3.1.1:MQTT-4.6.0-2 v3.1.1:MQTT-4.6.0-3");
  // The first and the third have to be stored for somebody who is away; the others could be answered at once.
  leave_subscribed("away", "kept/#");
  for (const Version version : kVersions) {
    Client& sensor = connect({.client_id = "sensor", .version = version});
    store_answers = false;
    sensor.publish("kept/1", "1", kQos1, 11);
    sensor.publish("lost", "2", kQos1, 12);
    sensor.publish("kept/2", "3", kQos2, 13);
    sensor.publish("lost", "4", kQos2, 14);
    sensor.publish("lost", "5", kQos1, 15);
    store_answers = true;
    advance(seconds(2));
    EXPECT_THAT(sensor.received(),
                ElementsAre(StartsWith("PUBACK id=11"), StartsWith("PUBACK id=12"), StartsWith("PUBREC id=13"),
                            StartsWith("PUBREC id=14"), StartsWith("PUBACK id=15")));
    sensor.disconnect();
  }
}

TEST_F(Delivery, PubrelsAreInTheOrderOfThePubrecs) {
  SHOWS("MQTT-4.6.0-4 v3.1.1:MQTT-4.6.0-4");
  for (const Version version : kVersions) {
    Client& reader = kept(version);
    Client& sensor = connect({.client_id = "sensor"});
    for (std::uint16_t id = 1; id <= 4; ++id) sensor.publish("t", "", kQos2, id);
    reader.received();
    for (const std::uint16_t id : std::initializer_list<std::uint16_t>{3, 1, 4, 2})
      reader.acknowledge(PacketType::Pubrec, id);
    EXPECT_THAT(reader.received(), ElementsAre("PUBREL id=3 reason=00", "PUBREL id=1 reason=00",
                                               "PUBREL id=4 reason=00", "PUBREL id=2 reason=00"));
    reader.vanish();
    forget(version);
  }
}

TEST_F(Delivery, MessagesKeepTheirOrder) {
  SHOWS("MQTT-4.6.0-5 MQTT-4.6.0-6 v3.1.1:MQTT-4.6.0-5 v3.1.1:MQTT-4.6.0-6");
  for (const Version version : kVersions) {
    for (const Qos qos : {kQos0, kQos1, kQos2}) {
      Client& connected = reader("t", kQos2, {}, {.client_id = "connected", .version = version});
      Client& away = kept(version);
      away.vanish();
      Client& first = connect({.client_id = "first", .version = version});
      Client& second = connect({.client_id = "second"});
      std::vector<testing::Matcher<std::string>> expected;
      for (std::uint16_t i = 1; i <= 40; ++i) {
        Client& sensor = i % 3 == 0 ? second : first;
        const std::string payload = std::to_string(i);
        sensor.publish("t", payload, qos, i);
        expected.push_back(StartsWith("PUBLISH \"t\" \"" + payload + "\" "));
      }
      EXPECT_THAT(connected.received(), testing::ElementsAreArray(expected));
      advance(seconds(2));
      if (qos == kQos0) expected.clear();  // is not kept for who is away
      EXPECT_THAT(back(version), testing::ElementsAreArray(expected));
      forget(version);
      connected.disconnect();
      first.disconnect();
      second.disconnect();
    }
  }
}

}  // namespace
}  // namespace furrow::test
