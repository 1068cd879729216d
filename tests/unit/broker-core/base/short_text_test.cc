#include "broker-core/base/short_text.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace furrow {
namespace {

TEST(ShortText, KeepsTextsAroundTheInlineLimit) {
  for (const std::size_t size : {0U, 1U, 17U, 18U, 19U, 65'535U}) {
    const std::string text(size, 'x');
    const ShortText kept(text);
    EXPECT_EQ(kept.view(), text);
    EXPECT_EQ(kept.heap_bytes(), size > ShortText::kInlineMax ? size : 0);
  }
}

TEST(ShortText, ReplacesLongByShortAndShortByLong) {
  const std::string text(40, 'y');
  ShortText kept;
  kept.assign(text);
  kept.assign("short");
  EXPECT_EQ(kept.view(), "short");
  kept.assign(text);
  EXPECT_EQ(kept.view(), text);
  kept.clear();
  EXPECT_EQ(kept.view(), "");
}

TEST(ShortText, CopiesAndMovesBothKinds) {
  for (const std::size_t size : {4U, 40U}) {
    const std::string text(size, 'z');
    ShortText first(text);
    ShortText copy = first;
    EXPECT_EQ(copy.view(), text);
    EXPECT_EQ(first.view(), text);
    ShortText moved = std::move(first);
    EXPECT_EQ(moved.view(), text);
    copy = ShortText("other");
    EXPECT_EQ(copy.view(), "other");
    copy = std::move(moved);
    EXPECT_EQ(copy.view(), text);
  }
}

}  // namespace
}  // namespace furrow
