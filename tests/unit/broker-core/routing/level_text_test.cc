#include "broker-core/routing/level_text.h"

#include <gtest/gtest.h>

#include <string>

namespace furrow::broker {
namespace {

TEST(LevelText, KeepsTextsAroundTheInlineLimit) {
  for (const std::size_t size : {0U, 1U, 17U, 18U, 19U, 65'535U}) {
    const std::string text(size, 'x');
    LevelText level;
    level.assign(text);
    EXPECT_EQ(level.view(), text);
    EXPECT_EQ(level.heap_bytes(), size > LevelText::kInlineMax ? size : 0);
  }
}

TEST(LevelText, ReplacesLongByShortAndShortByLong) {
  const std::string text(40, 'y');
  LevelText level;
  level.assign(text);
  level.assign("short");
  EXPECT_EQ(level.view(), "short");
  level.assign(text);
  EXPECT_EQ(level.view(), text);
  level.clear();
  EXPECT_EQ(level.view(), "");
}

}  // namespace
}  // namespace furrow::broker
