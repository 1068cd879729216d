#include "broker-core/base/bytes.h"

#include <gtest/gtest.h>

#include <string>

#include "broker-core/base/random.h"

namespace furrow {
namespace {

TEST(ByteBuffer, AppendsAtTheBackAndConsumesAtTheFront) {
  ByteBuffer buffer;
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.capacity(), 0U);
  buffer.append("field");
  buffer.push_back('/');
  buffer.append("north");
  buffer.consume(2);
  EXPECT_EQ(as_text(buffer.view()), "eld/north");
  buffer.truncate(3);
  EXPECT_EQ(as_text(buffer.view()), "eld");
  buffer.consume(3);
  EXPECT_TRUE(buffer.empty());
}

TEST(ByteBuffer, BehavesAsAStringThroughGrowthAndMoving) {
  Random random(1);
  ByteBuffer buffer;
  std::string model;
  for (int i = 0; i < 5'000; ++i) {
    if (random.chance(55)) {
      const std::string text(random.below(300), static_cast<char>('a' + i % 26));
      buffer.append(text);
      model += text;
    } else {
      const std::size_t count = random.below(model.size() + 1);
      buffer.consume(count);
      model.erase(0, count);
    }
    ASSERT_EQ(as_text(buffer.view()), model);
  }
}

TEST(ByteBuffer, StreamOfSmallWritesDoesNotGrowTheHeap) {
  ByteBuffer buffer;
  buffer.append(std::string(200, 'x'));
  for (int i = 0; i < 10'000; ++i) {
    buffer.append("0123456789");
    buffer.consume(10);
  }
  EXPECT_EQ(buffer.size(), 200U);
  EXPECT_LE(buffer.capacity(), 1024U);
}

TEST(ByteBuffer, ReleaseGivesTheHeapBack) {
  ByteBuffer buffer;
  buffer.append(std::string(10'000, 'x'));
  buffer.clear();
  EXPECT_GE(buffer.capacity(), 10'000U);
  buffer.release();
  EXPECT_EQ(buffer.capacity(), 0U);
  buffer.append("again");
  EXPECT_EQ(as_text(buffer.view()), "again");
}

TEST(ByteBuffer, MoveLeavesAnEmptyBuffer) {
  ByteBuffer buffer;
  buffer.append("field");
  const ByteBuffer moved(std::move(buffer));
  EXPECT_EQ(as_text(moved.view()), "field");
}

TEST(ByteBufferDeathTest, ChecksItsBounds) {
  ByteBuffer buffer;
  buffer.append("ab");
  EXPECT_DEATH(buffer.consume(3), "broken promise");
  EXPECT_DEATH(buffer.truncate(3), "broken promise");
}

}  // namespace
}  // namespace furrow
