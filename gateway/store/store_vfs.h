// A SQLite VFS above another one: gathers neighbouring writes into one, counts bytes and syncs, and keeps the errno of
// the last call that failed.
//
// SQLite writes each page of its log in two pieces; here a commit is one write. Until the next sync, read or other look
// at a file, up to 64 KiB of its bytes lie in memory: a process that dies loses nothing that SQLite takes for durable.
// When such a delayed write fails, the call that caused it fails, and each write and sync from then on, until its place
// is written to again, as SQLite does after it has rolled back.
//
// SQLite has no figure for the bytes that it hands to the medium; on flash that is the figure that matters. Nor does it
// ask for the errno of a commit that fails, which tells a read-only disk from a broken one: xGetLastError() answers
// with the errno of the last call that failed. Offers no shared memory, so a connection must take its locking mode
// EXCLUSIVE before WAL. Thread: that of its connections.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>

#include "broker-core/base/result.h"

namespace furrow::gateway {

struct WriteCounts {
  std::uint64_t bytes = 0;
  std::uint64_t syncs = 0;
};

struct VfsRecord {
  WriteCounts counts;
  int last_errno = 0;
};

class StoreVfs {
 public:
  // Registers a VFS of its own above the one named `base`; empty is SQLite's default.
  static Result<std::unique_ptr<StoreVfs>> make(const std::string& base);
  // REQUIRES: every connection that uses it is closed.
  ~StoreVfs();
  StoreVfs(const StoreVfs&) = delete;
  StoreVfs& operator=(const StoreVfs&) = delete;

  const char* name() const { return name_.c_str(); }
  const WriteCounts& counts() const { return vfs_.record.counts; }

 private:
  // The object that SQLite knows; open() finds the base and the record from it.
  struct Vfs : sqlite3_vfs {
    sqlite3_vfs* base = nullptr;
    VfsRecord record;
  };
  explicit StoreVfs(sqlite3_vfs* base);

  static sqlite3_vfs* base_of(sqlite3_vfs* vfs) { return static_cast<Vfs*>(vfs)->base; }
  static int open(sqlite3_vfs* vfs, sqlite3_filename name, sqlite3_file* file, int flags, int* flags_out);

  const std::string name_;
  Vfs vfs_{};
};

}  // namespace furrow::gateway
