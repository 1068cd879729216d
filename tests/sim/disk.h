// The simulator's store: the model of tests/support/memory_store.h with time. Batches become durable after a drawn
// time, reads are answered after another, and a crash forgets what was not durable, perhaps in the middle of a batch.
#pragma once

#include <deque>
#include <optional>

#include "broker-core/base/random.h"
#include "broker-core/store.h"
#include "tests/support/memory_store.h"

namespace furrow::sim {

class Disk final : public broker::Store {
 public:
  Disk(Random& random, Duration commit_time_max) : random_(random), commit_time_max_(commit_time_max) {}

  void set_now(Instant now) { now_ = now; }

  void submit(broker::Batch batch) override {
    memory_.submit(std::move(batch));
    commits_.push_back(now_ + drawn());
  }
  void read(broker::ReadRequest request) override {
    memory_.read(request);
    reads_.push_back(now_ + drawn());
  }

  struct Event {
    BatchNumber durable;
    std::optional<broker::Page> page;  // else a new watermark
  };
  bool poll(Instant now, Event& event) {
    if (!commits_.empty() && std::max(commits_.front(), stalled_until_) <= now) {
      commits_.pop_front();
      event = {memory_.complete_one(), std::nullopt};
      return true;
    }
    if (!reads_.empty() && reads_.front() <= now) {
      reads_.pop_front();
      event = {{}, memory_.answer_read()};
      return true;
    }
    return false;
  }
  Instant next_deadline() const {
    const Instant commit = commits_.empty() ? kNever : std::max(commits_.front(), stalled_until_);
    return reads_.empty() ? commit : std::min(commit, reads_.front());
  }

  // Nothing becomes durable for `time`.
  void stall(Instant now, Duration time) { stalled_until_ = now + time; }
  void heal() { stalled_until_ = Instant::min(); }

  void crash() {
    memory_.crash(static_cast<int>(random_.below(test::MemoryStore::kCommits + 1)));
    commits_.clear();
    reads_.clear();
  }
  // What a gateway finds at start.
  broker::Restored restore() const { return memory_.restored(); }

 private:
  Duration drawn() {
    return Duration(static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(commit_time_max_.count()) + 1)));
  }

  Random& random_;
  const Duration commit_time_max_;
  Instant now_{};
  Instant stalled_until_ = Instant::min();
  std::deque<Instant> commits_;  // when each submitted batch is due
  std::deque<Instant> reads_;
  test::MemoryStore memory_;
};

}  // namespace furrow::sim
