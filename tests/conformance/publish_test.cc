// PUBLISH, its flags and its answers: MQTT 5.0 §3.3.1 and §3.3.4, MQTT 3.1.1 §3.3. Its properties have their own file.
#include "tests/conformance/conformance.h"

namespace furrow::test {
namespace {

class Publish : public ConformanceTest {};

// --- DUP and QoS ---

TEST_F(Publish, SaysSoWhenItIsSentAgain) {
  SHOWS("MQTT-3.3.1-1 v3.1.1:MQTT-3.3.1-1 v3.1.1:MQTT-2.3.1-3");
  for (const Version version : kVersions) {
    Client& reader = connect_durable("reader", version);
    reader.subscribe("#", kQos2);
    Client& sensor = connect({.client_id = "sensor"});
    sensor.publish("t", "1", kQos1, 1);
    sensor.publish("t", "2", kQos2, 2);
    EXPECT_THAT(reader.received(), IsSupersetOf({"PUBLISH \"t\" \"1\" qos=1 id=1", "PUBLISH \"t\" \"2\" qos=2 id=2"}));
    reader.vanish();
    Client& again = open_durable("reader", version);
    EXPECT_THAT(again.received(),
                ElementsAre(StartsWith("CONNACK reason=00 session"), "PUBLISH \"t\" \"1\" qos=1 id=1 dup",
                            "PUBLISH \"t\" \"2\" qos=2 id=2 dup"));
    again.vanish();
    open_durable("reader", version, true).vanish();
  }
}

TEST_F(Publish, OfQos0IsNeverMarkedAsSentAgain) {
  SHOWS("MQTT-3.3.1-2 v3.1.1:MQTT-3.3.1-2");
  expect_closed(kV5, packet("38", "00 01 't' 00 '1'"));
  expect_closed(kV3, packet("38", "00 01 't' '1'"));
}

TEST_F(Publish, GoesOutWithADuplicateFlagOfItsOwn) {
  SHOWS("MQTT-3.3.1-3 v3.1.1:MQTT-3.3.1-3");
  for (const Version version : kVersions) {
    Client& reader = this->reader("#", kQos2, {}, {.client_id = "reader", .version = version});
    Client& sensor = connect({.client_id = "sensor", .version = version});
    sensor.publish("t", "1", kQos1, 1, {.duplicate = true});
    sensor.publish("t", "2", kQos2, 2, {.duplicate = true});
    EXPECT_THAT(reader.received(), ElementsAre("PUBLISH \"t\" \"1\" qos=1 id=1", "PUBLISH \"t\" \"2\" qos=2 id=2"));
    reader.disconnect();
  }
}

TEST_F(Publish, WithQos3IsMalformed) {
  SHOWS("MQTT-3.3.1-4 v3.1.1:MQTT-3.3.1-4");
  expect_closed(kV5, packet("36", "00 01 't' 00 01 00 '1'"));
  expect_closed(kV3, packet("36", "00 01 't' 00 01 '1'"));
}

TEST_F(Publish, IsAnsweredByItsQos) {
  SHOWS("MQTT-3.3.4-1 v3.1.1:MQTT-3.3.4-1 MQTT-2.2.1-5 v3.1.1:MQTT-2.3.1-6");
  SHOWS("MQTT-4.3.2-4 MQTT-4.3.3-8 v3.1.1:MQTT-4.3.2-2 v3.1.1:MQTT-4.3.3-2");
  reader("#");
  for (const Version version : kVersions) {
    Client& sensor = connect({.client_id = "sensor", .version = version});
    sensor.publish("t", "0");
    EXPECT_THAT(sensor.received(), IsEmpty());
    sensor.publish("t", "1", kQos1, 0xFFFF);
    EXPECT_THAT(sensor.received(), ElementsAre("PUBACK id=65535 reason=00"));
    sensor.publish("t", "2", kQos2, 0x0100);
    EXPECT_THAT(sensor.received(), ElementsAre("PUBREC id=256 reason=00"));
  }
}

TEST_F(Publish, ThatIsNotAllowedIsAcknowledgedOrCloses) {
  SHOWS("v3.1.1:MQTT-3.3.5-2");
  Client& reader = this->reader("$SYS/x", kQos2);
  Client& old = connect({.client_id = "old", .version = kV3});
  old.publish("$SYS/x", "1", kQos1, 1);
  old.publish("$SYS/x", "2", kQos2, 2);
  EXPECT_TRUE(old.closed() ||
              old.received() == std::vector<std::string>({"PUBACK id=1 reason=00", "PUBREC id=2 reason=00"}));
  EXPECT_THAT(reader.received(), IsEmpty());
}

TEST_F(Publish, ThatNoRuleGrantsIsAcknowledgedOrCloses) {
  SHOWS("v3.1.1:MQTT-3.3.5-2");
  options.access_rules = std::make_shared<const access::Rules>(
      std::vector<access::Rule>{{.subscribe = {access::Entry("#")}, .deny_publish = {access::Entry("t")}}});
  Client& reader = this->reader("#", kQos2);
  Client& old = connect({.client_id = "old", .version = kV3});
  old.publish("t", "1", kQos1, 1);
  old.publish("t", "2", kQos2, 2);
  EXPECT_THAT(old.received(), ElementsAre("PUBACK id=1 reason=00", "PUBREC id=2 reason=00"));
  options.forbidden_disconnects = true;
  broker().apply(options, now);
  old.publish("t", "3", kQos1, 3);
  EXPECT_TRUE(old.closed());
  EXPECT_THAT(reader.received(), IsEmpty());
}

// --- RETAIN ---

TEST_F(Publish, ARetainedMessageIsKeptWithItsQosInPlaceOfTheLast) {
  SHOWS("MQTT-3.3.1-5 v3.1.1:MQTT-3.3.1-5 v3.1.1:MQTT-3.3.1-6 v3.1.1:MQTT-3.3.1-7 v3.1.1:MQTT-3.3.1-8");
  retain("t", "0", kQos0);
  EXPECT_THAT(retained("t"), ElementsAre("PUBLISH \"t\" \"0\" qos=0 id=0 retain"));
  retain("t", "1", kQos1);
  EXPECT_THAT(retained("t"), ElementsAre("PUBLISH \"t\" \"1\" qos=1 id=1 retain"));
  retain("t", "2", kQos2);
  EXPECT_THAT(retained("t"), ElementsAre("PUBLISH \"t\" \"2\" qos=2 id=1 retain"));
  retain("t", "3", kQos0);
  retain("u", "4", kQos0);
  EXPECT_THAT(retained("+"), testing::UnorderedElementsAre("PUBLISH \"t\" \"3\" qos=0 id=0 retain",
                                                           "PUBLISH \"u\" \"4\" qos=0 id=0 retain"));
  Client& old = connect({.client_id = "old", .version = kV3});
  old.subscribe("t", kQos2);
  EXPECT_THAT(old.received(), ElementsAre("SUBACK id=1 reason=02", "PUBLISH \"t\" \"3\" qos=0 id=0 retain"));
}

TEST_F(Publish, AnEmptyRetainedMessageRemovesWhatIsRetained) {
  SHOWS("MQTT-3.3.1-6 MQTT-3.3.1-7 v3.1.1:MQTT-3.3.1-10 v3.1.1:MQTT-3.3.1-11");
  for (const Version version : kVersions) {
    retain("t", "1", kQos1);
    Client& reader = this->reader("t", kQos1, {.retain_handling = RetainHandling::DoNotSend});
    connect({.client_id = "sensor", .version = version}).publish("t", "", kQos1, 1, {.retain = true});
    EXPECT_THAT(reader.received(), Contains("PUBLISH \"t\" \"\" qos=1 id=1")) << "it is a message like any other";
    EXPECT_THAT(retained("#"), IsEmpty());
    reader.disconnect();
  }
}

TEST_F(Publish, WithoutRetainChangesNothingThatIsRetained) {
  SHOWS("MQTT-3.3.1-8 v3.1.1:MQTT-3.3.1-12");
  retain("t", "kept");
  for (const Version version : kVersions) {
    Client& sensor = connect({.client_id = "sensor", .version = version});
    sensor.publish("t", "1");
    sensor.publish("t", "");
    sensor.publish("u", "2", kQos1, 1);
    EXPECT_THAT(retained("#"), ElementsAre("PUBLISH \"t\" \"kept\" qos=0 id=0 retain"));
  }
}

TEST_F(Publish, RetainHandlingSaysWhenRetainedMessagesAreSent) {
  SHOWS("MQTT-3.3.1-9 MQTT-3.3.1-10 MQTT-3.3.1-11");
  retain("a/1", "1");
  retain("a/2", "2");
  retain("b", "3");
  Client& client = connect({.client_id = "client"});
  const auto subscribe = [&](RetainHandling handling) {
    client.subscribe("a/+", kQos1, {.retain_handling = handling});
    std::vector<std::string> received = client.received();
    EXPECT_EQ(received.at(0), "SUBACK id=1 reason=01");
    received.erase(received.begin());
    return received;
  };
  const auto all = testing::UnorderedElementsAre("PUBLISH \"a/1\" \"1\" qos=0 id=0 retain",
                                                 "PUBLISH \"a/2\" \"2\" qos=0 id=0 retain");
  EXPECT_THAT(subscribe(RetainHandling::DoNotSend), IsEmpty());
  EXPECT_THAT(subscribe(RetainHandling::SendIfNew), IsEmpty()) << "it exists";
  EXPECT_THAT(subscribe(RetainHandling::Send), all);
  EXPECT_THAT(subscribe(RetainHandling::Send), all) << "at each SUBSCRIBE";
  client.unsubscribe("a/+");
  client.received();
  EXPECT_THAT(subscribe(RetainHandling::SendIfNew), all);
  EXPECT_THAT(subscribe(RetainHandling::SendIfNew), IsEmpty());
}

TEST_F(Publish, RetainAsPublishedPassesTheFlagOn) {
  SHOWS("MQTT-3.3.1-12 MQTT-3.3.1-13 v3.1.1:MQTT-3.3.1-9");
  Client& cleared = reader("#", kQos0, {.retain_as_published = false}, {.client_id = "cleared"});
  Client& kept = reader("#", kQos0, {.retain_as_published = true}, {.client_id = "kept"});
  Client& old = reader("#", kQos0, {}, {.client_id = "old", .version = kV3});
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("t", "1", kQos1, 1, {.retain = true});
  sensor.publish("t", "2", kQos1, 2, {.retain = false});
  for (Client* one : {&cleared, &old}) {
    EXPECT_THAT(one->received(), ElementsAre("PUBLISH \"t\" \"1\" qos=0 id=0", "PUBLISH \"t\" \"2\" qos=0 id=0"));
  }
  EXPECT_THAT(kept.received(), ElementsAre("PUBLISH \"t\" \"1\" qos=0 id=0 retain", "PUBLISH \"t\" \"2\" qos=0 id=0"));
}

// --- who gets it ---

TEST_F(Publish, OverlappingSubscriptionsGetTheHighestQosOnce) {
  SHOWS("MQTT-3.3.4-2 v3.1.1:MQTT-3.3.5-1");
  for (const Version version : kVersions) {
    Client& client = connect({.version = version});
    client.subscribe("a/#", kQos0);
    client.subscribe("a/b", kQos2);
    client.subscribe("+/b", kQos1);
    client.received();
    Client& sensor = connect({.client_id = "sensor"});
    sensor.publish("a/b", "2", kQos2, 1);
    sensor.publish("a/b", "1", kQos1, 2);
    EXPECT_THAT(client.received(), ElementsAre("PUBLISH \"a/b\" \"2\" qos=2 id=1", "PUBLISH \"a/b\" \"1\" qos=1 id=2"));
    client.disconnect();
  }
}

TEST_F(Publish, SubscriptionIdentifiersComeWithTheMessage) {
  SHOWS("MQTT-3.3.4-3 MQTT-3.3.4-4");
  Client& client = connect({});
  client.subscribe("a/#", kQos1, {.subscription_id = 1});
  client.subscribe("a/b", kQos1, {.subscription_id = 268'435'455});
  client.subscribe("+/b", kQos1);
  client.subscribe("z", kQos1, {.subscription_id = 7});
  client.received();
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("a/b", "1", kQos1, 1);
  sensor.publish("a/b", "2");
  sensor.publish("x/b", "3");
  const auto both = AllOf(HasSubstr("0b=1"), HasSubstr("0b=268435455"), Not(HasSubstr("0b=7")));
  EXPECT_THAT(client.received(), ElementsAre(both, both, "PUBLISH \"x/b\" \"3\" qos=0 id=0"));
}

TEST_F(Publish, OfAClientHasNoSubscriptionIdentifier) {
  SHOWS("MQTT-3.3.4-6");
  expect_closed(kV5, packet("30", "00 01 't' 02 0b 01 '1'"), "82");
}

TEST_F(Publish, GoesToWhoSubscribedItAndNobodyElse) {
  SHOWS("MQTT-3.3.2-3 v3.1.1:MQTT-3.3.2-3 MQTT-4.5.0-1 v3.1.1:MQTT-4.5.0-1");
  for (const Version version : kVersions) {
    Client& connected = this->reader("farm/+/moisture", kQos1, {}, {.client_id = "connected", .version = version});
    Client& elsewhere = this->reader("farm/+/light", kQos1, {}, {.client_id = "elsewhere", .version = version});
    Client& away = connect_durable("away", version);
    away.subscribe("farm/#", kQos1);
    away.vanish();
    connect({.client_id = "sensor"}).publish("farm/1/moisture", "21", kQos1, 1);
    EXPECT_THAT(connected.received(), ElementsAre("PUBLISH \"farm/1/moisture\" \"21\" qos=1 id=1"));
    EXPECT_THAT(elsewhere.received(), IsEmpty());
    Client& back = open_durable("away", version);
    EXPECT_THAT(back.received(), Contains("PUBLISH \"farm/1/moisture\" \"21\" qos=1 id=1"));
    back.vanish();
    open_durable("away", version, true).vanish();
  }
}

// --- the topic ---

TEST_F(Publish, ItsTopicHasNoWildcards) {
  SHOWS("MQTT-3.3.2-2 v3.1.1:MQTT-3.3.2-2 MQTT-4.7.0-1 v3.1.1:MQTT-4.7.1-1");
  for (const std::string_view topic : {"'+'", "'#'", "'a'", "'/'"}) {
    const std::string three = "00 03 'a'" + std::string(topic) + "'b'";
    const bool valid = topic == "'a'" || topic == "'/'";
    if (valid) {
      Client& client = connect({.client_id = "right"});
      client.send_bytes(packet("30", three + "00"));
      EXPECT_FALSE(client.closed()) << topic;
      continue;
    }
    expect_closed(kV5, packet("30", three + "00"), "81|82|90");
    expect_closed(kV3, packet("30", three));
  }
}

TEST_F(Publish, ItsTopicComesFirst) {
  SHOWS("MQTT-3.3.2-1 v3.1.1:MQTT-3.3.2-1");
  expect_closed(kV5, packet("30", ""));
  expect_closed(kV3, packet("30", ""));
  expect_closed(kV5, packet("30", "00 05 't'"));
  expect_closed(kV3, packet("30", "00 05 't'"));
}

}  // namespace
}  // namespace furrow::test
