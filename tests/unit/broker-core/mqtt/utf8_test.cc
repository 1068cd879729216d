#include "broker-core/mqtt/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace furrow::mqtt {
namespace {

using namespace std::string_view_literals;

// Encodes without judging: also surrogates and what lies past U+10FFFF.
std::string encoded(std::uint32_t point) {
  const auto tail = [point](unsigned shift) { return static_cast<char>(0x80U | (point >> shift & 0x3FU)); };
  if (point < 0x80) return {static_cast<char>(point)};
  if (point < 0x800) return {static_cast<char>(0xC0U | point >> 6U), tail(0)};
  if (point < 0x1'0000) return {static_cast<char>(0xE0U | point >> 12U), tail(6), tail(0)};
  return {static_cast<char>(0xF0U | point >> 18U), tail(12), tail(6), tail(0)};
}

TEST(Utf8, EveryCodePoint) {
  for (std::uint32_t point = 0; point < 0x11'2000; ++point) {
    const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
    const bool valid = point != 0 && !surrogate && point <= 0x10'FFFF;
    ASSERT_EQ(is_valid_utf8(encoded(point)), valid) << std::hex << point;
  }
}

TEST(Utf8, EmptyIsValid) {
  EXPECT_TRUE(is_valid_utf8(""));
}

// [MQTT 5.0 §1.5.4]: U+FEFF is a zero width no-break space wherever it stands; the example of the specification.
TEST(Utf8, ExamplesOfTheSpecification) {
  EXPECT_TRUE(is_valid_utf8("\xEF\xBB\xBF"));
  EXPECT_TRUE(is_valid_utf8("A\xF0\xAA\x9B\x94"));
}

TEST(Utf8, OverlongForms) {
  EXPECT_FALSE(is_valid_utf8("\xC0\x80"));
  EXPECT_FALSE(is_valid_utf8("\xC1\xBF"));
  EXPECT_FALSE(is_valid_utf8("\xE0\x80\x80"));
  EXPECT_FALSE(is_valid_utf8("\xE0\x9F\xBF"));
  EXPECT_FALSE(is_valid_utf8("\xF0\x8F\xBF\xBF"));
}

TEST(Utf8, LeadBytesThatNeverOccur) {
  for (unsigned lead = 0xF5; lead <= 0xFF; ++lead) {
    EXPECT_FALSE(is_valid_utf8(std::string{static_cast<char>(lead), '\x80', '\x80', '\x80'})) << lead;
  }
}

TEST(Utf8, ContinuationBytesOutOfPlace) {
  EXPECT_FALSE(is_valid_utf8("\x80"));
  EXPECT_FALSE(is_valid_utf8("a\xBF"));
  EXPECT_FALSE(is_valid_utf8("\xC3\xC3"));
  EXPECT_FALSE(is_valid_utf8("\xE2\x82z"));
  EXPECT_FALSE(is_valid_utf8("\xF0\x9F\x8C\x41"));
}

TEST(Utf8, SequencesCutShort) {
  const std::string whole = "12345678\xF0\x9F\x8C\xBE";
  for (std::size_t size = 9; size < whole.size(); ++size) EXPECT_FALSE(is_valid_utf8(whole.substr(0, size))) << size;
  EXPECT_TRUE(is_valid_utf8(whole));
}

// Eight bytes are looked at together: a bad byte must be found at each place in them, and behind each length.
TEST(Utf8, BadByteAnywhere) {
  for (std::size_t size = 1; size <= 40; ++size) {
    std::string text(size, 'a');
    EXPECT_TRUE(is_valid_utf8(text));
    for (std::size_t at = 0; at < size; ++at) {
      for (const char bad : {'\0', '\x80', '\xFF'}) {
        text[at] = bad;
        EXPECT_FALSE(is_valid_utf8(text)) << "size " << size << " at " << at;
      }
      text[at] = 'a';
    }
  }
}

TEST(Utf8, ControlCharactersPass) {
  EXPECT_TRUE(is_valid_utf8("\x01\x1F\x7F"));
  EXPECT_TRUE(is_valid_utf8("\xC2\x80\xEF\xBF\xBF"));
  EXPECT_FALSE(is_valid_utf8("a\0b"sv));
}

}  // namespace
}  // namespace furrow::mqtt
