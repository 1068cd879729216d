#include "gateway/cli/trace_text.h"

#include <gtest/gtest.h>

namespace furrow::gateway {
namespace {

TEST(TraceText, PacketIsALineWithItsFieldsInTheirOrder) {
  EXPECT_EQ(
      trace_line(R"({"time":"2026-11-24T10:00:00.123Z","client":"sensor-1","address":"192.0.2.7:5000",)"
                 R"("direction":"received","packet":"PUBLISH","topic":"farm/1","qos":1,"retain":true,"dup":false,)"
                 R"("packet_id":7,"payload_bytes":4,"properties":{"message_expiry_interval":60}})"),
      "10:00:00.123Z sensor-1 192.0.2.7:5000 received PUBLISH topic=farm/1 qos=1 retain packet_id=7 "
      "payload_bytes=4 message_expiry_interval=60\n");
}

TEST(TraceText, BridgeIsNamedAsOne) {
  EXPECT_EQ(trace_line(R"({"time":"2026-11-24T10:00:00.123Z","bridge":"region","address":"mqtt://far:1883",)"
                       R"("direction":"sent","packet":"PINGREQ"})"),
            "10:00:00.123Z bridge region mqtt://far:1883 sent PINGREQ\n");
}

TEST(TraceText, FlagOfWhichBothSidesMatterIsAlwaysSaid) {
  EXPECT_EQ(trace_line(R"({"time":"T1","client":"","address":"a","direction":"received","packet":"CONNECT",)"
                       R"("client_id":"","clean_start":false,"will":{"topic":"gone","qos":1,"retain":false}})"),
            "1 - a received CONNECT client_id='' clean_start=false will={topic=gone qos=1}\n");
}

TEST(TraceText, ReasonCodesAreHexAsInTheSpecification) {
  EXPECT_EQ(trace_line(R"({"time":"T1","client":"c","address":"a","direction":"sent","packet":"SUBACK","packet_id":1,)"
                       R"("reason_codes":[1,135]})"),
            "1 c a sent SUBACK packet_id=1 reason_codes=[0x01, 0x87]\n");
  EXPECT_EQ(trace_line(R"({"time":"T1","client":"c","address":"a","direction":"sent","packet":"malformed",)"
                       R"("reason_code":129,"reason":"PUBLISH with QoS 3"})"),
            "1 c a sent malformed reason_code=0x81 reason='PUBLISH with QoS 3'\n");
}

TEST(TraceText, ListsOfPairsAndOfObjects) {
  EXPECT_EQ(trace_line(R"({"time":"T1","client":"c","address":"a","direction":"received","packet":"SUBSCRIBE",)"
                       R"("subscriptions":[{"filter":"farm/#","qos":1,"no_local":true,"retain_handling":0}],)"
                       R"("properties":{"user_property":[["unit","°C"],["hop","1 2"]]}})"),
            "1 c a received SUBSCRIBE subscriptions=[{filter=farm/# qos=1 no_local retain_handling=0}] "
            "user_property=[unit=°C, hop='1 2']\n");
}

TEST(TraceText, WhatAPeerChoseCannotForgeALineOrColourIt) {
  EXPECT_EQ(trace_line("{\"time\":\"T1\",\"client\":\"a\\nb\",\"address\":\"a\",\"direction\":\"sent\",\"packet\":"
                       "\"PUBLISH\",\"topic\":\"\\u001b[31m\"}"),
            "1 a\\nb a sent PUBLISH topic='\\u001b[31m'\n");
}

TEST(TraceText, GapSaysHowManyAreMissing) {
  EXPECT_EQ(trace_line(R"({"not_shown":12})"), "… 12 packets not shown: the reader is slow\n");
  EXPECT_EQ(trace_line(R"({"not_shown":1})"), "… 1 packet not shown: the reader is slow\n");
}

TEST(TraceText, SummarySaysWhatEndedIt) {
  EXPECT_EQ(trace_summary(R"({"ok":true,"shown":1,"not_shown":0,"ended_by":"reader"})"), "1 packet\n");
  EXPECT_EQ(trace_summary(R"({"ok":true,"shown":3,"not_shown":2,"ended_by":"time"})"),
            "3 packets, and 2 not shown because the reader was slow; the time is over, --for takes another\n");
  EXPECT_EQ(trace_summary(R"({"ok":true,"shown":3,"not_shown":0,"ended_by":"count"})"),
            "3 packets; that is as many as were asked for, --count takes another number\n");
}

}  // namespace
}  // namespace furrow::gateway
