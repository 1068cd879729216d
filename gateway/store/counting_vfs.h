// A SQLite VFS that passes everything on to another one and counts what is written and synced.
//
// SQLite has no figure for the bytes it hands to the medium; on flash that is the figure that matters. Offers no shared
// memory, so a connection must take its locking mode EXCLUSIVE before WAL. Thread: that of its connections.
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

class CountingVfs {
 public:
  // Registers a VFS of its own above the one named `base`; empty is SQLite's default.
  static Result<std::unique_ptr<CountingVfs>> make(const std::string& base);
  // REQUIRES: every connection that uses it is closed.
  ~CountingVfs();
  CountingVfs(const CountingVfs&) = delete;
  CountingVfs& operator=(const CountingVfs&) = delete;

  const char* name() const { return name_.c_str(); }
  const WriteCounts& counts() const { return vfs_.counts; }

 private:
  // What SQLite gets to see; open() finds its way back from it.
  struct Vfs : sqlite3_vfs {
    sqlite3_vfs* base = nullptr;
    WriteCounts counts;
  };
  explicit CountingVfs(sqlite3_vfs* base);

  static sqlite3_vfs* base_of(sqlite3_vfs* vfs) { return static_cast<Vfs*>(vfs)->base; }
  static int open(sqlite3_vfs* vfs, sqlite3_filename name, sqlite3_file* file, int flags, int* flags_out);

  const std::string name_;
  Vfs vfs_{};
};

}  // namespace furrow::gateway
