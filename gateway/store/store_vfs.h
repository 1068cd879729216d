// A SQLite VFS above another one: gathers what is written side by side, counts what is written and synced, and keeps
// the errno of what failed.
//
// SQLite writes each page of its log in two pieces; here a commit is one write. Until the next sync, read or other look
// at a file, its bytes lie in memory, 64 KiB at most: a process that dies loses nothing that SQLite takes for durable.
// A write that fails when its turn comes fails whatever is asked of the file next, and each write and sync from then
// on, until its place is written to again, as SQLite does after it has rolled back.
//
// SQLite has no figure for the bytes it hands to the medium; on flash that is the figure that matters. And it does not
// ask for the errno of a commit that fails, which tells a read-only disk from a broken one: xGetLastError() answers
// with that of the last call that failed. Offers no shared memory, so a connection must take its locking mode EXCLUSIVE
// before WAL. Thread: that of its connections.
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
  // What SQLite gets to see; open() finds its way back from it.
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
