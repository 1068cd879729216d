#include "broker-core/mqtt/reason_code.h"

#include <gtest/gtest.h>

#include <set>

namespace furrow::mqtt {
namespace {

// The reason codes of each packet as its own section lists them [MQTT 5.0 §3.2.2.2, §3.4.2.1, …]; table 2-6, from which
// the code is written, lists them the other way round.
std::set<unsigned> codes_of(PacketType type) {
  using enum PacketType;
  switch (type) {
    case Connack:
      return {0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
              0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F};
    case Puback:
    case Pubrec:
      return {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99};
    case Pubrel:
    case Pubcomp:
      return {0x00, 0x92};
    case Suback:
      return {0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2};
    case Unsuback:
      return {0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91};
    case Disconnect:
      // 0x8C stands in table 2-6 only.
      return {0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x90, 0x93,
              0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2};
    case Auth:
      return {0x00, 0x18, 0x19};
    default:
      return {};
  }
}

TEST(ReasonCode, EachPacketHasItsOwn) {
  for (unsigned type = 1; type <= 15; ++type) {
    const std::set<unsigned> codes = codes_of(static_cast<PacketType>(type));
    for (unsigned code = 0; code < 256; ++code) {
      EXPECT_EQ(is_allowed(static_cast<ReasonCode>(code), static_cast<PacketType>(type)), codes.contains(code))
          << "type " << type << " code " << code;
    }
  }
}

TEST(ReasonCode, NamesAreOfTheSpecification) {
  EXPECT_EQ(name(ReasonCode::Success), "success");
  EXPECT_EQ(name(ReasonCode::SessionTakenOver), "session_taken_over");
  EXPECT_EQ(name(ReasonCode::WildcardSubscriptionsNotSupported), "wildcard_subscriptions_not_supported");
  EXPECT_EQ(name(static_cast<ReasonCode>(0x03)), "reserved");
  EXPECT_EQ(name(static_cast<ReasonCode>(0xFF)), "reserved");
}

TEST(ReasonCode, NamesAreUnique) {
  std::set<std::string_view> names;
  std::size_t count = 0;
  for (unsigned code = 0; code < 256; ++code) {
    const std::string_view known = name(static_cast<ReasonCode>(code));
    if (known == "reserved") continue;
    names.insert(known);
    ++count;
  }
  EXPECT_EQ(count, 43U);
  EXPECT_EQ(names.size(), count);
}

TEST(ReasonCode, ReturnCodesGoBothWays) {
  for (std::uint8_t code = 0; code <= 5; ++code) {
    const std::optional<ReasonCode> reason = from_connack_return_code(code);
    ASSERT_TRUE(reason.has_value());
    EXPECT_EQ(to_connack_return_code(*reason), code);
  }
  EXPECT_FALSE(from_connack_return_code(6).has_value());
  EXPECT_FALSE(from_connack_return_code(255).has_value());
}

TEST(ReasonCode, TheNearestReturnCodeSaysWhetherToTryAgain) {
  EXPECT_EQ(to_connack_return_code(ReasonCode::ServerBusy), 3);
  EXPECT_EQ(to_connack_return_code(ReasonCode::QuotaExceeded), 3);
  EXPECT_EQ(to_connack_return_code(ReasonCode::BadAuthenticationMethod), 4);
  EXPECT_EQ(to_connack_return_code(ReasonCode::Banned), 5);
  EXPECT_EQ(to_connack_return_code(ReasonCode::TopicNameInvalid), 5);
}

TEST(ReasonCode, ErrorsBeginAt0x80) {
  EXPECT_FALSE(is_error(ReasonCode::ReAuthenticate));
  EXPECT_TRUE(is_error(ReasonCode::UnspecifiedError));
}

}  // namespace
}  // namespace furrow::mqtt
