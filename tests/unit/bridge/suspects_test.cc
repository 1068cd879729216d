#include "bridge/suspects.h"

#include <gtest/gtest.h>

#include <chrono>

namespace furrow::test {
namespace {

using namespace std::chrono_literals;
using bridge::Suspects;
using Message = Suspects::Message;

class SuspectsTest : public testing::Test {
 protected:
  static Message message(std::uint64_t sequence) { return {QueueId{1}, Sequence{sequence}}; }
  std::optional<Message> close(std::deque<Message> in_flight) {
    now_ += 1s;
    return suspects_.handle_close(std::move(in_flight), std::nullopt, now_);
  }
  std::optional<Message> close(std::deque<Message> in_flight, Message alone, bool is_there = false) {
    now_ += 1s;
    return suspects_.handle_close(std::move(in_flight), Suspects::Alone{alone, alone.sequence.value % 10, is_there},
                                  now_);
  }
  // `sequence` has been answered: what follows it is open.
  void answer(std::uint64_t sequence) {
    suspects_.handle_answer([sequence](const Message& one) { return one.sequence > Sequence{sequence}; });
  }

  Suspects suspects_;
  Instant now_{1h};
};

TEST_F(SuspectsTest, ThreeClosesThatFindAMessageAloneMakeItTheCulprit) {
  EXPECT_EQ(close({message(1), message(2)}), std::nullopt);
  EXPECT_FALSE(suspects_.one_at_a_time());
  EXPECT_EQ(close({message(1), message(2)}), std::nullopt);
  EXPECT_TRUE(suspects_.one_at_a_time());
  EXPECT_EQ(close({message(1), message(2)}, message(1)), std::nullopt);
  EXPECT_EQ(close({message(1), message(2)}, message(1)), std::nullopt);
  EXPECT_EQ(close({message(1), message(2)}, message(1)), message(1));
  EXPECT_TRUE(suspects_.one_at_a_time()) << "until the other one was answered";
  answer(2);
  EXPECT_FALSE(suspects_.one_at_a_time());
}

TEST_F(SuspectsTest, MessageThatWasAloneBeforeAllWereIsNoSuspect) {
  for (int i = 0; i < 2; ++i) EXPECT_EQ(close({message(1)}, message(1)), std::nullopt);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(close({message(1)}, message(1)), std::nullopt);
  EXPECT_EQ(close({message(1)}, message(1)), message(1));
  EXPECT_EQ(suspects_.closes(), 0U);
}

TEST_F(SuspectsTest, AnotherMessageIsJudgedAnew) {
  for (int i = 0; i < 2; ++i) close({message(1), message(2)});
  for (int i = 0; i < 2; ++i) close({message(1), message(2)}, message(1));
  answer(1);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(close({message(2)}, message(2)), std::nullopt);
  EXPECT_EQ(close({message(2)}, message(2)), message(2));
}

TEST_F(SuspectsTest, CloseThatFindsSeveralUnansweredBlamesNone) {
  for (int i = 0; i < 20; ++i) EXPECT_EQ(close({message(1), message(2)}), std::nullopt);
}

TEST_F(SuspectsTest, AllIsWellOnceEverythingOfTheLastCloseWasAnswered) {
  for (int i = 0; i < 2; ++i) close({message(1), message(2), message(3)});
  answer(2);
  EXPECT_TRUE(suspects_.one_at_a_time());
  answer(3);
  EXPECT_EQ(suspects_.closes(), 0U);
}

// Else a region in maintenance, which ends each connection, would have a whole buffer set aside.
TEST_F(SuspectsTest, SecondCulpritNeedsAnAnswerInBetweenOrTime) {
  for (int i = 0; i < 2; ++i) close({message(1), message(2)});
  for (int i = 0; i < 2; ++i) close({message(1), message(2)}, message(1));
  ASSERT_EQ(close({message(1), message(2)}, message(1)), message(1));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(close({message(2)}, message(2)), std::nullopt);
  now_ += 10min;
  EXPECT_EQ(close({message(2)}, message(2)), message(2));
}

TEST_F(SuspectsTest, SecondCulpritComesAtOnceAfterAnAnswer) {
  for (int i = 0; i < 2; ++i) close({message(1), message(2), message(3)});
  for (int i = 0; i < 3; ++i) close({message(1), message(2), message(3)}, message(1));
  answer(2);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(close({message(3)}, message(3)), std::nullopt);
  EXPECT_EQ(close({message(3)}, message(3)), message(3));
}

TEST_F(SuspectsTest, WhatEqualsTheLastCulpritFollowsAtItsFirstClose) {
  const std::deque<Message> all{message(1), message(11), message(2)};
  for (int i = 0; i < 2; ++i) close(all);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(close(all, message(1)), std::nullopt);
  EXPECT_EQ(close(all, message(1)), message(1));
  EXPECT_EQ(close({message(11), message(2)}, message(11)), message(11));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(close({message(2)}, message(2)), std::nullopt);
}

TEST_F(SuspectsTest, OthersThatAreThereFollowAtTheirFirstClose) {
  const std::deque<Message> all{message(1), message(2), message(3)};
  for (int i = 0; i < 2; ++i) close(all);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(close(all, message(1), true), std::nullopt);
  EXPECT_EQ(close(all, message(1), true), message(1));
  EXPECT_EQ(close({message(2), message(3)}, message(2), true), message(2));
  EXPECT_EQ(close({message(3)}, message(3), false), std::nullopt) << "this one would be lost";
}

}  // namespace
}  // namespace furrow::test
