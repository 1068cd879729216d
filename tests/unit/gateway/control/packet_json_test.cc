#include "gateway/control/packet_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/support/broker_fixture.h"

namespace furrow::gateway {
namespace {

using mqtt::PropertyId;
using mqtt::Qos;
using mqtt::ReasonCode;
using test::Properties;
using ::testing::HasSubstr;
using ::testing::Not;

std::string json_of(const mqtt::Packet& packet, bool payload = false, std::string_view topic = {}) {
  JsonObject object;
  add_packet(object, {.packet = packet, .topic = topic, .payload = payload});
  return object.str();
}

TEST(PacketJson, ConnectNamesWhatItAsksForAndNeverThePassword) {
  mqtt::Connect connect;
  connect.version = mqtt::Version::V5;
  connect.client_id = "sensor-1";
  connect.keep_alive_s = 60;
  connect.username = "ann";
  connect.password = as_bytes("hunter2");
  Properties properties;
  properties.number(PropertyId::SessionExpiryInterval, 3600).number(PropertyId::ReceiveMaximum, 20);
  connect.properties = properties;
  const std::string json = json_of(connect, true);
  EXPECT_EQ(json, R"({"packet":"CONNECT","version":"5","client_id":"sensor-1","clean_start":true,"keep_alive":60,)"
                  R"_("username":"ann","password":"(not shown)",)_"
                  R"("properties":{"session_expiry_interval":3600,"receive_maximum":20}})");
  EXPECT_THAT(json, Not(HasSubstr("hunter2")));
}

TEST(PacketJson, AuthenticationDataIsAsSecretAsAPassword) {
  mqtt::Connect connect;
  connect.version = mqtt::Version::V5;
  Properties properties;
  properties.text(PropertyId::AuthenticationMethod, "SCRAM").text(PropertyId::AuthenticationData, "hunter2");
  connect.properties = properties;
  EXPECT_THAT(json_of(connect, true), HasSubstr(R"("authentication_method":"SCRAM","authentication_data_bytes":7)"));
  EXPECT_THAT(json_of(connect, true), Not(HasSubstr("hunter2")));
}

TEST(PacketJson, WillIsShownByItsLength) {
  mqtt::Connect connect;
  connect.version = mqtt::Version::V3_1_1;
  connect.client_id = "c";
  connect.will = mqtt::Will{
      .topic = "gone", .payload = as_bytes("secret words"), .qos = Qos::AtLeastOnce, .retain = true, .properties = {}};
  EXPECT_THAT(json_of(connect), HasSubstr(R"("will":{"topic":"gone","qos":1,"retain":true,"payload_bytes":12})"));
}

TEST(PacketJson, PublishHasItsLengthAndWhereAskedForItsBeginning) {
  mqtt::Publish publish;
  publish.topic = "farm/1";
  publish.payload = as_bytes("21.5\n");
  publish.qos = Qos::AtLeastOnce;
  publish.packet_id = PacketId{7};
  publish.duplicate = true;
  EXPECT_EQ(json_of(publish), R"({"packet":"PUBLISH","topic":"farm/1","qos":1,"retain":false,"dup":true,"packet_id":7,)"
                              R"("payload_bytes":5})");
  EXPECT_THAT(json_of(publish, true), HasSubstr(R"("payload_bytes":5,"payload":"21.5\\x0a")"));
}

TEST(PacketJson, PropertiesHaveTheNamesOfTheSpecification) {
  mqtt::Publish publish;
  publish.topic = "a";
  Properties properties;
  properties.number(PropertyId::PayloadFormatIndicator, 1).number(PropertyId::MessageExpiryInterval, 60);
  properties.text(PropertyId::ResponseTopic, "answers/7");
  properties.text(PropertyId::CorrelationData, std::string_view("\0\1", 2));
  properties.number(PropertyId::SubscriptionIdentifier, 3).number(PropertyId::SubscriptionIdentifier, 4);
  properties.user("unit", "°C").user("unit", "\"F\"");
  publish.properties = properties;
  EXPECT_THAT(json_of(publish),
              HasSubstr(R"("properties":{"payload_format_indicator":1,"message_expiry_interval":60,)"
                        R"("response_topic":"answers/7","correlation_data":"\\x00\\x01",)"
                        R"("subscription_identifier":[3,4],"user_property":[["unit","°C"],["unit","\"F\""]]})"));
}

TEST(PacketJson, TopicOfAnAliasIsSaidWhereItIsKnown) {
  mqtt::Publish publish;
  Properties properties;
  properties.number(PropertyId::TopicAlias, 5);
  publish.properties = properties;
  EXPECT_THAT(json_of(publish, false, "farm/1"), HasSubstr(R"("topic":"farm/1")"));
  EXPECT_THAT(json_of(publish), HasSubstr(R"("topic":null)"));
}

TEST(PacketJson, AcknowledgementsHaveTheirCodeAndItsName) {
  EXPECT_EQ(json_of(mqtt::Puback{PacketId{7}, ReasonCode::NoMatchingSubscribers, {}}),
            R"({"packet":"PUBACK","packet_id":7,"reason_code":16,"reason":"no_matching_subscribers"})");
  EXPECT_THAT(json_of(mqtt::Pubrec{PacketId{1}, ReasonCode::QuotaExceeded, {}}), HasSubstr(R"("packet":"PUBREC")"));
  EXPECT_THAT(json_of(mqtt::Pubrel{PacketId{1}, ReasonCode::Success, {}}), HasSubstr(R"("packet":"PUBREL")"));
  EXPECT_THAT(json_of(mqtt::Pubcomp{PacketId{1}, ReasonCode::Success, {}}), HasSubstr(R"("packet":"PUBCOMP")"));
}

TEST(PacketJson, SubscriptionsAndTheirAnswers) {
  mqtt::Subscribe subscribe;
  subscribe.packet_id = PacketId{2};
  subscribe.requests.push_back({.filter = "farm/#", .qos = Qos::ExactlyOnce, .no_local = true});
  EXPECT_THAT(json_of(subscribe), HasSubstr(R"("subscriptions":[{"filter":"farm/#","qos":2,"no_local":true,)"));
  EXPECT_EQ(json_of(mqtt::Suback{PacketId{2}, {ReasonCode::GrantedQos1, ReasonCode::NotAuthorized}, {}}),
            R"({"packet":"SUBACK","packet_id":2,"reason_codes":[1,135]})");
  EXPECT_EQ(json_of(mqtt::Unsubscribe{PacketId{3}, {"a", "b"}, {}}),
            R"({"packet":"UNSUBSCRIBE","packet_id":3,"filters":["a","b"]})");
}

TEST(PacketJson, DisconnectSaysWhy) {
  Properties properties;
  properties.text(PropertyId::ReasonString, "limits.packet");
  EXPECT_EQ(json_of(mqtt::Disconnect{ReasonCode::PacketTooLarge, properties}),
            R"({"packet":"DISCONNECT","reason_code":149,"reason":"packet_too_large",)"
            R"("properties":{"reason_string":"limits.packet"}})");
  EXPECT_EQ(json_of(mqtt::Pingreq{}), R"({"packet":"PINGREQ"})");
}

TEST(PacketJson, WhatAPeerMakesLongIsCut) {
  mqtt::Subscribe subscribe;
  subscribe.packet_id = PacketId{1};
  const std::string filter(10'000, 'x');
  for (int i = 0; i < 100; ++i) subscribe.requests.push_back({.filter = filter});
  const std::string json = json_of(subscribe);
  EXPECT_LT(json.size(), 64 * KiB);
  EXPECT_THAT(json, HasSubstr(R"("more":68)"));

  mqtt::Publish publish;
  publish.topic = "t";
  const std::string payload(1000, 'p');
  publish.payload = as_bytes(payload);
  EXPECT_THAT(json_of(publish, true), HasSubstr(R"("payload":")" + std::string(64, 'p') + "…\""));
}

TEST(PacketJson, BeginningOfAPayloadIsCutBetweenCharacters) {
  EXPECT_EQ(escaped_beginning(as_bytes(std::string(63, 'a') + "°")), std::string(63, 'a') + "…");
  EXPECT_EQ(escaped_beginning(as_bytes("\x1b[31m\\ \xff")), "\\x1b[31m\\\\ \\xff");
  EXPECT_EQ(escaped_beginning({}), "");
}

}  // namespace
}  // namespace furrow::gateway
