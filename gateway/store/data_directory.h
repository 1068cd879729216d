// The data directory on the file system: made, locked against a second gateway, and its entries synced.
//
// A store on a VFS of its own (the simulator's) has none. Thread: any, one at a time.
#pragma once

#include <cstdint>
#include <string>

#include "broker-core/base/result.h"
#include "broker-core/base/time.h"

namespace furrow::gateway {

class DataDirectory {
 public:
  // Makes `path` with mode 0700 if it is missing and takes `path`/lock. The kernel gives the lock back when the process
  // ends. Errc::InUse: another gateway has it.
  static Result<DataDirectory> open(const std::string& path);
  DataDirectory(DataDirectory&& other) noexcept;
  DataDirectory& operator=(DataDirectory&& other) noexcept;
  ~DataDirectory();

  std::string path_of(const std::string& file) const { return path_ + "/" + file; }
  bool has(const std::string& file) const;
  // Whether `file` can be written to, or made. REQUIRES: nobody in this process holds a POSIX lock on it.
  Status check_writable(const std::string& file) const;
  // Renames `from` to `to` within the directory; a missing `from` is fine.
  Status rename(const std::string& from, const std::string& to) const;
  Status remove(const std::string& file) const;  // a missing file is fine
  // Names that were made, changed or removed survive a power cut from now on.
  Status sync() const;
  // The bytes that an unprivileged process can still write to this file system; DiskRoom::kUnlimited when they are not
  // known, since the directory was moved or deleted.
  std::uint64_t free_bytes() const;

 private:
  explicit DataDirectory(std::string path) : path_(std::move(path)) {}
  Status lock();

  std::string path_;
  int lock_ = -1;  // owns the descriptor
};

// `2025-11-23T10:11:12Z` without its separators, for the names of files that are moved aside.
std::string compact_utc(WallTime time);

}  // namespace furrow::gateway
