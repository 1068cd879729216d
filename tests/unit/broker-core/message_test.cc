#include "broker-core/message.h"

#include <gtest/gtest.h>

#include <string>

namespace furrow::broker {
namespace {

using std::chrono::seconds;

TEST(Message, KeepsCopiesOfWhatItWasMadeFrom) {
  ByteBuffer properties;
  mqtt::PropertyWriter(properties).text(mqtt::PropertyId::ContentType, "text/plain");
  MessageRef message;
  {
    std::string topic = "farm/field-1/moisture";
    std::string payload = "12.5";
    message = Message::make({.topic = topic,
                             .payload = as_bytes(payload),
                             .properties = mqtt::PropertyView::from_valid(properties.view()),
                             .expiry_s = 60,
                             .received = Instant(seconds(5)),
                             .qos = mqtt::Qos::ExactlyOnce,
                             .retain = true});
    topic.assign(topic.size(), '-');
    payload.assign(payload.size(), '-');
  }
  EXPECT_EQ(message->topic(), "farm/field-1/moisture");
  EXPECT_EQ(as_text(message->payload()), "12.5");
  EXPECT_TRUE(std::ranges::equal(message->properties().bytes(), properties.view()));
  EXPECT_EQ(message->qos(), mqtt::Qos::ExactlyOnce);
  EXPECT_TRUE(message->retain());
  EXPECT_EQ(message->expiry_s(), 60U);
  EXPECT_EQ(message->expires_at(), Instant(seconds(65)));
  EXPECT_EQ(message->bytes_size(), 21 + properties.size() + 4);
  EXPECT_EQ(message->memory_bytes(), sizeof(Message) + message->bytes_size());
}

TEST(Message, WithoutExpiryNeverExpires) {
  const MessageRef message =
      Message::make({.topic = "a", .payload = {}, .properties = {}, .expiry_s = {}, .received = {}});
  EXPECT_EQ(message->expiry_s(), std::nullopt);
  EXPECT_EQ(message->expires_at(), kNever);
  EXPECT_TRUE(message->payload().empty());
}

TEST(Message, ExpiryOfZeroIsNotNone) {
  const MessageRef message =
      Message::make({.topic = "a", .payload = {}, .properties = {}, .expiry_s = 0, .received = Instant(seconds(3))});
  EXPECT_EQ(message->expires_at(), Instant(seconds(3)));
}

TEST(Message, SameContentLooksAtTopicPayloadAndProperties) {
  ByteBuffer properties;
  mqtt::PropertyWriter(properties).user("unit", "kPa");
  const auto make = [](std::string_view topic, std::string_view payload, ByteView bytes, Instant received) {
    return Message::make({.topic = topic,
                          .payload = as_bytes(payload),
                          .properties = mqtt::PropertyView::from_valid(bytes),
                          .expiry_s = std::nullopt,
                          .received = received});
  };
  const MessageRef message = make("ab", "c", {}, {});
  EXPECT_TRUE(same_content(*message, *make("ab", "c", {}, Instant(seconds(1)))));
  EXPECT_FALSE(same_content(*message, *make("a", "bc", {}, {})));
  EXPECT_FALSE(same_content(*message, *make("ab", "d", {}, {})));
  EXPECT_FALSE(same_content(*message, *make("ab", "c", properties.view(), {})));
}

}  // namespace
}  // namespace furrow::broker
