#include "gateway/store/sqlite_store.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <iostream>

#include "tests/support/faulty_vfs.h"
#include "tests/unit/gateway/store/sqlite_store_fixture.h"

namespace furrow::gateway {
namespace {

using broker::Batch;
using broker::ExchangeRow;
using broker::Page;
using broker::Restored;
using broker::StoreState;

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
  change.heard = {{.origin = "barn-7", .block = 5, .data = std::nullopt},
                  {.origin = "barn-8", .block = 5, .data = bytes_of("more ids")}};
  change.sessions = {{.client_id = "sensor-4", .data = std::nullopt}, {.client_id = "empty", .data = broker::Bytes{9}}};
  change.retained = {{.topic = "farm/state", .data = std::nullopt}};
  commit(std::move(change));
  const Restored restored = restore();
  EXPECT_EQ(restored.queues[0].row.name, "renamed");
  EXPECT_EQ(restored.queues[0].cursor.messages, 2U);
  EXPECT_TRUE(restored.exchanges.empty());
  ASSERT_EQ(restored.heard.size(), 1U);
  EXPECT_EQ(restored.heard[0].origin, "barn-8");
  EXPECT_EQ(restored.heard[0].data, bytes_of("more ids"));
  EXPECT_EQ(restored.own_ids.end, 4711U) << "it stays where nothing is said of it";
  ASSERT_EQ(restored.sessions.size(), 1U);
  EXPECT_EQ(restored.sessions[0].data, broker::Bytes{9});
  EXPECT_TRUE(restored.retained.empty());
}

TEST_F(SqliteStoreTest, IdsArePutAsideBeforeTheFirstBatch) {
  broker::OwnIds ids = restore().own_ids;
  EXPECT_TRUE(store_->put_ids_aside(ids, 100));
  EXPECT_EQ(ids.end, 0U) << "none were given before";
  commit(one_of_everything());
  restart();
  ids = restore().own_ids;
  EXPECT_TRUE(store_->put_ids_aside(ids, 100));
  EXPECT_EQ(ids.first, 4711U);
  EXPECT_EQ(ids.end, 4811U);
  restart();
  EXPECT_EQ(restore().own_ids.first, 4811U);
}

TEST_F(SqliteStoreTest, ANoteOfOwnIdsThatIsDamagedIsNone) {
  commit(one_of_everything());
  for (const std::string_view note : {"4700 1", "4711", "", "x"}) {
    ASSERT_TRUE(store_->set_meta("own_ids_end", note));
    EXPECT_EQ(restore().own_ids.end, 0U) << note;
  }
}

// So a bridge's session at its far broker lies among those of clients.
TEST_F(SqliteStoreTest, KeyWithANulIsAKeyOfItsOwn) {
  const std::string far_session("\0region", 7);
  Batch batch;
  batch.sessions = {{.client_id = "region", .data = broker::Bytes{1}},
                    {.client_id = far_session, .data = broker::Bytes{2}},
                    {.client_id = std::string(1, '\0'), .data = broker::Bytes{3}}};
  commit(std::move(batch));
  Batch removal;
  removal.sessions = {{.client_id = "region", .data = std::nullopt},
                      {.client_id = std::string(1, '\0'), .data = std::nullopt}};
  commit(std::move(removal));
  const Restored restored = restore();
  ASSERT_EQ(restored.sessions.size(), 1U);
  EXPECT_EQ(restored.sessions[0].client_id, far_session);
  EXPECT_EQ(restored.sessions[0].data, broker::Bytes{2});
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

TEST_F(SqliteStoreTest, AQueueIdIsNeverGivenTwiceThoughAnotherQueueIsRenamed) {
  create_queues({queue(1), queue(7)});
  remove_queue(7);
  create_queues({queue(1, "renamed")});
  restart();
  EXPECT_EQ(restore().last_queue, QueueId{7});
  EXPECT_EQ(restore().queues.at(0).row.name, "renamed");
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
                                           ": written by a newer furrow (schema 99, this one knows 3): install that "
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
