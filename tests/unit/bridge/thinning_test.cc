#include "bridge/thinning.h"

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

namespace furrow::bridge {
namespace {

using namespace std::chrono_literals;
using Verdict = Thinning::Verdict;

constexpr ThinningTerms kEveryTen{.every = 10s};
constexpr ThinningTerms kChangedOnly{.changed_only = true};

class ThinningTest : public testing::Test {
 protected:
  struct Sent {
    std::string_view payload;
    Duration at{};
    bool retain = false;
    std::string_view topic = "farm/1";
  };
  // A value that comes and could leave at once; its place in the queue is one more than that of the one before.
  Verdict comes(const Sent& sent, const ThinningTerms& terms) {
    const Thinning::Value value = next(sent);
    now = value.received;
    thinning.note(value, now);
    return thinning.judge(value, terms, now);
  }
  Thinning::Value next(const Sent& sent) {
    return {.topic = sent.topic,
            .payload = as_bytes(sent.payload),
            .received = Instant{} + sent.at,
            .retain = sent.retain,
            .sequence = Sequence{++last_}};
  }
  // Places in the queue; 0: none.
  std::uint64_t replaced() {
    const auto one = thinning.poll_replaced();
    return one ? one->held.sequence.value : 0;
  }
  std::uint64_t due(Duration at) { return place(thinning.poll_due(Instant{} + at)); }

  Thinning thinning;
  Instant now{};

 private:
  static std::uint64_t place(const std::optional<Thinning::Held>& held) { return held ? held->sequence.value : 0; }
  std::uint64_t last_ = 0;
};

TEST_F(ThinningTest, TheNewestValueWaitsForItsTimeAndReplacesTheOneBefore) {
  EXPECT_EQ(comes({"1", 0s}, kEveryTen), Verdict::Crosses);
  EXPECT_EQ(comes({"2", 3s}, kEveryTen), Verdict::Held);
  EXPECT_EQ(replaced(), 0U);
  EXPECT_EQ(comes({"3", 5s}, kEveryTen), Verdict::Held);
  EXPECT_EQ(replaced(), 2U);
  EXPECT_EQ(thinning.next_due(), Instant{} + 10s);
  EXPECT_EQ(due(9s), 0U);
  EXPECT_EQ(due(10s), 3U);
  EXPECT_EQ(thinning.next_due(), kNever);
}

TEST_F(ThinningTest, TheTimeBeginsWithEachValueThatCrosses) {
  EXPECT_EQ(comes({"1", 0s}, kEveryTen), Verdict::Crosses);
  EXPECT_EQ(comes({"2", 9s}, kEveryTen), Verdict::Held);
  EXPECT_EQ(due(10s), 2U);
  EXPECT_EQ(comes({"3", 19s}, kEveryTen), Verdict::Held) << "nine seconds after the one before";
  EXPECT_EQ(due(20s), 3U);
  EXPECT_EQ(comes({"4", 30s}, kEveryTen), Verdict::Crosses);
}

TEST_F(ThinningTest, TopicsDoNotWaitForEachOther) {
  EXPECT_EQ(comes({"1", 0s}, kEveryTen), Verdict::Crosses);
  EXPECT_EQ(comes({"1", 1s, false, "farm/2"}, kEveryTen), Verdict::Crosses);
}

TEST_F(ThinningTest, ABacklogIsThinnedByTheTimesAtWhichItCame) {
  std::vector<Thinning::Value> backlog;
  for (const Duration at : {0s, 3s, 5s, 12s, 13s}) backlog.push_back(next({"x", at}));
  now = Instant{} + 1h;
  for (const auto& value : backlog) thinning.note(value, now);
  std::vector<Verdict> verdicts;
  for (const auto& value : backlog) verdicts.push_back(thinning.judge(value, kEveryTen, now));
  EXPECT_EQ(verdicts,
            (std::vector{Verdict::Crosses, Verdict::Dropped, Verdict::Dropped, Verdict::Crosses, Verdict::Crosses}))
      << "the newest crosses always";
}

TEST_F(ThinningTest, WhatCrossesIsNotJudgedAgain) {
  const auto first = next({"1", 0s});
  const auto second = next({"2", 1h});
  for (const auto& value : {first, second}) thinning.note(value, second.received);
  EXPECT_EQ(thinning.judge(first, kEveryTen, second.received), Verdict::Crosses);
  EXPECT_EQ(thinning.judge(second, kEveryTen, second.received), Verdict::Crosses);
  EXPECT_EQ(thinning.judge(first, kEveryTen, second.received), Verdict::Crosses) << "it had no room to leave";
}

TEST_F(ThinningTest, ADeletionCrossesAtOnceAndTakesWhatWaitsWithIt) {
  EXPECT_EQ(comes({"1", 0s, true}, kEveryTen), Verdict::Crosses);
  EXPECT_EQ(comes({"2", 1s, true}, kEveryTen), Verdict::Held);
  EXPECT_EQ(comes({"", 2s, true}, kEveryTen), Verdict::Crosses);
  EXPECT_EQ(replaced(), 2U);
  EXPECT_EQ(comes({"", 3s, true}, kChangedOnly), Verdict::Crosses) << "also where it changes nothing";
}

// Else the far side would keep the value before it.
TEST_F(ThinningTest, ARetainedValueDoesNotGiveWayToOneThatIsNot) {
  EXPECT_EQ(comes({"1", 0s, true}, kEveryTen), Verdict::Crosses);
  EXPECT_EQ(comes({"2", 1s, true}, kEveryTen), Verdict::Held);
  EXPECT_EQ(comes({"3", 2s}, kEveryTen), Verdict::Held);
  EXPECT_EQ(replaced(), 0U);
  EXPECT_EQ(due(2s), 2U);
  const auto kept = next({"4", 3s, true});
  const auto newer = next({"5", 4s});
  for (const auto& value : {kept, newer}) thinning.note(value, newer.received);
  EXPECT_EQ(thinning.judge(kept, kEveryTen, newer.received), Verdict::Held);
  EXPECT_EQ(thinning.judge(newer, kEveryTen, newer.received), Verdict::Held);
  EXPECT_EQ(due(4s), 4U) << "also where both are noted before they are judged";
}

TEST_F(ThinningTest, AnEqualPayloadCrossesWithTheHeartbeatOnly) {
  constexpr ThinningTerms kTerms{.changed_only = true, .heartbeat = 15min};
  EXPECT_EQ(comes({"on", 0s}, kTerms), Verdict::Crosses);
  EXPECT_EQ(comes({"on", 14min}, kTerms), Verdict::Dropped);
  EXPECT_EQ(comes({"on", 15min}, kTerms), Verdict::Crosses);
  EXPECT_EQ(comes({"on", 29min}, kTerms), Verdict::Dropped) << "it begins anew";
  EXPECT_EQ(comes({"off", 29min}, kTerms), Verdict::Crosses);
  EXPECT_EQ(comes({"on", 29min}, kTerms), Verdict::Crosses);
}

TEST_F(ThinningTest, WithoutAHeartbeatAnEqualPayloadNeverCrosses) {
  EXPECT_EQ(comes({"on", 0s}, kChangedOnly), Verdict::Crosses);
  EXPECT_EQ(comes({"on", 1000h}, kChangedOnly), Verdict::Dropped);
  EXPECT_EQ(comes({"on", 1000h, true}, kChangedOnly), Verdict::Crosses) << "now it is retained";
}

TEST_F(ThinningTest, AValueThatIsBackBeforeItsTimeLeavesNothingToCross) {
  constexpr ThinningTerms kTerms{.every = 10s, .changed_only = true};
  EXPECT_EQ(comes({"on", 0s}, kTerms), Verdict::Crosses);
  EXPECT_EQ(comes({"off", 1s}, kTerms), Verdict::Held);
  EXPECT_EQ(comes({"on", 2s}, kTerms), Verdict::Dropped);
  EXPECT_EQ(replaced(), 3U) << "for the first, which it equals";
  EXPECT_EQ(replaced(), 2U);
  EXPECT_EQ(thinning.next_due(), kNever);
}

TEST_F(ThinningTest, AfterTheFarSideHasForgottenTheNextValueCrosses) {
  EXPECT_EQ(comes({"on", 0s}, kChangedOnly), Verdict::Crosses);
  thinning.forget();
  EXPECT_EQ(comes({"on", 1s}, kChangedOnly), Verdict::Crosses);
}

TEST_F(ThinningTest, AMessageThatIsInNoQueueIsKept) {
  const Thinning::Value first{.topic = "farm/1", .payload = as_bytes("1"), .received = Instant{}};
  Thinning::Value second = first;
  second.received += 1s;
  for (const auto& [value, verdict] : {std::pair(first, Verdict::Crosses), std::pair(second, Verdict::Held)}) {
    thinning.note(value, value.received);
    EXPECT_EQ(thinning.judge(value, kEveryTen, value.received), verdict);
  }
  thinning.keep("farm/1", broker::Message::make({.topic = "farm/1", .payload = as_bytes("2"), .received = Instant{}}));
  const auto held = thinning.poll_due(Instant{} + 10s);
  ASSERT_TRUE(held.has_value());
  EXPECT_EQ(as_text(held->message->payload()), "2");
}

// The held value is as safe as its queue.
TEST_F(ThinningTest, AValueInTheQueueLeavesForOneThatIsInNone) {
  EXPECT_EQ(comes({"1", 0s}, kEveryTen), Verdict::Crosses);
  EXPECT_EQ(comes({"2", 1s}, kEveryTen), Verdict::Held);
  EXPECT_TRUE(thinning.holds_queued("farm/1"));
  const Thinning::Value passing{.topic = "farm/1", .payload = as_bytes("3"), .received = Instant{} + 2s};
  thinning.note(passing, passing.received);
  EXPECT_EQ(thinning.judge(passing, kEveryTen, passing.received), Verdict::Held);
  EXPECT_EQ(replaced(), 0U);
  EXPECT_EQ(due(2s), 2U);
  EXPECT_FALSE(thinning.holds_queued("farm/1"));
}

TEST_F(ThinningTest, WhatStandsForAValueIsNamed) {
  EXPECT_EQ(comes({"1", 0s}, kEveryTen), Verdict::Crosses);
  EXPECT_EQ(comes({"2", 3s}, kEveryTen), Verdict::Held);
  EXPECT_EQ(comes({"3", 5s}, kEveryTen), Verdict::Held);
  const auto replaced = thinning.poll_replaced();
  ASSERT_TRUE(replaced.has_value());
  EXPECT_EQ(replaced->held.sequence, Sequence{2});
  EXPECT_EQ(replaced->by, Sequence{3});
}

TEST_F(ThinningTest, TheTopicThatWasSilentForLongestIsForgottenFirst) {
  EXPECT_EQ(comes({"1", 0s}, kEveryTen), Verdict::Crosses);
  EXPECT_EQ(comes({"2", 1s}, kEveryTen), Verdict::Held);
  for (std::size_t i = 0; i < Thinning::kTopicsMax; ++i) {
    const std::string topic = "other/" + std::to_string(i);
    EXPECT_EQ(comes({"1", 2s, false, topic}, kEveryTen), Verdict::Crosses);
  }
  EXPECT_EQ(due(2s), 2U) << "what it held leaves";
  EXPECT_EQ(comes({"3", 3s}, kEveryTen), Verdict::Crosses);
}

TEST_F(ThinningTest, WhatHasNoRoomToBeHeldCrosses) {
  const std::string large(Thinning::kHeldBytesMax / 2, 'x');
  for (const char* topic : {"farm/1", "farm/2", "farm/3"}) {
    EXPECT_EQ(comes({"1", 0s, false, topic}, kEveryTen), Verdict::Crosses);
  }
  EXPECT_EQ(comes({large, 1s, false, "farm/1"}, kEveryTen), Verdict::Held);
  EXPECT_EQ(comes({large, 1s, false, "farm/2"}, kEveryTen), Verdict::Held);
  EXPECT_EQ(comes({"2", 1s, false, "farm/3"}, kEveryTen), Verdict::Crosses);
  EXPECT_EQ(comes({large, 2s, false, "farm/1"}, kEveryTen), Verdict::Held) << "in the place of the one before";
  EXPECT_NE(due(10s), 0U);
  EXPECT_EQ(comes({"3", 5s, false, "farm/3"}, kEveryTen), Verdict::Held) << "there is room again";
}

TEST_F(ThinningTest, OtherRulesLetEverythingLeave) {
  EXPECT_EQ(comes({"1", 0s}, kEveryTen), Verdict::Crosses);
  EXPECT_EQ(comes({"2", 1s}, kEveryTen), Verdict::Held);
  thinning.release_all();
  EXPECT_EQ(thinning.next_due(), Instant::min());
  EXPECT_EQ(due(1s), 2U);
  EXPECT_EQ(comes({"3", 2s}, kEveryTen), Verdict::Crosses);
}

}  // namespace
}  // namespace furrow::bridge
