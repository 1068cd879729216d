// sessions.db: sessions and retained messages, each row with a checksum.
//
// Each commit is one transaction. Thread: any, one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "broker-core/store.h"
#include "gateway/store/sqlite.h"

namespace furrow::gateway {

// The checksum of a row: over its key and its data.
std::uint32_t row_crc(std::string_view key, ByteView data);

class SessionFile {
 public:
  static constexpr const char* kName = "sessions.db";

  // Creates or migrates the file.
  static Result<std::unique_ptr<SessionFile>> open(const DatabaseOptions& options);

  Status commit(std::span<const broker::SessionRow> sessions, std::span<const broker::RetainedRow> retained);
  // Adds what is stored to `restored` and returns how many rows failed their checksum and were left out. Errc::Corrupt:
  // a client has two rows; a salvage keeps the later.
  Result<std::uint64_t> restore(broker::Restored& restored);

  Database& database() { return *database_; }
  const Database& database() const { return *database_; }

 private:
  explicit SessionFile(std::unique_ptr<Database> database) : database_(std::move(database)) {}
  Status prepare();

  std::unique_ptr<Database> database_;
  Statement write_session_;
  Statement delete_session_;
  Statement write_retained_;
  Statement delete_retained_;
};

}  // namespace furrow::gateway
