// Shared subscriptions: MQTT 5.0 §4.8.2.
#include "tests/conformance/conformance.h"

namespace furrow::test {
namespace {

class SharedSubscription : public ConformanceTest {
 public:
  // A member of the group, which keeps its session.
  Client& member(std::string_view client_id, Qos qos, std::string_view filter = "$share/group/t") {
    Client& client = connect_durable(client_id);
    client.subscribe(filter, qos);
    EXPECT_THAT(client.received(), ElementsAre("SUBACK id=1 reason=0" + std::to_string(static_cast<int>(qos))));
    return client;
  }
  std::string answer_to(std::string_view filter) {
    Client& client = connect({.client_id = "judge"});
    client.subscribe(filter);
    const std::vector<std::string> received = client.received();
    EXPECT_THAT(received, SizeIs(1)) << filter;
    if (!client.closed()) client.disconnect();
    return received.empty() ? "" : received[0];
  }
};

TEST_F(SharedSubscription, AFilterHasANameAndAFilter) {
  SHOWS("MQTT-4.8.2-1 MQTT-4.8.2-2");
  for (const std::string_view filter : {"$share/g/t", "$share/group name/#", "$share/g/+/t", "$share/g//t"}) {
    EXPECT_EQ(answer_to(filter), "SUBACK id=1 reason=00") << filter;
  }
  for (const std::string_view filter :
       {"$share//t", "$share/g", "$share/g/", "$share/+/t", "$share/g+/t", "$share/#/t", "$share/g#/t", "$share/"}) {
    EXPECT_THAT(answer_to(filter), StartsWith("DISCONNECT reason=81")) << filter;
  }
}

TEST_F(SharedSubscription, TopicsMatchTheFilterBehindTheName) {
  SHOWS("MQTT-4.8.2-2");
  Client& one = member("one", kQos0, "$share/g/a/+");
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("a/b", "1");
  sensor.publish("b", "2");
  EXPECT_THAT(one.received(), ElementsAre("PUBLISH \"a/b\" \"1\" qos=0 id=0"));
  one.unsubscribe("a/+");
  EXPECT_THAT(one.received(), ElementsAre("UNSUBACK id=1 reason=11"));
  one.unsubscribe("$share/g/a/+");
  EXPECT_THAT(one.received(), ElementsAre("UNSUBACK id=1 reason=00"));
  sensor.publish("a/b", "3");
  EXPECT_THAT(one.received(), IsEmpty());
}

TEST_F(SharedSubscription, EachMessageGoesToOneMemberOfEachGroup) {
  SHOWS("MQTT-4.8.2-1");
  Client& one = member("one", kQos1);
  Client& two = member("two", kQos1);
  Client& other_group = member("other group", kQos1, "$share/other/t");
  Client& alone = reader("t", kQos1, {}, {.client_id = "alone"});
  Client& sensor = connect({.client_id = "sensor"});
  for (std::uint16_t i = 1; i <= 20; ++i) sensor.publish("t", "1", kQos1, i);
  const std::size_t first = one.received().size();
  const std::size_t second = two.received().size();
  EXPECT_EQ(first + second, 20U);
  EXPECT_GT(first, 0U);
  EXPECT_GT(second, 0U);
  EXPECT_THAT(other_group.received(), SizeIs(20));
  EXPECT_THAT(alone.received(), SizeIs(20));
}

TEST_F(SharedSubscription, NoLocalIsAnError) {
  SHOWS("MQTT-3.8.3-4");
  Client& client = connect({});
  client.subscribe("$share/group/t", kQos1, {.no_local = true});
  EXPECT_THAT(client.received(), ElementsAre(StartsWith("DISCONNECT reason=82")));
  EXPECT_TRUE(client.closed());
}

TEST_F(SharedSubscription, NoRetainedMessagesAreSent) {
  SHOWS("MQTT-4.8.2-2");
  retain("t", "1");
  member("one", kQos1);  // which sees nothing but its SUBACK
}

TEST_F(SharedSubscription, EachMemberHasTheQosItWasGranted) {
  SHOWS("MQTT-4.8.2-3");
  Client& zero = member("zero", kQos0);
  Client& one = member("one", kQos1);
  Client& two = member("two", kQos2);
  Client& sensor = connect({.client_id = "sensor"});
  for (std::uint16_t i = 1; i <= 30; ++i) sensor.publish("t", "1", kQos2, i);
  advance(seconds(2));
  const std::vector<std::string> by_qos[] = {zero.received(), one.received(), two.received()};
  std::size_t all = 0;
  for (int qos = 0; qos <= 2; ++qos) {
    all += by_qos[qos].size();
    EXPECT_THAT(by_qos[qos], Each(HasSubstr(" qos=" + std::to_string(qos) + ' ')));
  }
  EXPECT_EQ(all, 30U);
}

TEST_F(SharedSubscription, AQos2MessageWaitsForTheMemberThatHasBegun) {
  SHOWS("MQTT-4.8.2-4");
  Client& one = member("one", kQos2);
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("t", "1", kQos2, 1);
  EXPECT_THAT(one.received(), ElementsAre("PUBLISH \"t\" \"1\" qos=2 id=1"));
  Client& two = member("two", kQos2);
  one.vanish();
  advance(seconds(60));
  EXPECT_THAT(two.received(), IsEmpty());
  Client& back = open_durable("one");
  EXPECT_THAT(back.received(),
              ElementsAre(StartsWith("CONNACK reason=00 session"), "PUBLISH \"t\" \"1\" qos=2 id=1 dup"));
  back.acknowledge(PacketType::Pubrec, 1);
  EXPECT_THAT(back.received(), ElementsAre("PUBREL id=1 reason=00"));
}

TEST_F(SharedSubscription, AQos2MessageEndsWithTheSessionThatHasBegun) {
  SHOWS("MQTT-4.8.2-5");
  Client& one = member("one", kQos2);
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("t", "1", kQos2, 1);
  EXPECT_THAT(one.received(), SizeIs(1));
  Client& two = member("two", kQos2);
  one.disconnect(ReasonCode::NormalDisconnection, Properties().number(PropertyId::SessionExpiryInterval, 0));
  advance(seconds(60));
  EXPECT_THAT(two.received(), IsEmpty());
}

TEST_F(SharedSubscription, WhatAMemberRefusesGoesToNobodyElse) {
  SHOWS("MQTT-4.8.2-6");
  Client& one = member("one", kQos2);
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("t", "1", kQos1, 1);
  sensor.publish("t", "2", kQos2, 2);
  EXPECT_THAT(one.received(), SizeIs(2));
  Client& two = member("two", kQos2);
  one.acknowledge(PacketType::Puback, 1, ReasonCode::UnspecifiedError);
  one.acknowledge(PacketType::Pubrec, 2, ReasonCode::UnspecifiedError);
  one.vanish();
  advance(seconds(60));
  EXPECT_THAT(two.received(), IsEmpty());
  EXPECT_THAT(open_durable("one").received(), SizeIs(1)) << "CONNACK and no message";
}

}  // namespace
}  // namespace furrow::test
