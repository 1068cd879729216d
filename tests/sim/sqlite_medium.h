// The real store, gateway/store on SQLite, on a disk in memory: see sim_vfs.h for what a power cut does to it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "broker-core/base/log.h"
#include "broker-core/base/random.h"
#include "gateway/store/sqlite_store.h"
#include "tests/sim/ledger.h"
#include "tests/sim/medium.h"
#include "tests/sim/sim_vfs.h"

namespace furrow::sim {

class SqliteMedium final : public Medium {
 public:
  SqliteMedium(Log& log, Ledger& ledger, Random& random) : log_(log), ledger_(ledger), random_(random), vfs_(random) {}

  Files files() const override;
  Kept kept() override;
  bool commit(const broker::Batch& batch) override;
  bool withdraw(const broker::Batch&) override { return store_->is_untouched(); }
  std::optional<broker::Page> read(const broker::ReadRequest& request) override;
  // Recovery may be cut, too, more than once.
  std::optional<broker::Restored> open() override;
  // A clean end moves the log into the files; that may be cut, too.
  void close() override;
  void crash(const broker::Batch* running, bool power) override;
  void rest() override;
  std::uint64_t power_cuts() const override { return power_cuts_; }
  void fill(bool full) override;
  void fail_syncs(bool fail) override;

 private:
  // Whether what the store says is no wonder.
  bool is_expected(const Error& error) const;
  void tidy();
  void end(bool power);

  Log& log_;
  Ledger& ledger_;
  Random& random_;
  SimVfs vfs_;
  std::unique_ptr<gateway::SqliteStore> store_;
  bool full_ = false;
  bool syncs_fail_ = false;
  std::uint64_t power_cuts_ = 0;
};

}  // namespace furrow::sim
