#include "gateway/store/salvage.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "broker-core/session/plausible_rows.h"
#include "gateway/store/row_walk.h"

namespace furrow::gateway {
namespace {

using broker::Batch;
using broker::CursorRow;
using broker::DirectoryEntry;

// Bounds the memory of a salvage, and of one transaction in it.
constexpr std::size_t kBatchBytesMax = 1 * MiB;

// The last key of a table; RowWalk::kKeyMax when even that cannot be read.
std::uint64_t last_key(const Database& damaged, const std::string& table, const std::string& key) {
  const Result<std::uint64_t> last = damaged.query_number("SELECT max(" + key + ") FROM " + table);
  return last ? *last : RowWalk::kKeyMax;
}

// Counts the rows of a walk, and the keys that cannot be read. When the end of the table is unknown, the keys behind
// the last row are many, and most were never there: they count as one.
class Tally {
 public:
  Tally(SalvageReport& report, bool end_known) : report_(report), end_known_(end_known) {}
  ~Tally() { report_.unreadable += end_known_ || pending_ == 0 ? pending_ : 1; }
  Tally(const Tally&) = delete;
  Tally& operator=(const Tally&) = delete;

  void count(bool copied) {
    if (!copied) {
      ++pending_;
      return;
    }
    ++report_.rows;
    report_.unreadable += pending_;
    pending_ = 0;
  }

 private:
  SalvageReport& report_;
  const bool end_known_;
  std::uint64_t pending_ = 0;
};

// Calls `visit` with each row of a table that can be read; it returns whether the row makes sense.
template <typename Visit>
void walk_rows(Database& damaged, const char* table, const char* key, const char* columns, SalvageReport& report,
               Visit visit) {
  Result<RowWalk> walk = RowWalk::prepare(damaged, table, key, columns);
  if (!walk) return;  // not even the table is known
  const std::uint64_t last = last_key(damaged, table, key);
  Tally tally(report, last != RowWalk::kKeyMax);
  walk->start(1, last);
  for (RowWalk::Step step = walk->next(); step != RowWalk::Step::End; step = walk->next()) {
    tally.count(step == RowWalk::Step::Row && visit(walk->key(), walk->row()));
  }
}

// As walk_rows(), for a table without numeric keys: from the front until it breaks, then from the back.
template <typename Visit>
void walk_both_ends(Database& damaged, const char* select, const char* forward, const char* backward,
                    SalvageReport& report, Visit visit) {
  for (const char* order : {forward, backward}) {
    Result<Statement> rows = damaged.prepare(std::string(select) + " ORDER BY " + order);
    if (!rows) return;
    Result<bool> row = rows->step();
    for (; row && *row; row = rows->step()) {
      visit(*rows);
      ++report.rows;
    }
    if (row) return;  // to the end
  }
  ++report.unreadable;
}

class QueueSalvage {
 public:
  QueueSalvage(Database& damaged, QueueFile& fresh) : damaged_(damaged), fresh_(fresh) {}

  Result<SalvageReport> run() {
    FURROW_TRY_STATUS(copy_meta());
    FURROW_TRY_STATUS(copy_queues());
    FURROW_TRY_STATUS(copy_segments());
    FURROW_TRY_STATUS(copy_exchanges());
    FURROW_TRY_STATUS(copy_heard());
    return report_;
  }

 private:
  Status copy_meta() {
    std::vector<std::pair<std::string, std::string>> rows;
    walk_both_ends(damaged_, "SELECT key, value FROM meta", "key", "key DESC", report_,
                   [&](Statement& row) { rows.emplace_back(row.text(0), row.text(1)); });
    for (const auto& [key, value] : rows) FURROW_TRY_STATUS(fresh_.set_meta(key, value));
    return {};
  }

  Status copy_queues() {
    Batch batch;
    walk_rows(damaged_, "queue", "id", "kind, name", report_, [&](std::uint64_t id, Statement& row) {
      broker::QueueRow queue{.id = {id}, .kind = queue_kind(row.number(1)), .name = std::string(row.text(2))};
      if (!is_plausible(queue)) return false;
      batch.queues_created.push_back(std::move(queue));
      CursorRow& cursor = without_cursor_[id];
      cursor.queue = QueueId{id};
      cursor.next = Sequence{1};
      return true;
    });
    walk_rows(damaged_, "cursor", "queue", "settled, next, messages, bytes, holes, counters", report_,
              [&](std::uint64_t id, Statement& row) {
                CursorRow cursor{.queue = {id},
                                 .settled = {row.number(1)},
                                 .next = {row.number(2)},
                                 .holes = broker::copy_of(row.blob(5)),
                                 .messages = row.number(3),
                                 .bytes = row.number(4),
                                 .counters = broker::copy_of(row.blob(6))};
                if (!is_plausible(cursor)) return false;
                if (without_cursor_.erase(id) == 0) return false;  // its queue is lost
                batch.cursors.push_back(std::move(cursor));
                return true;
              });
    for (const auto& queue : batch.queues_created) queues_.push_back(queue.id);
    return fresh_.commit(batch, {});
  }

  Status copy_segments() {
    Result<SegmentWalk> walk = SegmentWalk::prepare(damaged_);
    if (!walk) return {};
    const std::uint64_t last = last_key(damaged_, "segment", "id");
    Tally tally(report_, last != RowWalk::kKeyMax);
    walk->start(SegmentId{1}, SegmentId{last});
    Batch batch;
    std::size_t bytes = 0;
    for (SegmentWalk::Head head; walk->next(head);) {
      std::optional<broker::SegmentRow> segment = head.intact ? walk->fetch(head) : std::nullopt;
      tally.count(segment.has_value());
      if (!segment) continue;
      for (const DirectoryEntry& entry : head.directory) add_to_lost_cursor(entry);
      bytes += segment->directory.size() + segment->records.size();
      batch.segments.push_back(*std::move(segment));
      if (bytes < kBatchBytesMax) continue;
      FURROW_TRY_STATUS(fresh_.commit(batch, {}));
      batch.segments.clear();
      bytes = 0;
    }
    for (auto& [id, cursor] : without_cursor_) batch.cursors.push_back(std::move(cursor));
    return fresh_.commit(batch, {});
  }

  void add_to_lost_cursor(const DirectoryEntry& entry) {
    const auto found = without_cursor_.find(entry.queue.value);
    if (found == without_cursor_.end()) return;
    CursorRow& cursor = found->second;
    if (cursor.messages == 0) cursor.settled = Sequence{entry.first.value - 1};
    cursor.next = std::max(cursor.next, Sequence{entry.last.value + 1});
    cursor.messages += entry.messages;
    cursor.bytes += entry.bytes;
  }

  Status copy_exchanges() {
    // A file of schema 1 knows no other outbox than the queue itself.
    std::string select = "SELECT " + std::string(kExchangeColumns) + " FROM exchange";
    if (!damaged_.prepare(select))
      select = "SELECT queue, direction, packet_id, state, sequence, queue, 0, 1 FROM exchange";
    Batch batch;
    walk_both_ends(damaged_, select.c_str(), "queue, direction, packet_id",
                   "queue DESC, direction DESC, packet_id DESC", report_, [&](Statement& row) {
                     const broker::ExchangeRow exchange = exchange_of(row);
                     const bool has_queue = std::ranges::binary_search(queues_, exchange.queue);
                     if (has_queue && is_plausible(exchange)) batch.exchanges.push_back(exchange);
                   });
    return fresh_.commit(batch, {});
  }

  // Files of earlier schemas have none.
  Status copy_heard() {
    Batch batch;
    walk_rows(damaged_, "heard", "rowid", std::string(kHeardColumns).c_str(), report_,
              [&](std::uint64_t, Statement& row) {
                std::optional<broker::HeardRow> heard = heard_of(row, 1);
                if (heard) batch.heard.push_back(*std::move(heard));
                return heard.has_value();
              });
    return fresh_.commit(batch, {});
  }

  Database& damaged_;
  QueueFile& fresh_;
  SalvageReport report_;
  std::vector<QueueId> queues_;                        // in the order of their ids
  std::map<std::uint64_t, CursorRow> without_cursor_;  // what segments tell of queues whose cursor is lost
};

// Copies rows of `{key, crc, data}` with the checksum that they carry.
template <typename Row>
Status copy_rows(Database& damaged, const char* table, const char* key, SessionFile& fresh,
                 std::vector<Row> Batch::*rows, SalvageReport& report) {
  Batch batch;
  std::size_t bytes = 0;
  Status status;
  const std::string columns = std::string(key) + ", crc, data";
  walk_rows(damaged, table, "rowid", columns.c_str(), report, [&](std::uint64_t, Statement& row) {
    const ByteView data = row.blob(3);
    if (row.number(2) != row_crc(row.text(1), data)) return false;
    if (!status) return true;  // nothing more can be written
    (batch.*rows).push_back({std::string(row.text(1)), broker::copy_of(data)});
    bytes += data.size();
    if (bytes < kBatchBytesMax) return true;
    status = fresh.commit(batch.sessions, batch.retained);
    (batch.*rows).clear();
    bytes = 0;
    return true;
  });
  FURROW_TRY_STATUS(std::move(status));
  return fresh.commit(batch.sessions, batch.retained);
}

}  // namespace

Result<SalvageReport> salvage(Database& damaged, QueueFile& fresh) {
  return QueueSalvage(damaged, fresh).run();
}

Result<SalvageReport> salvage(Database& damaged, SessionFile& fresh) {
  SalvageReport report;
  FURROW_TRY_STATUS(copy_rows(damaged, "session", "client_id", fresh, &Batch::sessions, report));
  FURROW_TRY_STATUS(copy_rows(damaged, "retained", "topic", fresh, &Batch::retained, report));
  return report;
}

// The log goes first: beside another file SQLite would take it for that file's log.
Result<std::string> finish_salvage(const DataDirectory& directory, const std::string& name, WallTime now) {
  if (!directory.has(name + ".salvaged")) return std::string();
  const std::string base = name + ".corrupt-" + compact_utc(now);
  std::string aside = base;
  // A clock that starts at the same time with each boot must not make us overwrite what was kept before.
  for (int count = 2; directory.has(aside) || directory.has(aside + "-wal"); ++count) {
    aside = base + "-" + std::to_string(count);
  }
  FURROW_TRY_STATUS(directory.rename(name + "-wal", aside + "-wal"));
  FURROW_TRY_STATUS(directory.rename(name, aside));
  FURROW_TRY_STATUS(directory.rename(name + ".salvaged", name));
  FURROW_TRY_STATUS(directory.sync());
  return aside;
}

}  // namespace furrow::gateway
