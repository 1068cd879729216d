#include "broker-core/routing/topic_order.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "broker-core/base/random.h"
#include "tests/unit/broker-core/routing/messages.h"

namespace furrow::broker {
namespace {

class TopicOrderTest : public testing::Test {
 protected:
  std::uint32_t insert(std::string_view topic) {
    const auto slot = static_cast<std::uint32_t>(messages_.size());
    messages_.push_back(make_message(topic, ""));
    order_.insert(slot);
    return slot;
  }
  std::vector<std::string> topics_from(TopicOrder::Place place) const {
    std::vector<std::string> out;
    for (; !order_.is_end(place); place = order_.next(place)) out.emplace_back(topic_at(place));
    return out;
  }
  std::string_view topic_at(TopicOrder::Place place) const { return messages_[order_.slot(place)]->topic(); }

  std::vector<MessageRef> messages_;
  TopicOrder order_{messages_};
};

std::string numbered(std::uint64_t number) {
  std::string digits = std::to_string(number);
  return "sensor/" + std::string(6 - digits.size(), '0') + digits;
}

TEST_F(TopicOrderTest, AnEmptyOrderIsAtItsEnd) {
  EXPECT_TRUE(order_.is_end(order_.begin()));
  EXPECT_TRUE(order_.is_end(order_.seek(order_.begin(), "a")));
}

TEST_F(TopicOrderTest, WalksInByteOrder) {
  for (const std::string_view topic : {"b", "a/b", "a", "a-b", "é", "", "a0"}) insert(topic);
  EXPECT_EQ(topics_from(order_.begin()), (std::vector<std::string>{"", "a", "a-b", "a/b", "a0", "b", "é"}));
}

TEST_F(TopicOrderTest, SeeksToTheFirstThatIsNotLess) {
  for (std::uint64_t i = 0; i < 5000; ++i) insert(numbered(2 * i));
  for (const std::uint64_t from : {0U, 1U, 511U, 512U, 3000U}) {
    const TopicOrder::Place start = order_.seek(order_.begin(), numbered(2 * from));
    for (const std::uint64_t ahead : {0U, 1U, 2U, 3U, 30U, 510U, 511U, 512U, 513U, 1500U}) {
      const std::uint64_t target = from + ahead;
      EXPECT_EQ(topic_at(order_.seek(start, numbered(2 * target))), numbered(2 * target));
      EXPECT_EQ(topic_at(order_.seek(start, numbered(2 * target + 1))), numbered(2 * target + 2));
    }
    EXPECT_EQ(topic_at(order_.seek(start, "")), numbered(2 * from)) << "never back";
    EXPECT_TRUE(order_.is_end(order_.seek(start, "t")));
  }
}

// What comes in order, as from the store at start, fills its blocks.
TEST_F(TopicOrderTest, PacksWhatComesInOrder) {
  for (std::uint64_t i = 0; i < 51'200; ++i) insert(numbered(i));
  EXPECT_LE(order_.memory_bytes(), 51'200 * 4 + 20'000U);
}

// One of 512 neighbours stays: blocks that were never merged would be left with one topic each.
TEST_F(TopicOrderTest, ErasingLeavesNoCrumbs) {
  std::vector<std::uint32_t> slots;
  for (std::uint64_t i = 0; i < 51'200; ++i) slots.push_back(insert(numbered(i)));
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (i % 512 != 0) order_.erase(slots[i]);
  }
  EXPECT_EQ(topics_from(order_.begin()).size(), 100U);
  EXPECT_LE(order_.memory_bytes(), 10'000U);
}

TEST_F(TopicOrderTest, ErasingBackwardsLeavesNoCrumbs) {
  std::vector<std::uint32_t> slots;
  for (std::uint64_t i = 0; i < 51'200; ++i) slots.push_back(insert(numbered(i)));
  for (std::size_t i = slots.size(); i-- > 0;) {
    if (i % 512 != 0) order_.erase(slots[i]);
  }
  EXPECT_EQ(topics_from(order_.begin()).size(), 100U);
  EXPECT_LE(order_.memory_bytes(), 10'000U);
}

TEST_F(TopicOrderTest, AgreesWithAMapUnderChurn) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    std::map<std::string, std::uint32_t> expected;
    // Grows over several blocks, then shrinks to nothing.
    for (int i = 0; i < 12'000; ++i) {
      const std::string topic = numbered(random.below(6000));
      const auto known = expected.find(topic);
      if (random.chance(i < 6000 ? 80 : 20)) {
        if (known == expected.end()) expected.emplace(topic, insert(topic));
      } else if (known != expected.end()) {
        order_.erase(known->second);
        expected.erase(known);
      }
      const auto wanted = expected.lower_bound(topic);
      const TopicOrder::Place place = order_.seek(order_.begin(), topic);
      ASSERT_EQ(order_.is_end(place), wanted == expected.end());
      if (wanted != expected.end()) {
        ASSERT_EQ(order_.slot(place), wanted->second);
      }
      if (i % 500 != 0) continue;
      std::vector<std::string> topics;
      for (const auto& [name, slot] : expected) topics.push_back(name);
      ASSERT_EQ(topics_from(order_.begin()), topics);
    }
    for (const auto& [topic, slot] : expected) order_.erase(slot);
    EXPECT_TRUE(order_.is_end(order_.begin()));
  }
}

}  // namespace
}  // namespace furrow::broker
