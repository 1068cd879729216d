// What the store makes of damaged files and failing media.
#include <cerrno>

#include "tests/support/faulty_vfs.h"
#include "tests/unit/gateway/store/sqlite_store_fixture.h"

namespace furrow::gateway {
namespace {

using broker::Batch;
using broker::Page;
using broker::Restored;
using broker::StoreState;

// --- Damaged rows ---

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
  EXPECT_EQ(restored.queues[0].cursor.messages, 2U);
  EXPECT_TRUE(restored.exchanges.empty());
  EXPECT_EQ(restored.heard.size(), 2U);
  EXPECT_EQ(restored.own_ids.end, 4711U);
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

// --- Rows that cannot be ---

// Changes a file while nobody has it open.
void execute(const std::string& path, const std::string& sql) {
  const auto database = Database::open({.path = path, .vfs = "", .page_bytes = 1024});
  const Status done = (*database)->execute(sql);
  ASSERT_TRUE(done) << done.error().message();
}

// A queue with three messages, two of them open, and an exchange.
class ImplausibleRowsTest : public SqliteStoreTest {
 protected:
  Restored restored_after(const std::string& sql) {
    Batch batch;
    batch.queues_created = {queue(1)};
    batch.segments = {segment(1, {{1, {1, 2, 3}}})};
    batch.cursors = {cursor(1, 1, 4)};
    batch.cursors[0].messages = 2;
    batch.exchanges = {{.queue = QueueId{1},
                        .packet_id = PacketId{7},
                        .sequence = Sequence{2},
                        .outbox = QueueId{1},
                        .subscription_id = 3}};
    commit(std::move(batch));
    stop();
    execute(place_ / "data/queues.db", sql);
    start();
    return restore();
  }
};

TEST_F(ImplausibleRowsTest, CursorIsRebuiltFromTheSegments) {
  for (const char* change : {"next = -1", "next = 0", "settled = 127", "settled = -1", "messages = 1000",
                             "holes = x'05'", "last_segment = -1", "first_segment = 900"}) {
    const Restored restored = restored_after(std::string("UPDATE cursor SET ") + change);
    ASSERT_EQ(restored.queues.size(), 1U) << change;
    const broker::CursorRow& found = restored.queues[0].cursor;
    EXPECT_LE(found.settled, Sequence{1}) << change;
    EXPECT_EQ(found.next, Sequence{4}) << change;
    EXPECT_EQ(ids(read(1)), (std::vector<std::uint64_t>{1})) << change;
    EXPECT_EQ(restored.exchanges.size(), 1U) << change;
    EXPECT_EQ(log_.events, (std::vector<std::string>{"store.salvaged"})) << change;
    log_.events.clear();
    stop();
    fs::remove_all(place_ / "data");
    start();
  }
}

TEST_F(ImplausibleRowsTest, ExchangeIsLeftOut) {
  for (const char* change : {"direction = 3", "direction = 257", "packet_id = 0", "packet_id = 65536", "state = 9",
                             "subscription_id = 268435456"}) {
    const Restored restored = restored_after(std::string("UPDATE exchange SET ") + change);
    ASSERT_EQ(restored.queues.size(), 1U) << change;
    EXPECT_EQ(restored.queues[0].cursor.messages, 2U) << change;
    EXPECT_TRUE(restored.exchanges.empty()) << change;
    EXPECT_EQ(log_.events, (std::vector<std::string>{"store.salvaged"})) << change;
    log_.events.clear();
    stop();
    fs::remove_all(place_ / "data");
    start();
  }
}

TEST_F(ImplausibleRowsTest, QueueOfAKindThatThereIsNotIsKeptAside) {
  EXPECT_TRUE(restored_after("UPDATE queue SET kind = 9").queues.empty());
  EXPECT_GE(count_kept("queues.db.corrupt-"), 1U);  // and its log
}

// The index that forbids it lacks an entry: the later row is the newer.
TEST_F(SqliteStoreTest, ClientWithTwoRowsKeepsTheLater) {
  const auto insert = [](const std::string& data) {
    const std::string crc = std::to_string(row_crc("pump-7", as_bytes(data)));
    return "INSERT INTO session VALUES('pump-7', " + crc + ", CAST('" + data + "' AS BLOB));";
  };
  const std::string index = "CREATE UNIQUE INDEX session_key ON session(client_id)";
  const std::string path = place_ / "data/sessions.db";
  stop();
  execute(path, "DROP TABLE session; CREATE TABLE session(client_id TEXT, crc INTEGER NOT NULL, data BLOB NOT NULL);" +
                    index + ";" + insert("old"));
  const std::string root = std::to_string(root_page(path, "session_key"));
  execute(path, "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'session_key'");
  execute(path, insert("new"));
  execute(path, "PRAGMA writable_schema = ON; INSERT INTO sqlite_schema VALUES('index', 'session_key', 'session', " +
                    root + ", '" + index + "')");
  start();
  const Restored restored = restore();
  ASSERT_EQ(restored.sessions.size(), 1U);
  EXPECT_EQ(restored.sessions[0].data, bytes_of("new"));
  EXPECT_EQ(log_.events, (std::vector<std::string>{"store.salvaged"}));
}

TEST_F(SqliteStoreTest, IdsThatAreDamagedAreForgotten) {
  commit(one_of_everything());
  stop();
  execute(place_ / "data/queues.db", "UPDATE heard SET ids = x'00' WHERE origin = 'barn-7'");
  start();
  const Restored restored = restore();
  ASSERT_EQ(restored.heard.size(), 1U);
  EXPECT_EQ(restored.heard[0].origin, "barn-8");
  EXPECT_EQ(restored.queues.size(), 2U);
  EXPECT_EQ(log_.events, (std::vector<std::string>{"store.salvaged"}));
}

class SalvageTest : public SqliteStoreTest {
 protected:
  // What a salvage of queues.db keeps of the exchanges.
  std::vector<broker::ExchangeRow> salvaged_exchanges() {
    stop();
    const auto damaged = Database::open({.path = place_ / "data/queues.db", .vfs = "", .page_bytes = 1024});
    auto fresh = QueueFile::open({.path = place_ / "fresh.db", .vfs = "", .page_bytes = 1024});
    EXPECT_TRUE(salvage(**damaged, **fresh));
    Restored restored;
    EXPECT_TRUE((*fresh)->restore(restored));
    return restored.exchanges;
  }
};

TEST_F(SalvageTest, ExchangesKeepTheQueueThatTheirMessageLiesIn) {
  Batch batch;
  batch.queues_created = {queue(1), queue(2)};
  batch.exchanges = {{.queue = QueueId{1},
                      .packet_id = PacketId{7},
                      .sequence = Sequence{2},
                      .outbox = QueueId{2},
                      .subscription_id = 3,
                      .retain = false}};
  commit(std::move(batch));
  const auto exchanges = salvaged_exchanges();
  ASSERT_EQ(exchanges.size(), 1U);
  EXPECT_EQ(exchanges[0].outbox, QueueId{2});
  EXPECT_EQ(exchanges[0].subscription_id, 3U);
  EXPECT_FALSE(exchanges[0].retain);
}

TEST_F(SalvageTest, ExchangesOfSchemaOneLieInTheirOwnQueue) {
  Batch batch;
  batch.queues_created = {queue(1)};
  batch.exchanges = {{.queue = QueueId{1}, .packet_id = PacketId{7}, .sequence = Sequence{2}, .outbox = QueueId{1}}};
  commit(std::move(batch));
  stop();
  execute(place_ / "data/queues.db",
          "ALTER TABLE exchange DROP COLUMN outbox; ALTER TABLE exchange DROP COLUMN subscription_id;"
          "ALTER TABLE exchange DROP COLUMN retain; PRAGMA user_version = 1");
  const auto exchanges = salvaged_exchanges();
  ASSERT_EQ(exchanges.size(), 1U);
  EXPECT_EQ(exchanges[0].outbox, QueueId{1});
  EXPECT_TRUE(exchanges[0].retain);
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

// Else a queue that is read in the meantime would keep the other waiting for ever.
TEST_F(BadSectorTest, ReadsOfOtherQueuesDoNotCount) {
  const broker::ReadRequest other{.queue = QueueId{2}, .from = {1}, .after = {}, .bytes_max = 1 * MiB};
  for (int i = 0; i < 5; ++i) {
    ASSERT_FALSE(try_read()) << "attempt " << i;
    ASSERT_TRUE(bad_store_->read(other));
  }
  EXPECT_EQ(try_read()->damaged, 1U);
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

}  // namespace
}  // namespace furrow::gateway
