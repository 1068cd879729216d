#include "gateway/store/sqlite_store.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "tests/support/faulty_vfs.h"
#include "tests/support/store_rows.h"
#include "tests/support/temporary_directory.h"

namespace furrow::gateway {
namespace {

namespace fs = std::filesystem;
using broker::Batch;
using broker::ExchangeRow;
using broker::Page;
using broker::Restored;
using broker::StoreState;

// A gateway's store over its lives.
class SqliteStoreTest : public ::testing::Test {
 protected:
  SqliteStoreTest() { start(); }

  void start() {
    auto opened = SqliteStore::open(options_, log_);
    ASSERT_TRUE(opened) << opened.error().message();
    store_ = *std::move(opened);
  }
  void stop() { store_.reset(); }
  void restart() {
    stop();
    start();
  }

  Status try_commit(Batch batch) {
    batch.number = BatchNumber{++batches_};
    return store_->commit(batch);
  }
  void commit(Batch batch) {
    const Status status = try_commit(std::move(batch));
    ASSERT_TRUE(status) << status.error().message();
  }
  void commit_segments(std::vector<broker::SegmentRow> segments) {
    Batch batch;
    batch.segments = std::move(segments);
    commit(std::move(batch));
  }
  void commit_cursors(std::vector<broker::CursorRow> cursors) {
    Batch batch;
    batch.cursors = std::move(cursors);
    commit(std::move(batch));
  }
  void create_queues(std::vector<broker::QueueRow> queues) {
    Batch batch;
    batch.queues_created = std::move(queues);
    commit(std::move(batch));
  }
  void remove_queue(std::uint64_t queue) {
    Batch batch;
    batch.queues_removed = {QueueId{queue}};
    commit(std::move(batch));
  }

  Restored restore() {
    auto restored = store_->restore();
    EXPECT_TRUE(restored) << restored.error().message();
    return *std::move(restored);
  }
  Page read(std::uint64_t queue, std::uint64_t from = 1, std::uint64_t after = 0, std::size_t bytes_max = 1 * MiB) {
    auto page = store_->read({.queue = QueueId{queue}, .from = {from}, .after = {after}, .bytes_max = bytes_max});
    EXPECT_TRUE(page) << page.error().message();
    return *std::move(page);
  }
  static std::vector<std::uint64_t> ids(const Page& page) {
    std::vector<std::uint64_t> ids;
    for (const auto& row : page.segments) ids.push_back(row.id.value);
    return ids;
  }

  // What a power cut would leave: the files as they lie there now.
  void copy_files(const std::string& to) const {
    fs::create_directory(to);
    for (const char* file : {"queues.db", "queues.db-wal", "sessions.db", "sessions.db-wal"}) {
      if (fs::exists(place_ / "data/" + file)) fs::copy_file(place_ / "data/" + file, to + "/" + file);
    }
  }
  // Ids of the segments on disk, whoever wants them.
  std::vector<std::uint64_t> stored_segments() const {
    const TemporaryDirectory copy;
    copy_files(copy / "data");
    const auto database = Database::open({.path = copy / "data/queues.db", .vfs = "", .page_bytes = 1024});
    auto rows = (*database)->prepare("SELECT id FROM segment ORDER BY id");
    std::vector<std::uint64_t> found;
    for (auto row = rows->step(); row && *row; row = rows->step()) found.push_back(rows->number(0));
    return found;
  }

  // Flips a bit of the first place where `text` stands in a file.
  void flip_bit(const std::string& file, const std::string& text) const {
    std::fstream stream(place_ / "data/" + file, std::ios::in | std::ios::out | std::ios::binary);
    const std::string content((std::istreambuf_iterator<char>(stream)), {});
    const std::size_t at = content.find(text);
    ASSERT_NE(at, std::string::npos);
    stream.seekp(static_cast<std::streamoff>(at));
    stream.put(static_cast<char>(content[at] ^ 1));
  }
  void overwrite(const std::string& file, std::size_t at, std::size_t size) const {
    std::fstream stream(place_ / "data/" + file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(static_cast<std::streamoff>(at));
    stream << std::string(size, '\x55');
  }
  std::size_t count_kept(const std::string& prefix) const {
    const auto files = fs::directory_iterator(place_ / "data");
    return static_cast<std::size_t>(std::count_if(begin(files), end(files), [&](const auto& entry) {
      return entry.path().filename().string().starts_with(prefix);
    }));
  }

  const TemporaryDirectory place_;
  EventLog log_;
  StoreOptions options_{.directory = place_ / "data",
                        .vfs = "",
                        .page_bytes = 1024,
                        .disk_reserve = 0,
                        .now = WallTime(std::chrono::seconds(1'763'892'672))};
  std::unique_ptr<SqliteStore> store_;
  std::uint64_t batches_ = 0;
};

Batch one_of_everything() {
  Batch batch;
  batch.queues_created = {queue(1), {.id = QueueId{2}, .kind = broker::QueueKind::Session, .name = "sensor-4"}};
  batch.segments = {segment(5, {{1, {1, 2}}, {2, {1}}}), segment(6, {{1, {3}}})};
  batch.cursors = {cursor(1, 0, 4)};
  batch.cursors[0].holes = {1, 2};
  batch.cursors[0].messages = 3;
  batch.cursors[0].bytes = 99;
  batch.cursors[0].counters = {7, 7, 7};
  batch.exchanges = {{.queue = QueueId{1},
                      .direction = ExchangeRow::Direction::Outbound,
                      .packet_id = PacketId{65'535},
                      .state = ExchangeRow::State::Released,
                      .sequence = Sequence{2}}};
  batch.sessions = {{.client_id = "sensor-4", .data = broker::Bytes{1, 2, 3}},
                    {.client_id = "empty", .data = broker::Bytes{}}};
  batch.retained = {{.topic = "farm/state", .data = bytes_of("on")}};
  return batch;
}

void expect_one_of_everything(const Restored& restored) {
  ASSERT_EQ(restored.queues.size(), 2U);
  const auto& bridge = restored.queues[0];
  EXPECT_EQ(bridge.row.id, QueueId{1});
  EXPECT_EQ(bridge.row.name, "region");
  EXPECT_EQ(bridge.row.kind, broker::QueueKind::Bridge);
  EXPECT_EQ(bridge.cursor.settled, Sequence{0});
  EXPECT_EQ(bridge.cursor.next, Sequence{4});
  EXPECT_EQ(bridge.cursor.holes, (broker::Bytes{1, 2}));
  EXPECT_EQ(bridge.cursor.messages, 3U);
  EXPECT_EQ(bridge.cursor.bytes, 99U);
  EXPECT_EQ(bridge.cursor.counters, (broker::Bytes{7, 7, 7}));
  EXPECT_EQ(restored.queues[1].row.kind, broker::QueueKind::Session);
  EXPECT_EQ(restored.queues[1].cursor.next, Sequence{1});
  ASSERT_EQ(restored.exchanges.size(), 1U);
  EXPECT_EQ(restored.exchanges[0].packet_id, PacketId{65'535});
  EXPECT_EQ(restored.exchanges[0].state, ExchangeRow::State::Released);
  EXPECT_EQ(restored.exchanges[0].sequence, Sequence{2});
  ASSERT_EQ(restored.sessions.size(), 2U);
  EXPECT_EQ(restored.sessions[0].client_id, "sensor-4");
  EXPECT_EQ(restored.sessions[0].data, (broker::Bytes{1, 2, 3}));
  EXPECT_EQ(restored.sessions[1].data, broker::Bytes{});
  ASSERT_EQ(restored.retained.size(), 1U);
  EXPECT_EQ(restored.retained[0].topic, "farm/state");
  EXPECT_EQ(restored.retained[0].data, bytes_of("on"));
  EXPECT_EQ(restored.last_segment, SegmentId{6});
  EXPECT_EQ(restored.last_queue, QueueId{2});
}

TEST_F(SqliteStoreTest, StartsEmpty) {
  const Restored restored = restore();
  EXPECT_TRUE(restored.queues.empty());
  EXPECT_FALSE(restored.last_segment);
  EXPECT_FALSE(restored.last_queue);
  EXPECT_TRUE(read(1).end);
}

TEST_F(SqliteStoreTest, GivesBackEveryRowAfterARestart) {
  commit(one_of_everything());
  restart();
  expect_one_of_everything(restore());
  const Page page = read(1);
  EXPECT_EQ(ids(page), (std::vector<std::uint64_t>{5, 6}));
  EXPECT_EQ(page.segments[0].messages, 3U);
  EXPECT_EQ(page.segments[0].directory, segment(5, {{1, {1, 2}}, {2, {1}}}).directory);
  EXPECT_EQ(page.segments[0].records, segment(5, {{1, {1, 2}}, {2, {1}}}).records);
  EXPECT_TRUE(page.end);
  EXPECT_EQ(page.damaged, 0U);
}

TEST_F(SqliteStoreTest, APowerCutAfterTheCommitLosesNothing) {
  commit(one_of_everything());
  copy_files(place_ / "after-the-cut");
  stop();
  options_.directory = place_ / "after-the-cut";
  start();
  expect_one_of_everything(restore());
  EXPECT_EQ(ids(read(2)), (std::vector<std::uint64_t>{5}));
}

// The child reports each batch that is durable; killed at any moment, none of them may be missing.
TEST_F(SqliteStoreTest, AKilledGatewayLosesNothingThatWasDurable) {
  stop();
  int pipe_ends[2];
  ASSERT_EQ(::pipe(pipe_ends), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    EventLog log;
    auto store = SqliteStore::open(options_, log);
    Batch batch;
    batch.queues_created = {queue(1)};
    for (std::uint64_t i = 1; store; ++i) {
      batch.number = BatchNumber{i};
      batch.segments = {segment(i, {{1, {i}}})};
      if (!(*store)->commit(batch) || ::write(pipe_ends[1], &i, sizeof i) != sizeof i) break;
      batch.queues_created.clear();
    }
    ::_exit(1);
  }
  ::close(pipe_ends[1]);
  std::uint64_t durable = 0;
  while (durable < 50) ASSERT_EQ(::read(pipe_ends[0], &durable, sizeof durable), ssize_t{sizeof durable});
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  ::close(pipe_ends[0]);

  start();
  const Page page = read(1);
  EXPECT_GE(page.segments.size(), durable);
  EXPECT_EQ(page.damaged, 0U);
}

TEST_F(SqliteStoreTest, RowsAreReplacedAndRemoved) {
  commit(one_of_everything());
  Batch change;
  change.queues_created = {queue(1, "renamed")};
  change.exchanges = {{.queue = QueueId{1},
                       .direction = ExchangeRow::Direction::Outbound,
                       .packet_id = PacketId{65'535},
                       .state = ExchangeRow::State::Erased,
                       .sequence = {}}};
  change.sessions = {{.client_id = "sensor-4", .data = std::nullopt}, {.client_id = "empty", .data = broker::Bytes{9}}};
  change.retained = {{.topic = "farm/state", .data = std::nullopt}};
  commit(std::move(change));
  const Restored restored = restore();
  EXPECT_EQ(restored.queues[0].row.name, "renamed");
  EXPECT_EQ(restored.queues[0].cursor.messages, 3U);
  EXPECT_TRUE(restored.exchanges.empty());
  ASSERT_EQ(restored.sessions.size(), 1U);
  EXPECT_EQ(restored.sessions[0].data, broker::Bytes{9});
  EXPECT_TRUE(restored.retained.empty());
}

// --- Which segments stay ---

TEST_F(SqliteStoreTest, ASegmentGoesWhenItsQueueHasPassedIt) {
  create_queues({queue(1)});
  commit_segments({segment(1, {{1, {1, 2}}}), segment(2, {{1, {3, 4}}})});
  commit_cursors({cursor(1, 1)});
  EXPECT_EQ(stored_segments(), (std::vector<std::uint64_t>{1, 2}));
  commit_cursors({cursor(1, 2)});
  EXPECT_EQ(stored_segments(), (std::vector<std::uint64_t>{2}));
  commit_cursors({cursor(1, 4)});
  EXPECT_TRUE(stored_segments().empty());
}

TEST_F(SqliteStoreTest, ASharedSegmentStaysForTheSlowestQueue) {
  create_queues({queue(1), queue(2), queue(3)});
  commit_segments({segment(1, {{1, {1}}, {2, {1}}, {3, {1}}})});
  commit_cursors({cursor(3, 1), cursor(1, 1)});
  EXPECT_EQ(stored_segments(), (std::vector<std::uint64_t>{1}));
  EXPECT_TRUE(read(1).segments.empty());
  EXPECT_EQ(ids(read(2)), (std::vector<std::uint64_t>{1}));
  commit_cursors({cursor(2, 1)});
  EXPECT_TRUE(stored_segments().empty());
}

TEST_F(SqliteStoreTest, QueuesThatMoveTogetherTakeSegmentsAwayTogether) {
  create_queues({queue(1), queue(2)});
  commit_segments({segment(1, {{1, {1}}}), segment(2, {{2, {1}}}), segment(3, {{1, {2}}, {2, {2}}}),
                   segment(4, {{2, {3}}}), segment(5, {{1, {3}}})});
  commit_cursors({cursor(1, 2), cursor(2, 3)});
  EXPECT_EQ(stored_segments(), (std::vector<std::uint64_t>{5}));
}

// One queue drains at the front of a long log while another comes and goes at its end.
TEST_F(SqliteStoreTest, DistantStretchesAreSweptInOneCommit) {
  create_queues({queue(1), queue(2)});
  for (std::uint64_t i = 1; i <= 50; ++i) commit_segments({segment(i, {{1, {i}}})});
  commit_segments({segment(51, {{2, {1}}}), segment(52, {{1, {51}}})});
  commit_cursors({cursor(1, 3), cursor(2, 1)});
  const auto stored = stored_segments();
  EXPECT_EQ(stored.size(), 48U);
  EXPECT_EQ(stored.front(), 4U);
  EXPECT_EQ(std::ranges::count(stored, 51U), 0);
  EXPECT_EQ(stored.back(), 52U);
}

TEST_F(SqliteStoreTest, WhatIsSettledAlreadyIsNotStored) {
  create_queues({queue(1), queue(2)});
  Batch batch;
  batch.segments = {segment(1, {{1, {1}}}), segment(2, {{1, {2}}, {2, {1}}})};
  batch.cursors = {cursor(1, 2)};
  commit(std::move(batch));
  EXPECT_EQ(stored_segments(), (std::vector<std::uint64_t>{2}));
  EXPECT_EQ(ids(read(2)), (std::vector<std::uint64_t>{2}));
}

TEST_F(SqliteStoreTest, ARemovedQueueTakesOnlyWhatWasItsOwn) {
  create_queues({queue(1), queue(2)});
  commit_segments({segment(1, {{1, {1}}}), segment(2, {{1, {2}}, {2, {1}}}), segment(3, {{1, {3}}})});
  remove_queue(1);
  EXPECT_EQ(stored_segments(), (std::vector<std::uint64_t>{2}));
  EXPECT_TRUE(read(1).end);
  EXPECT_EQ(restore().queues.size(), 1U);
  commit_cursors({cursor(2, 1)});
  EXPECT_TRUE(stored_segments().empty());
}

TEST_F(SqliteStoreTest, AQueueRemovedWithItsSessionTakesItsExchangesAlong) {
  commit(one_of_everything());
  Batch batch;
  batch.cursors = {cursor(1, 1)};
  batch.sessions = {{.client_id = "sensor-4", .data = std::nullopt}};
  batch.queues_removed = {QueueId{1}};
  commit(std::move(batch));
  const Restored restored = restore();
  ASSERT_EQ(restored.queues.size(), 1U);
  EXPECT_TRUE(restored.exchanges.empty());
  EXPECT_EQ(stored_segments(), (std::vector<std::uint64_t>{5}));
}

TEST_F(SqliteStoreTest, MarksSurviveARestart) {
  create_queues({queue(1), queue(2)});
  commit_segments({segment(1, {{1, {1}}}), segment(2, {{1, {2}}, {2, {1}}}), segment(3, {{1, {3}}})});
  commit_cursors({cursor(1, 1)});
  restart();
  commit_cursors({cursor(1, 3)});
  EXPECT_EQ(stored_segments(), (std::vector<std::uint64_t>{2}));
  restart();
  commit_cursors({cursor(2, 1)});
  EXPECT_TRUE(stored_segments().empty());
}

// Old segments may still name a removed queue.
TEST_F(SqliteStoreTest, AQueueIdIsNeverGivenTwice) {
  create_queues({queue(1), queue(7)});
  remove_queue(7);
  restart();
  EXPECT_EQ(restore().last_queue, QueueId{7});
}

// --- Reading ---

TEST_F(SqliteStoreTest, PagesContinueWhereTheLastOneEnded) {
  create_queues({queue(1), queue(2)});
  for (std::uint64_t i = 1; i <= 9; ++i) commit_segments({segment(i, {{1 + (i % 3 == 0 ? 1U : 0U), {i}}})});
  const Page first = read(1, 1, 0, 1);
  EXPECT_EQ(ids(first), (std::vector<std::uint64_t>{1}));
  EXPECT_FALSE(first.end);
  const Page second = read(1, 1, first.last.value, 1);
  EXPECT_EQ(ids(second), (std::vector<std::uint64_t>{2}));
  const Page rest = read(1, 1, second.last.value);
  EXPECT_EQ(ids(rest), (std::vector<std::uint64_t>{4, 5, 7, 8}));
  EXPECT_TRUE(rest.end);
  EXPECT_TRUE(read(1, 1, rest.last.value).segments.empty());
}

TEST_F(SqliteStoreTest, ReadingBeginsWithTheSegmentThatHoldsTheSequence) {
  create_queues({queue(1)});
  commit_segments({segment(1, {{1, {1, 2}}}), segment(2, {{1, {3, 4}}})});
  EXPECT_EQ(ids(read(1, 2)), (std::vector<std::uint64_t>{1, 2}));
  EXPECT_EQ(ids(read(1, 3)), (std::vector<std::uint64_t>{2}));
}

TEST_F(SqliteStoreTest, AFlippedBitInAPayloadIsFoundSkippedAndCounted) {
  create_queues({queue(1)});
  commit_segments({segment(1, {{1, {1}}}), segment(2, {{1, {2}}}, "a-strange-reading"), segment(3, {{1, {3}}})});
  stop();
  flip_bit("queues.db", "a-strange-reading");
  start();
  const Page page = read(1);
  EXPECT_EQ(ids(page), (std::vector<std::uint64_t>{1, 3}));
  EXPECT_EQ(page.damaged, 1U);
  EXPECT_TRUE(page.end);
  EXPECT_EQ(read(1).damaged, 1U);
  EXPECT_EQ(log_.events, (std::vector<std::string>{"store.rows_damaged"})) << "once, however often it is read";
  commit_cursors({cursor(1, 3)});
  EXPECT_TRUE(stored_segments().empty());
}

TEST_F(SqliteStoreTest, ASegmentWithADamagedDirectoryGoesWhenNobodyCanWantIt) {
  create_queues({queue(1), queue(2)});
  commit_segments({segment(1, {{1, {1}}}), segment(2, {{1, {2, 3, 4}}}), segment(3, {{1, {5}}, {2, {1}}})});
  stop();
  const broker::Bytes directory = segment(2, {{1, {2, 3, 4}}}).directory;
  flip_bit("queues.db", std::string(directory.begin(), directory.end()));
  start();
  EXPECT_EQ(ids(read(1)), (std::vector<std::uint64_t>{1, 3}));
  commit_cursors({cursor(1, 1)});
  EXPECT_EQ(stored_segments(), (std::vector<std::uint64_t>{3}));
  commit_cursors({cursor(1, 5), cursor(2, 1)});
  EXPECT_TRUE(stored_segments().empty());
}

TEST_F(SqliteStoreTest, ADamagedRetainedMessageIsLeftOutAndReported) {
  Batch batch;
  batch.retained = {{.topic = "a", .data = bytes_of("a-strange-value")}, {.topic = "b", .data = bytes_of("fine")}};
  commit(std::move(batch));
  stop();
  flip_bit("sessions.db", "a-strange-value");
  start();
  const Restored restored = restore();
  ASSERT_EQ(restored.retained.size(), 1U);
  EXPECT_EQ(restored.retained[0].topic, "b");
  EXPECT_EQ(log_.events, (std::vector<std::string>{"store.rows_damaged"}));
}

// --- Damaged files ---

TEST_F(SqliteStoreTest, AFileThatIsNoDatabaseIsMovedAsideAndTheGatewayStarts) {
  commit(one_of_everything());
  stop();
  overwrite("queues.db", 0, 100);
  start();
  const Restored restored = restore();
  EXPECT_TRUE(restored.queues.empty());
  EXPECT_EQ(restored.sessions.size(), 2U);
  EXPECT_TRUE(fs::exists(place_ / "data/queues.db.corrupt-20251123T101112Z"));
  EXPECT_EQ(log_.events, (std::vector<std::string>{"store.salvaged"}));
  create_queues({queue(1)});
}

TEST_F(SqliteStoreTest, ADamagedSessionFileLeavesTheQueuesAlone) {
  commit(one_of_everything());
  stop();
  overwrite("sessions.db", 0, 100);
  start();
  const Restored restored = restore();
  EXPECT_EQ(restored.queues.size(), 2U);
  EXPECT_TRUE(restored.sessions.empty());
}

// Finds the root page of a table.
std::uint64_t root_page(const std::string& path, const std::string& table) {
  const auto database = Database::open({.path = path, .vfs = "", .page_bytes = 1024});
  return *(*database)->query_number("SELECT rootpage FROM sqlite_schema WHERE name = '" + table + "'");
}

TEST_F(SqliteStoreTest, AQueueWhoseCursorIsLostGetsOneFromItsSegments) {
  create_queues({queue(1)});
  commit_segments({segment(1, {{1, {1, 2}}}), segment(2, {{1, {3}}})});
  commit_cursors({cursor(1, 2, 4)});
  stop();
  overwrite("queues.db", (root_page(place_ / "data/queues.db", "cursor") - 1) * 1024, 1024);
  start();
  const Restored restored = restore();
  ASSERT_EQ(restored.queues.size(), 1U);
  EXPECT_EQ(restored.queues[0].row.name, "region");
  EXPECT_EQ(restored.queues[0].cursor.settled, Sequence{2});
  EXPECT_EQ(restored.queues[0].cursor.next, Sequence{4});
  EXPECT_EQ(restored.queues[0].cursor.messages, 1U);
  EXPECT_EQ(ids(read(1)), (std::vector<std::uint64_t>{2}));
  EXPECT_EQ(log_.events, (std::vector<std::string>{"store.salvaged"}));
}

TEST_F(SqliteStoreTest, SalvageBringsBackWhatLiesAroundABadPage) {
  commit(one_of_everything());
  for (std::uint64_t i = 7; i <= 306; ++i) commit_segments({segment(i, {{1, {i}}})});
  ASSERT_TRUE(store_->set_meta("gateway_id", "barn-7"));
  stop();
  const std::uint64_t exchange = root_page(place_ / "data/queues.db", "exchange");
  overwrite("queues.db", 19 * 1024, 1024);              // a page of segments
  overwrite("queues.db", (exchange - 1) * 1024, 1024);  // makes the restore fail
  start();
  const Restored restored = restore();
  ASSERT_EQ(restored.queues.size(), 2U);
  EXPECT_EQ(restored.queues[0].cursor.messages, 3U);
  EXPECT_TRUE(restored.exchanges.empty());
  EXPECT_EQ(*store_->meta("gateway_id"), "barn-7");
  const std::size_t segments = stored_segments().size();
  EXPECT_LT(segments, 302U);
  EXPECT_GT(segments, 280U);
  EXPECT_EQ(read(1).damaged, 0U);
  EXPECT_EQ(count_kept("queues.db.corrupt-"),
            1U + (fs::exists(place_ / "data/queues.db.corrupt-20251123T101112Z-wal") ? 1U : 0U));
}

TEST_F(SqliteStoreTest, AFileFoundDamagedByACommitIsSalvagedBeforeTheNext) {
  create_queues({queue(1)});
  commit_segments({segment(1, {{1, {1}}})});
  stop();
  overwrite("queues.db", (root_page(place_ / "data/queues.db", "exchange") - 1) * 1024, 1024);
  start();
  Batch batch = one_of_everything();
  batch.number = BatchNumber{77};
  const Status first = store_->commit(batch);
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code(), Errc::Corrupt);
  EXPECT_EQ(store_->health().state, StoreState::Salvaging);
  const Status second = store_->commit(batch);
  ASSERT_TRUE(second) << second.error().message();
  EXPECT_EQ(store_->health().state, StoreState::Ok);
  EXPECT_EQ(stored_segments(), (std::vector<std::uint64_t>{1, 5, 6}));
  expect_one_of_everything(restore());
}

TEST_F(SqliteStoreTest, ASalvageCutShortIsFinished) {
  commit(one_of_everything());
  stop();
  fs::rename(place_ / "data/queues.db", place_ / "data/queues.db.salvaged");
  start();
  EXPECT_EQ(restore().queues.size(), 2U);
  EXPECT_FALSE(fs::exists(place_ / "data/queues.db.salvaged"));
}

// --- Failing media ---

TEST_F(SqliteStoreTest, AFailedBatchLeavesNothingBehindAndMayBeRepeated) {
  for (const auto& [code, expected] : std::vector<std::pair<int, Errc>>{
           {SQLITE_FULL, Errc::NoSpace}, {SQLITE_READONLY, Errc::ReadOnly}, {SQLITE_IOERR_WRITE, Errc::Io}}) {
    FaultyVfs vfs("faulty-batch");
    const TemporaryDirectory place;
    auto store = SqliteStore::open({.directory = place.path(), .vfs = vfs.name()}, log_);
    ASSERT_TRUE(store) << store.error().message();
    Batch batch = one_of_everything();
    batch.number = BatchNumber{1};
    vfs.write_code = code;
    const Status failed = (*store)->commit(batch);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code(), expected);
    EXPECT_TRUE((*store)->restore()->queues.empty());
    EXPECT_TRUE((*store)->read({.queue = QueueId{1}, .from = {1}, .after = {}})->end);
    vfs.write_code = SQLITE_OK;
    ASSERT_TRUE((*store)->commit(batch));
    expect_one_of_everything(*(*store)->restore());
    EXPECT_EQ((*store)->read({.queue = QueueId{1}, .from = {1}, .after = {}, .bytes_max = MiB})->segments.size(), 2U);
  }
}

// The queue file is durable when the session file fails; repeating the batch must not do it twice.
TEST_F(SqliteStoreTest, ABatchThatFailedHalfwayGoesOnWhereItStopped) {
  FaultyVfs vfs("faulty-halfway");
  int syncs = 0;
  bool armed = false;
  vfs.on_sync = [&] {
    if (armed && ++syncs == 3) vfs.sync_code = SQLITE_IOERR_FSYNC;
  };
  const TemporaryDirectory place;
  auto store = SqliteStore::open({.directory = place.path(), .vfs = vfs.name()}, log_);
  ASSERT_TRUE(store) << store.error().message();
  // The logs exist: from now on a commit syncs once; the third is that of the sessions.
  Batch warm_up;
  warm_up.number = BatchNumber{1};
  warm_up.queues_created = {queue(9)};
  warm_up.retained = {{.topic = "t", .data = bytes_of("1")}};
  ASSERT_TRUE((*store)->commit(warm_up));

  Batch batch = one_of_everything();
  batch.number = BatchNumber{2};
  armed = true;
  ASSERT_FALSE((*store)->commit(batch));
  EXPECT_EQ((*store)->restore()->queues.size(), 3U);
  EXPECT_TRUE((*store)->restore()->sessions.empty());
  vfs.sync_code = SQLITE_OK;
  const Status repeated = (*store)->commit(batch);
  ASSERT_TRUE(repeated) << repeated.error().message();
  EXPECT_EQ((*store)->restore()->sessions.size(), 2U);
}

// A store on a disk of invented size: what the files take counts, and what others take.
class FullDiskTest : public SqliteStoreTest {
 protected:
  FullDiskTest() {
    stop();
    options_.disk_reserve = kReserve;
    options_.free_bytes = [this] { return free_bytes(); };
    start();
    create_queues({queue(1), queue(2)});
  }

  std::uint64_t free_bytes() const {
    std::uint64_t taken = taken_by_others_;
    for (const auto& entry : fs::directory_iterator(place_ / "data")) taken += entry.file_size();
    return taken < kDisk ? kDisk - taken : 0;
  }
  static Batch one_message(std::uint64_t number) {
    Batch batch;
    batch.segments = {segment(number, {{1, {number}}}, std::string(256 * KiB, 'x'))};
    return batch;
  }
  // Stores messages until one does not fit; returns how many did.
  std::uint64_t fill() {
    const std::uint64_t first = next_;
    for (; next_ < first + 1000; ++next_) {
      Batch batch = one_message(next_);
      batch.number = BatchNumber{++batches_};
      const Status status = store_->commit(batch);
      if (status) continue;
      EXPECT_EQ(status.error().code(), Errc::NoSpace) << status.error().message();
      refused_ = std::move(batch);
      return next_ - first;
    }
    ADD_FAILURE() << "never full";
    return 0;
  }

  static constexpr std::uint64_t kDisk = 48 * MiB;
  static constexpr std::uint64_t kReserve = 16 * MiB;
  std::uint64_t next_ = 1;  // message
  std::uint64_t taken_by_others_ = 0;
  Batch refused_;
};

TEST_F(FullDiskTest, TheReserveIsNeverTouched) {
  EXPECT_EQ(store_->health().state, StoreState::Ok);
  EXPECT_GT(fill(), 50U);
  EXPECT_GE(free_bytes(), kReserve);
  EXPECT_LT(free_bytes(), kReserve + 5 * MiB);  // part of the file waits in its log for the next checkpoint
  EXPECT_EQ(store_->health().state, StoreState::Full);
  EXPECT_TRUE(store_->health().reason.ends_with("are free, and store.disk_reserve keeps 16 MiB: free some space"));
  EXPECT_TRUE(store_->is_untouched());
}

TEST_F(FullDiskTest, AFullStoreDrainsToTheLastMessageAndTakesNewOnes) {
  const std::uint64_t stored = fill();
  for (std::uint64_t number = 1; number <= stored; ++number) commit_cursors({cursor(1, number, stored + 1)});
  EXPECT_TRUE(stored_segments().empty());
  EXPECT_EQ(store_->health().state, StoreState::Ok);
  EXPECT_GE(fill(), stored);
}

// The batch that was refused gets the room of what drains meanwhile.
TEST_F(FullDiskTest, ARefusedBatchFitsOnceSomethingHasDrained) {
  const std::uint64_t stored = fill();
  EXPECT_FALSE(store_->commit(refused_));
  commit_cursors({cursor(1, stored / 2, stored + 1)});
  const Status again = store_->commit(refused_);
  EXPECT_TRUE(again) << again.error().message();
}

TEST_F(FullDiskTest, SessionsAndSmallRowsAreStillWritten) {
  (void)fill();
  Batch batch;
  batch.queues_created = {queue(3)};
  batch.exchanges = one_of_everything().exchanges;
  batch.sessions = one_of_everything().sessions;
  batch.retained = one_of_everything().retained;
  commit(std::move(batch));
  EXPECT_EQ(restore().sessions.size(), 2U);
}

TEST_F(FullDiskTest, FullSurvivesARestart) {
  (void)fill();
  restart();
  EXPECT_EQ(store_->health().state, StoreState::Full);
  EXPECT_FALSE(try_commit(one_message(next_)));
}

TEST_F(FullDiskTest, WithoutABatchTheStateFollowsTheDisk) {
  taken_by_others_ = kDisk - kReserve - 2 * MiB;
  store_->measure_room();
  EXPECT_EQ(store_->health().state, StoreState::Full);
  taken_by_others_ = 0;
  store_->measure_room();
  EXPECT_EQ(store_->health().state, StoreState::Ok);
}

// The disk is invented, so nothing fails but by our own limit; tests/integration/disk_test.py fills a real one.
TEST_F(FullDiskTest, TheBallastIsGivenUpWhenOthersTakeTheLastByte) {
  commit(one_message(1));
  EXPECT_TRUE(fs::exists(place_ / "data/ballast"));
  taken_by_others_ = kDisk;
  EXPECT_FALSE(try_commit(one_message(2)));
  EXPECT_FALSE(fs::exists(place_ / "data/ballast"));
  EXPECT_EQ(log_.events, (std::vector<std::string>{"store.ballast_given_up"}));
  commit_cursors({cursor(1, 1, 2)});
  taken_by_others_ = 0;
  store_->measure_room();
  EXPECT_TRUE(fs::exists(place_ / "data/ballast"));
  commit(one_message(2));
}

TEST_F(SqliteStoreTest, NothingIsWrittenIntoAFileThatWasDeleted) {
  create_queues({queue(1)});
  fs::rename(place_ / "data", place_ / "elsewhere");
  Batch batch = one_of_everything();
  batch.number = BatchNumber{77};
  const Status failed = store_->commit(batch);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message(),
            (place_ / "data/sessions.db") + " was moved or deleted: put it back, or restart to begin anew");
  EXPECT_EQ(store_state(failed.error().code()), StoreState::Failing);
  fs::rename(place_ / "elsewhere", place_ / "data");
  ASSERT_TRUE(store_->commit(batch));
  expect_one_of_everything(restore());
}

// A medium that fails to read once has not lost anything.
TEST_F(SqliteStoreTest, AReadThatTheMediumFailsIsAnErrorAndNotALoss) {
  FaultyVfs vfs("failing-reads");
  const TemporaryDirectory place;
  const StoreOptions options{.directory = place.path(), .vfs = vfs.name()};
  Batch batch;
  batch.queues_created = {queue(1)};
  for (std::uint64_t i = 1; i <= 200; ++i) batch.segments.push_back(segment(i, {{1, {i}}}, std::string(900, 'x')));
  batch.number = BatchNumber{1};
  ASSERT_TRUE((*SqliteStore::open(options, log_))->commit(batch));

  auto store = SqliteStore::open(options, log_);  // whose page cache is cold
  ASSERT_TRUE(store) << store.error().message();
  const broker::ReadRequest request{.queue = QueueId{1}, .from = {1}, .after = {}, .bytes_max = 1 * MiB};
  vfs.read_code = SQLITE_IOERR_CORRUPTFS;  // what EIO becomes
  const auto failed = (*store)->read(request);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), Errc::Io);
  Batch drain;
  drain.number = BatchNumber{1};
  drain.cursors = {cursor(1, 150, 201)};
  EXPECT_FALSE((*store)->commit(drain));
  vfs.read_code = SQLITE_OK;
  ASSERT_TRUE((*store)->commit(drain));
  const auto page = (*store)->read(request);
  EXPECT_EQ(page->segments.size(), 50U);
  EXPECT_EQ(page->damaged, 0U);
}

// Two segments of several pages each; the first lies on a bad sector, or all of it does.
class BadSectorTest : public SqliteStoreTest {
 protected:
  BadSectorTest() {
    Batch batch;
    batch.queues_created = {queue(1)};
    batch.segments = {segment(1, {{1, {1}}}, std::string(5000, 'y')), segment(2, {{1, {2}}}, std::string(5000, 'x'))};
    batch.number = BatchNumber{1};
    EXPECT_TRUE((*SqliteStore::open(bad_options_, log_))->commit(batch));
    std::ifstream file(disk_ / "queues.db", std::ios::binary);
    const std::string content((std::istreambuf_iterator<char>(file)), {});
    const auto page = static_cast<std::int64_t>(content.find(std::string(1000, 'y')) / 1024 * 1024);
    bad_store_ = *SqliteStore::open(bad_options_, log_);
    vfs_.is_bad = [page](std::string_view, std::int64_t offset) { return offset / 1024 * 1024 == page; };
  }
  Result<Page> try_read() {
    return bad_store_->read({.queue = QueueId{1}, .from = {1}, .after = {}, .bytes_max = 1 * MiB});
  }
  // More often than anything is tried before it is given up.
  void expect_errors() {
    for (int i = 0; i < 20; ++i) ASSERT_FALSE(try_read()) << "attempt " << i;
  }
  void expect_all() {
    const auto page = try_read();
    ASSERT_TRUE(page) << page.error().message();
    EXPECT_EQ(ids(*page), (std::vector<std::uint64_t>{1, 2}));
    EXPECT_EQ(page->damaged, 0U);
  }

  const TemporaryDirectory disk_;
  FaultyVfs vfs_{"bad-sector"};
  const StoreOptions bad_options_{.directory = disk_.path(), .vfs = vfs_.name()};
  std::unique_ptr<SqliteStore> bad_store_;
};

TEST_F(BadSectorTest, WhatCannotBeReadAgainAndAgainIsSkippedInTheEnd) {
  for (int i = 0; i < 5; ++i) {
    const auto failed = try_read();
    ASSERT_FALSE(failed) << "attempt " << i;
    EXPECT_EQ(failed.error().code(), Errc::Io) << failed.error().message();
  }
  const auto page = try_read();
  ASSERT_TRUE(page) << page.error().message();
  EXPECT_EQ(ids(*page), (std::vector<std::uint64_t>{2}));
  EXPECT_EQ(page->damaged, 1U);
  EXPECT_TRUE(page->end);
}

TEST_F(BadSectorTest, AMediumThatIsGoneLosesNothing) {
  vfs_.is_bad = [](std::string_view, std::int64_t) { return true; };
  expect_errors();
  vfs_.is_bad = [](std::string_view, std::int64_t) { return false; };
  expect_all();
}

// What can be read may come from the page cache; a sync does not.
TEST_F(BadSectorTest, NorDoesOneOfWhichSomethingCanStillBeRead) {
  vfs_.sync_code = SQLITE_IOERR_FSYNC;
  expect_errors();
  vfs_.is_bad = [](std::string_view, std::int64_t) { return false; };
  vfs_.sync_code = SQLITE_OK;
  expect_all();
}

TEST_F(SqliteStoreTest, RowsOnABadSectorDoNotStopTheStart) {
  commit(one_of_everything());
  stop();
  const auto page = static_cast<std::int64_t>(root_page(place_ / "data/queues.db", "exchange") - 1) * 1024;
  FaultyVfs vfs("bad-rows", FaultyVfs::Use::ByDefault);
  vfs.is_bad = [&](std::string_view path, std::int64_t offset) {
    return path.ends_with("queues.db") && offset == page && count_kept("queues.db.corrupt-") == 0;
  };
  start();
  const Restored restored = restore();
  EXPECT_EQ(restored.queues.size(), 2U);
  EXPECT_TRUE(restored.exchanges.empty());
  EXPECT_EQ(ids(read(1)), (std::vector<std::uint64_t>{5, 6}));
  EXPECT_EQ(log_.events, (std::vector<std::string>{"store.salvaged"}));
  stop();
}

TEST_F(SqliteStoreTest, AMediumThatIsGoneAtTheStartIsNotSalvaged) {
  commit(one_of_everything());
  stop();
  FaultyVfs vfs("gone", FaultyVfs::Use::ByDefault);
  vfs.is_bad = [](std::string_view, std::int64_t) { return true; };
  const auto refused = SqliteStore::open(options_, log_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::Io) << refused.error().message();
  vfs.is_bad = [](std::string_view, std::int64_t) { return false; };
  start();
  expect_one_of_everything(restore());
  EXPECT_TRUE(log_.events.empty());
  stop();
}

// Of a commit SQLite does not know the errno.
TEST_F(SqliteStoreTest, AReadOnlyDiskIsToldFromABrokenOne) {
  FaultyVfs vfs("read-only");
  const TemporaryDirectory place;
  auto store = SqliteStore::open({.directory = place.path(), .vfs = vfs.name()}, log_);
  for (const auto& [cause, expected] :
       std::vector<std::pair<int, Errc>>{{EROFS, Errc::ReadOnly}, {ENOSPC, Errc::NoSpace}, {EIO, Errc::Io}}) {
    vfs.sync_code = SQLITE_IOERR_FSYNC;
    vfs.sync_errno = cause;
    Batch batch = one_of_everything();
    batch.number = BatchNumber{1};
    const Status failed = (*store)->commit(batch);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code(), expected) << failed.error().message();
  }
}

TEST_F(SqliteStoreTest, ASecondGatewayIsRefused) {
  const auto second = SqliteStore::open(options_, log_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Errc::InUse);
}

TEST_F(SqliteStoreTest, AFileOfANewerVersionIsRefusedAndLeftAsItIs) {
  commit(one_of_everything());
  stop();
  {
    const auto database = Database::open({.path = place_ / "data/queues.db", .vfs = "", .page_bytes = 1024});
    ASSERT_TRUE((*database)->execute("PRAGMA user_version=99"));
  }
  const auto refused = SqliteStore::open(options_, log_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::Unsupported);
  EXPECT_EQ(refused.error().message(), (place_ / "data/queues.db") +
                                           ": written by a newer furrow (schema 99, this one knows 1): install that "
                                           "version again, or move the file away to start empty");
  EXPECT_EQ(root_page(place_ / "data/queues.db", "segment") > 0, true);
}

TEST_F(SqliteStoreTest, NotesAreKept) {
  EXPECT_EQ(*store_->meta("gateway_id"), std::nullopt);
  ASSERT_TRUE(store_->set_meta("gateway_id", "barn-7"));
  restart();
  EXPECT_EQ(*store_->meta("gateway_id"), "barn-7");
}

// --- Size ---

TEST_F(SqliteStoreTest, ALargeFileThatIsAlmostEmptyIsMadeSmall) {
  create_queues({queue(1), queue(2)});
  commit_segments({segment(1, {{2, {1}}})});
  for (std::uint64_t i = 2; i <= 20; ++i) commit_segments({segment(i, {{1, {i}}}, std::string(1 * MiB, 'x'))});
  const auto size = [&] { return fs::file_size(place_ / "data/queues.db"); };
  ASSERT_TRUE(store_->compact());
  commit_cursors({cursor(1, 20)});
  EXPECT_GT(size(), 16 * MiB);
  const Status compacted = store_->compact();
  ASSERT_TRUE(compacted) << compacted.error().message();
  EXPECT_LT(size(), 1 * MiB);
  EXPECT_EQ(ids(read(2)), (std::vector<std::uint64_t>{1}));
  commit_segments({segment(21, {{1, {21}}})});
  restart();
  EXPECT_EQ(ids(read(1)), (std::vector<std::uint64_t>{21}));
  EXPECT_EQ(ids(read(2)), (std::vector<std::uint64_t>{1}));
}

TEST_F(SqliteStoreTest, AFileThatIsInUseStaysAsItIs) {
  create_queues({queue(1)});
  for (std::uint64_t i = 1; i <= 20; ++i) commit_segments({segment(i, {{1, {i}}}, std::string(1 * MiB, 'x'))});
  const std::uint64_t before = store_->health().bytes_written;
  ASSERT_TRUE(store_->compact());
  EXPECT_EQ(store_->health().bytes_written, before);
}

// --- Cost ---

TEST_F(SqliteStoreTest, ACommitIsOneSync) {
  FaultyVfs vfs("counting-syncs");
  unsigned syncs = 0;
  vfs.on_sync = [&] { ++syncs; };
  const TemporaryDirectory place;
  auto store = SqliteStore::open({.directory = place.path(), .vfs = vfs.name()}, log_);
  Batch batch;
  batch.number = BatchNumber{1};
  batch.queues_created = {queue(1)};
  ASSERT_TRUE((*store)->commit(batch));
  syncs = 0;
  for (std::uint64_t i = 2; i < 12; ++i) {
    Batch next;
    next.number = BatchNumber{i};
    next.segments = {segment(i, {{1, {i}}})};
    next.cursors = {cursor(1, 0, i)};
    ASSERT_TRUE((*store)->commit(next));
  }
  EXPECT_EQ(syncs, 10U);
}

// The goal for 100 messages a commit is 200 bytes each; topics that are written once per segment save more.
TEST_F(SqliteStoreTest, AHundredMessagesACommitCostFewBytesEach) {
  create_queues({queue(1)});
  const std::uint64_t before = store_->health().bytes_written;
  constexpr std::uint64_t kCommits = 1000;
  for (std::uint64_t i = 0; i < kCommits; ++i) {
    std::vector<std::uint64_t> sequences(100);
    for (std::uint64_t k = 0; k < 100; ++k) sequences[k] = i * 100 + k + 1;
    Batch batch;
    batch.segments = {segment(i + 1, {{1, sequences}}, "123456789012")};
    batch.cursors = {cursor(1, 0, i * 100 + 101)};
    commit(std::move(batch));
  }
  const std::uint64_t in = (store_->health().bytes_written - before) / (kCommits * 100);
  for (std::uint64_t i = 1; i <= kCommits; ++i) commit_cursors({cursor(1, i * 100)});
  const std::uint64_t both = (store_->health().bytes_written - before) / (kCommits * 100);
  std::cout << "bytes per message, 100 a commit: in " << in << ", in and out " << both << "\n";
  EXPECT_LT(in, 180U);
  EXPECT_LT(both, 210U);
  EXPECT_TRUE(stored_segments().empty());
}

}  // namespace
}  // namespace furrow::gateway
