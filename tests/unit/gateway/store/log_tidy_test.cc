// What the log of segments is made smaller by, seen from the store that does so.
#include "gateway/store/log_tidy.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "broker-core/base/varint.h"
#include "gateway/store/sqlite_store.h"
#include "tests/support/store_rows.h"
#include "tests/support/temporary_directory.h"

namespace furrow::gateway {
namespace {

using broker::Batch;
using Numbers = std::vector<std::uint64_t>;

constexpr std::uint64_t kBusy = 1;
constexpr std::uint64_t kSlow = 2;

class LogTidyTest : public ::testing::Test {
 protected:
  LogTidyTest() {
    start();
    Batch batch;
    batch.queues_created = {queue(kBusy, "region"), queue(kSlow, "pump-7")};
    commit(std::move(batch));
  }

  void start() {
    store_.reset();
    auto opened = SqliteStore::open({.directory = place_ / "data", .vfs = "", .tidy = options_}, log_);
    ASSERT_TRUE(opened) << opened.error().message();
    store_ = *std::move(opened);
  }
  void commit(Batch batch) {
    batch.number = BatchNumber{++batches_};
    const Status status = store_->commit(batch);
    ASSERT_TRUE(status) << status.error().message();
  }
  // A flush: the busy queue gets all of the messages, the slow one those that it is given, too.
  void flush(const Numbers& busy, const Numbers& slow, const std::string& payload = "reading") {
    Batch batch;
    std::vector<Part> parts = {{kBusy, busy}};
    if (!slow.empty()) parts.push_back({kSlow, slow});
    batch.segments = {segment(++segments_, parts, payload)};
    batch.cursors = {cursor(kBusy, settled_), cursor(kSlow, 0)};
    batch.cursors[0].bytes = busy.size() * 7;
    batch.cursors[1].bytes = slow_bytes_ += slow.size() * payload.size();
    commit(std::move(batch));
  }
  void settle(std::uint64_t queue, std::uint64_t sequence) {
    Batch batch;
    batch.cursors = {cursor(queue, sequence)};
    if (queue == kSlow) slow_bytes_ = 0;
    batch.cursors[0].bytes = queue == kSlow ? slow_bytes_ : 0;
    commit(std::move(batch));
  }
  // Until there is nothing more to do.
  void tidy() {
    while (true) {
      const auto more = store_->tidy();
      ASSERT_TRUE(more) << more.error().message();
      if (!*more) return;
    }
  }

  broker::Page page(std::uint64_t queue, std::uint64_t from = 1, std::uint64_t after = 0) {
    auto page = store_->read({.queue = {queue}, .from = {from}, .after = {after}, .bytes_max = 8 * MiB});
    EXPECT_TRUE(page) << page.error().message();
    EXPECT_EQ(page->damaged, 0U);
    return *std::move(page);
  }
  static Numbers ids(const broker::Page& page) {
    Numbers ids;
    for (const broker::SegmentRow& row : page.segments) ids.push_back(row.id.value);
    return ids;
  }
  static Numbers sequences(const broker::Page& page) {
    Numbers sequences;
    for (const broker::SegmentRow& row : page.segments) {
      broker::SegmentReader reader(row.directory, row.records, page.queue, kStamp);
      for (broker::SegmentReader::Record record; reader.next(Sequence{1}, record);) {
        sequences.push_back(record.sequence.value);
      }
    }
    return sequences;
  }

  const TemporaryDirectory place_;
  EventLog log_;
  LogTidy::Options options_{.small_segments = 8, .in_use_min = 64 * KiB, .commits_between = 1, .waste_min = 1 * KiB};
  std::unique_ptr<SqliteStore> store_;
  std::uint64_t batches_ = 0;
  std::uint64_t segments_ = 0;
  std::uint64_t settled_ = 0;
  std::uint64_t slow_bytes_ = 0;
};

TEST_F(LogTidyTest, ManySmallFlushesBecomeOneSegment) {
  for (std::uint64_t n = 1; n <= 7; ++n) flush({n}, {});
  tidy();
  EXPECT_EQ(ids(page(kBusy)), (Numbers{1, 2, 3, 4, 5, 6, 7}));
  flush({8}, {8});
  tidy();
  EXPECT_EQ(ids(page(kBusy)), Numbers{8});
  EXPECT_EQ(sequences(page(kBusy)), (Numbers{1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(sequences(page(kSlow)), Numbers{8});
  start();
  EXPECT_EQ(sequences(page(kBusy)), (Numbers{1, 2, 3, 4, 5, 6, 7, 8}));
  settle(kBusy, 8);
  settle(kSlow, 8);
  EXPECT_EQ(ids(page(kBusy)), Numbers{});
}

TEST_F(LogTidyTest, AReaderBetweenTheSegmentsThatBecomeOneLosesNothing) {
  for (std::uint64_t n = 1; n <= 8; ++n) flush({n}, {});
  tidy();
  // It had read up to segment 3, which held sequence 3.
  const broker::Page rest = page(kBusy, 4, 3);
  EXPECT_EQ(ids(rest), Numbers{8});
  EXPECT_TRUE(rest.end);
}

TEST_F(LogTidyTest, WhatASlowQueuePinsShrinksToWhatIsItsOwn) {
  const std::string payload(1'000, '.');
  for (std::uint64_t n = 0; n < 40; ++n) flush({10 * n + 1, 10 * n + 2, 10 * n + 3, 10 * n + 4}, {n + 1}, payload);
  const std::uint64_t before = store_->health().file_bytes;
  settled_ = 400;
  settle(kBusy, settled_);
  settle(kSlow, 2);
  tidy();
  EXPECT_LT(ids(page(kSlow)).size(), 5U);
  Numbers expected;
  for (std::uint64_t n = 3; n <= 40; ++n) expected.push_back(n);
  const Numbers left = sequences(page(kSlow, 3));
  EXPECT_EQ(left, expected);
  // What became free is used again.
  for (std::uint64_t n = 40; n < 64; ++n) flush({10 * n + 1, 10 * n + 2, 10 * n + 3, 10 * n + 4}, {n + 1}, payload);
  EXPECT_LE(store_->health().file_bytes, before + 64 * KiB);
}

TEST_F(LogTidyTest, WhatWasSettledOutOfOrderIsNotKept) {
  const std::string payload(1'000, '.');
  for (std::uint64_t n = 1; n <= 200; ++n) flush({n}, {}, payload);
  Batch batch;
  batch.cursors = {cursor(kBusy, 0)};
  // All but the first and the last: those behind the first are settled in one run.
  ByteBuffer holes;
  put_varint(holes, 1);
  put_varint(holes, 198);
  batch.cursors[0].holes.assign(holes.view().begin(), holes.view().end());
  batch.cursors[0].messages = 2;
  batch.cursors[0].bytes = 2'000;
  commit(std::move(batch));
  tidy();
  const Numbers left = sequences(page(kBusy));
  EXPECT_EQ(left.front(), 1U);
  EXPECT_EQ(left.back(), 200U);
  // A stretch whose waste is not worth a commit stays.
  EXPECT_LE(left.size(), 4U);
}

TEST_F(LogTidyTest, WhatIsWantedStaysAsItIs) {
  const std::string payload(1'000, '.');
  for (std::uint64_t n = 1; n <= 100; ++n) {
    Batch batch;
    batch.segments = {segment(n, {{kBusy, {2 * n, 2 * n + 1}}}, payload)};
    batch.cursors = {cursor(kBusy, 1)};
    batch.cursors[0].messages = 2 * n;
    batch.cursors[0].bytes = 2 * n * payload.size();
    commit(std::move(batch));
    tidy();
  }
  EXPECT_EQ(ids(page(kBusy)).size(), 100U);
}

}  // namespace
}  // namespace furrow::gateway
