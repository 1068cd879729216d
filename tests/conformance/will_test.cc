// Wills: MQTT 5.0 §3.1.2.5 to §3.1.3.4 and §3.14.4, MQTT 3.1.1 §3.1.2.5 to §3.1.2.7 and §3.14.4.
#include "tests/conformance/conformance.h"

namespace furrow::test {
namespace {

class Will : public ConformanceTest {
 public:
  Client& mourner() { return reader("#", kQos2, {.retain_as_published = true}, {.client_id = "mourner"}); }

  static mqtt::Will will_with(Qos qos, bool retain) {
    mqtt::Will will = test::will("gone", "1");
    will.qos = qos;
    will.retain = retain;
    return will;
  }
};

TEST_F(Will, IsPublishedWhenTheConnectionIsLost) {
  SHOWS("MQTT-3.1.2-7 MQTT-3.1.2-8 v3.1.1:MQTT-3.1.2-8");
  Client& mourner = this->mourner();
  for (const Version version : kVersions) {
    Client& client = connect({.version = version, .will = will("gone", "1")});
    EXPECT_THAT(mourner.received(), IsEmpty());
    client.vanish();
    EXPECT_THAT(mourner.received(), ElementsAre("PUBLISH \"gone\" \"1\" qos=0 id=0"));
  }
}

TEST_F(Will, IsPublishedWhenTheClientBreaksTheRules) {
  SHOWS("MQTT-3.1.2-8 v3.1.1:MQTT-3.1.2-8");
  Client& mourner = this->mourner();
  for (const Version version : kVersions) {
    connect({.version = version, .will = will("gone", "1")}).send_raw("00 00");
    EXPECT_THAT(mourner.received(), ElementsAre("PUBLISH \"gone\" \"1\" qos=0 id=0"));
  }
}

TEST_F(Will, IsPublishedWhenAnotherConnectionTakesOver) {
  SHOWS("MQTT-3.1.2-8 v3.1.1:MQTT-3.1.2-8");
  Client& mourner = this->mourner();
  for (const Version version : kVersions) {
    connect({.version = version, .will = will("gone", "1")});
    connect({.version = version}).disconnect();
    EXPECT_THAT(mourner.received(), ElementsAre("PUBLISH \"gone\" \"1\" qos=0 id=0"));
  }
}

TEST_F(Will, IsWithdrawnByDisconnect) {
  SHOWS("MQTT-3.1.2-10 MQTT-3.14.4-3 MQTT-3.1.2-8 v3.1.1:MQTT-3.1.2-10 v3.1.1:MQTT-3.14.4-3");
  Client& mourner = this->mourner();
  for (const Version version : kVersions) {
    Client& client = open_durable("kept", version);
    client.vanish();
    mqtt::Connect connect_again;
    connect_again.version = version;
    connect_again.clean_start = false;
    connect_again.client_id = "kept";
    connect_again.will = will("gone", "1");
    connect_again.properties = version == kV5 ? mqtt::PropertyView(an_hour) : mqtt::PropertyView();
    Client& again = open(version);
    again.send(connect_again);
    again.disconnect();
    open_durable("kept", version).vanish();  // whose connection had no will
    advance(std::chrono::hours(2));
    EXPECT_THAT(mourner.received(), IsEmpty());
    open_durable("kept", version, true).vanish();
  }
}

TEST_F(Will, IsPublishedByADisconnectThatSaysSo) {
  SHOWS("MQTT-3.1.2-8 MQTT-3.14.4-3");
  Client& mourner = this->mourner();
  connect({.will = will("gone", "1")}).disconnect(ReasonCode::DisconnectWithWillMessage);
  EXPECT_THAT(mourner.received(), ElementsAre("PUBLISH \"gone\" \"1\" qos=0 id=0"));
}

TEST_F(Will, IsPublishedOnce) {
  SHOWS("MQTT-3.1.2-10 v3.1.1:MQTT-3.1.2-10 MQTT-3.1.2-12 v3.1.1:MQTT-3.1.2-12");
  Client& mourner = this->mourner();
  for (const Version version : kVersions) {
    const mqtt::PropertyView properties = version == kV5 ? mqtt::PropertyView(an_hour) : mqtt::PropertyView();
    connect({.client_id = "kept",
             .version = version,
             .clean_start = false,
             .will = will("gone", "1"),
             .properties = properties})
        .vanish();
    EXPECT_THAT(mourner.received(), SizeIs(1));
    open_durable("kept", version).vanish();
    EXPECT_THAT(mourner.received(), IsEmpty()) << "the new connection has no will";
    open_durable("kept", version, true).vanish();
  }
}

TEST_F(Will, WithoutOneNothingIsPublished) {
  SHOWS("v3.1.1:MQTT-3.1.2-12");
  Client& mourner = this->mourner();
  for (const Version version : kVersions) connect({.version = version}).vanish();
  EXPECT_THAT(mourner.received(), IsEmpty());
}

TEST_F(Will, IsPublishedWithItsQosAndRetain) {
  SHOWS("MQTT-3.1.2-9 MQTT-3.1.2-14 MQTT-3.1.2-15");
  SHOWS("v3.1.1:MQTT-3.1.2-9 v3.1.1:MQTT-3.1.2-16 v3.1.1:MQTT-3.1.2-17");
  for (const Version version : kVersions) {
    for (const Qos qos : {kQos0, kQos1, kQos2}) {
      const std::string with = std::string("PUBLISH \"gone\" \"1\" qos=") + std::to_string(static_cast<int>(qos)) +
                               (qos == kQos0 ? " id=0" : " id=1");
      Client& mourner = this->mourner();
      connect({.version = version, .will = will_with(qos, false)}).vanish();
      EXPECT_THAT(mourner.received(), ElementsAre(with));
      mourner.disconnect();
      EXPECT_THAT(retained("#"), IsEmpty());
      connect({.version = version, .will = will_with(qos, true)}).vanish();
      EXPECT_THAT(retained("#"), ElementsAre(with + " retain"));
      retain("gone", "");
    }
  }
}

TEST_F(Will, WaitsForItsDelayOrTheEndOfTheSession) {
  SHOWS("MQTT-3.1.2-8 MQTT-3.1.3-9");
  Client& mourner = this->mourner();
  const auto vanish = [&](std::uint32_t delay, std::uint32_t expiry) {
    const Properties of_will = std::move(Properties().number(PropertyId::WillDelayInterval, delay));
    connect({.client_id = "kept",
             .clean_start = false,
             .will = will("gone", "1", of_will),
             .properties = Properties().number(PropertyId::SessionExpiryInterval, expiry)})
        .vanish();
  };
  vanish(10, 60);
  advance(milliseconds(9'999));
  EXPECT_THAT(mourner.received(), IsEmpty());
  advance(milliseconds(1));
  EXPECT_THAT(mourner.received(), SizeIs(1));
  vanish(60, 10);
  advance(milliseconds(9'999));
  EXPECT_THAT(mourner.received(), IsEmpty());
  advance(milliseconds(1));
  EXPECT_THAT(mourner.received(), SizeIs(1)) << "the session ended first";
  vanish(10, 0);
  EXPECT_THAT(mourner.received(), SizeIs(1)) << "the session ended at once";
  vanish(10, 60);
  connect({.client_id = "kept", .clean_start = true}).disconnect();
  EXPECT_THAT(mourner.received(), SizeIs(1)) << "a clean start ended the session";
}

TEST_F(Will, IsNotPublishedWhenTheClientIsBackInTime) {
  SHOWS("MQTT-3.1.3-9 MQTT-3.1.2-8");
  Client& mourner = this->mourner();
  const Properties delay = std::move(Properties().number(PropertyId::WillDelayInterval, 10));
  connect({.client_id = "kept", .clean_start = false, .will = will("gone", "1", delay), .properties = an_hour})
      .vanish();
  advance(seconds(9));
  Client& back = connect_durable("kept");
  advance(seconds(100));
  EXPECT_THAT(mourner.received(), IsEmpty());
  back.disconnect();
}

TEST_F(Will, KeepsItsPropertiesInOrder) {
  SHOWS("MQTT-3.1.3-10 MQTT-3.1.2-9");
  Client& mourner = this->mourner();
  const Properties properties = std::move(Properties()
                                              .user("b", "1")
                                              .user("a", "2")
                                              .number(PropertyId::PayloadFormatIndicator, 1)
                                              .text(PropertyId::ContentType, "text/plain")
                                              .user("b", "3"));
  connect({.will = will("gone", "1", properties)}).vanish();
  const std::vector<std::string> received = mourner.received();
  ASSERT_THAT(received, SizeIs(1));
  EXPECT_THAT(received[0], AllOf(HasSubstr("01=1"), HasSubstr("03=\"text/plain\"")));
  EXPECT_THAT(received[0], testing::ContainsRegex("26=\"b\":\"1\".*26=\"a\":\"2\".*26=\"b\":\"3\""));
}

}  // namespace
}  // namespace furrow::test
