// The writer thread: executes batches and reads of the core on a SqliteStore, away from the loop.
//
// The loop submits and takes events; the thread calls `wake` when there are new ones. Pages are read between commits,
// so a page shows what is durable when it is read, and reading goes on while commits fail. A batch that fails is
// repeated until it succeeds or is withdrawn; batches behind it wait. A read that fails is repeated, too, and other
// reads go on. One mutex guards everything that both threads touch, and is never held over a call into the store.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "broker-core/base/histogram.h"
#include "broker-core/base/ids.h"
#include "broker-core/base/result.h"
#include "broker-core/base/time.h"
#include "broker-core/store.h"
#include "gateway/store/sqlite_store.h"

namespace furrow::gateway {

class StoreThread final : public broker::Store {
 public:
  struct Options {
    // Called on the writer thread when take_events() has something new; must not call back.
    std::function<void()> wake;
    // The monotonic clock; called on the writer thread.
    std::function<Instant()> now;
    // A batch or a read that failed is tried again after this long.
    Duration retry_interval = std::chrono::seconds(1);
    // After this long without work the store is compacted, should that be worth it.
    Duration compact_after = std::chrono::seconds(30);
    // A commit that takes longer than this makes the state Slow.
    Duration slow_after = std::chrono::seconds(2);
  };

  StoreThread(std::unique_ptr<SqliteStore> store, Options options);
  // As stop().
  ~StoreThread() override;
  StoreThread(const StoreThread&) = delete;
  StoreThread& operator=(const StoreThread&) = delete;

  void submit(broker::Batch batch) override;
  void read(broker::ReadRequest request) override;

  struct Events {
    BatchNumber durable;  // all batches up to this one are
    broker::StoreHealth health;
    std::vector<broker::Page> pages;        // each is handed out once
    std::optional<Instant> commit_started;  // of the commit under way
    bool can_withdraw = false;              // withdraw() would give a batch back
  };
  // The events up to `now`. While a commit is under way they are worth asking for without a wake: `health` shows that
  // it is slow.
  Events take_events(Instant now);

  // How long commits have taken since start, failed ones among them.
  Histogram commit_times();

  // Gives back the batch that failed, if it has messages and nothing of it is durable: batches without messages can go
  // on then, which is how a full disk drains. Nothing when there is no such batch (any more).
  std::optional<broker::Batch> withdraw();

  // Writes the queued batches, or gives up at the first failure, and ends the thread. The error is that of the batch
  // that could not be written. No wake comes after stop() has returned.
  Status stop();

 private:
  using Lock = std::unique_lock<std::mutex>;
  struct Read {
    broker::ReadRequest request;
    Instant not_before = Instant::min();
    std::optional<Error> failure = std::nullopt;  // of the last attempt
  };

  void run();
  const Read* failing_read() const;
  // Each does one piece of work, with the lock released meanwhile; false when there is none now.
  bool serve_read(Lock& lock);
  bool execute_batch(Lock& lock);
  // For when there is no other work; false when the thread may wait.
  bool tidy(Lock& lock);
  // The store's own health, or that a read fails.
  broker::StoreHealth shown_health() const;
  // Waits for work, for the next attempt, or to look again at a state that is not Ok.
  void wait(Lock& lock);
  void refresh_health(Lock& lock);
  void compact(Lock& lock);
  bool can_withdraw() const;
  bool is_backing_off(Instant until) const { return !stopping_ && options_.now() < until; }

  // Constant after construction.
  const Options options_;
  const std::unique_ptr<SqliteStore> store_;  // the writer thread's alone
  // Guarded by mutex_.
  std::mutex mutex_;
  std::condition_variable work_;  // for the writer thread
  std::deque<broker::Batch> batches_;
  std::deque<Read> reads_;
  BatchNumber durable_;
  broker::StoreHealth health_;
  std::vector<broker::Page> pages_;
  std::optional<Instant> commit_started_;
  Histogram commit_times_;
  std::optional<Error> failure_;       // of the last attempt at the front batch
  bool untouched_ = false;             // nothing of the front batch is durable
  bool unproven_ = false;              // a commit failed, and none has succeeded since
  Instant retry_at_ = Instant::min();  // the front batch is not tried before
  bool compacted_ = true;              // since the last commit
  bool stopping_ = false;
  bool gave_up_ = false;

  std::thread thread_;  // last: starts when all else is there
};

}  // namespace furrow::gateway
