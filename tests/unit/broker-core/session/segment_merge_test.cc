#include "broker-core/session/segment_merge.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/broker-core/session/row_parts.h"

namespace furrow::broker {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

ClockStamp stamp_at(Duration since_boot, std::uint64_t boot = 7) {
  return {
      .boot = boot, .monotonic = Instant(since_boot), .wall = WallTime(hours(500'000) + since_boot), .trusted = true};
}

// One flush of messages whose payload says their sequence, received `age` before.
SegmentRow flush(std::uint64_t id, const ClockStamp& stamp, const std::vector<std::uint64_t>& sequences,
                 const std::vector<QueueId>& queues = {kBridge}, Duration age = milliseconds(30)) {
  SegmentWriter writer(stamp);
  std::vector<MessageRef> messages;
  for (const std::uint64_t sequence : sequences) {
    const std::string payload = std::to_string(sequence);
    messages.push_back(Message::make({.topic = "farm/moisture",
                                      .payload = as_bytes(payload),
                                      .properties = {},
                                      .expiry_s = 600,
                                      .received = stamp.monotonic - age,
                                      .qos = mqtt::Qos::AtLeastOnce,
                                      .retain = false}));
    writer.add_message(*messages.back(), static_cast<std::uint32_t>(queues.size()));
    const std::vector<std::uint32_t> ids = {5, 6};
    for (const QueueId queue : queues) {
      writer.add_delivery(queue, Sequence{sequence},
                          {.qos = mqtt::Qos::AtLeastOnce, .retain = true, .subscription_ids = ids});
    }
  }
  return writer.finish(SegmentId{id});
}

bool everything(QueueId, Sequence) {
  return true;
}

std::vector<SegmentReader::Record> read(const SegmentRow& row, QueueId queue, const ClockStamp& now) {
  SegmentReader reader(row.directory, row.records, queue, now);
  std::vector<SegmentReader::Record> records;
  for (SegmentReader::Record record; reader.next(Sequence{1}, record);) records.push_back(std::move(record));
  EXPECT_FALSE(reader.damaged());
  return records;
}

std::vector<std::string> payloads(const std::vector<SegmentReader::Record>& records) {
  std::vector<std::string> texts;
  for (const SegmentReader::Record& record : records) texts.emplace_back(as_text(record.message->payload()));
  return texts;
}

using Texts = std::vector<std::string>;

TEST(SegmentMerge, MakesOneRowOfMany) {
  SegmentMerge merge;
  for (std::uint64_t id = 1; id <= 50; ++id) {
    ASSERT_TRUE(merge.add(flush(id, stamp_at(seconds(id)), {id}), everything));
  }
  const SegmentRow row = merge.finish(SegmentId{50});
  EXPECT_EQ(row.id, SegmentId{50});
  EXPECT_EQ(row.messages, 50U);
  const auto records = read(row, kBridge, stamp_at(seconds(60)));
  ASSERT_EQ(records.size(), 50U);
  for (std::uint64_t i = 0; i < 50; ++i) {
    const SegmentReader::Record& record = records[i];
    EXPECT_EQ(record.sequence, Sequence{i + 1});
    EXPECT_EQ(as_text(record.message->payload()), std::to_string(i + 1));
    EXPECT_EQ(record.message->received(), Instant(seconds(i + 1) - milliseconds(30)));
    EXPECT_EQ(record.message->expiry_s(), 600U);
    EXPECT_EQ(record.subscription_ids, (std::vector<std::uint32_t>{5, 6}));
    EXPECT_TRUE(record.retain);
  }
}

TEST(SegmentMerge, LeavesOutWhatNobodyWants) {
  SegmentMerge merge;
  const auto wanted = [](QueueId queue, Sequence sequence) {
    return queue == kSession ? sequence.value % 3 == 0 : sequence.value > 5;
  };
  ASSERT_TRUE(merge.add(flush(1, stamp_at(seconds(1)), {1, 2, 3, 4}, {kBridge, kSession}), wanted));
  ASSERT_TRUE(merge.add(flush(2, stamp_at(seconds(2)), {5, 6, 7}, {kBridge, kSession}), wanted));
  const SegmentRow row = merge.finish(SegmentId{2});
  EXPECT_EQ(row.messages, 3U);
  EXPECT_EQ(payloads(read(row, kBridge, stamp_at(seconds(3)))), (Texts{"6", "7"}));
  EXPECT_EQ(payloads(read(row, kSession, stamp_at(seconds(3)))), (Texts{"3", "6"}));
}

TEST(SegmentMerge, IsEmptyWhereNothingIsWanted) {
  SegmentMerge merge;
  EXPECT_TRUE(merge.add(flush(1, stamp_at(seconds(1)), {1, 2}), [](QueueId, Sequence) { return false; }));
  EXPECT_TRUE(merge.empty());
}

TEST(SegmentMerge, DoesNotJoinWhatTwoBootsHaveWritten) {
  SegmentMerge merge;
  ASSERT_TRUE(merge.add(flush(1, stamp_at(seconds(100)), {1}), everything));
  EXPECT_FALSE(merge.add(flush(2, stamp_at(seconds(5), 8), {2}), everything));
  EXPECT_EQ(payloads(read(merge.finish(SegmentId{1}), kBridge, stamp_at(seconds(200)))), (Texts{"1"}));
}

TEST(SegmentMerge, DoesNotTakeWhatMakesNoSense) {
  SegmentRow torn = flush(2, stamp_at(seconds(2)), {2, 3});
  torn.records.resize(torn.records.size() - 2);
  SegmentMerge merge;
  ASSERT_TRUE(merge.add(flush(1, stamp_at(seconds(1)), {1}), everything));
  EXPECT_FALSE(merge.add(torn, everything));
  EXPECT_EQ(payloads(read(merge.finish(SegmentId{1}), kBridge, stamp_at(seconds(3)))), (Texts{"1"}));
}

TEST(SegmentMerge, DoesNotTakeWhatComesAgain) {
  SegmentMerge merge;
  ASSERT_TRUE(merge.add(flush(1, stamp_at(seconds(1)), {4}), everything));
  EXPECT_FALSE(merge.add(flush(2, stamp_at(seconds(2)), {4}), everything));
}

}  // namespace
}  // namespace furrow::broker
