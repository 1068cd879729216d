#include "tests/sim/sqlite_medium.h"

namespace furrow::sim {

namespace {

// Writes, truncations and syncs of one commit of few messages, and of opening the files: where a cut falls.
constexpr std::uint64_t kCommitOperations = 30;
constexpr std::uint64_t kOpenOperations = 60;
constexpr unsigned kRecoveriesCutMax = 3;
constexpr const char* kDirectory = "data";
constexpr const char* kQueues = "data/queues.db";
constexpr const char* kQueuesLog = "data/queues.db-wal";
constexpr const char* kSessions = "data/sessions.db";
constexpr const char* kSessionsLog = "data/sessions.db-wal";
// Files are small here: what a large one meets once in an hour is met all the time.
constexpr gateway::LogTidy::Options kTidy{.small_segments = 4, .in_use_min = 0, .commits_between = 8, .waste_min = 0};

}  // namespace

Medium::Files SqliteMedium::files() const {
  return {.queues = vfs_.bytes_of(kQueues),
          .queues_log = vfs_.bytes_of(kQueuesLog),
          .sessions = vfs_.bytes_of(kSessions),
          .sessions_log = vfs_.bytes_of(kSessionsLog)};
}

// Told by the file alone, which is as it was afterwards.
Medium::Kept SqliteMedium::kept() {
  const auto file = gateway::Database::open_damaged({.path = kQueues, .vfs = vfs_.name()});
  const auto count = [&](const char* table) {
    const std::string sql = std::string("SELECT count(*) FROM ") + table;
    const Result<std::uint64_t> rows = file ? (*file)->query_number(sql) : Result<std::uint64_t>(file.error());
    if (!rows) ledger_.fail("the file cannot be looked at: " + rows.error().message());
    return rows ? *rows : 0;
  };
  return {.queues = count("queue"), .segments = count("segment")};
}

bool SqliteMedium::commit(const broker::Batch& batch) {
  const Status status = store_->commit(batch);
  if (status) {
    if (random_.chance(30)) tidy();
    return true;
  }
  if (!is_expected(status.error())) ledger_.fail("the store failed: " + status.error().message());
  return false;
}

bool SqliteMedium::is_expected(const Error& error) const {
  return vfs_.failed() || syncs_fail_ || (full_ && error.code() == Errc::NoSpace);
}

void SqliteMedium::tidy() {
  const auto more = store_->tidy();
  if (!more && !is_expected(more.error())) ledger_.fail("the store cannot be tidied: " + more.error().message());
}

void SqliteMedium::rest() {
  const Status status = store_->compact();
  if (!status && !is_expected(status.error()))
    ledger_.fail("the store cannot be made small: " + status.error().message());
}

std::optional<broker::Page> SqliteMedium::read(const broker::ReadRequest& request) {
  Result<broker::Page> page = store_->read(request);
  if (!page) {
    ledger_.fail("the store cannot read: " + page.error().message());
    return std::nullopt;
  }
  if (page->damaged > 0) ledger_.fail("the store found a damaged segment");
  return *std::move(page);
}

std::optional<broker::Restored> SqliteMedium::open() {
  for (unsigned cuts = 0;; ++cuts) {
    if (cuts < kRecoveriesCutMax && random_.chance(20)) vfs_.fail_after(random_.below(kOpenOperations));
    auto opened = gateway::SqliteStore::open({.directory = kDirectory, .vfs = vfs_.name(), .tidy = kTidy}, log_);
    if (opened) store_ = *std::move(opened);
    Result<broker::Restored> restored =
        opened ? store_->restore() : Result<broker::Restored>(std::move(opened).error());
    if (restored && !vfs_.failed()) {
      vfs_.kill();  // only disarms
      return *std::move(restored);
    }
    if (!vfs_.failed()) {
      if (!syncs_fail_) ledger_.fail("the store does not open: " + restored.error().message());
      end(false);
      return std::nullopt;
    }
    end(random_.chance(50));
  }
}

void SqliteMedium::close() {
  const bool cut = random_.chance(30);
  if (cut) vfs_.fail_after(random_.below(kOpenOperations));
  store_.reset();
  end(cut);
}

void SqliteMedium::crash(const broker::Batch* running, bool power) {
  if (running != nullptr && store_) {  // a store that did not open has failed the run already
    vfs_.fail_after(random_.below(kCommitOperations));
    if (random_.chance(30)) tidy();
    (void)store_->commit(*running);
  }
  end(power);
}

// Nothing that SQLite does at its end must reach the disk: its process is gone.
void SqliteMedium::end(bool power) {
  vfs_.fail_after(0);
  store_.reset();
  if (power) {
    ++power_cuts_;
    vfs_.cut_power();
  } else {
    vfs_.kill();
  }
}

void SqliteMedium::fail_syncs(bool fail) {
  syncs_fail_ = fail;
  vfs_.fail_syncs(fail);
}

void SqliteMedium::fill(bool full) {
  full_ = full;
  vfs_.set_capacity(full ? vfs_.bytes() : 0);
}

}  // namespace furrow::sim
