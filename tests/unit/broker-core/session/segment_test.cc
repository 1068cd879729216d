#include "broker-core/session/segment.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/broker-core/session/row_parts.h"

namespace furrow::broker {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr ClockStamp kNow{.boot = 7, .monotonic = Instant(hours(1)), .wall = WallTime(hours(500'000)), .trusted = true};

ClockStamp later(Duration by) {
  ClockStamp stamp = kNow;
  stamp.monotonic += by;
  stamp.wall += by;
  return stamp;
}

struct Said {
  std::string topic = "farm/field-1/moisture";
  std::string payload = "12.5";
  Bytes properties = {};
  std::optional<std::uint32_t> expiry_s = std::nullopt;
  Duration age{};
  mqtt::Qos qos = mqtt::Qos::AtLeastOnce;
  bool retain = false;
};

MessageRef message(const Said& said) {
  return Message::make({.topic = said.topic,
                        .payload = as_bytes(said.payload),
                        .properties = mqtt::PropertyView::from_valid(said.properties),
                        .expiry_s = said.expiry_s,
                        .received = kNow.monotonic - said.age,
                        .qos = said.qos,
                        .retain = said.retain});
}

// Writes messages as the story tells them; keeps them as long as the writer needs.
class Flush {
 public:
  Flush& say(const Said& said, std::vector<std::pair<QueueId, std::uint64_t>> to, DeliveryOptions options = {}) {
    messages_.push_back(message(said));
    writer_.add_message(*messages_.back(), static_cast<std::uint32_t>(to.size()));
    for (const auto& [queue, sequence] : to) writer_.add_delivery(queue, Sequence{sequence}, options);
    return *this;
  }
  SegmentRow finish() { return writer_.finish(SegmentId{9}); }
  std::size_t bytes() const { return writer_.bytes(); }

 private:
  SegmentWriter writer_{kNow};
  std::vector<MessageRef> messages_;
};

std::vector<SegmentReader::Record> read_all(const SegmentRow& row, QueueId queue, std::uint64_t from = 0,
                                            const ClockStamp& now = kNow) {
  SegmentReader reader(row.directory, row.records, queue, now);
  std::vector<SegmentReader::Record> records;
  for (SegmentReader::Record record; reader.next(Sequence{from}, record);) records.push_back(std::move(record));
  EXPECT_FALSE(reader.damaged());
  return records;
}

TEST(Segment, GivesBackWhatWasWritten) {
  const Said said{.payload = std::string(300, 'x'),
                  .properties = user_property("unit", "percent"),
                  .expiry_s = 3600,
                  .age = milliseconds(1500),
                  .qos = mqtt::Qos::ExactlyOnce,
                  .retain = true};
  const std::uint32_t ids[] = {1, 268'435'455};
  const SegmentRow row =
      Flush()
          .say(said, {{kBridge, 41}}, {.qos = mqtt::Qos::AtLeastOnce, .retain = true, .subscription_ids = ids})
          .finish();

  EXPECT_EQ(row.id, SegmentId{9});
  EXPECT_EQ(row.messages, 1U);
  const auto records = read_all(row, kBridge);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].sequence, Sequence{41});
  EXPECT_EQ(records[0].qos, mqtt::Qos::AtLeastOnce);
  EXPECT_TRUE(records[0].retain);
  EXPECT_EQ(records[0].subscription_ids, (std::vector<std::uint32_t>{1, 268'435'455}));
  const Message& read = *records[0].message;
  EXPECT_TRUE(same_content(read, *message(said)));
  EXPECT_EQ(read.qos(), mqtt::Qos::ExactlyOnce);
  EXPECT_TRUE(read.retain());
  EXPECT_EQ(read.expiry_s(), 3600U);
  EXPECT_EQ(read.received(), kNow.monotonic - milliseconds(1500));
}

TEST(Segment, ATopicLeavesOutWhatTheOneBeforeBeginsWith) {
  const std::vector<std::string> topics = {"farm/field-1/moisture",
                                           "farm/field-2/moisture",
                                           "farm/field-2",
                                           "farm/field-2/temperature",
                                           "x",
                                           std::string(300, 'x'),
                                           std::string(301, 'x'),
                                           "y",
                                           "farm/field-2/moisture"};
  Flush flush;
  std::vector<std::size_t> bytes;
  for (std::uint64_t i = 0; i < topics.size(); ++i) {
    const std::size_t before = flush.bytes();
    flush.say({.topic = topics[i], .payload = ""}, {{kBridge, i + 1}});
    bytes.push_back(flush.bytes() - before);
  }
  EXPECT_EQ(bytes[2], bytes[4]);
  EXPECT_EQ(bytes[3] - bytes[2], std::string_view("/temperature").size());
  EXPECT_GT(bytes[6], 301U - 128U) << "bounded, so that few bytes do not become many";
  const auto records = read_all(flush.finish(), kBridge);
  ASSERT_EQ(records.size(), topics.size());
  for (std::size_t i = 0; i < topics.size(); ++i) EXPECT_EQ(records[i].message->topic(), topics[i]);
}

TEST(Segment, EachQueueSeesItsOwnMessagesInOrder) {
  const SegmentRow row = Flush()
                             .say({.payload = "one"}, {{kBridge, 10}, {kSession, 5}})
                             .say({.payload = "two"}, {{kSession, 6}})
                             .say({.payload = "three"}, {{kBridge, 14}})
                             .finish();
  const auto bridge = read_all(row, kBridge);
  ASSERT_EQ(bridge.size(), 2U);
  EXPECT_EQ(bridge[0].sequence, Sequence{10});
  EXPECT_EQ(as_text(bridge[1].message->payload()), "three");
  EXPECT_EQ(bridge[1].sequence, Sequence{14});
  const auto session = read_all(row, kSession);
  ASSERT_EQ(session.size(), 2U);
  EXPECT_EQ(as_text(session[1].message->payload()), "two");
  EXPECT_TRUE(read_all(row, QueueId{3}).empty());
}

TEST(Segment, DirectoryTellsWhatItHoldsForEachQueue) {
  const Said said{.topic = "t", .payload = "abc"};
  const SegmentRow row = Flush().say(said, {{kBridge, 10}, {kSession, 5}}).say(said, {{kBridge, 12}}).finish();
  std::vector<DirectoryEntry> directory;
  ASSERT_TRUE(parse_directory(row.directory, directory));
  ASSERT_EQ(directory.size(), 2U);
  EXPECT_EQ(directory[0].queue, kBridge);
  EXPECT_EQ(directory[0].first, Sequence{10});
  EXPECT_EQ(directory[0].last, Sequence{12});
  EXPECT_EQ(directory[0].messages, 2U);
  EXPECT_EQ(directory[0].bytes, 8U);
  EXPECT_EQ(directory[1].queue, kSession);
  EXPECT_EQ(directory[1].messages, 1U);
}

TEST(Segment, ReadingStartsWhereItIsAskedTo) {
  Flush flush;
  for (std::uint64_t i = 1; i <= 5; ++i) flush.say({}, {{kBridge, i}});
  const auto records = read_all(flush.finish(), kBridge, 4);
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].sequence, Sequence{4});
}

TEST(Segment, WritesATopicOnce) {
  const Said said{.topic = std::string(100, 't'), .payload = "1"};
  Flush flush;
  flush.say(said, {{kBridge, 1}});
  const std::size_t with_topic = flush.bytes();
  flush.say(said, {{kBridge, 2}});
  EXPECT_LE(flush.bytes() - with_topic, 10U);
  const auto records = read_all(flush.finish(), kBridge);
  EXPECT_EQ(records[1].message->topic(), said.topic);
}

TEST(Segment, TheSameDeliveriesOnceMoreTakeNoBytes) {
  const Said said{.topic = "t", .payload = "1"};
  const std::vector<std::uint32_t> ids{7, 300};
  Flush flush;
  const auto bytes_of = [&](std::uint64_t to_bridge, std::uint64_t to_session, DeliveryOptions options) {
    const std::size_t before = flush.bytes();
    flush.say(said, {{kBridge, to_bridge}, {kSession, to_session}}, options);
    return flush.bytes() - before;
  };
  const std::size_t first = bytes_of(10, 20, {.subscription_ids = ids});
  EXPECT_EQ(bytes_of(11, 21, {.subscription_ids = ids}), first - 3);  // without the text of the topic
  const std::size_t same = bytes_of(12, 22, {.subscription_ids = ids});
  EXPECT_EQ(same, 4U);
  EXPECT_EQ(bytes_of(13, 23, {.subscription_ids = ids}), same);
  EXPECT_GT(bytes_of(15, 24, {.subscription_ids = ids}), same);
  EXPECT_GT(bytes_of(16, 25, {.qos = mqtt::Qos::AtLeastOnce}), same);
  flush.say({.topic = "t", .payload = "other"}, {{kSession, 26}});
  flush.say({.topic = "t", .payload = "other"}, {{kSession, 27}});

  const SegmentRow row = flush.finish();
  std::vector<std::uint64_t> sequences;
  for (const auto& record : read_all(row, kBridge)) {
    sequences.push_back(record.sequence.value);
    EXPECT_EQ(record.subscription_ids, record.sequence.value == 16 ? std::vector<std::uint32_t>{} : ids);
  }
  EXPECT_EQ(sequences, (std::vector<std::uint64_t>{10, 11, 12, 13, 15, 16}));
  sequences.clear();
  for (const auto& record : read_all(row, kSession, 23)) sequences.push_back(record.sequence.value);
  EXPECT_EQ(sequences, (std::vector<std::uint64_t>{23, 24, 25, 26, 27}));
}

TEST(Segment, APayloadAsLongAsTheOneBeforeSaysNoLength) {
  const std::vector<std::string> payloads = {"", "12.5", "13.0", "", "", std::string(300, 'x'), std::string(300, 'y')};
  Flush flush;
  std::vector<std::size_t> beside;  // the payload
  for (std::uint64_t i = 0; i < payloads.size(); ++i) {
    const std::size_t before = flush.bytes();
    flush.say({.topic = "t", .payload = payloads[i]}, {{kBridge, i + 1}});
    beside.push_back(flush.bytes() - before - payloads[i].size());
  }
  EXPECT_EQ(std::vector(beside.begin() + 2, beside.end()), (std::vector<std::size_t>{3, 4, 3, 5, 3}));
  const auto records = read_all(flush.finish(), kBridge);
  ASSERT_EQ(records.size(), payloads.size());
  for (std::size_t i = 0; i < payloads.size(); ++i) EXPECT_EQ(as_text(records[i].message->payload()), payloads[i]);
}

TEST(Segment, AMessageAgesWhileItIsStored) {
  const SegmentRow row = Flush().say({.age = seconds(3)}, {{kBridge, 1}}).finish();
  const ClockStamp now = later(minutes(10));
  EXPECT_EQ(read_all(row, kBridge, 0, now)[0].message->received(), now.monotonic - minutes(10) - seconds(3));
}

TEST(Segment, AMessageAgesOverARestartOfTheMachine) {
  const SegmentRow row = Flush().say({.age = seconds(3)}, {{kBridge, 1}}).finish();
  const ClockStamp now{.boot = 8, .monotonic = Instant(seconds(20)), .wall = kNow.wall + hours(2), .trusted = true};
  EXPECT_EQ(read_all(row, kBridge, 0, now)[0].message->received(), now.monotonic - hours(2) - seconds(3));
}

// Expiry goes by the monotonic clock: ten years on the wall clock meanwhile are no time.
TEST(Segment, AWallClockThatJumpsWhileAMessageIsStoredAgesNothing) {
  const SegmentRow row = Flush().say({.age = seconds(3)}, {{kBridge, 1}}).finish();
  for (const Duration jump : {Duration(hours(87'660)), Duration(-hours(87'660))}) {
    ClockStamp now = later(minutes(10));
    now.wall += jump;
    EXPECT_EQ(read_all(row, kBridge, 0, now)[0].message->received(), now.monotonic - minutes(10) - seconds(3));
  }
}

TEST(Segment, DeliveriesOnceMoreOfNoRecordBeforeAreDamage) {
  SegmentRow row = Flush().say({}, {{kBridge, 1}}).finish();
  const std::size_t flags = Flush().bytes();
  row.records[flags] |= 0x20;
  SegmentReader reader(row.directory, row.records, kBridge, kNow);
  SegmentReader::Record record;
  EXPECT_FALSE(reader.next(Sequence{1}, record));
  EXPECT_TRUE(reader.damaged());
}

// A damaged segment must neither crash nor be taken for a whole one.
TEST(Segment, CutShortAnywhereItSaysSo) {
  const SegmentRow row = Flush()
                             .say({.properties = user_property("a", "b"), .expiry_s = 5}, {{kBridge, 1}, {kSession, 1}})
                             .say({.topic = "other"}, {{kBridge, 2}})
                             .say({.topic = "other"}, {{kBridge, 3}})
                             .finish();
  for (std::size_t size = 0; size < row.records.size(); ++size) {
    SegmentReader reader(row.directory, ByteView(row.records).first(size), kBridge, kNow);
    SegmentReader::Record record;
    while (reader.next(Sequence{1}, record)) {
    }
    EXPECT_TRUE(reader.damaged()) << size;
  }
}

TEST(Segment, AFlippedBitAnywhereIsSurvived) {
  const SegmentRow row = Flush()
                             .say({.properties = user_property("a", "b"), .expiry_s = 5}, {{kBridge, 1}, {kSession, 1}})
                             .say({.topic = "other"}, {{kBridge, 2}})
                             .say({.topic = "other"}, {{kBridge, 3}})
                             .finish();
  const auto walk = [](const SegmentRow& damaged) {
    SegmentReader reader(damaged.directory, damaged.records, kBridge, kNow);
    SegmentReader::Record record;
    std::size_t count = 0;
    while (reader.next(Sequence{1}, record)) count += record.message->topic().size() > 0 ? 1 : 0;
    return count;
  };
  for (std::size_t bit = 0; bit < row.records.size() * 8; ++bit) {
    SegmentRow damaged = row;
    damaged.records[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    EXPECT_LE(walk(damaged), 3U);
  }
  for (std::size_t bit = 0; bit < row.directory.size() * 8; ++bit) {
    SegmentRow damaged = row;
    damaged.directory[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    EXPECT_LE(walk(damaged), 3U);
  }
}

TEST(Segment, RefusesWhatIsNoDirectory) {
  const std::vector<Bytes> refused = {
      {},                        // no version
      {2},                       // another version
      {1, 1, 1, 1, 1},           // an entry cut short
      {1, 0, 1, 1, 1, 0},        // queue 0
      {1, 1, 0, 1, 1, 0},        // sequence 0
      {1, 1, 2, 1, 1, 0},        // last before first
      {1, 1, 1, 2, 0, 0},        // no message
      {1, 1, 1, 2, 3, 0},        // more messages than sequences
      {1, 0x80, 0x80, 0x80, 1},  // a number cut short
  };
  std::vector<DirectoryEntry> directory;
  for (const Bytes& bytes : refused) EXPECT_FALSE(parse_directory(bytes, directory)) << bytes.size();
  EXPECT_TRUE(parse_directory(Bytes{1, 1, 1, 2, 2, 0}, directory));
}

TEST(Segment, AMessageAloneIsGivenBack) {
  const Said said{
      .payload = "on", .properties = user_property("a", "b"), .expiry_s = 60, .age = seconds(1), .retain = true};
  const MessageRef written = message(said);
  const Bytes bytes = encode_message(*written, kNow);
  const ClockStamp now = later(seconds(9));
  ClockStamp written_at;
  const MessageRef read = decode_message(bytes, now, written_at);
  ASSERT_TRUE(read);
  EXPECT_EQ(written_at.monotonic, kNow.monotonic);
  EXPECT_TRUE(same_content(*read, *written));
  EXPECT_TRUE(read->retain());
  EXPECT_EQ(read->expires_at(), written->expires_at());
}

TEST(Segment, AMessageAloneThatIsDamagedIsNone) {
  Bytes bytes = encode_message(*message({}), kNow);
  ClockStamp written_at;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_message(ByteView(bytes).first(size), kNow, written_at)) << size;
  }
  bytes.push_back(0);
  EXPECT_FALSE(decode_message(bytes, kNow, written_at));
}

TEST(SegmentDeathTest, SequencesOfAQueueMustIncrease) {
  Flush flush;
  flush.say({}, {{kBridge, 2}});
  EXPECT_DEATH(flush.say({}, {{kBridge, 2}}), "sequence > entry.last");
}

TEST(SegmentDeathTest, AQueueOccursOnceInAMessage) {
  Flush flush;
  EXPECT_DEATH(flush.say({}, {{kBridge, 1}, {kBridge, 2}}), "part.message != messages_");
}

}  // namespace
}  // namespace furrow::broker
