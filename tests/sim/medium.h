// What a simulated disk is made of: executes batches, answers reads, and forgets in a crash what was not durable.
#pragma once

#include <cstdint>
#include <optional>

#include "broker-core/base/random.h"
#include "broker-core/store.h"
#include "tests/support/memory_store.h"

namespace furrow::sim {

class Medium {
 public:
  virtual ~Medium() = default;

  // Bytes of the files; nothing where there are none.
  struct Files {
    std::uint64_t queues = 0;
    std::uint64_t queues_log = 0;
    std::uint64_t sessions = 0;
    std::uint64_t sessions_log = 0;
  };
  virtual Files files() const { return {}; }
  // How much it keeps of queues. REQUIRES: it is closed.
  struct Kept {
    std::uint64_t queues = 0;
    std::uint64_t segments = 0;
  };
  virtual Kept kept() = 0;

  // False when it failed: the same batch is tried again.
  virtual bool commit(const broker::Batch& batch) = 0;
  // Forgets the batch, which failed; false when something of it is durable already.
  virtual bool withdraw(const broker::Batch& batch) = 0;
  virtual std::optional<broker::Page> read(const broker::ReadRequest& request) = 0;
  // What a gateway finds at its start; nothing when the medium fails, so that it ends again.
  virtual std::optional<broker::Restored> open() = 0;
  // The gateway stops and everything is closed in order.
  virtual void close() = 0;
  // The process ends, or (`power`) the machine does, perhaps in the middle of `running`, nullptr = no batch is.
  virtual void crash(const broker::Batch* running, bool power) = 0;
  // Nothing was committed for a while.
  virtual void rest() {}
  // How many times the power failed, during recovery too.
  virtual std::uint64_t power_cuts() const = 0;
  // No file grows any more, or again.
  virtual void fill(bool full) = 0;
  // No sync succeeds any more, or again.
  virtual void fail_syncs(bool fail) = 0;
};

// The quick one: the model of tests/support/memory_store.h. A crash may fall between the commits of a batch.
class MemoryMedium final : public Medium {
 public:
  explicit MemoryMedium(Random& random) : random_(random) {}

  bool commit(const broker::Batch& batch) override {
    if (syncs_fail_ || (full_ && !batch.segments.empty())) return false;
    store_.submit(batch);
    (void)store_.complete_one();
    return true;
  }
  bool withdraw(const broker::Batch& batch) override {
    store_.submit(batch);
    (void)store_.fail_one();
    return true;
  }
  std::optional<broker::Page> read(const broker::ReadRequest& request) override {
    store_.read(request);
    return store_.answer_read();
  }
  std::optional<broker::Restored> open() override {
    return syncs_fail_ ? std::nullopt : std::optional(store_.restored());
  }
  void close() override { store_.crash(); }
  void crash(const broker::Batch* running, bool power) override {
    if (running != nullptr) store_.submit(*running);
    store_.crash(static_cast<int>(random_.below(test::MemoryStore::kCommits + 1)));
    power_cuts_ += power ? 1 : 0;
  }
  Kept kept() override { return {store_.queues(), store_.segments()}; }
  std::uint64_t power_cuts() const override { return power_cuts_; }
  void fill(bool full) override { full_ = full; }
  void fail_syncs(bool fail) override { syncs_fail_ = fail; }

 private:
  Random& random_;
  test::MemoryStore store_;
  bool full_ = false;
  bool syncs_fail_ = false;
  std::uint64_t power_cuts_ = 0;
};

}  // namespace furrow::sim
