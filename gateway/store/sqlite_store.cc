#include "gateway/store/sqlite_store.h"

#include <span>
#include <utility>

namespace furrow::gateway {
namespace {

using broker::Batch;
using broker::Page;
using broker::ReadRequest;
using broker::Restored;
using broker::StoreHealth;
using broker::StoreState;

// A file that is damaged again and again lies on a medium that cannot be helped; each salvage keeps a copy of it.
constexpr unsigned kSalvagesMax = 3;

bool is_corrupt(const Status& status) {
  return !status && status.error().code() == Errc::Corrupt;
}

bool has_queue_rows(const Batch& batch) {
  return !batch.queues_created.empty() || !batch.segments.empty() || !batch.cursors.empty() || !batch.exchanges.empty();
}

bool has_session_rows(const Batch& batch) {
  return !batch.sessions.empty() || !batch.retained.empty();
}

}  // namespace

broker::StoreState store_state(Errc code) {
  switch (code) {
    case Errc::NoSpace:
      return StoreState::Full;
    case Errc::ReadOnly:
    case Errc::PermissionDenied:
      return StoreState::ReadOnly;
    case Errc::Corrupt:
      return StoreState::Salvaging;
    default:
      return StoreState::Failing;
  }
}

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const StoreOptions& options, Log& log) {
  std::unique_ptr<SqliteStore> store(new SqliteStore(options, log));
  FURROW_TRY(store->vfs_, CountingVfs::make(options.vfs));
  if (options.vfs.empty()) {
    FURROW_TRY(store->directory_, DataDirectory::open(options.directory));
  }
  FURROW_TRY_STATUS(store->open_files());
  return store;
}

DatabaseOptions SqliteStore::database_options(const std::string& file) const {
  return {.path = options_.directory + "/" + file, .vfs = vfs_->name(), .page_bytes = options_.page_bytes};
}

Status SqliteStore::open_files() {
  FURROW_TRY_STATUS(open_file(queues_));
  FURROW_TRY_STATUS(open_file(sessions_));
  // The names of new files must survive a power cut as their content does.
  return directory_ ? directory_->sync() : Status();
}

template <typename File>
Status SqliteStore::open_file(std::unique_ptr<File>& file) {
  if (directory_) {
    FURROW_TRY(const std::string kept, finish_salvage(*directory_, File::kName, options_.now));
    if (!kept.empty()) log_.write(LogLevel::Warning, "store.salvage_finished", {{"file", File::kName}, {"kept", kept}});
  }
  Result<std::unique_ptr<File>> opened = File::open(database_options(File::kName));
  if (!opened && opened.error().code() == Errc::Corrupt && directory_) return salvage_file(file);
  FURROW_TRY(file, std::move(opened));
  return {};
}

template <typename File>
Status SqliteStore::require(std::unique_ptr<File>& file) {
  return file ? Status() : salvage_file(file);
}

template <typename File>
Status SqliteStore::salvage_file(std::unique_ptr<File>& file) {
  const std::string name = File::kName;
  SalvageReport report;
  // Is there already when a step after this one failed the last time.
  if (!directory_->has(name + ".salvaged")) {
    FURROW_TRY(report, fill_salvage<File>());
    FURROW_TRY_STATUS(directory_->rename(name + ".salvage", name + ".salvaged"));
    FURROW_TRY_STATUS(directory_->sync());
  }
  FURROW_TRY(const std::string kept, finish_salvage(*directory_, name, options_.now));
  FURROW_TRY(file, File::open(database_options(name)));
  ++salvages_;
  log_.write(
      LogLevel::Error, "store.salvaged",
      {{"file", directory_->path_of(name)}, {"rows", report.rows}, {"unreadable", report.unreadable}, {"kept", kept}});
  return {};
}

template <typename File>
Result<SalvageReport> SqliteStore::fill_salvage() {
  const std::string name = File::kName;
  const std::string filling = name + ".salvage";
  FURROW_TRY_STATUS(directory_->remove(filling));
  FURROW_TRY_STATUS(directory_->remove(filling + "-wal"));
  SalvageReport report;
  {
    FURROW_TRY(const std::unique_ptr<File> fresh, File::open(database_options(filling)));
    FURROW_TRY(const std::unique_ptr<Database> damaged, Database::open_damaged(database_options(name)));
    FURROW_TRY(report, salvage(*damaged, *fresh));
    FURROW_TRY_STATUS(fresh->database().checkpoint());
  }
  // Emptied by the checkpoint; under its old name it would be found beside nothing.
  FURROW_TRY_STATUS(directory_->remove(filling + "-wal"));
  return report;
}

template <typename File>
void SqliteStore::look_for_damage(const Status& status, std::unique_ptr<File>& file) {
  if (is_corrupt(status) && directory_ && salvages_ < kSalvagesMax) file.reset();
}

Result<Restored> SqliteStore::restore() {
  Restored restored;
  Status status = read_rows(restored);
  if (is_corrupt(status)) {
    restored = {};
    status = read_rows(restored);
  }
  FURROW_TRY_STATUS(std::move(status));
  return restored;
}

Status SqliteStore::read_rows(Restored& restored) {
  FURROW_TRY_STATUS(require(queues_));
  FURROW_TRY_STATUS(require(sessions_));
  Status queues = queues_->restore(restored);
  look_for_damage(queues, queues_);
  FURROW_TRY_STATUS(std::move(queues));

  Result<std::uint64_t> damaged = sessions_->restore(restored);
  if (!damaged) {
    Status sessions = std::move(damaged).error();
    look_for_damage(sessions, sessions_);
    return sessions;
  }
  if (*damaged > 0) {
    log_.write(LogLevel::Error, "store.rows_damaged",
               {{"file", sessions_->database().path()}, {"rows", *damaged}, {"reason", "checksum"}});
  }
  return {};
}

Status SqliteStore::commit(const Batch& batch) {
  if (batch.number != progress_.batch) progress_ = {.batch = batch.number, .step = Step::Queues};
  while (progress_.step != Step::Done) FURROW_TRY_STATUS(take_step(batch));
  return {};
}

Status SqliteStore::take_step(const Batch& batch) {
  const std::span<const QueueId> removed = batch.queues_removed;
  // Without rows for the other file nothing has to come between, and one transaction (one sync) does.
  const bool two_files = has_session_rows(batch);
  switch (progress_.step) {
    case Step::Queues: {
      const std::span<const QueueId> removed_now = two_files ? std::span<const QueueId>() : removed;
      if (has_queue_rows(batch) || !removed_now.empty()) {
        FURROW_TRY_STATUS(execute(queues_, [&](QueueFile& file) { return file.commit(batch, removed_now); }));
      }
      progress_.step = two_files ? Step::Sessions : Step::Done;
      return {};
    }
    case Step::Sessions:
      FURROW_TRY_STATUS(execute(sessions_, [&](SessionFile& file) { return file.commit(batch); }));
      progress_.step = removed.empty() ? Step::Done : Step::Removals;
      return {};
    case Step::Removals:
      FURROW_TRY_STATUS(execute(queues_, [&](QueueFile& file) { return file.commit(Batch(), removed); }));
      progress_.step = Step::Done;
      return {};
    case Step::Done:
      return {};
  }
  return {};
}

template <typename File, typename Work>
Status SqliteStore::execute(std::unique_ptr<File>& file, Work work) {
  FURROW_TRY_STATUS(require(file));
  Status status = work(*file);
  if (!status) {
    look_for_damage(status, file);
    return status;
  }
  ++commits_;
  file->database().checkpoint_if_due();
  // The batch is durable all the same.
  const Status checkpoint = file->database().checkpoint_status();
  look_for_damage(checkpoint, file);
  return {};
}

Result<Page> SqliteStore::read(const ReadRequest& request) {
  FURROW_TRY_STATUS(require(queues_));
  return queues_->read(request);
}

StoreHealth SqliteStore::health() const {
  StoreHealth health;
  health.bytes_written = vfs_->counts().bytes;
  health.commits = commits_;
  const auto report = [&health](StoreState state, const std::string& reason) {
    if (health.state != StoreState::Ok) return;
    health.state = state;
    health.reason = reason;
  };
  const auto look_at = [&](const char* name, const auto& file) {
    if (!file) return report(StoreState::Salvaging, std::string(name) + " is damaged");
    const Database& database = std::as_const(*file).database();
    health.file_bytes += database.file_bytes();
    const Status& checkpoint = database.checkpoint_status();
    if (!checkpoint) report(store_state(checkpoint.error().code()), checkpoint.error().message());
  };
  look_at(QueueFile::kName, queues_);
  look_at(SessionFile::kName, sessions_);
  if (options_.disk_reserve > 0 && directory_ && free_bytes() < options_.disk_reserve) {
    report(StoreState::Full, "less than " + std::to_string(options_.disk_reserve / MiB) + " MiB free for " +
                                 options_.directory + ": free some space or lower store.disk_reserve");
  }
  return health;
}

// Free pages of the queue file are taken before it grows.
std::uint64_t SqliteStore::free_bytes() const {
  std::uint64_t bytes = directory_->free_bytes();
  if (bytes >= options_.disk_reserve || !queues_) return bytes;
  const Result<std::uint64_t> pages = std::as_const(*queues_).database().query_number("PRAGMA freelist_count");
  return pages ? bytes + *pages * options_.page_bytes : bytes;
}

Result<std::optional<std::string>> SqliteStore::meta(std::string_view key) {
  FURROW_TRY_STATUS(require(queues_));
  return queues_->meta(key);
}

Status SqliteStore::set_meta(std::string_view key, std::string_view value) {
  FURROW_TRY_STATUS(require(queues_));
  return queues_->set_meta(key, value);
}

}  // namespace furrow::gateway
