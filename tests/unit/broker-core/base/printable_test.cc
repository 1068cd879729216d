#include "broker-core/base/printable.h"

#include <gtest/gtest.h>

namespace furrow {
namespace {

std::string shown(std::string_view text) {
  return printable(text, 1000);
}

TEST(Printable, KeepsTheLettersOfEveryLanguage) {
  for (const char* text : {"", "barn-7/moisture", "Kühe", "農場", "🌾", "\xEF\xBF\xBD"}) EXPECT_EQ(shown(text), text);
}

TEST(Printable, EscapesWhatATerminalWouldObey) {
  EXPECT_EQ(shown("a\x1b[31mred"), "a\\u001b[31mred");
  EXPECT_EQ(shown("two\nlines\r\t\x7f"), "two\\nlines\\u000d\\u0009\\u007f");
  EXPECT_EQ(shown(std::string_view("nul\0", 4)), "nul\\u0000");
  EXPECT_EQ(shown("\xC2\x9B"
                  "31m"),
            "\\u009b31m")
      << "C1: an escape sequence of one character";
}

TEST(Printable, EscapesWhatWouldTurnOrBreakTheLine) {
  EXPECT_EQ(shown("a\xE2\x80\xAE"
                  "b"),
            "a\\u202eb");
  EXPECT_EQ(shown("a\xE2\x80\xA8"
                  "b"),
            "a\\u2028b");
  EXPECT_EQ(shown("\xE2\x81\xA6\xEF\xBB\xBF"), "\\u2066\\ufeff");
}

TEST(Printable, EscapesEveryByteThatIsNoUtf8) {
  EXPECT_EQ(shown("a\xFF"), "a\\ufffd");
  EXPECT_EQ(shown("\xC3"), "\\ufffd") << "cut short";
  EXPECT_EQ(shown("\xC0\xAF"), "\\ufffd\\ufffd") << "overlong";
  EXPECT_EQ(shown("\xED\xA0\x80"), "\\ufffd\\ufffd\\ufffd") << "a surrogate";
  EXPECT_EQ(shown("\xF4\x90\x80\x80"), "\\ufffd\\ufffd\\ufffd\\ufffd") << "past U+10FFFF";
}

TEST(Printable, CutsBetweenCharacters) {
  EXPECT_EQ(printable("abc", 3), "abc");
  EXPECT_EQ(printable("abcd", 3), "abc…");
  EXPECT_EQ(printable("äöü", 3), "äö…");
  EXPECT_LT(printable(std::string(100'000, '\x01'), 100).size(), 120U);
}

}  // namespace
}  // namespace furrow
