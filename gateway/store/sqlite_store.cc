#include "gateway/store/sqlite_store.h"

#include <algorithm>
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

// A commit or a read that the medium fails is tried this often before unreadable places count as damaged, provided that
// the medium is there: a bad sector must not stop a queue for ever, and a loose cable must not empty it.
constexpr unsigned kIoFailuresMax = 5;
// A file larger than the first, with no more in use than the second, is made small again: the part in use is written
// twice for that.
constexpr std::uint64_t kCompactAbove = 16 * MiB;
constexpr std::uint64_t kCompactUpTo = 1 * MiB;
constexpr const char* kBallastName = "ballast";
// The size of the log when a checkpoint is due, and of the batch that made it so.
constexpr std::uint64_t kLogBytes = 6 * MiB;
// A file that is damaged again and again lies on a medium that cannot be helped; each salvage keeps a copy of it.
constexpr unsigned kSalvagesMax = 3;

bool is_corrupt(const Status& status) {
  return !status && status.error().code() == Errc::Corrupt;
}

bool is_full(const Status& status) {
  return !status && status.error().code() == Errc::NoSpace;
}

bool is_io(const Status& status) {
  return !status && status.error().code() == Errc::Io;
}

bool has_queue_rows(const Batch& batch) {
  return !batch.queues_created.empty() || !batch.segments.empty() || !batch.cursors.empty() ||
         !batch.exchanges.empty() || !batch.heard.empty() || batch.own_ids_end;
}

// Retained messages must be durable before the rows of the queue file; without such rows they go with the sessions.
bool retained_first(const Batch& batch) {
  return !batch.retained.empty() && has_queue_rows(batch);
}

std::span<const broker::RetainedRow> retained_with_sessions(const Batch& batch) {
  return retained_first(batch) ? std::span<const broker::RetainedRow>() : batch.retained;
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
  FURROW_TRY(store->vfs_, StoreVfs::make(options.vfs));
  if (options.vfs.empty()) {
    FURROW_TRY(store->directory_, DataDirectory::open(options.directory));
  }
  store->find_room();
  Status opened = store->open_files();
  if (is_full(opened) && store->room_.give_up_ballast()) opened = store->open_files();
  FURROW_TRY_STATUS(std::move(opened));
  store->measure_room();
  return store;
}

void SqliteStore::find_room() {
  DiskRoom::Options options{.reserve = options_.disk_reserve, .free_bytes = options_.free_bytes, .ballast = {}};
  if (directory_) {
    options.ballast = directory_->path_of(kBallastName);
    if (!options.free_bytes) options.free_bytes = [this] { return directory_->free_bytes(); };
  }
  room_ = DiskRoom(std::move(options));
}

DatabaseOptions SqliteStore::database_options(const std::string& file) const {
  return {.path = options_.directory + "/" + file, .vfs = vfs_->name(), .page_bytes = options_.page_bytes};
}

Status SqliteStore::open_files() {
  FURROW_TRY_STATUS(open_file(queues_));
  FURROW_TRY_STATUS(open_file(sessions_));
  // The log of the queues is as long as it gets from the start, so that no commit has to extend a file. On a full disk
  // it is what the reserve is for.
  if (room_.free_bytes() >= kLogBytes + DiskRoom::kBallastBytes) {
    // Where others have taken the room meanwhile it stays shorter: a full disk is no reason not to start.
    Status extended = queues_->database().extend_log(kLogBytes);
    if (!extended && !is_full(extended)) return extended;
  }
  FURROW_TRY_STATUS(empty_log(queues_->database()));
  FURROW_TRY_STATUS(empty_log(sessions_->database()));
  // The names of new files must survive a power cut as their content does.
  return directory_ ? directory_->sync() : Status();
}

// The core acts at once on the rows that it finds, so they must be durable. They may be in the page cache only, and
// where a sync of the log has failed another one does not help: the kernel takes pages that it could not write for
// clean. So the log is written again, and only then moved, as a power cut in the middle of the move needs it.
Status SqliteStore::empty_log(Database& database) {
  const auto move = [&] {
    Status written = database.rewrite_log();
    return written ? database.checkpoint() : written;
  };
  Status moved = move();
  if (is_full(moved) && room_.give_up_ballast()) moved = move();
  if (is_full(moved)) return {};  // no reason not to start: all is in the log
  return moved;
}

template <typename File>
Status SqliteStore::open_file(std::unique_ptr<File>& file) {
  if (directory_) {
    FURROW_TRY(const std::string kept, finish_salvage(*directory_, File::kName, options_.now));
    if (!kept.empty()) log_.write(LogLevel::Warning, "store.salvage_finished", {{"file", File::kName}, {"kept", kept}});
    // SQLite would open it for reading only, and then fail somewhere.
    FURROW_TRY_STATUS(directory_->check_writable(File::kName));
    FURROW_TRY_STATUS(directory_->check_writable(std::string(File::kName) + "-wal"));
  }
  Result<std::unique_ptr<File>> opened = File::open(database_options(File::kName));
  if (!opened && is_damaged<File>(opened.error())) return salvage_file(file);
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

// With a table of contents that cannot be read a file has more than a bad sector: a salvage would find nothing in it.
template <typename File>
bool SqliteStore::is_damaged(const Error& error) const {
  if (!directory_) return false;
  if (error.code() != Errc::Io) return error.code() == Errc::Corrupt;
  const auto found = Database::open_damaged(database_options(File::kName));
  return found && (*found)->is_mostly_readable() && (*found)->query_number("SELECT count(*) FROM sqlite_schema");
}

template <typename File>
void SqliteStore::look_for_damage(const Status& status, std::unique_ptr<File>& file) {
  if (is_corrupt(status) && directory_ && salvages_ < kSalvagesMax) file.reset();
}

// A start does not try for long: a row on a bad sector counts as damage.
template <typename File>
Status SqliteStore::look_at_rows(Status status, std::unique_ptr<File>& file) {
  const bool bad_sector = is_io(status) && file->database().is_mostly_readable();
  if (directory_ && (is_corrupt(status) || bad_sector)) file.reset();
  return status;
}

Result<Restored> SqliteStore::restore() {
  Restored restored;
  Status status = read_rows(restored);
  if (!status && (!queues_ || !sessions_)) {
    restored = {};
    status = read_rows(restored);
  }
  FURROW_TRY_STATUS(std::move(status));
  return restored;
}

Status SqliteStore::read_rows(Restored& restored) {
  FURROW_TRY_STATUS(require(queues_));
  FURROW_TRY_STATUS(require(sessions_));
  FURROW_TRY_STATUS(look_at_rows(queues_->restore(restored), queues_));
  const Result<std::uint64_t> damaged = sessions_->restore(restored);
  FURROW_TRY_STATUS(look_at_rows(damaged ? Status() : Status(damaged.error()), sessions_));
  if (*damaged > 0) {
    log_.write(LogLevel::Error, "store.rows_damaged",
               {{"file", sessions_->database().path()}, {"rows", *damaged}, {"reason", "checksum"}});
  }
  return {};
}

Status SqliteStore::commit(const Batch& batch) {
  if (batch.number != progress_.batch) progress_ = {.batch = batch.number, .step = Step::Retained};
  while (progress_.step != Step::Done) {
    Status status = take_step(batch);
    if (is_full(status) && room_.give_up_ballast()) {
      log_.write(LogLevel::Warning, "store.ballast_given_up", {{"data", options_.directory}});
      status = take_step(batch);
    }
    FURROW_TRY_STATUS(std::move(status));
  }
  measure_room();
  return {};
}

Status SqliteStore::take_step(const Batch& batch) {
  const std::span<const QueueId> removed = batch.queues_removed;
  // Without rows for the other file nothing has to come between, and one transaction (one sync) does.
  const bool two_files = !batch.sessions.empty() || !retained_with_sessions(batch).empty();
  switch (progress_.step) {
    case Step::Retained:
      if (retained_first(batch)) {
        FURROW_TRY_STATUS(execute(sessions_, [&](SessionFile& file) { return file.commit({}, batch.retained); }));
      }
      progress_.step = Step::Queues;
      return {};
    case Step::Queues: {
      const std::span<const QueueId> removed_now = two_files ? std::span<const QueueId>() : removed;
      if (has_queue_rows(batch) || !removed_now.empty()) {
        FURROW_TRY_STATUS(commit_queues(batch, removed_now));
      }
      progress_.step = two_files ? Step::Sessions : Step::Done;
      return {};
    }
    case Step::Sessions:
      FURROW_TRY_STATUS(execute(
          sessions_, [&](SessionFile& file) { return file.commit(batch.sessions, retained_with_sessions(batch)); }));
      progress_.step = removed.empty() ? Step::Done : Step::Removals;
      return {};
    case Step::Removals:
      FURROW_TRY_STATUS(commit_queues(Batch(), removed));
      progress_.step = Step::Done;
      return {};
    case Step::Done:
      return {};
  }
  return {};
}

// New messages do not take what the queues need to drain.
Status SqliteStore::commit_queues(const Batch& batch, std::span<const QueueId> removed) {
  Status status = execute(queues_, [&](QueueFile& file) -> Status {
    FURROW_TRY_STATUS(batch.segments.empty() ? file.database().limit_growth(DiskRoom::kUnlimited)
                                             : keep_reserve(file.database()));
    file.skip_io_errors(has_bad_sectors(commit_failures_));
    return file.commit(batch, removed);
  });
  commit_failures_ = is_io(status) ? commit_failures_ + 1 : 0;
  if (is_full(status) && room_.growth() != DiskRoom::kUnlimited) {
    status = Error(Errc::NoSpace, options_.directory + " is full: " + room_.reason());
  }
  return status;
}

Status SqliteStore::keep_reserve(Database& database) {
  const std::uint64_t for_log = kLogBytes - std::min(kLogBytes, database.log_bytes());
  const std::uint64_t growth = room_.growth();
  return database.limit_growth(growth - std::min(growth, for_log));
}

template <typename File, typename Work>
Status SqliteStore::execute(std::unique_ptr<File>& file, Work work) {
  FURROW_TRY_STATUS(require(file));
  const Database& database = file->database();
  if (!database.is_in_place()) {
    return Error(Errc::NotFound, database.path() + " was moved or deleted: put it back, or restart to begin anew");
  }
  Status status = work(*file);
  if (!status) {
    look_for_damage(status, file);
    return status;
  }
  ++commits_;
  file->database().checkpoint_if_due();
  if (is_full(file->database().checkpoint_status()) && room_.give_up_ballast()) file->database().checkpoint_if_due();
  // The batch is durable all the same.
  const Status checkpoint = file->database().checkpoint_status();
  look_for_damage(checkpoint, file);
  return {};
}

Status SqliteStore::probe() {
  return execute(queues_, [](QueueFile& file) { return file.set_meta("probe", "written"); });
}

Result<bool> SqliteStore::tidy() {
  if (!queues_) return false;
  FURROW_TRY(const std::optional<SegmentLog::Stretch> found, queues_->find_untidy(options_.tidy));
  if (!found) return queues_->has_more_to_tidy();
  Status status = execute(queues_, [&](QueueFile& file) -> Status {
    FURROW_TRY_STATUS(keep_reserve(file.database()));
    return file.tidy(*found);
  });
  FURROW_TRY_STATUS(std::move(status));
  return true;
}

Status SqliteStore::compact() {
  if (!queues_) return {};
  Database& database = queues_->database();
  FURROW_TRY(const std::uint64_t reusable, database.reusable_bytes());
  const std::uint64_t size = database.file_bytes() - database.log_bytes();
  if (size <= kCompactAbove || reusable + kCompactUpTo < size) return {};
  return execute(queues_, [](QueueFile& file) { return file.database().compact(); });
}

void SqliteStore::measure_room() {
  room_.keep_ballast();
  room_.measure([this]() -> std::uint64_t {
    if (!queues_) return 0;
    const Result<std::uint64_t> reusable = queues_->database().reusable_bytes();
    return reusable ? *reusable : 0;
  });
}

bool SqliteStore::has_bad_sectors(unsigned failures) const {
  return failures >= kIoFailuresMax && std::as_const(*queues_).database().is_mostly_readable();
}

Result<Page> SqliteStore::read(const ReadRequest& request) {
  FURROW_TRY_STATUS(require(queues_));
  // Pages in the page cache can be read when the medium is gone; a sync that succeeds shows that it is there.
  const auto failing = read_failures_.find(request.queue);
  const bool skip = failing != read_failures_.end() && has_bad_sectors(failing->second) && probe();
  FURROW_TRY_STATUS(require(queues_));
  queues_->skip_io_errors(skip);
  Result<Page> page = queues_->read(request);
  if (!page && page.error().code() == Errc::Io) {
    ++read_failures_[request.queue];
  } else {
    read_failures_.erase(request.queue);
  }
  if (page && page->damaged > 0 && !std::exchange(damage_reported_, true)) {
    log_.write(LogLevel::Error, "store.rows_damaged",
               {{"file", queues_->database().path()},
                {"rows", std::uint64_t{page->damaged}},
                {"reason", "checksum, or unreadable"},
                {"then", "what they held is counted as salvage_lost"}});
  }
  return page;
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
  if (room_.is_full()) report(StoreState::Full, room_.reason());
  return health;
}

Status SqliteStore::put_ids_aside(broker::OwnIds& ids, std::uint64_t count) {
  if (ids.end == 0) return {};
  Batch batch;
  batch.own_ids_end = ids.end + count;
  FURROW_TRY_STATUS(execute(queues_, [&](QueueFile& file) { return file.commit(batch, {}); }));
  ids.end = *batch.own_ids_end;
  return {};
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
