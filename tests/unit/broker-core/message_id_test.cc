// Ids of messages in a mesh, as text and among properties.
#include "broker-core/message_id.h"

#include <gtest/gtest.h>

#include "tests/support/broker_fixture.h"

namespace furrow::test {
namespace {

using broker::MessageId;
using broker::parse_message_id;

TEST(MessageId, IsItsOriginAndASequence) {
  const auto id = parse_message_id("barn-7_a.b:4611686018427387905");
  ASSERT_TRUE(id.has_value());
  EXPECT_EQ(id->origin, "barn-7_a.b");
  EXPECT_EQ(id->sequence, 4611686018427387905U);
  EXPECT_EQ(broker::id_text(*id), "barn-7_a.b:4611686018427387905");
}

TEST(MessageId, EndsAtTwoToThe63rd) {
  EXPECT_TRUE(parse_message_id("a:9223372036854775807").has_value());
  EXPECT_FALSE(parse_message_id("a:9223372036854775808").has_value());
  EXPECT_FALSE(parse_message_id("a:18446744073709551617").has_value());
}

TEST(MessageId, OneWrittenAnotherWayIsNone) {
  for (const std::string_view text : {"", "a", ":1", "a:", "a:0", "a:01", "a:+1", "a:-1", "a: 1", "a:1 ", "a:1x",
                                      "a:b:1", "a/b:1", "a b:1", "ä:1", "a:0x1"}) {
    EXPECT_FALSE(parse_message_id(text).has_value()) << text;
  }
  EXPECT_TRUE(parse_message_id(std::string(64, 'a') + ":1").has_value());
  EXPECT_FALSE(parse_message_id(std::string(65, 'a') + ":1").has_value());
}

TEST(MessageId, IsTheFirstOfItsName) {
  Properties properties;
  properties.user("a", "b:1").user("furrow-id", "x:1").user("furrow-id", "y:2");
  EXPECT_EQ(broker::id_of(properties), (MessageId{"x", 1}));
  EXPECT_EQ(broker::id_of(Properties().user("a", "b:1")), std::nullopt);
  EXPECT_EQ(broker::id_of(Properties().user("furrow-id", "no").user("furrow-id", "x:1")), std::nullopt);
}

TEST(MessageId, StandsBehindTheOtherProperties) {
  const Properties plain = std::move(Properties().user("a", "b"));
  ByteBuffer out;
  const mqtt::PropertyView with = broker::with_id(plain, {"x", 7}, out);
  EXPECT_EQ(describe(with), R"( {26="a":"b" 26="furrow-id":"x:7"})");
  ByteBuffer other;
  EXPECT_EQ(describe(broker::without_id(with, other)), R"( {26="a":"b"})");
  EXPECT_EQ(describe(broker::without_id(plain, other)), R"( {26="a":"b"})");
}

TEST(MessageId, CanBeTakenAwayInPlace) {
  ByteBuffer out;
  const mqtt::PropertyView with = broker::with_id(Properties().user("a", "b"), {"x", 7}, out);
  EXPECT_EQ(describe(broker::without_id(with, out)), R"( {26="a":"b"})");
}

TEST(MessageId, TellsNoContentsApart) {
  const Properties plain = std::move(Properties().user("a", "b").user("c", "d"));
  const Properties first = std::move(Properties().user("furrow-id", "x:1").user("a", "b").user("c", "d"));
  const Properties last = std::move(Properties().user("a", "b").user("c", "d").user("furrow-id", "x:2"));
  const Properties other = std::move(Properties().user("a", "b").user("furrow-id", "x:2"));
  EXPECT_TRUE(broker::same_but_for_id(plain, first));
  EXPECT_TRUE(broker::same_but_for_id(first, last));
  EXPECT_TRUE(broker::same_but_for_id(last, plain));
  EXPECT_FALSE(broker::same_but_for_id(other, first));
  EXPECT_FALSE(broker::same_but_for_id(first, other));
  EXPECT_FALSE(broker::same_but_for_id({}, plain));
  EXPECT_TRUE(broker::same_but_for_id({}, Properties().user("furrow-id", "x:1")));
}

}  // namespace
}  // namespace furrow::test
