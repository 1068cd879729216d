#include "broker-core/mqtt/properties.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/packet_text.h"

namespace furrow::mqtt {
namespace {

using test::bytes_from;
using test::describe;

constexpr PropertyPlace kPlaces[] = {
    PropertyPlace::Connect,    PropertyPlace::Connack, PropertyPlace::Publish,     PropertyPlace::Will,
    PropertyPlace::Puback,     PropertyPlace::Pubrec,  PropertyPlace::Pubrel,      PropertyPlace::Pubcomp,
    PropertyPlace::Subscribe,  PropertyPlace::Suback,  PropertyPlace::Unsubscribe, PropertyPlace::Unsuback,
    PropertyPlace::Disconnect, PropertyPlace::Auth,
};

// One property: a valid example, and a letter for each place it may stand in [MQTT 5.0 §3], in the order of kPlaces:
// C connect, c connack, P publish, W will, a puback, b pubrec, d pubrel, e pubcomp, S subscribe, s suback,
// U unsubscribe, u unsuback, D disconnect, A auth.
struct Case {
  const char* bytes;
  const char* says;
  std::string_view places;
};
constexpr std::string_view kPlaceLetters = "CcPWabdeSsUuDA";

constexpr Case kCases[] = {
    {"01 01", "01=1", "PW"},
    {"02 ffffffff", "02=4294967295", "PW"},
    {"03 0004 'text'", R"(03="text")", "PW"},
    {"08 0003 'r/t'", R"(08="r/t")", "PW"},
    {"09 0002 00ff", R"(09="\x00\xff")", "PW"},
    {"0b 80 01", "0b=128", "PS"},
    {"11 00000e10", "11=3600", "CcD"},
    {"12 0002 'id'", R"(12="id")", "c"},
    {"13 003c", "13=60", "c"},
    {"15 0005 'SCRAM'", R"(15="SCRAM")", "CcA"},
    {"16 0001 00", R"(16="\x00")", "CcA"},
    {"17 00", "17=0", "C"},
    {"18 00000001", "18=1", "W"},
    {"19 01", "19=1", "C"},
    {"1a 0001 'i'", R"(1a="i")", "c"},
    {"1c 0003 'b:1'", R"(1c="b:1")", "cD"},
    {"1f 0002 'no'", R"(1f="no")", "cabdesuDA"},
    {"21 ffff", "21=65535", "Cc"},
    {"22 0000", "22=0", "Cc"},
    {"23 0001", "23=1", "P"},
    {"24 01", "24=1", "c"},
    {"25 00", "25=0", "c"},
    {"26 0001 'k' 0000", R"(26="k":"")", "CcPWabdeSsUuDA"},
    {"27 00000001", "27=1", "Cc"},
    {"28 01", "28=1", "c"},
    {"29 00", "29=0", "c"},
    {"2a 01", "2a=1", "c"},
};

PropertyFault parse(const test::Bytes& bytes, PropertyPlace place) {
  PropertyView view;
  return PropertyParser::parse(bytes, place, view);
}
PropertyFault parse(std::string_view written, PropertyPlace place) {
  return parse(bytes_from(written), place);
}

TEST(Properties, EachInEveryPlace) {
  for (const Case& property : kCases) {
    // The one property that may not stand alone in CONNECT.
    const bool needs_method = std::string_view(property.says).starts_with("16=");
    for (std::size_t i = 0; i < std::size(kPlaces); ++i) {
      SCOPED_TRACE(std::string(property.bytes) + " in " + kPlaceLetters[i]);
      const bool belongs = property.places.find(kPlaceLetters[i]) != std::string_view::npos;
      test::Bytes bytes = bytes_from(needs_method && kPlaces[i] == PropertyPlace::Connect ? "15 0001 'S'" : "");
      const std::string before = bytes.empty() ? "" : R"(15="S" )";
      for (const std::uint8_t byte : bytes_from(property.bytes)) bytes.push_back(byte);

      PropertyView view;
      const PropertyFault fault = PropertyParser::parse(bytes, kPlaces[i], view);
      EXPECT_EQ(fault.what == nullptr, belongs);
      if (belongs) {
        EXPECT_EQ(describe(view), " {" + before + property.says + "}");
      } else {
        EXPECT_TRUE(fault.malformed);  // [MQTT 5.0 §2.2.2.2]
      }
    }
  }
}

TEST(Properties, EachIsRefusedCutShort) {
  for (const Case& property : kCases) {
    const std::size_t place = kPlaceLetters.find(property.places.front());
    const test::Bytes whole = bytes_from(property.bytes);
    for (std::size_t size = 1; size < whole.size(); ++size) {
      const test::Bytes bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      const PropertyFault fault = parse(bytes, kPlaces[place]);
      EXPECT_NE(fault.what, nullptr) << property.bytes << " at " << size;
      EXPECT_TRUE(fault.malformed);
    }
  }
}

TEST(Properties, OnlySomeMayRepeat) {
  for (const Case& property : kCases) {
    for (const char letter : property.places) {
      const PropertyPlace place = kPlaces[kPlaceLetters.find(letter)];
      const std::string twice = std::string(property.bytes) + property.bytes;
      const std::string_view id = std::string_view(property.says).substr(0, 2);
      const bool may_repeat = id == "26" || (id == "0b" && letter == 'P');
      const PropertyFault fault = parse(twice, place);
      EXPECT_EQ(fault.what == nullptr, may_repeat) << twice << " in " << letter;
      EXPECT_FALSE(fault.malformed) << twice << " in " << letter;  // it is a protocol error
    }
  }
}

TEST(Properties, UnknownIdentifiers) {
  for (unsigned id = 0; id < 256; ++id) {
    bool known = false;
    for (const Case& property : kCases) known = known || bytes_from(property.bytes).front() == id;
    if (known) continue;
    for (const PropertyPlace place : kPlaces) {
      const PropertyFault fault = parse(test::Bytes{static_cast<std::uint8_t>(id), 0, 0, 0, 0}, place);
      EXPECT_NE(fault.what, nullptr) << id;
      EXPECT_TRUE(fault.malformed) << id;
    }
  }
}

TEST(Properties, NumbersOutOfRange) {
  const auto is_protocol_error = [](std::string_view written, PropertyPlace place) {
    const PropertyFault fault = parse(written, place);
    return fault.what != nullptr && !fault.malformed;
  };
  EXPECT_TRUE(is_protocol_error("01 02", PropertyPlace::Publish));
  EXPECT_TRUE(is_protocol_error("0b 00", PropertyPlace::Subscribe));
  EXPECT_TRUE(is_protocol_error("0b 00", PropertyPlace::Publish));
  EXPECT_TRUE(is_protocol_error("17 02", PropertyPlace::Connect));
  EXPECT_TRUE(is_protocol_error("19 ff", PropertyPlace::Connect));
  EXPECT_TRUE(is_protocol_error("21 0000", PropertyPlace::Connect));
  EXPECT_TRUE(is_protocol_error("24 02", PropertyPlace::Connack));
  EXPECT_TRUE(is_protocol_error("25 02", PropertyPlace::Connack));
  EXPECT_TRUE(is_protocol_error("27 00000000", PropertyPlace::Connack));
  EXPECT_TRUE(is_protocol_error("28 02", PropertyPlace::Connack));
  EXPECT_TRUE(is_protocol_error("29 02", PropertyPlace::Connack));
  EXPECT_TRUE(is_protocol_error("2a 02", PropertyPlace::Connack));
}

TEST(Properties, SubscriptionIdentifierIsAStrictInteger) {
  EXPECT_EQ(parse("0b ffffff7f", PropertyPlace::Subscribe).what, nullptr);
  EXPECT_TRUE(parse("0b 8000", PropertyPlace::Subscribe).malformed);
  EXPECT_TRUE(parse("0b ffffffff7f", PropertyPlace::Subscribe).malformed);
}

TEST(Properties, StringsAreUtf8) {
  EXPECT_TRUE(parse("03 0001 ff", PropertyPlace::Publish).malformed);
  EXPECT_TRUE(parse("1f 0001 00", PropertyPlace::Puback).malformed);
  EXPECT_TRUE(parse("26 0001 80 0001 'v'", PropertyPlace::Publish).malformed);
  EXPECT_TRUE(parse("26 0001 'k' 0001 80", PropertyPlace::Publish).malformed);
  EXPECT_EQ(parse("09 0001 ff", PropertyPlace::Publish).what, nullptr) << "binary data may be anything";
}

TEST(Properties, ResponseTopicIsATopicName) {
  EXPECT_NE(parse("08 0003 'a/+'", PropertyPlace::Publish).what, nullptr);
  EXPECT_NE(parse("08 0003 'a/#'", PropertyPlace::Will).what, nullptr);
  EXPECT_NE(parse("08 0000", PropertyPlace::Publish).what, nullptr);
}

TEST(Properties, ConnectNeedsAMethodForAuthenticationData) {
  EXPECT_NE(parse("16 0001 00", PropertyPlace::Connect).what, nullptr);
  EXPECT_EQ(parse("16 0001 00 15 0001 'S'", PropertyPlace::Connect).what, nullptr);
}

TEST(Properties, SetTellsWhatIsThere) {
  const test::Bytes bytes = bytes_from("23 0001 26 0000 0000");
  PropertyView view;
  PropertySet present;
  ASSERT_EQ(PropertyParser::parse(bytes, PropertyPlace::Publish, view, present).what, nullptr);
  EXPECT_TRUE(present.contains(PropertyId::TopicAlias));
  EXPECT_TRUE(present.contains(PropertyId::UserProperty));
  EXPECT_FALSE(present.contains(PropertyId::ContentType));
}

TEST(PropertyView, AnEmptyOneHasNoProperties) {
  const PropertyView view;
  EXPECT_TRUE(view.empty());
  EXPECT_EQ(view.begin(), view.end());
  EXPECT_FALSE(view.number(PropertyId::TopicAlias).has_value());
}

TEST(PropertyView, LooksUpByIdentifier) {
  ByteBuffer out;
  PropertyWriter writer(out);
  writer.number(PropertyId::MessageExpiryInterval, 0);
  writer.user("k", "v");
  writer.text(PropertyId::ContentType, "");
  writer.number(PropertyId::SubscriptionIdentifier, 5);
  writer.number(PropertyId::SubscriptionIdentifier, 6);
  const PropertyView view = PropertyView::from_valid(out.view());
  EXPECT_EQ(view.number(PropertyId::MessageExpiryInterval), 0U);
  EXPECT_EQ(view.text(PropertyId::ContentType), "");
  EXPECT_EQ(view.number(PropertyId::SubscriptionIdentifier), 5U) << "the first";
  EXPECT_FALSE(view.number(PropertyId::TopicAlias).has_value());
  EXPECT_FALSE(view.text(PropertyId::ResponseTopic).has_value());
}

TEST(PropertyView, HandsOutEachPropertyAsReceived) {
  const test::Bytes bytes = bytes_from("02 00000007 26 0001 'k' 0001 'v' 26 0001 'k' 0001 'w'");
  PropertyView view;
  ASSERT_EQ(PropertyParser::parse(bytes, PropertyPlace::Publish, view).what, nullptr);
  std::vector<std::string> encoded;
  for (const Property& property : view) encoded.push_back(test::hex(property.encoded));
  EXPECT_EQ(encoded, (std::vector<std::string>{"0200000007", "2600016b000176", "2600016b000177"}));
}

// The writer makes what the cases are written as.
TEST(PropertyWriter, WritesWhatTheParserReads) {
  for (const Case& property : kCases) {
    const test::Bytes bytes = bytes_from(property.bytes);
    const PropertyView view = PropertyView::from_valid(bytes);
    ByteBuffer out;
    PropertyWriter writer(out);
    for (const Property& read : view) {
      if (read.id == PropertyId::UserProperty) {
        writer.user(read.name, read.text);
      } else if (read.text.data() != nullptr) {
        writer.text(read.id, read.text);
      } else {
        writer.number(read.id, read.number);
      }
    }
    EXPECT_EQ(test::hex(out.view()), test::hex(bytes));
  }
}

TEST(PropertyWriterDeathTest, ChecksOurOwnValues) {
  ByteBuffer out;
  PropertyWriter writer(out);
  EXPECT_DEATH(writer.number(PropertyId::TopicAlias, 65'536), "broken promise");
  EXPECT_DEATH(writer.number(PropertyId::ContentType, 1), "broken promise");
  EXPECT_DEATH(writer.text(PropertyId::TopicAlias, "x"), "broken promise");
  EXPECT_DEATH(writer.text(PropertyId::ContentType, std::string(65'536, 'x')), "broken promise");
}

}  // namespace
}  // namespace furrow::mqtt
