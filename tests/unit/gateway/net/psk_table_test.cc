#include "gateway/net/psk_table.h"

#include <gtest/gtest.h>

namespace furrow::gateway {
namespace {

const std::string kKey = "00112233445566778899AABBCCDDEEFF";

std::string fault(const std::string& text) {
  const auto table = PskTable::parse(text);
  return table ? "" : table.error().message();
}

TEST(PskTable, FindsTheKeyOfAnIdentity) {
  const auto table = PskTable::parse("# sensors\n\nsensor-1:" + kKey + "\r\nSensor 2:" + kKey + "01\n");
  ASSERT_TRUE(table);
  EXPECT_EQ(table->size(), 2U);
  ASSERT_NE(table->find("sensor-1"), nullptr);
  EXPECT_EQ(*table->find("sensor-1"),
            std::string("\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff", 16));
  EXPECT_EQ(table->find("sensor-2"), nullptr);
  EXPECT_EQ(table->find("sensor-1 "), nullptr);
  EXPECT_EQ(table->find(""), nullptr);
}

TEST(PskTable, ABadLineIsAnErrorOfTheWholeFileAndNeverShowsAKey) {
  EXPECT_EQ(fault("a:" + kKey + "\nnonsense\n"), "line 2: it is not IDENTITY:KEY");
  EXPECT_EQ(fault(":" + kKey), "line 1: the identity is not 1 to 128 bytes of UTF-8 without control characters");
  EXPECT_EQ(fault("a\tb:" + kKey), "line 1: the identity is not 1 to 128 bytes of UTF-8 without control characters");
  EXPECT_EQ(fault("\xff:" + kKey), "line 1: the identity is not 1 to 128 bytes of UTF-8 without control characters");
  EXPECT_EQ(fault("a:" + kKey + "0"), "line 1: the key has an odd number of hexadecimal digits");
  EXPECT_EQ(fault("a:" + kKey + "zz"), "line 1: the key is not made of hexadecimal digits");
  EXPECT_EQ(fault("a: " + kKey + " "), "line 1: the key is not made of hexadecimal digits");
  EXPECT_EQ(fault("a:" + kKey + "\na:" + kKey), "line 2: the identity is there a second time");
  EXPECT_EQ(fault("# nobody\n"), "there is no line IDENTITY:KEY in it");
  EXPECT_EQ(fault(""), "there is no line IDENTITY:KEY in it");
}

}  // namespace
}  // namespace furrow::gateway
