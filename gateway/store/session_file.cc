#include "gateway/store/session_file.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/store/crc32c.h"
#include "gateway/store/schema.h"
#include "tsl/robin_set.h"

namespace furrow::gateway {
namespace {

using broker::Batch;
using broker::Bytes;
using broker::Restored;

Status write_row(Statement& write, Statement& erase, std::string_view key, const std::optional<Bytes>& data) {
  if (!data) {
    erase.bind(1, key);
    return erase.run();
  }
  write.bind(1, key);
  write.bind(2, std::uint64_t{row_crc(key, *data)});
  write.bind(3, ByteView(*data));
  return write.run();
}

// Adds the rows that `select` finds to `rows`, as `{key, data}`; returns how many fail their checksum.
template <typename Row>
Result<std::uint64_t> read_rows(Database& database, std::string_view select, std::vector<Row>& rows) {
  FURROW_TRY(Statement statement, database.prepare(select));
  std::uint64_t damaged = 0;
  while (true) {
    FURROW_TRY(const bool row, statement.step());
    if (!row) return damaged;
    const std::string_view key = statement.text(0);
    const ByteView data = statement.blob(2);
    if (statement.number(1) == row_crc(key, data)) {
      rows.push_back({std::string(key), Bytes(data.begin(), data.end())});
    } else {
      ++damaged;
    }
  }
}

// Whether a client has two rows: the index that forbids it is damaged.
bool has_doubles(const std::vector<broker::SessionRow>& rows) {
  tsl::robin_set<std::string_view> clients(rows.size());
  return !std::ranges::all_of(rows,
                              [&](const broker::SessionRow& row) { return clients.insert(row.client_id).second; });
}

}  // namespace

std::uint32_t row_crc(std::string_view key, ByteView data) {
  return crc32c(crc32c(0, as_bytes(key)), data);
}

Result<std::unique_ptr<SessionFile>> SessionFile::open(const DatabaseOptions& options) {
  FURROW_TRY(std::unique_ptr<Database> database, Database::open(options));
  FURROW_TRY_STATUS(migrate_sessions(*database));
  std::unique_ptr<SessionFile> file(new SessionFile(std::move(database)));
  FURROW_TRY_STATUS(file->prepare());
  return file;
}

// A row that is there keeps its place: its entry in the index of keys is not rewritten.
Status SessionFile::prepare() {
  FURROW_TRY(write_session_,
             database_->prepare("INSERT INTO session(client_id, crc, data) VALUES(?1, ?2, ?3) "
                                "ON CONFLICT(client_id) DO UPDATE SET crc = excluded.crc, data = excluded.data"));
  FURROW_TRY(delete_session_, database_->prepare("DELETE FROM session WHERE client_id = ?1"));
  FURROW_TRY(write_retained_,
             database_->prepare("INSERT INTO retained(topic, crc, data) VALUES(?1, ?2, ?3) "
                                "ON CONFLICT(topic) DO UPDATE SET crc = excluded.crc, data = excluded.data"));
  FURROW_TRY(delete_retained_, database_->prepare("DELETE FROM retained WHERE topic = ?1"));
  return {};
}

Status SessionFile::commit(std::span<const broker::SessionRow> sessions,
                           std::span<const broker::RetainedRow> retained) {
  FURROW_TRY(Transaction transaction, Transaction::begin(*database_));
  for (const broker::SessionRow& row : sessions) {
    FURROW_TRY_STATUS(write_row(write_session_, delete_session_, row.client_id, row.data));
  }
  for (const broker::RetainedRow& row : retained) {
    FURROW_TRY_STATUS(write_row(write_retained_, delete_retained_, row.topic, row.data));
  }
  return transaction.commit();
}

Result<std::uint64_t> SessionFile::restore(Restored& restored) {
  FURROW_TRY(const std::uint64_t sessions,
             read_rows(*database_, "SELECT client_id, crc, data FROM session ORDER BY rowid", restored.sessions));
  if (has_doubles(restored.sessions)) return Error(Errc::Corrupt, database_->path() + ": a client has two rows");
  FURROW_TRY(const std::uint64_t retained,
             read_rows(*database_, "SELECT topic, crc, data FROM retained ORDER BY rowid", restored.retained));
  return sessions + retained;
}

}  // namespace furrow::gateway
