#include "gateway/store/schema.h"

#include <span>
#include <string>

namespace furrow::gateway {
namespace {

// Blobs are the last columns of rowid tables: a scan of what comes before does not touch their overflow pages, and in a
// table WITHOUT ROWID they would waste space. Names of queues are not unique: a bridge has one queue per lane.
constexpr const char* kQueueSteps[] = {
    R"sql(
      CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
      CREATE TABLE queue(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, name TEXT NOT NULL);
      -- first_segment, last_segment: between them lies all that is stored and not settled; 0 = nothing is
      CREATE TABLE cursor(queue INTEGER PRIMARY KEY, first_segment INTEGER NOT NULL, last_segment INTEGER NOT NULL,
        settled INTEGER NOT NULL, next INTEGER NOT NULL, messages INTEGER NOT NULL, bytes INTEGER NOT NULL,
        holes BLOB NOT NULL, counters BLOB NOT NULL);
      -- checks: CRC32C of id and directory in the upper half, of id, directory and records in the lower
      CREATE TABLE segment(id INTEGER PRIMARY KEY, messages INTEGER NOT NULL, checks INTEGER NOT NULL,
        directory BLOB NOT NULL, records BLOB NOT NULL);
      CREATE TABLE exchange(queue INTEGER NOT NULL, direction INTEGER NOT NULL, packet_id INTEGER NOT NULL,
        state INTEGER NOT NULL, sequence INTEGER NOT NULL, PRIMARY KEY(queue, direction, packet_id)) WITHOUT ROWID;
    )sql",
    // The queue that the message of an outbound exchange lies in: until now always the one that has the identifiers.
    // And how a member of a shared subscription is sent it.
    R"sql(
      ALTER TABLE exchange ADD COLUMN outbox INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE exchange ADD COLUMN subscription_id INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE exchange ADD COLUMN retain INTEGER NOT NULL DEFAULT 1;
      UPDATE exchange SET outbox = queue;
    )sql",
    // Which messages of a mesh have come, as blocks of their ids. crc: CRC32C of the key and the ids.
    R"sql(
      CREATE TABLE heard(origin TEXT NOT NULL, block INTEGER NOT NULL, crc INTEGER NOT NULL, ids BLOB NOT NULL,
        PRIMARY KEY(origin, block));
    )sql",
};

constexpr const char* kSessionSteps[] = {
    R"sql(
      -- crc: CRC32C of key and data
      CREATE TABLE session(client_id TEXT PRIMARY KEY, crc INTEGER NOT NULL, data BLOB NOT NULL);
      CREATE TABLE retained(topic TEXT PRIMARY KEY, crc INTEGER NOT NULL, data BLOB NOT NULL);
    )sql",
};

Status migrate(Database& database, std::span<const char* const> steps) {
  FURROW_TRY(std::uint64_t version, database.query_number("PRAGMA user_version"));
  if (version > steps.size()) {
    return Error(Errc::Unsupported, database.path() + ": written by a newer furrow (schema " + std::to_string(version) +
                                        ", this one knows " + std::to_string(steps.size()) +
                                        "): install that version again, or move the file away to start empty");
  }
  for (; version < steps.size(); ++version) {
    FURROW_TRY(Transaction transaction, Transaction::begin(database));
    FURROW_TRY_STATUS(database.execute(steps[static_cast<std::size_t>(version)]));
    FURROW_TRY_STATUS(database.execute("PRAGMA user_version=" + std::to_string(version + 1)));
    FURROW_TRY_STATUS(transaction.commit());
  }
  return {};
}

}  // namespace

Status migrate_queues(Database& database) {
  return migrate(database, kQueueSteps);
}

Status migrate_sessions(Database& database) {
  return migrate(database, kSessionSteps);
}

}  // namespace furrow::gateway
