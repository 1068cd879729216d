// Topic aliases between a client and the broker, in both directions. Spec: MQTT 5.0 §3.3.2.3.4.
#include "tests/support/broker_fixture.h"

namespace furrow::test {
namespace {

using mqtt::PropertyId;
using mqtt::Qos;
using mqtt::Version;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

class ConnectionAliasesTest : public BrokerFixture {
 protected:
  // Publishes with a topic alias; an empty topic uses the one that it stands for.
  void publish(Client& client, std::string_view topic, std::string_view payload, std::uint32_t alias,
               Qos qos = Qos::AtMostOnce, std::uint16_t packet_id = 0) {
    client.publish(topic, payload, qos, packet_id, {.properties = Properties().number(PropertyId::TopicAlias, alias)});
  }
  Client& connect_with_aliases(std::string_view client_id, std::uint32_t maximum) {
    return connect({.client_id = client_id, .properties = Properties().number(PropertyId::TopicAliasMaximum, maximum)});
  }
};

TEST_F(ConnectionAliasesTest, AnAliasStandsForTheTopicThatItCameWith) {
  Client& reader = connect({.client_id = "reader", .version = Version::V3_1_1});
  reader.subscribe("#");
  reader.received();
  Client& sensor = connect({.client_id = "sensor"});
  publish(sensor, "farm/1", "1", 16);
  publish(sensor, "", "2", 16, Qos::AtLeastOnce, 7);
  publish(sensor, "farm/2", "3", 16);
  publish(sensor, "", "4", 16);
  EXPECT_THAT(reader.received(),
              ElementsAre(StartsWith("PUBLISH \"farm/1\" \"1\""), StartsWith("PUBLISH \"farm/1\" \"2\""),
                          StartsWith("PUBLISH \"farm/2\" \"3\""), StartsWith("PUBLISH \"farm/2\" \"4\"")));
  EXPECT_THAT(sensor.received(), ElementsAre("PUBACK id=7 reason=00"));
}

TEST_F(ConnectionAliasesTest, AnAliasAboveTheMaximumEndsTheConnection) {
  Client& client = connect({});
  publish(client, "a", "1", 17);
  EXPECT_THAT(client.received(), ElementsAre(StartsWith("DISCONNECT reason=94")));
  EXPECT_TRUE(client.closed());
}

TEST_F(ConnectionAliasesTest, AnAliasThatWasNotAssignedEndsTheConnection) {
  Client& client = connect({});
  publish(client, "a", "1", 1);
  publish(client, "", "1", 2);
  EXPECT_THAT(client.received(), ElementsAre(StartsWith("DISCONNECT reason=82")));
}

TEST_F(ConnectionAliasesTest, AliasesEndWithTheirConnection) {
  Client& first = connect_durable("sensor");
  publish(first, "a", "1", 1);
  first.vanish();
  Client& second = connect_durable("sensor");
  publish(second, "", "2", 1);
  EXPECT_THAT(second.received(), ElementsAre(StartsWith("DISCONNECT reason=82")));
}

TEST_F(ConnectionAliasesTest, AnAliasIsNotForwarded) {
  Client& reader = connect({.client_id = "reader"});
  reader.subscribe("#");
  reader.received();
  Client& sensor = connect({.client_id = "sensor"});
  publish(sensor, "a", "1", 3);
  EXPECT_THAT(reader.received(), ElementsAre("PUBLISH \"a\" \"1\" qos=0 id=0"));
}

TEST_F(ConnectionAliasesTest, AClientThatTakesAliasesIsSentThem) {
  Client& reader = connect_with_aliases("reader", 1);
  reader.subscribe("#", Qos::AtLeastOnce);
  reader.received();
  Client& sensor = connect({.client_id = "sensor"});
  sensor.publish("farm/1", "1");
  sensor.publish("farm/1", "2");
  sensor.publish("farm/1", "3", Qos::AtLeastOnce, 7);
  EXPECT_THAT(reader.received(),
              ElementsAre("PUBLISH \"farm/1\" \"1\" qos=0 id=0 {23=1}", "PUBLISH \"\" \"2\" qos=0 id=0 {23=1}",
                          "PUBLISH \"\" \"3\" qos=1 id=1 {23=1}"));
  sensor.publish("farm/2", "4");
  EXPECT_THAT(reader.received(), ElementsAre("PUBLISH \"farm/2\" \"4\" qos=0 id=0 {23=1}"));
}

TEST_F(ConnectionAliasesTest, AClientThatTakesNoneIsSentNone) {
  Client& reader = connect({.client_id = "reader"});
  reader.subscribe("#");
  reader.received();
  publish(reader, "farm/1", "1", 1);
  publish(reader, "", "2", 1);
  EXPECT_THAT(reader.received(),
              ElementsAre("PUBLISH \"farm/1\" \"1\" qos=0 id=0", "PUBLISH \"farm/1\" \"2\" qos=0 id=0"));
}

}  // namespace
}  // namespace furrow::test
