#include "gateway/store/sqlite.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "gateway/store/errno_error.h"

namespace furrow::gateway {
namespace {

// A checkpoint is due at 4 MiB: a backlog that drains before it never reaches the file, and replay at start stays
// short.
constexpr std::uint64_t kLogBytesDue = 4 * MiB;

// As much as SQLite can count.
constexpr std::uint64_t kPagesMax = 0xFFFFFFFE;
constexpr std::uint64_t kGrowthFar = 64 * MiB;

Errc errc_from_sqlite(int code, int errno_value) {
  switch (code & 0xFF) {
    case SQLITE_FULL:
      return Errc::NoSpace;
    case SQLITE_READONLY:
      return Errc::ReadOnly;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Errc::Corrupt;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Errc::InUse;
    case SQLITE_IOERR: {
      // A file that is open is there; the number may be left from another call.
      const Errc cause = errc_from_errno(errno_value);
      return cause == Errc::NoSpace || cause == Errc::ReadOnly ? cause : Errc::Io;
    }
    case SQLITE_CANTOPEN:
      return errc_from_errno(errno_value);
    default:
      return Errc::Io;
  }
}

// The errno of the call that failed last. SQLite's own note of it misses what fails within a COMMIT.
int last_errno(sqlite3* connection) {
  sqlite3_vfs* vfs = nullptr;
  const int code = sqlite3_file_control(connection, "main", SQLITE_FCNTL_VFS_POINTER, &vfs);
  return code == SQLITE_OK && vfs != nullptr ? vfs->xGetLastError(vfs, 0, nullptr) : sqlite3_system_errno(connection);
}

// `code` as an Error; `what` tells which file and what was attempted with it.
Error sqlite_error(sqlite3* connection, int code, const std::string& what) {
  const int primary = code & 0xFF;
  const int errno_value = connection != nullptr ? last_errno(connection) : 0;
  std::string message = what + ": " + sqlite3_errstr(primary);
  if ((primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN) && errno_value != 0) {
    message += ": " + errno_text(errno_value);
  } else if (primary == SQLITE_ERROR && connection != nullptr) {
    message += std::string(": ") + sqlite3_errmsg(connection);
  }
  return {errc_from_sqlite(code, errno_value), std::move(message)};
}

const char* path_of(sqlite3* connection) {
  const char* path = sqlite3_db_filename(connection, "main");
  return path != nullptr ? path : "database";
}

Error statement_error(sqlite3_stmt* statement, int code) {
  sqlite3* connection = sqlite3_db_handle(statement);
  return sqlite_error(connection, code, std::string(path_of(connection)) + ": " + sqlite3_sql(statement));
}

// The file (SQLITE_FCNTL_FILE_POINTER) or its log (SQLITE_FCNTL_JOURNAL_POINTER); nullptr when it is not open.
sqlite3_file* file_of(sqlite3* connection, int pointer) {
  sqlite3_file* file = nullptr;
  if (sqlite3_file_control(connection, "main", pointer, &file) != SQLITE_OK) return nullptr;
  return file != nullptr && file->pMethods != nullptr ? file : nullptr;
}

std::uint64_t size_of(sqlite3* connection, int pointer) {
  sqlite3_file* file = file_of(connection, pointer);
  sqlite3_int64 size = 0;
  if (file == nullptr || file->pMethods->xFileSize(file, &size) != SQLITE_OK) return 0;
  return static_cast<std::uint64_t>(size);
}

// Finds where the last frame of a log of `size` bytes ends; 0 when there is none. A frame belongs to the log when its
// salt is that of the log's header: behind it are remains of earlier logs, or zeros (SQLite, "WAL-mode File Format").
int find_log_end(sqlite3_file* log, std::uint64_t size, std::uint32_t page_bytes, std::uint64_t& end) {
  using Salt = std::array<char, 8>;
  constexpr std::uint64_t kHeaderBytes = 32;
  constexpr std::uint64_t kSaltInHeader = 16;
  constexpr std::uint64_t kSaltInFrame = 8;
  const std::uint64_t frame_bytes = 24 + page_bytes;
  const auto read_salt = [&](std::uint64_t at, Salt& salt) {
    return log->pMethods->xRead(log, salt.data(), static_cast<int>(salt.size()), static_cast<sqlite3_int64>(at));
  };
  end = 0;
  if (size < kHeaderBytes + frame_bytes) return SQLITE_OK;
  Salt salt{};
  Salt found{};
  int code = read_salt(kSaltInHeader, salt);
  if (salt == Salt{}) return code;
  for (std::uint64_t next = kHeaderBytes; code == SQLITE_OK && next + frame_bytes <= size; next += frame_bytes) {
    code = read_salt(next + kSaltInFrame, found);
    if (found != salt) break;
    end = next + frame_bytes;
  }
  return code;
}

}  // namespace

void Statement::note(int code) {
  if (bind_code_ == SQLITE_OK) bind_code_ = code;
}

void Statement::bind(int parameter, std::uint64_t value) {
  note(sqlite3_bind_int64(statement_.get(), parameter, static_cast<sqlite3_int64>(value)));
}

void Statement::bind(int parameter, std::string_view text) {
  const char* begin = text.empty() ? "" : text.data();
  note(sqlite3_bind_text64(statement_.get(), parameter, begin, text.size(), SQLITE_STATIC, SQLITE_UTF8));
}

// An empty view may point nowhere, which SQLite would take for NULL.
void Statement::bind(int parameter, ByteView blob) {
  const void* begin = blob.empty() ? static_cast<const void*>("") : blob.data();
  note(sqlite3_bind_blob64(statement_.get(), parameter, begin, blob.size(), SQLITE_STATIC));
}

Result<bool> Statement::step() {
  const int code = bind_code_ != SQLITE_OK ? bind_code_ : sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    reset();
    return false;
  }
  Error error = statement_error(statement_.get(), code);
  reset();
  return error;
}

Status Statement::run() {
  FURROW_TRY(const bool row, step());
  if (row) reset();
  return {};
}

// Its code repeats the error of the last step, which has been looked at.
void Statement::reset() {
  (void)sqlite3_reset(statement_.get());
  bind_code_ = SQLITE_OK;
}

std::uint64_t Statement::number(int column) {
  return static_cast<std::uint64_t>(sqlite3_column_int64(statement_.get(), column));
}

std::string_view Statement::text(int column) {
  const auto* begin = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  if (begin == nullptr) return {};
  return {begin, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

ByteView Statement::blob(int column) {
  const auto* begin = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_.get(), column));
  if (begin == nullptr) return {};
  return {begin, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

void Database::Closer::operator()(sqlite3* connection) const {
  const int code = sqlite3_close(connection);
  FURROW_CHECK(code == SQLITE_OK);  // else a statement outlives its connection
}

Result<std::unique_ptr<Database>> Database::open(const DatabaseOptions& options) {
  std::unique_ptr<Database> database(new Database(options.path));
  FURROW_TRY_STATUS(database->connect(options, SQLITE_OPEN_CREATE));
  FURROW_TRY_STATUS(database->set_up(options.page_bytes));
  return database;
}

Result<std::unique_ptr<Database>> Database::open_damaged(const DatabaseOptions& options) {
  std::unique_ptr<Database> database(new Database(options.path));
  FURROW_TRY_STATUS(database->connect(options, 0));
  // EXCLUSIVE: the log is read without shared memory. The log must not be moved into the file at the end.
  FURROW_TRY_STATUS(database->execute("PRAGMA locking_mode=EXCLUSIVE"));
  const int code = sqlite3_db_config(database->connection_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  if (code != SQLITE_OK) return sqlite_error(database->connection_.get(), code, options.path);
  return database;
}

Database::~Database() = default;

Status Database::connect(const DatabaseOptions& options, int flags) {
  // NOMUTEX: one thread at a time is our promise.
  flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  sqlite3* connection = nullptr;
  const int code =
      sqlite3_open_v2(options.path.c_str(), &connection, flags, options.vfs.empty() ? nullptr : options.vfs.c_str());
  connection_.reset(connection);
  if (code != SQLITE_OK) return sqlite_error(connection, code, "open " + options.path);
  const auto note_log = [](void* self, sqlite3*, const char*, int pages) {
    static_cast<Database*>(self)->log_pages_ = static_cast<std::uint32_t>(pages);
    return SQLITE_OK;
  };
  (void)sqlite3_wal_hook(connection, note_log, this);  // returns the argument of the hook before: none
  return {};
}

// The reasons and measurements are in README.md. Page size and vacuum mode count before the first table only.
Status Database::set_up(std::uint32_t page_bytes) {
  FURROW_TRY_STATUS(execute("PRAGMA page_size=" + std::to_string(page_bytes)));
  for (const char* pragma : {
           "PRAGMA locking_mode=EXCLUSIVE",  // before the first access: a log without shared memory needs it
           "PRAGMA auto_vacuum=NONE",
           "PRAGMA journal_mode=WAL",
           "PRAGMA synchronous=FULL",
           "PRAGMA journal_size_limit=8388608",
           "PRAGMA secure_delete=OFF",
           "PRAGMA cache_size=-2000",
           "PRAGMA mmap_size=0",
           "PRAGMA temp_store=MEMORY",
       }) {
    FURROW_TRY_STATUS(execute(pragma));
  }
  FURROW_TRY(Statement mode, prepare("PRAGMA journal_mode"));
  FURROW_TRY(const bool row, mode.step());
  if (!row || mode.text(0) != "wal") {
    return Error(Errc::Unsupported, path_ + ": SQLite does not offer its write-ahead log here");
  }
  int persist = 1;
  const int code = sqlite3_file_control(connection_.get(), "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
  // A VFS without the notion deletes the log when it closes, which costs no more than making it again.
  if (code != SQLITE_OK && code != SQLITE_NOTFOUND) return sqlite_error(connection_.get(), code, path_);
  FURROW_TRY(const std::uint64_t found, query_number("PRAGMA page_size"));
  page_bytes_ = static_cast<std::uint32_t>(found);
  FURROW_TRY(begin_, prepare("BEGIN IMMEDIATE"));
  FURROW_TRY(commit_, prepare("COMMIT"));
  FURROW_TRY(rollback_, prepare("ROLLBACK"));
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) const {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(connection_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return sqlite_error(connection_.get(), code, path_ + ": " + std::string(sql));
  return Statement(statement);
}

Status Database::execute(const std::string& sql) {
  const int code = sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return sqlite_error(connection_.get(), code, path_ + ": " + sql);
  return {};
}

Result<std::uint64_t> Database::query_number(std::string_view sql) const {
  FURROW_TRY(Statement statement, prepare(sql));
  FURROW_TRY(const bool row, statement.step());
  return row ? statement.number(0) : 0;
}

// PASSIVE suffices: no other connection reads or writes.
Status Database::checkpoint() {
  const int code = sqlite3_wal_checkpoint_v2(connection_.get(), "main", SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  if (code != SQLITE_OK) return sqlite_error(connection_.get(), code, path_ + ": checkpoint");
  log_pages_ = 0;
  return {};
}

Status Database::rewrite_log() {
  sqlite3_file* log = file_of(connection_.get(), SQLITE_FCNTL_JOURNAL_POINTER);
  if (log == nullptr) return {};
  std::uint64_t end = 0;
  int code = find_log_end(log, log_bytes(), page_bytes_, end);
  if (code == SQLITE_OK && end == 0) return {};
  std::vector<std::uint8_t> bytes(64 * KiB);
  for (std::uint64_t at = 0; at < end && code == SQLITE_OK; at += bytes.size()) {
    const int size = static_cast<int>(std::min<std::uint64_t>(bytes.size(), end - at));
    code = log->pMethods->xRead(log, bytes.data(), size, static_cast<sqlite3_int64>(at));
    if (code == SQLITE_OK) code = log->pMethods->xWrite(log, bytes.data(), size, static_cast<sqlite3_int64>(at));
  }
  if (code == SQLITE_OK) code = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
  return code == SQLITE_OK ? Status() : sqlite_error(connection_.get(), code, path_ + "-wal: rewrite");
}

void Database::checkpoint_if_due() {
  if (std::uint64_t{log_pages_} * page_bytes_ >= kLogBytesDue) checkpoint_status_ = checkpoint();
}

// SQLite does not look behind the last frame: a frame counts when its checksum and its salt are those of this log
// (SQLite, "WAL-mode File Format"). Zeros are written, as a file system notes the first write to a merely allocated
// block, too.
Status Database::extend_log(std::uint64_t bytes) {
  sqlite3_file* log = file_of(connection_.get(), SQLITE_FCNTL_JOURNAL_POINTER);
  if (log == nullptr) return {};
  static constexpr std::array<char, 64 * KiB> kZeros{};
  const std::uint64_t begin = log_bytes();
  if (begin >= bytes) return {};
  int code = SQLITE_OK;
  for (std::uint64_t at = begin; at < bytes && code == SQLITE_OK; at += kZeros.size()) {
    const int size = static_cast<int>(std::min<std::uint64_t>(kZeros.size(), bytes - at));
    code = log->pMethods->xWrite(log, kZeros.data(), size, static_cast<sqlite3_int64>(at));
  }
  // Bytes that StoreVfs has gathered for one write are written, and may fail, only now.
  if (code == SQLITE_OK) code = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
  if (code == SQLITE_OK) return {};
  // The log as it was can be synced again.
  (void)log->pMethods->xTruncate(log, static_cast<sqlite3_int64>(begin));
  return sqlite_error(connection_.get(), code, path_ + "-wal: extend");
}

bool Database::is_mostly_readable() const {
  constexpr std::uint64_t kPlaces = 16;
  sqlite3_file* file = file_of(connection_.get(), SQLITE_FCNTL_FILE_POINTER);
  const std::uint64_t size = size_of(connection_.get(), SQLITE_FCNTL_FILE_POINTER);
  std::array<char, 512> block{};
  std::uint64_t readable = 0;
  for (std::uint64_t place = 0; place < kPlaces; ++place) {
    const auto at = static_cast<sqlite3_int64>(size / kPlaces * place);
    const int code = file != nullptr ? file->pMethods->xRead(file, block.data(), block.size(), at) : SQLITE_IOERR;
    if (code == SQLITE_OK || code == SQLITE_IOERR_SHORT_READ) ++readable;
  }
  return 2 * readable > kPlaces;
}

std::uint64_t Database::log_bytes() const {
  return size_of(connection_.get(), SQLITE_FCNTL_JOURNAL_POINTER);
}

std::uint64_t Database::file_bytes() const {
  return size_of(connection_.get(), SQLITE_FCNTL_FILE_POINTER) + log_bytes();
}

Result<std::uint64_t> Database::reusable_bytes() const {
  FURROW_TRY(const std::uint64_t pages, query_number("PRAGMA freelist_count"));
  return pages * page_bytes_;
}

Result<std::uint64_t> Database::used_bytes() const {
  FURROW_TRY(const std::uint64_t pages, query_number("PRAGMA page_count"));
  FURROW_TRY(const std::uint64_t reusable, reusable_bytes());
  return pages * page_bytes_ - reusable;
}

// The checkpoint cuts the file; without it the new file would be in the log, and the old one in the file.
Status Database::compact() {
  FURROW_TRY_STATUS(execute("VACUUM"));
  return checkpoint();
}

// Counts from the size of the file: pages that are only in the log yet are growth.
Status Database::limit_growth(std::uint64_t bytes) {
  const std::uint64_t now = size_of(connection_.get(), SQLITE_FCNTL_FILE_POINTER) / page_bytes_;
  const std::uint64_t pages = std::clamp<std::uint64_t>(now + bytes / page_bytes_, 1, kPagesMax);
  // A limit that is far away is as good as the exact one, and is not set anew with each commit.
  const bool far_away = pages_max_ > now && (pages_max_ - now) * page_bytes_ >= kGrowthFar;
  if (pages == pages_max_ || (far_away && pages_max_ <= pages)) return {};
  FURROW_TRY_STATUS(execute("PRAGMA max_page_count=" + std::to_string(pages)));
  pages_max_ = pages;
  return {};
}

bool Database::is_in_place() const {
  int moved = 0;
  // A VFS that does not know says SQLITE_NOTFOUND, and keeps its files.
  const int code = sqlite3_file_control(connection_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  return code != SQLITE_OK || moved == 0;
}

Result<Transaction> Transaction::begin(Database& database) {
  FURROW_TRY_STATUS(database.begin_.run());
  return Transaction(database);
}

// Fails when SQLite has rolled back by itself, which is what is wanted; in memory it always succeeds.
Transaction::~Transaction() {
  if (database_ != nullptr) (void)database_->rollback_.run();
}

Status Transaction::commit() {
  FURROW_TRY_STATUS(database_->commit_.run());
  database_ = nullptr;
  return {};
}

}  // namespace furrow::gateway
