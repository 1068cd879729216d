// A SQLite VFS over the default one that fails, or does something, when the test says so.
#pragma once

#include <sqlite3.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "broker-core/base/check.h"

namespace furrow {

class FaultyVfs {
 public:
  enum class Use { ByName, ByDefault };
  explicit FaultyVfs(std::string name, Use use = Use::ByName) : name_(std::move(name)) {
    sqlite3_vfs* base = sqlite3_vfs_find(nullptr);
    static_cast<sqlite3_vfs&>(vfs_) = *base;  // the unix VFS does not mind whose pointer it gets
    vfs_.iVersion = 1;
    vfs_.pNext = nullptr;
    vfs_.zName = name_.c_str();
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + base->szOsFile;
    vfs_.xOpen = open;
    vfs_.base = base;
    vfs_.self = this;
    const int code = sqlite3_vfs_register(&vfs_, use == Use::ByDefault ? 1 : 0);
    FURROW_CHECK(code == SQLITE_OK);
  }
  ~FaultyVfs() { (void)sqlite3_vfs_unregister(&vfs_); }
  FaultyVfs(const FaultyVfs&) = delete;
  FaultyVfs& operator=(const FaultyVfs&) = delete;

  const std::string& name() const { return name_; }

  // What reads, writes, syncs answer from now on: SQLITE_OK passes them on.
  std::atomic<int> read_code = SQLITE_OK;
  std::atomic<int> write_code = SQLITE_OK;
  std::atomic<int> sync_code = SQLITE_OK;
  std::atomic<int> writes_failed = 0;
  // With this errno.
  std::atomic<int> sync_errno = 0;
  // Where reads fail with EIO. Set while nobody reads.
  std::function<bool(std::string_view path, std::int64_t offset)> is_bad = [](std::string_view, std::int64_t) {
    return false;
  };
  // Called before each write and sync, whether or not it fails. Set before the first use.
  std::function<void(int size, std::int64_t offset)> on_write = [](int, std::int64_t) {};
  std::function<void()> on_sync = [] {};

 private:
  struct Vfs : sqlite3_vfs {
    sqlite3_vfs* base;
    FaultyVfs* self;
  };
  struct File : sqlite3_file {
    FaultyVfs* self;
    sqlite3_filename path;  // nullptr: temporary
  };
  static sqlite3_file* below(sqlite3_file* file) {
    return reinterpret_cast<sqlite3_file*>(static_cast<File*>(file) + 1);
  }
  static FaultyVfs& self_of(sqlite3_file* file) { return *static_cast<File*>(file)->self; }

  static int open(sqlite3_vfs* vfs, sqlite3_filename name, sqlite3_file* file, int flags, int* flags_out) {
    file->pMethods = nullptr;
    below(file)->pMethods = nullptr;
    auto* faulty = static_cast<Vfs*>(vfs);
    const int code = faulty->base->xOpen(faulty->base, name, below(file), flags, flags_out);
    if (below(file)->pMethods == nullptr) return code;
    static_cast<File*>(file)->self = faulty->self;
    static_cast<File*>(file)->path = name;
    file->pMethods = methods();
    return code;
  }

  static const sqlite3_io_methods* methods() {
    static const sqlite3_io_methods kMethods = [] {
      sqlite3_io_methods made{};
      made.iVersion = 1;
      made.xClose = [](sqlite3_file* file) { return below(file)->pMethods->xClose(below(file)); };
      made.xRead = [](sqlite3_file* file, void* bytes, int size, sqlite3_int64 offset) {
        const char* const path = static_cast<File*>(file)->path;
        if (path != nullptr && self_of(file).is_bad(path, offset)) return SQLITE_IOERR_CORRUPTFS;  // what EIO becomes
        const int code = self_of(file).read_code;
        return code != SQLITE_OK ? code : below(file)->pMethods->xRead(below(file), bytes, size, offset);
      };
      made.xWrite = [](sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
        self_of(file).on_write(size, offset);
        const int code = self_of(file).write_code;
        if (code != SQLITE_OK) ++self_of(file).writes_failed;
        return code != SQLITE_OK ? code : below(file)->pMethods->xWrite(below(file), bytes, size, offset);
      };
      made.xTruncate = [](sqlite3_file* file, sqlite3_int64 size) {
        return below(file)->pMethods->xTruncate(below(file), size);
      };
      made.xSync = [](sqlite3_file* file, int flags) {
        self_of(file).on_sync();
        const int code = self_of(file).sync_code;
        if (code != SQLITE_OK) errno = self_of(file).sync_errno;
        return code != SQLITE_OK ? code : below(file)->pMethods->xSync(below(file), flags);
      };
      made.xFileSize = [](sqlite3_file* file, sqlite3_int64* size) {
        return below(file)->pMethods->xFileSize(below(file), size);
      };
      made.xLock = [](sqlite3_file* file, int level) { return below(file)->pMethods->xLock(below(file), level); };
      made.xUnlock = [](sqlite3_file* file, int level) { return below(file)->pMethods->xUnlock(below(file), level); };
      made.xCheckReservedLock = [](sqlite3_file* file, int* result) {
        return below(file)->pMethods->xCheckReservedLock(below(file), result);
      };
      made.xFileControl = [](sqlite3_file* file, int operation, void* argument) {
        return below(file)->pMethods->xFileControl(below(file), operation, argument);
      };
      made.xSectorSize = [](sqlite3_file* file) { return below(file)->pMethods->xSectorSize(below(file)); };
      made.xDeviceCharacteristics = [](sqlite3_file* file) {
        return below(file)->pMethods->xDeviceCharacteristics(below(file));
      };
      return made;
    }();
    return &kMethods;
  }

  const std::string name_;
  Vfs vfs_{};
};

}  // namespace furrow
