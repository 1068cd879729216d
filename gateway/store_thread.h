// The writer thread: executes batches and reads of the core on a SqliteStore, away from the loop.
//
// The loop submits and takes events; the thread calls `wake` when there are new ones. Pages are read between commits,
// so a page shows what is durable when it is read, and reading goes on while commits fail. A batch that fails is
// repeated until it succeeds or is withdrawn; batches behind it wait. A read that fails is repeated, too, and others go
// on. One mutex guards all that both threads touch, and is never held over a call into the store.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

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
    // How long after a failure the batch is tried again.
    Duration retry_interval = std::chrono::seconds(1);
    // After so long without work the store is compacted, should that be worth it.
    Duration compact_after = std::chrono::seconds(30);
    // A commit that takes longer makes the state Slow.
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
    BatchNumber durable;  // everything up to this batch is
    broker::StoreHealth health;
    std::vector<broker::Page> pages;        // each is handed out once
    std::optional<Instant> commit_started;  // one is under way
    bool can_withdraw = false;              // withdraw() would give a batch back
  };
  // What has happened up to `now`. Without a wake it is worth asking while a commit is under way: that it is slow shows
  // in `health` while it lasts.
  Events take_events(Instant now);

  // Takes back the batch that failed, if there were messages in it and nothing of it is durable: batches without
  // messages can go on then, which is how a full disk drains. Nothing when there is no such batch (any more).
  std::optional<broker::Batch> withdraw();

  // Finishes what is queued, or gives up at the first failure, and ends the thread. The error is that of the batch that
  // could not be written. No wake comes after it returns.
  Status stop();

 private:
  using Lock = std::unique_lock<std::mutex>;
  struct Read {
    broker::ReadRequest request;
    Instant not_before = Instant::min();
    std::optional<Error> failure = std::nullopt;  // the last time it was tried
  };

  void run();
  const Read* failing_read() const;
  // Each does one thing with the lock released meanwhile; false when there is nothing to do now.
  bool serve_read(Lock& lock);
  bool execute_batch(Lock& lock);
  // Only when there is nothing else to do; false when the thread may wait.
  bool tidy(Lock& lock);
  // The store's own, or that a read fails.
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
  std::optional<Error> failure_;       // of the front batch, the last time it was tried
  bool untouched_ = false;             // nothing of the front batch is durable
  bool unproven_ = false;              // a commit failed, and none has succeeded since
  Instant retry_at_ = Instant::min();  // the front batch, not before
  bool compacted_ = true;              // since the last commit
  bool stopping_ = false;
  bool gave_up_ = false;

  std::thread thread_;  // last: starts when all else is there
};

}  // namespace furrow::gateway
