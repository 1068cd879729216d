// SQLite with owners: a connection, its prepared statements, transactions; every return code becomes a Status.
//
// Thread: any, one at a time. Nothing here knows a table.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "broker-core/base/bytes.h"
#include "broker-core/base/result.h"

namespace furrow::gateway {

// A prepared statement: bind, step, read the columns, and so on; reset by the last step or by the StatementScope.
class Statement {
 public:
  Statement() = default;

  // Parameters count from 1. Texts and blobs are borrowed until the statement is reset. A binding that fails fails the
  // next step().
  void bind(int parameter, std::uint64_t value);
  void bind(int parameter, std::string_view text);
  void bind(int parameter, ByteView blob);

  // Whether there is a row; the statement is reset when there is none, or an error.
  [[nodiscard]] Result<bool> step();
  // Executes a statement that returns no rows.
  Status run();
  void reset();

  // Columns count from 0; texts and blobs are valid until the next step or reset.
  std::uint64_t number(int column);
  std::string_view text(int column);
  ByteView blob(int column);

 private:
  friend class Database;
  struct Finalizer {
    // Repeats the error of the last step, which has been looked at.
    void operator()(sqlite3_stmt* statement) const { (void)sqlite3_finalize(statement); }
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  void note(int code);

  std::unique_ptr<sqlite3_stmt, Finalizer> statement_;
  int bind_code_ = SQLITE_OK;  // of the first binding that failed
};

// Resets a statement when its block ends, in whatever way.
class StatementScope {
 public:
  explicit StatementScope(Statement& statement) : statement_(statement) {}
  ~StatementScope() { statement_.reset(); }
  StatementScope(const StatementScope&) = delete;
  StatementScope& operator=(const StatementScope&) = delete;

 private:
  Statement& statement_;
};

struct DatabaseOptions {
  std::string path;
  std::string vfs;  // empty: SQLite's default
  std::uint32_t page_bytes = 1024;
};

// One connection to one file, in WAL mode, for itself alone. Statements must be gone before it.
class Database {
 public:
  // Creates the file if it is missing. Errc::Corrupt: not a database, or a damaged one.
  static Result<std::unique_ptr<Database>> open(const DatabaseOptions& options);
  // Opens a damaged file to look at it: never writes into it, sets nothing up.
  static Result<std::unique_ptr<Database>> open_damaged(const DatabaseOptions& options);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  const std::string& path() const { return path_; }

  Result<Statement> prepare(std::string_view sql) const;
  // Executes statements that are run once: pragmas, DDL.
  Status execute(const std::string& sql);
  // The one number that `sql` (a pragma, an aggregate) answers.
  Result<std::uint64_t> query_number(std::string_view sql) const;

  // Moves the content of the write-ahead log into the file.
  Status checkpoint();
  // Writes the content of the log once more, in place, and syncs it: after this it is on the medium, even when a
  // process before had a sync that failed.
  Status rewrite_log();
  // Makes a checkpoint once the log is large. Call after a commit.
  void checkpoint_if_due();
  // The result of the last such checkpoint: commits are durable either way, but a log that cannot be emptied grows.
  const Status& checkpoint_status() const { return checkpoint_status_; }

  // Writes zeros behind the log until it has `bytes`.
  Status extend_log(std::uint64_t bytes);
  // Whether most of the file can be read, by a look at some places: if so, a place that cannot be read is a bad one; if
  // not, the medium is gone.
  bool is_mostly_readable() const;

  std::uint64_t log_bytes() const;
  // Bytes of the file and its log.
  std::uint64_t file_bytes() const;
  // Bytes inside the file that are free to be used again, and bytes in use, also of pages that are only in the log yet.
  Result<std::uint64_t> reusable_bytes() const;
  Result<std::uint64_t> used_bytes() const;
  // Gives the free bytes inside the file back to the file system. Takes as long as writing the others. REQUIRES: no
  // statement is under way.
  Status compact();
  // From now on the file grows by at most `bytes` from its present size; a write that needs more gets Errc::NoSpace.
  Status limit_growth(std::uint64_t bytes);
  // Whether the file still lies under its path: commits into one that was deleted would be lost.
  bool is_in_place() const;

 private:
  friend class Transaction;
  explicit Database(std::string path) : path_(std::move(path)) {}
  Status connect(const DatabaseOptions& options, int flags);
  Status set_up(std::uint32_t page_bytes);

  struct Closer {
    void operator()(sqlite3* connection) const;
  };
  const std::string path_;
  std::unique_ptr<sqlite3, Closer> connection_;
  Statement begin_;
  Statement commit_;
  Statement rollback_;
  std::uint32_t page_bytes_ = 0;
  std::uint32_t log_pages_ = 0;           // as of the last commit
  std::uint64_t pages_max_ = 0xFFFFFFFE;  // the limit that is set; at first SQLite's own
  Status checkpoint_status_;
};

// Rolls back unless committed.
class Transaction {
 public:
  static Result<Transaction> begin(Database& database);
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

  Status commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}

  Database* database_;  // nullptr once committed or moved from
};

}  // namespace furrow::gateway
