#include "gateway/store/queue_file.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>
#include <vector>

#include "broker-core/session/plausible_rows.h"
#include "gateway/store/crc32c.h"
#include "gateway/store/schema.h"

namespace furrow::gateway {
namespace {

using broker::Batch;
using broker::CursorRow;
using broker::ExchangeRow;
using broker::QueueRow;
using broker::Restored;

// Segments outlive queues that they name, so an id that came back would find messages that were never its own.
constexpr std::string_view kLastQueue = "last_queue";
// The note that ids below this number may be given.
constexpr std::string_view kOwnIdsEnd = "own_ids_end";

// The columns of exchange_of(), in their order.
constexpr const char* kWriteExchange =
    "INSERT OR REPLACE INTO exchange(queue, direction, packet_id, state, sequence, outbox, subscription_id, retain) "
    "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

// 0 for what is too large.
template <typename T>
T narrowed(std::uint64_t number) {
  return number <= std::numeric_limits<T>::max() ? static_cast<T>(number) : T{};
}

std::uint64_t heard_crc(const broker::HeardRow& row) {
  const std::string key = row.origin + ' ' + std::to_string(row.block);
  return crc32c(crc32c(0, as_bytes(key)), *row.data);
}

// The number and its checksum: a lower one would give ids again that others have had.
std::string own_ids_text(std::uint64_t end) {
  const std::string digits = std::to_string(end);
  return digits + ' ' + std::to_string(crc32c(0, as_bytes(digits)));
}

// 0 for a note that is damaged: ids begin anew then, as others than before.
std::uint64_t own_ids_of(std::string_view text) {
  std::uint64_t end = 0;
  std::from_chars(text.data(), text.data() + text.size(), end);
  return text == own_ids_text(end) ? end : 0;
}

}  // namespace

broker::QueueKind queue_kind(std::uint64_t number) {
  return static_cast<broker::QueueKind>(narrowed<std::uint8_t>(number));
}

ExchangeRow exchange_of(Statement& row) {
  return {.queue = {row.number(0)},
          .direction = static_cast<ExchangeRow::Direction>(narrowed<std::uint8_t>(row.number(1))),
          .packet_id = {narrowed<std::uint16_t>(row.number(2))},
          .state = static_cast<ExchangeRow::State>(narrowed<std::uint8_t>(row.number(3))),
          .sequence = {row.number(4)},
          .outbox = {row.number(5)},
          .subscription_id = narrowed<std::uint32_t>(row.number(6)),
          .retain = row.number(7) != 0};
}

std::optional<broker::HeardRow> heard_of(Statement& row, int first_column) {
  broker::HeardRow heard{.origin = std::string(row.text(first_column)),
                         .block = row.number(first_column + 1),
                         .data = broker::copy_of(row.blob(first_column + 3))};
  if (row.number(first_column + 2) != heard_crc(heard)) return std::nullopt;
  return heard;
}

Result<std::unique_ptr<QueueFile>> QueueFile::open(const DatabaseOptions& options) {
  FURROW_TRY(std::unique_ptr<Database> database, Database::open(options));
  FURROW_TRY_STATUS(migrate_queues(*database));
  std::unique_ptr<QueueFile> file(new QueueFile(std::move(database)));
  FURROW_TRY_STATUS(file->prepare());
  FURROW_TRY_STATUS(file->load_marks());
  FURROW_TRY(file->tidy_, LogTidy::prepare(*file->database_, file->log_.last_segment()));
  return file;
}

Status QueueFile::prepare() {
  FURROW_TRY(log_, SegmentLog::open(*database_));
  for (const auto& [statement, sql] : std::initializer_list<std::pair<Statement*, const char*>>{
           {&create_queue_,
            "INSERT INTO queue(id, kind, name) VALUES(?1, ?2, ?3) "
            "ON CONFLICT(id) DO UPDATE SET kind = excluded.kind, name = excluded.name"},
           {&create_cursor_,
            "INSERT INTO cursor(queue, first_segment, last_segment, settled, next, messages, bytes, holes, counters) "
            "VALUES(?1, 0, 0, 0, 1, 0, 0, x'', x'') ON CONFLICT(queue) DO NOTHING"},
           {&write_cursor_,
            "INSERT OR REPLACE INTO cursor(queue, first_segment, last_segment, settled, next, messages, bytes, holes, "
            "counters) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"},
           {&write_marks_, "UPDATE cursor SET first_segment = ?2, last_segment = ?3 WHERE queue = ?1"},
           {&write_exchange_, kWriteExchange},
           {&delete_exchange_, "DELETE FROM exchange WHERE queue = ?1 AND direction = ?2 AND packet_id = ?3"},
           {&delete_exchanges_, "DELETE FROM exchange WHERE queue = ?1"},
           {&write_heard_,
            "INSERT INTO heard(origin, block, crc, ids) VALUES(?1, ?2, ?3, ?4) "
            "ON CONFLICT(origin, block) DO UPDATE SET crc = excluded.crc, ids = excluded.ids"},
           {&delete_heard_, "DELETE FROM heard WHERE origin = ?1 AND block = ?2"},
           {&delete_cursor_, "DELETE FROM cursor WHERE queue = ?1"},
           {&delete_queue_, "DELETE FROM queue WHERE id = ?1"},
           {&read_meta_, "SELECT value FROM meta WHERE key = ?1"},
           {&write_meta_, "INSERT OR REPLACE INTO meta(key, value) VALUES(?1, ?2)"},
       }) {
    FURROW_TRY(*statement, database_->prepare(sql));
  }
  return {};
}

Status QueueFile::load_marks() {
  FURROW_TRY(Statement rows, database_->prepare("SELECT queue.id, settled, first_segment, last_segment "
                                                "FROM queue JOIN cursor ON cursor.queue = queue.id"));
  while (true) {
    FURROW_TRY(const bool row, rows.step());
    if (!row) return {};
    const QueueId queue{rows.number(0)};
    const SegmentLog::Marks marks{.settled = {rows.number(1)}, .first = {rows.number(2)}, .last = {rows.number(3)}};
    if (!marks.make_sense()) return implausible("cursor", queue);
    log_.restore_queue(queue, marks);
  }
}

Status QueueFile::commit(const Batch& batch, std::span<const QueueId> removed) {
  Status status = write(batch, removed);
  if (status) {
    log_.keep();
    tidy_.note_commit();
  } else {
    log_.undo();
  }
  return status;
}

Result<std::optional<SegmentLog::Stretch>> QueueFile::find_untidy(const LogTidy::Options& options) {
  Result<std::optional<SegmentLog::Stretch>> found = tidy_.next(log_, options);
  if (!found) tidy_.failed();
  return found;
}

Status QueueFile::tidy(const SegmentLog::Stretch& stretch) {
  const Result<SegmentId> reached = merge(stretch);
  if (!reached) {
    log_.undo();
    tidy_.failed();
    return reached.error();
  }
  log_.keep();
  tidy_.done(*reached);
  return {};
}

Result<SegmentId> QueueFile::merge(const SegmentLog::Stretch& stretch) {
  FURROW_TRY(Transaction transaction, Transaction::begin(*database_));
  FURROW_TRY(const SegmentId reached, log_.merge(stretch, tidy_.wanted(log_)));
  for (const QueueId queue : log_.changed_queues()) FURROW_TRY_STATUS(write_marks(queue));
  FURROW_TRY_STATUS(transaction.commit());
  return reached;
}

Status QueueFile::write(const Batch& batch, std::span<const QueueId> removed) {
  FURROW_TRY(Transaction transaction, Transaction::begin(*database_));
  for (const QueueRow& row : batch.queues_created) FURROW_TRY_STATUS(create(row));
  for (const CursorRow& row : batch.cursors) log_.settle(row.queue, row.settled);
  for (const QueueId queue : removed) log_.remove_queue(queue);
  for (const broker::SegmentRow& row : batch.segments) FURROW_TRY_STATUS(log_.insert(row));
  FURROW_TRY_STATUS(log_.sweep());

  // Marks go with the cursor's row where there is one.
  std::vector<QueueId> written;
  for (const CursorRow& row : batch.cursors) {
    FURROW_TRY_STATUS(write_cursor(row));
    written.push_back(row.queue);
  }
  std::ranges::sort(written);
  for (const QueueId queue : log_.changed_queues()) {
    if (!std::ranges::binary_search(written, queue)) FURROW_TRY_STATUS(write_marks(queue));
  }
  for (const ExchangeRow& row : batch.exchanges) FURROW_TRY_STATUS(write_exchange(row));
  for (const broker::HeardRow& row : batch.heard) FURROW_TRY_STATUS(write_heard(row));
  if (batch.own_ids_end) FURROW_TRY_STATUS(write_meta(kOwnIdsEnd, own_ids_text(*batch.own_ids_end)));
  for (const QueueId queue : removed) FURROW_TRY_STATUS(erase(queue));
  return transaction.commit();
}

Status QueueFile::create(const QueueRow& row) {
  log_.create_queue(row.id);
  create_queue_.bind(1, row.id.value);
  create_queue_.bind(2, std::uint64_t{static_cast<std::uint8_t>(row.kind)});
  create_queue_.bind(3, std::string_view(row.name));
  FURROW_TRY_STATUS(create_queue_.run());
  create_cursor_.bind(1, row.id.value);
  FURROW_TRY_STATUS(create_cursor_.run());
  return note_last_queue(row.id);
}

// A queue that is renamed is not the last one.
Status QueueFile::note_last_queue(QueueId queue) {
  FURROW_TRY(const QueueId noted, last_queue());
  return queue > noted ? write_meta(kLastQueue, std::to_string(queue.value)) : Status();
}

Result<QueueId> QueueFile::last_queue() {
  FURROW_TRY(const std::optional<std::string> text, meta(kLastQueue));
  QueueId noted;
  if (text) std::from_chars(text->data(), text->data() + text->size(), noted.value);
  return noted;
}

Status QueueFile::write_cursor(const CursorRow& row) {
  const SegmentLog::Marks* marks = log_.find(row.queue);
  FURROW_CHECK(marks != nullptr);
  write_cursor_.bind(1, row.queue.value);
  write_cursor_.bind(2, marks->first.value);
  write_cursor_.bind(3, marks->last.value);
  write_cursor_.bind(4, row.settled.value);
  write_cursor_.bind(5, row.next.value);
  write_cursor_.bind(6, row.messages);
  write_cursor_.bind(7, row.bytes);
  write_cursor_.bind(8, ByteView(row.holes));
  write_cursor_.bind(9, ByteView(row.counters));
  return write_cursor_.run();
}

Status QueueFile::write_marks(QueueId queue) {
  const SegmentLog::Marks* marks = log_.find(queue);
  write_marks_.bind(1, queue.value);
  write_marks_.bind(2, marks->first.value);
  write_marks_.bind(3, marks->last.value);
  return write_marks_.run();
}

Status QueueFile::write_exchange(const ExchangeRow& row) {
  const bool erased = row.state == ExchangeRow::State::Erased;
  Statement& statement = erased ? delete_exchange_ : write_exchange_;
  statement.bind(1, row.queue.value);
  statement.bind(2, std::uint64_t{static_cast<std::uint8_t>(row.direction)});
  statement.bind(3, std::uint64_t{row.packet_id.value});
  if (!erased) {
    statement.bind(4, std::uint64_t{static_cast<std::uint8_t>(row.state)});
    statement.bind(5, row.sequence.value);
    statement.bind(6, row.outbox.value);
    statement.bind(7, std::uint64_t{row.subscription_id});
    statement.bind(8, std::uint64_t{row.retain});
  }
  return statement.run();
}

Status QueueFile::write_heard(const broker::HeardRow& row) {
  Statement& statement = row.data ? write_heard_ : delete_heard_;
  statement.bind(1, std::string_view(row.origin));
  statement.bind(2, row.block);
  if (row.data) {
    statement.bind(3, heard_crc(row));
    statement.bind(4, ByteView(*row.data));
  }
  return statement.run();
}

Status QueueFile::erase(QueueId queue) {
  for (Statement* statement : {&delete_exchanges_, &delete_cursor_, &delete_queue_}) {
    statement->bind(1, queue.value);
    FURROW_TRY_STATUS(statement->run());
  }
  return {};
}

Error QueueFile::implausible(const char* table, QueueId queue) const {
  return {Errc::Corrupt, database_->path() + ": a row of the table " + table + " makes no sense (queue " +
                             std::to_string(queue.value) + ")"};
}

Status QueueFile::restore(Restored& restored) {
  FURROW_TRY_STATUS(restore_queues(restored));
  FURROW_TRY_STATUS(restore_exchanges(restored));
  FURROW_TRY_STATUS(restore_heard(restored));
  FURROW_TRY(const std::optional<std::string> own_ids, meta(kOwnIdsEnd));
  if (own_ids) restored.own_ids.first = restored.own_ids.end = own_ids_of(*own_ids);
  restored.last_segment = log_.last_segment();
  FURROW_TRY(const QueueId noted, last_queue());
  restored.last_queue = std::max(restored.last_queue, noted);
  return {};
}

Status QueueFile::restore_queues(Restored& restored) {
  FURROW_TRY(Statement queues,
             database_->prepare("SELECT id, kind, name, settled, next, messages, bytes, holes, counters "
                                "FROM queue JOIN cursor ON cursor.queue = queue.id ORDER BY id"));
  while (true) {
    FURROW_TRY(const bool row, queues.step());
    if (!row) return {};
    const QueueId id{queues.number(0)};
    restored.queues.push_back(
        {.row = {.id = id, .kind = queue_kind(queues.number(1)), .name = std::string(queues.text(2))},
         .cursor = {.queue = id,
                    .settled = {queues.number(3)},
                    .next = {queues.number(4)},
                    .holes = broker::copy_of(queues.blob(7)),
                    .messages = queues.number(5),
                    .bytes = queues.number(6),
                    .counters = broker::copy_of(queues.blob(8))}});
    if (!is_plausible(restored.queues.back().row)) return implausible("queue", id);
    if (!is_plausible(restored.queues.back().cursor)) return implausible("cursor", id);
    restored.last_queue = id;
  }
}

Status QueueFile::restore_exchanges(Restored& restored) {
  FURROW_TRY(Statement exchanges, database_->prepare("SELECT " + std::string(kExchangeColumns) +
                                                     " FROM exchange ORDER BY queue, direction, packet_id"));
  while (true) {
    FURROW_TRY(const bool row, exchanges.step());
    if (!row) return {};
    restored.exchanges.push_back(exchange_of(exchanges));
    if (!is_plausible(restored.exchanges.back())) return implausible("exchange", restored.exchanges.back().queue);
  }
}

Status QueueFile::restore_heard(Restored& restored) {
  FURROW_TRY(Statement heard,
             database_->prepare("SELECT " + std::string(kHeardColumns) + " FROM heard ORDER BY origin, block"));
  while (true) {
    FURROW_TRY(const bool row, heard.step());
    if (!row) return {};
    std::optional<broker::HeardRow> found = heard_of(heard, 0);
    if (!found) return Error(Errc::Corrupt, database_->path() + ": a row of the table heard is damaged");
    restored.heard.push_back(*std::move(found));
  }
}

Result<std::optional<std::string>> QueueFile::meta(std::string_view key) {
  const StatementScope scope(read_meta_);
  read_meta_.bind(1, key);
  FURROW_TRY(const bool row, read_meta_.step());
  return row ? std::optional(std::string(read_meta_.text(0))) : std::nullopt;
}

Status QueueFile::set_meta(std::string_view key, std::string_view value) {
  FURROW_TRY(Transaction transaction, Transaction::begin(*database_));
  FURROW_TRY_STATUS(write_meta(key, value));
  return transaction.commit();
}

Status QueueFile::write_meta(std::string_view key, std::string_view value) {
  write_meta_.bind(1, key);
  write_meta_.bind(2, value);
  return write_meta_.run();
}

}  // namespace furrow::gateway
