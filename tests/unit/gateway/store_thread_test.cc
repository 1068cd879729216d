#include "gateway/store_thread.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <iterator>

#include "tests/support/faulty_vfs.h"
#include "tests/support/store_rows.h"
#include "tests/support/temporary_directory.h"

namespace furrow::gateway {
namespace {

using broker::Batch;
using broker::StoreState;
using std::chrono::milliseconds;
using std::chrono::seconds;

Instant real_now() {
  return Instant(std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

// Lets the test hold a commit up at its sync.
class Gate {
 public:
  void close() {
    const std::lock_guard lock(mutex_);
    open_ = false;
  }
  void open() {
    {
      const std::lock_guard lock(mutex_);
      open_ = true;
    }
    changed_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
};

// Stands for the loop: waits for a wake and takes the events.
class StoreThreadTest : public ::testing::Test {
 protected:
  StoreThreadTest() {
    vfs_.on_sync = [this] { gate_.pass(); };
    start({});
  }
  ~StoreThreadTest() override { gate_.open(); }

  void start(const LogTidy::Options& tidy, Duration retry_interval = milliseconds(1)) {
    thread_.reset();
    auto store = SqliteStore::open({.directory = place_.path(), .vfs = vfs_.name(), .tidy = tidy}, log_);
    ASSERT_TRUE(store);
    thread_ = std::make_unique<StoreThread>(*std::move(store), StoreThread::Options{
                                                                   .wake = [this] { wake(); },
                                                                   .now = real_now,
                                                                   .retry_interval = retry_interval,
                                                                   .slow_after = seconds(2),
                                                               });
  }

  void wake() {
    {
      const std::lock_guard lock(mutex_);
      ++wakes_;
    }
    woken_.notify_all();
  }

  // Takes events, adding them up, until `enough` says so.
  template <typename Enough>
  void wait_until(Enough enough) {
    std::unique_lock lock(mutex_);
    while (true) {
      const unsigned seen = wakes_;
      StoreThread::Events events = thread_->take_events(real_now());
      durable_ = events.durable;
      health_ = events.health;
      can_withdraw_ = events.can_withdraw;
      for (auto& page : events.pages) pages_.push_back(std::move(page));
      if (enough()) return;
      woken_.wait(lock, [&] { return wakes_ != seen; });
    }
  }

  void submit(std::uint64_t number) {
    Batch batch;
    batch.number = BatchNumber{number};
    if (number == 1) batch.queues_created = {queue(1)};
    batch.segments = {segment(number, {{1, {number}}})};
    thread_->submit(std::move(batch));
  }
  void read() { thread_->read({.queue = QueueId{1}, .from = {1}, .after = {}, .bytes_max = 1 * MiB}); }

  // What the next life finds.
  std::size_t stored_after_restart() {
    thread_.reset();
    vfs_.write_code = SQLITE_OK;
    auto store = SqliteStore::open({.directory = place_.path(), .vfs = vfs_.name()}, log_);
    const auto page = (*store)->read({.queue = QueueId{1}, .from = {1}, .after = {}, .bytes_max = 1 * MiB});
    return page->segments.size();
  }

  const TemporaryDirectory place_;
  FaultyVfs vfs_{"store-thread-test"};
  EventLog log_;
  Gate gate_;
  std::mutex mutex_;
  std::condition_variable woken_;
  unsigned wakes_ = 0;
  std::unique_ptr<StoreThread> thread_;
  // As of the last events:
  BatchNumber durable_;
  broker::StoreHealth health_;
  bool can_withdraw_ = false;
  std::vector<broker::Page> pages_;
};

TEST_F(StoreThreadTest, TheWatermarkFollowsTheBatches) {
  for (std::uint64_t i = 1; i <= 20; ++i) submit(i);
  wait_until([&] { return durable_ == BatchNumber{20}; });
  EXPECT_EQ(health_.state, StoreState::Ok);
  EXPECT_EQ(health_.commits, 20U);
  EXPECT_GT(health_.bytes_written, 0U);
  EXPECT_GT(health_.file_bytes, 0U);
}

// Looking for what is to be tidied takes about as long as the loop takes to come with the next batch.
TEST_F(StoreThreadTest, WhatComesWhileTheLogIsLookedAtIsNotForgotten) {
  start({.small_segments = 3, .in_use_min = 0, .commits_between = 1, .waste_min = 0});
  for (std::uint64_t i = 1; i <= 500; ++i) {
    submit(i);
    wait_until([&] { return durable_ == BatchNumber{i}; });
  }
}

TEST_F(StoreThreadTest, APageIsHandedOutOnce) {
  submit(1);
  wait_until([&] { return durable_ == BatchNumber{1}; });
  read();
  wait_until([&] { return !pages_.empty(); });
  ASSERT_EQ(pages_.size(), 1U);
  EXPECT_EQ(pages_[0].segments.size(), 1U);
  EXPECT_TRUE(thread_->take_events(real_now()).pages.empty());
}

TEST_F(StoreThreadTest, AFailingCommitIsRepeatedUntilItSucceeds) {
  vfs_.write_code = SQLITE_FULL;
  submit(1);
  submit(2);
  wait_until([&] { return health_.state == StoreState::Full; });
  EXPECT_NE(health_.reason.find("database or disk is full"), std::string::npos) << health_.reason;
  EXPECT_EQ(durable_, BatchNumber{0});
  vfs_.write_code = SQLITE_OK;
  wait_until([&] { return durable_ == BatchNumber{2}; });
  EXPECT_EQ(health_.state, StoreState::Ok);
}

TEST_F(StoreThreadTest, EachFailureHasItsState) {
  vfs_.write_code = SQLITE_READONLY;
  submit(1);
  wait_until([&] { return health_.state == StoreState::ReadOnly; });
  vfs_.write_code = SQLITE_IOERR_WRITE;
  wait_until([&] { return health_.state == StoreState::Failing; });
}

TEST_F(StoreThreadTest, ReadingGoesOnWhileCommitsFail) {
  submit(1);
  wait_until([&] { return durable_ == BatchNumber{1}; });
  vfs_.write_code = SQLITE_FULL;
  submit(2);
  wait_until([&] { return health_.state == StoreState::Full; });
  read();
  wait_until([&] { return !pages_.empty(); });
  EXPECT_EQ(pages_[0].segments.size(), 1U);
}

TEST_F(StoreThreadTest, AReadThatFailsShowsUntilItSucceedsThoughCommitsGoOn) {
  Batch large;
  large.number = BatchNumber{1};
  large.queues_created = {queue(1)};
  large.segments = {segment(1, {{1, {1}}}, std::string(5000, 'x'))};
  thread_->submit(std::move(large));
  wait_until([&] { return durable_ == BatchNumber{1}; });
  start({});  // whose page cache is cold
  submit(2);
  wait_until([&] { return durable_ == BatchNumber{2}; });
  vfs_.read_code = SQLITE_IOERR_READ;
  read();
  wait_until([&] { return health_.state == StoreState::Failing; });
  submit(3);
  wait_until([&] { return durable_ == BatchNumber{3}; });
  EXPECT_EQ(health_.state, StoreState::Failing);
  vfs_.read_code = SQLITE_OK;
  wait_until([&] { return !pages_.empty(); });
  EXPECT_EQ(health_.state, StoreState::Ok);
  EXPECT_EQ(pages_[0].damaged, 0U);
}

// Its segment lies on a bad sector; that of the other queue does not.
TEST_F(StoreThreadTest, ReadThatFailsHoldsUpNoOtherQueue) {
  Batch both;
  both.number = BatchNumber{1};
  both.queues_created = {queue(1), queue(2)};
  both.segments = {segment(1, {{1, {1}}}, std::string(5000, 'y')), segment(2, {{2, {1}}}, std::string(5000, 'x'))};
  thread_->submit(std::move(both));
  wait_until([&] { return durable_ == BatchNumber{1}; });
  thread_.reset();
  std::ifstream file(place_.path() + "/queues.db", std::ios::binary);
  const std::string content((std::istreambuf_iterator<char>(file)), {});
  const auto bad = static_cast<std::int64_t>(content.find(std::string(1000, 'y')) / 1024 * 1024);
  start({}, seconds(1000));  // until a failed read is tried again
  vfs_.is_bad = [bad](std::string_view, std::int64_t offset) { return offset / 1024 * 1024 == bad; };
  read();
  wait_until([&] { return health_.state == StoreState::Failing; });
  for (std::uint64_t i = 0; i < 3; ++i) {
    thread_->read({.queue = QueueId{2}, .from = {1}, .after = {}, .bytes_max = 1 * MiB});
  }
  wait_until([&] { return pages_.size() == 3; });
  EXPECT_EQ(pages_[0].queue, QueueId{2});
  EXPECT_EQ(pages_[0].segments.size(), 1U);
  EXPECT_EQ(health_.state, StoreState::Failing);
}

TEST_F(StoreThreadTest, ASlowCommitShowsWhileItLasts) {
  gate_.close();
  submit(1);
  std::optional<Instant> started;
  while (!started) started = thread_->take_events(real_now()).commit_started;
  EXPECT_EQ(thread_->take_events(*started + seconds(2)).health.state, StoreState::Ok);
  const auto events = thread_->take_events(*started + seconds(7));
  EXPECT_EQ(events.health.state, StoreState::Slow);
  EXPECT_EQ(events.health.reason, "a commit has been running for 7 s");
  gate_.open();
  wait_until([&] { return durable_ == BatchNumber{1}; });
  EXPECT_EQ(thread_->take_events(*started + seconds(9)).health.state, StoreState::Ok);
}

TEST_F(StoreThreadTest, AFailedBatchWithMessagesCanBeWithdrawnSoThatOthersGoOn) {
  submit(1);
  wait_until([&] { return durable_ == BatchNumber{1}; });
  EXPECT_EQ(thread_->withdraw(), std::nullopt);
  vfs_.write_code = SQLITE_FULL;
  submit(2);
  wait_until([&] { return health_.state == StoreState::Full && can_withdraw_; });
  std::optional<Batch> batch;
  while (!batch) batch = thread_->withdraw();  // not while it is being tried again
  EXPECT_EQ(batch->number, BatchNumber{2});
  EXPECT_EQ(batch->segments.size(), 1U);
  EXPECT_EQ(thread_->withdraw(), std::nullopt);
  vfs_.write_code = SQLITE_OK;
  Batch drain;
  drain.number = BatchNumber{3};
  drain.cursors = {cursor(1, 1, 3)};
  thread_->submit(std::move(drain));
  wait_until([&] { return durable_ == BatchNumber{3}; });
  EXPECT_EQ(health_.state, StoreState::Ok);
  EXPECT_EQ(stored_after_restart(), 0U);
}

TEST_F(StoreThreadTest, ABatchWithoutMessagesIsRepeatedAndNotGivenBack) {
  submit(1);
  wait_until([&] { return durable_ == BatchNumber{1}; });
  vfs_.write_code = SQLITE_FULL;
  Batch drain;
  drain.number = BatchNumber{2};
  drain.cursors = {cursor(1, 1, 3)};
  thread_->submit(std::move(drain));
  wait_until([&] { return health_.state == StoreState::Full; });
  EXPECT_EQ(thread_->withdraw(), std::nullopt);
  vfs_.write_code = SQLITE_OK;
  wait_until([&] { return durable_ == BatchNumber{2}; });
}

// Nothing is submitted while the state says that nothing can be written: the thread has to find out by itself.
TEST_F(StoreThreadTest, AfterAWithdrawalTheStateStaysUntilTheMediumTakesSomething) {
  submit(1);
  wait_until([&] { return durable_ == BatchNumber{1}; });
  vfs_.write_code = SQLITE_IOERR_WRITE;
  submit(2);
  wait_until([&] { return health_.state == StoreState::Failing; });
  while (!thread_->withdraw()) {
  }
  const int failed = vfs_.writes_failed;
  while (vfs_.writes_failed < failed + 3) {  // several attempts
    EXPECT_EQ(thread_->take_events(real_now()).health.state, StoreState::Failing);
  }
  vfs_.write_code = SQLITE_OK;
  wait_until([&] { return health_.state == StoreState::Ok; });
}

TEST_F(StoreThreadTest, StoppingFinishesWhatIsQueued) {
  gate_.close();
  for (std::uint64_t i = 1; i <= 5; ++i) submit(i);
  gate_.open();
  EXPECT_TRUE(thread_->stop());
  EXPECT_EQ(thread_->take_events(real_now()).durable, BatchNumber{5});
  EXPECT_EQ(stored_after_restart(), 5U);
}

TEST_F(StoreThreadTest, StoppingGivesUpWhenTheMediumFails) {
  submit(1);
  wait_until([&] { return durable_ == BatchNumber{1}; });
  vfs_.write_code = SQLITE_FULL;
  submit(2);
  submit(3);
  const Status status = thread_->stop();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code(), Errc::NoSpace);
  EXPECT_EQ(stored_after_restart(), 1U);
}

}  // namespace
}  // namespace furrow::gateway
