#include "gateway/control/json_object.h"

#include <gtest/gtest.h>

#include <string>

#include "broker-core/mqtt/properties.h"
#include "gateway/control/message_json.h"

namespace furrow::gateway {
namespace {

using namespace std::chrono_literals;

TEST(JsonObject, HasItsFieldsInOrder) {
  JsonObject object;
  object.text("b", "x").number("a", 18446744073709551615U).seconds("s", 1500ms).flag("f", true).null("n");
  object.object("o", JsonObject().number("x", 1)).object("e", JsonObject());
  EXPECT_EQ(object.str(), R"({"b":"x","a":18446744073709551615,"s":1.500,"f":true,"n":null,"o":{"x":1},"e":{}})");
}

TEST(JsonObject, EscapesWhatJsonWants) {
  const std::string text("a\"b\\c\n\0\x1f/ü€\x7f", 15);
  EXPECT_EQ(JsonObject().text("k\n", text).str(), "{\"k\\u000a\":\"a\\\"b\\\\c\\u000a\\u0000\\u001f/ü€\x7f\"}");
}

TEST(JsonObject, BytesThatAreNoUtf8BecomeReplacements) {
  EXPECT_EQ(JsonObject().text("k", "a\xff\xc3").str(), "{\"k\":\"a\uFFFD\uFFFD\"}");
}

TEST(MessageJson, PayloadIsTextOrBase64) {
  const auto json_of = [](std::string_view payload) {
    JsonObject object;
    add_payload(object, as_bytes(payload));
    return object.str();
  };
  EXPECT_EQ(json_of("21.5"), R"({"payload":"21.5"})");
  EXPECT_EQ(json_of("\xff"), R"({"payload_base64":"/w=="})");
  EXPECT_EQ(json_of("\xff\xfe"), R"({"payload_base64":"//4="})");
  EXPECT_EQ(json_of("\xff\xfe\xfd"), R"({"payload_base64":"//79"})");
  EXPECT_EQ(json_of(std::string_view("a\0b", 3)), R"({"payload_base64":"YQBi"})") << "MQTT has no U+0000 in text";
}

TEST(MessageJson, PropertiesHaveNames) {
  ByteBuffer bytes;
  mqtt::PropertyWriter writer(bytes);
  writer.number(mqtt::PropertyId::PayloadFormatIndicator, 1);
  writer.text(mqtt::PropertyId::ContentType, "raw");
  writer.text(mqtt::PropertyId::ResponseTopic, "answers");
  writer.text(mqtt::PropertyId::CorrelationData, "\xff");
  writer.user("unit", "%");
  writer.user("unit", "percent");
  JsonObject object;
  add_properties(object, mqtt::PropertyView::from_valid(bytes.view()));
  EXPECT_EQ(object.str(), R"({"properties":{"payload_format":1,"content_type":"raw","response_topic":"answers",)"
                          R"("correlation_data_base64":"/w==","user":[["unit","%"],["unit","percent"]]}})");
  JsonObject none;
  add_properties(none, {});
  EXPECT_EQ(none.str(), "{}");
}

}  // namespace
}  // namespace furrow::gateway
