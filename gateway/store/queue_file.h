// queues.db: durable queues with their cursors, the log of segments, exchanges, the ids of messages that a mesh has
// brought, and notes of the gateway.
//
// Each call that changes something is one transaction. Thread: any, one at a time.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "broker-core/store.h"
#include "gateway/store/log_tidy.h"
#include "gateway/store/segment_log.h"
#include "gateway/store/sqlite.h"

namespace furrow::gateway {

// The columns of an exchange, and the row that they stand for: one that makes no sense is not plausible (see
// broker-core/session/plausible_rows.h).
inline constexpr std::string_view kExchangeColumns =
    "queue, direction, packet_id, state, sequence, outbox, subscription_id, retain";
broker::ExchangeRow exchange_of(Statement& row);
// The kind of a queue from its column.
broker::QueueKind queue_kind(std::uint64_t number);
// The columns of ids that messages of a mesh had, and the row that they stand for; nothing when it is damaged.
inline constexpr std::string_view kHeardColumns = "origin, block, crc, ids";
std::optional<broker::HeardRow> heard_of(Statement& row, int first_column);

class QueueFile {
 public:
  static constexpr const char* kName = "queues.db";

  // Creates or migrates the file. Takes memory and time that do not depend on the number of segments.
  static Result<std::unique_ptr<QueueFile>> open(const DatabaseOptions& options);

  // Writes the queues created, segments, cursors and exchanges of `batch`, and takes `removed` away.
  Status commit(const broker::Batch& batch, std::span<const QueueId> removed);
  // Adds what is stored to `restored`. Errc::Corrupt: a row makes no sense.
  Status restore(broker::Restored& restored);
  Result<broker::Page> read(const broker::ReadRequest& request) { return log_.read(request); }
  // Looks for segments that are worth rewriting as one, in half a MiB at most. Nothing when there are none there;
  // has_more_to_tidy() says whether to look on.
  Result<std::optional<SegmentLog::Stretch>> find_untidy(const LogTidy::Options& options);
  bool has_more_to_tidy() const { return tidy_.has_more(log_); }
  // Rewrites what find_untidy() has found.
  Status tidy(const SegmentLog::Stretch& stretch);
  // See SegmentLog.
  void skip_io_errors(bool skip) { log_.skip_io_errors(skip); }

  Result<std::optional<std::string>> meta(std::string_view key);
  Status set_meta(std::string_view key, std::string_view value);

  Database& database() { return *database_; }
  const Database& database() const { return *database_; }

 private:
  explicit QueueFile(std::unique_ptr<Database> database) : database_(std::move(database)) {}
  Status prepare();
  Status load_marks();
  Status restore_queues(broker::Restored& restored);
  Status restore_exchanges(broker::Restored& restored);
  Status restore_heard(broker::Restored& restored);
  Error implausible(const char* table, QueueId queue) const;
  Status write(const broker::Batch& batch, std::span<const QueueId> removed);
  // Or renames it, where it is there already.
  Status create(const broker::QueueRow& row);
  Status note_last_queue(QueueId queue);
  Result<QueueId> last_queue();
  Status write_cursor(const broker::CursorRow& row);
  Status write_marks(QueueId queue);
  Status write_exchange(const broker::ExchangeRow& row);
  Status write_heard(const broker::HeardRow& row);
  Status erase(QueueId queue);
  Status write_meta(std::string_view key, std::string_view value);
  Result<SegmentId> merge(const SegmentLog::Stretch& stretch);

  std::unique_ptr<Database> database_;
  SegmentLog log_;
  LogTidy tidy_;
  Statement create_queue_;
  Statement create_cursor_;
  Statement write_cursor_;
  Statement write_marks_;
  Statement write_exchange_;
  Statement delete_exchange_;
  Statement delete_exchanges_;
  Statement write_heard_;
  Statement delete_heard_;
  Statement delete_cursor_;
  Statement delete_queue_;
  Statement read_meta_;
  Statement write_meta_;
};

}  // namespace furrow::gateway
