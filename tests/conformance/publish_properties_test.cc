// What PUBLISH says about its payload, and topic aliases: MQTT 5.0 §3.3.2.
#include "tests/conformance/conformance.h"

namespace furrow::test {
namespace {

class PublishProperties : public ConformanceTest {
 public:
  // What a reader gets of a message with these properties: connected, later from its queue, and later as retained.
  void expect_passed_on(const Properties& properties, std::string_view described) {
    const std::string list = " {" + std::string(described) + '}';
    leave_subscribed("away", "#");
    Client& connected = reader("#", kQos1);
    connect({.client_id = "sensor"}).publish("t", "1", kQos1, 1, {.retain = true, .properties = properties});
    EXPECT_THAT(connected.received(), ElementsAre("PUBLISH \"t\" \"1\" qos=1 id=1" + list));
    EXPECT_THAT(open_durable("away").received(), Contains("PUBLISH \"t\" \"1\" qos=1 id=1" + list));
    EXPECT_THAT(retained("t"), ElementsAre("PUBLISH \"t\" \"1\" qos=1 id=1 retain" + list));
  }
};

// --- passed on ---

TEST_F(PublishProperties, PayloadFormatIsPassedOn) {
  SHOWS("MQTT-3.3.2-4");
  expect_passed_on(Properties().number(PropertyId::PayloadFormatIndicator, 1), "01=1");
}

TEST_F(PublishProperties, PayloadFormatZeroIsPassedOn) {
  SHOWS("MQTT-3.3.2-4");
  expect_passed_on(Properties().number(PropertyId::PayloadFormatIndicator, 0), "01=0");
}

TEST_F(PublishProperties, ResponseTopicIsPassedOn) {
  SHOWS("MQTT-3.3.2-15");
  expect_passed_on(Properties().text(PropertyId::ResponseTopic, "answers/\xC3\xA4"), "08=\"answers/\\xc3\\xa4\"");
}

TEST_F(PublishProperties, CorrelationDataIsPassedOn) {
  SHOWS("MQTT-3.3.2-16");
  constexpr std::string_view kBinary("\x00\xFF\x01 x", 5);
  expect_passed_on(Properties().text(PropertyId::CorrelationData, kBinary), "09=\"\\x00\\xff\\x01 x\"");
}

TEST_F(PublishProperties, ContentTypeIsPassedOn) {
  SHOWS("MQTT-3.3.2-20");
  expect_passed_on(Properties().text(PropertyId::ContentType, "application/json"), "03=\"application/json\"");
}

TEST_F(PublishProperties, UserPropertiesArePassedOnInOrder) {
  SHOWS("MQTT-3.3.2-17 MQTT-3.3.2-18");
  expect_passed_on(Properties().user("z", "1").user("a", "2").user("z", "1").user("", "").user("a", "0"),
                   "26=\"z\":\"1\" 26=\"a\":\"2\" 26=\"z\":\"1\" 26=\"\":\"\" 26=\"a\":\"0\"");
}

TEST_F(PublishProperties, ResponseTopicHasNoWildcards) {
  SHOWS("MQTT-3.3.2-14");
  for (const std::string_view topic : {"'a/+'", "'a/#'"}) {
    expect_closed(kV5, packet("32", "00 01 't' 00 01 06 08 00 03" + std::string(topic)), "81|82|90");
  }
}

// --- expiry ---

TEST_F(PublishProperties, AMessageThatExpiredWhileItWaitedIsNotDelivered) {
  SHOWS("MQTT-3.3.2-5");
  const Properties ten = std::move(Properties().number(PropertyId::MessageExpiryInterval, 10));
  leave_subscribed("away", "#");
  Client& slow =
      reader("#", kQos1, {}, {.client_id = "slow", .properties = Properties().number(PropertyId::ReceiveMaximum, 1)});
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("t", "1", kQos1, 1);
  sensor.publish("t", "2", kQos1, 2, {.retain = true, .properties = ten});
  sensor.publish("t", "3", kQos1, 3);
  EXPECT_THAT(slow.received(), ElementsAre("PUBLISH \"t\" \"1\" qos=1 id=1"));
  advance(seconds(11));
  slow.acknowledge(PacketType::Puback, 1);
  EXPECT_THAT(slow.received(), ElementsAre(StartsWith("PUBLISH \"t\" \"3\" qos=1")));
  EXPECT_THAT(open_durable("away").received(),
              ElementsAre(StartsWith("CONNACK"), StartsWith("PUBLISH \"t\" \"1\""), StartsWith("PUBLISH \"t\" \"3\"")));
  EXPECT_THAT(retained("t"), IsEmpty());
}

TEST_F(PublishProperties, TheExpiryIntervalIsReducedByTheTimeHere) {
  SHOWS("MQTT-3.3.2-6");
  const Properties minute = std::move(Properties().number(PropertyId::MessageExpiryInterval, 60));
  leave_subscribed("away", "#");
  Client& connected = reader("#", kQos1);
  connect({.client_id = "sensor"}).publish("t", "1", kQos1, 1, {.retain = true, .properties = minute});
  EXPECT_THAT(connected.received(), ElementsAre(HasSubstr("{02=60}")));
  advance(seconds(20));
  EXPECT_THAT(open_durable("away").received(), Contains(HasSubstr("{02=40}")));
  EXPECT_THAT(retained("t"), ElementsAre(HasSubstr("{02=40}")));
}

// --- topic aliases ---

class TopicAlias : public ConformanceTest {
 public:
  // PUBLISH by alias, with or without a topic.
  static void publish(Client& client, std::string_view topic, std::uint32_t alias, std::string_view payload) {
    client.publish(topic, payload, kQos0, 0, {.properties = Properties().number(PropertyId::TopicAlias, alias)});
  }
  // The topic alias maximum that CONNACK announces.
  std::uint32_t maximum() {
    const std::string connack = open({.client_id = "asks"}).received().at(0);
    const std::string::size_type at = connack.find("22=");
    return at == std::string::npos ? 0 : static_cast<std::uint32_t>(std::stoul(connack.substr(at + 3)));
  }
};

TEST_F(TopicAlias, EveryAliasUpToOurMaximumIsAccepted) {
  SHOWS("MQTT-3.3.2-12");
  const std::uint32_t maximum = this->maximum();
  ASSERT_GT(maximum, 0U);
  Client& all = reader("#");
  Client& sensor = connect({.client_id = "sensor"});
  for (std::uint32_t alias = 1; alias <= maximum; ++alias) publish(sensor, "t/" + std::to_string(alias), alias, "1");
  EXPECT_THAT(all.received(), SizeIs(maximum));
  for (const std::uint32_t alias : {1U, maximum}) {
    publish(sensor, "", alias, "2");
    EXPECT_THAT(all.received(), ElementsAre("PUBLISH \"t/" + std::to_string(alias) + "\" \"2\" qos=0 id=0"));
  }
  // An alias may be given another topic.
  publish(sensor, "other", 1, "3");
  publish(sensor, "", 1, "4");
  EXPECT_THAT(all.received(), ElementsAre("PUBLISH \"other\" \"3\" qos=0 id=0", "PUBLISH \"other\" \"4\" qos=0 id=0"));
}

TEST_F(TopicAlias, AnAliasIsForItsConnectionAlone) {
  SHOWS("MQTT-3.3.2-7");
  Client& all = reader("#");
  Client& sensor = connect_durable("sensor");
  publish(sensor, "t", 1, "1");
  EXPECT_THAT(all.received(), SizeIs(1));
  Client& other = connect({.client_id = "other"});
  publish(other, "", 1, "2");
  EXPECT_THAT(other.received(), ElementsAre(MatchesRegex("DISCONNECT reason=(82|94).*"))) << "it has no aliases";
  sensor.vanish();
  Client& again = connect_durable("sensor");
  publish(again, "", 1, "3");
  EXPECT_THAT(again.received(), ElementsAre(MatchesRegex("DISCONNECT reason=(82|94).*")))
      << "they ended with the connection";
  EXPECT_TRUE(again.closed());
  EXPECT_THAT(all.received(), IsEmpty());
}

TEST_F(TopicAlias, ZeroIsNone) {
  SHOWS("MQTT-3.3.2-8");
  expect_closed(kV5, packet("30", "00 01 't' 03 23 00 00 '1'"), "94");
}

TEST_F(TopicAlias, AClientStaysWithinOurMaximum) {
  SHOWS("MQTT-3.3.2-9 MQTT-3.2.2-17 MQTT-3.2.2-18");
  const std::uint32_t maximum = this->maximum();
  if (maximum == 0xFFFF) GTEST_SKIP() << "every alias is allowed";
  Client& client = connect({});
  publish(client, "t", maximum + 1, "1");
  EXPECT_THAT(client.received(), ElementsAre(StartsWith("DISCONNECT reason=94")));
  EXPECT_TRUE(client.closed());
}

TEST_F(TopicAlias, NoneGoesToAClientThatAllowsNone) {
  SHOWS("MQTT-3.1.2-27");
  Client& silent = reader("#", kQos1, {}, {.client_id = "silent"});
  Client& zero = reader("#", kQos1, {},
                        {.client_id = "zero", .properties = Properties().number(PropertyId::TopicAliasMaximum, 0)});
  Client& sensor = connect({.client_id = "sensor"});
  for (std::uint16_t i = 1; i <= 5; ++i) sensor.publish("a/long/topic/that/is/repeated", "1", kQos1, i);
  for (Client* client : {&silent, &zero}) {
    EXPECT_THAT(
        client->received(),
        AllOf(SizeIs(5), Each(AllOf(StartsWith("PUBLISH \"a/long/topic/that/is/repeated\""), Not(HasSubstr("23="))))));
  }
}

TEST_F(TopicAlias, WeStayWithinTheMaximumOfTheClient) {
  SHOWS("MQTT-3.1.2-26 MQTT-3.3.2-11 MQTT-3.3.2-7 MQTT-3.3.2-8");
  const Properties two = std::move(Properties().number(PropertyId::TopicAliasMaximum, 2));
  Client& sensor = connect({.client_id = "sensor"});
  for (int round = 0; round < 2; ++round) {  // aliases do not outlive the connection
    Client& client = reader("#", kQos0, {}, {.client_id = "client", .properties = two});
    for (int i = 0; i < 12; ++i) sensor.publish("a/long/topic/that/is/repeated/" + std::to_string(i % 4), "1");
    std::vector<std::string> names(3);  // by alias
    int seen = 0;
    for (const std::string& publish : client.received()) {
      const std::string::size_type at = publish.find("23=");
      const std::string topic = publish.substr(9, publish.find('"', 9) - 9);
      ++seen;
      if (at == std::string::npos) {
        EXPECT_NE(topic, "") << publish;
        continue;
      }
      const std::size_t alias = std::stoul(publish.substr(at + 3));
      ASSERT_TRUE(alias == 1 || alias == 2) << publish;
      if (!topic.empty()) names[alias] = topic;
      EXPECT_NE(names[alias], "") << "an alias must have been given a topic before: " << publish;
    }
    EXPECT_EQ(seen, 12);
    client.vanish();
  }
}

}  // namespace
}  // namespace furrow::test
