#include "gateway/store/store_vfs.h"

#include <atomic>
#include <cerrno>
#include <new>
#include <vector>

#include "broker-core/base/bytes.h"

namespace furrow::gateway {
namespace {

// A commit of many messages writes about as much.
constexpr std::size_t kGatherMax = 64 * KiB;

// A file of ours; the file of the VFS below lies right behind it, where SQLite left room for it.
class StoreFile : public sqlite3_file {
 public:
  StoreFile(VfsRecord& record, bool gathers) : sqlite3_file{}, record_(record), gathers_(gathers) {}

  sqlite3_file* below() { return reinterpret_cast<sqlite3_file*>(this + 1); }

  int write(const std::uint8_t* bytes, std::size_t size, std::uint64_t offset) {
    if (code_ != SQLITE_OK && offset <= failed_at_) code_ = SQLITE_OK;
    if (offset != at_ + gathered_.size() || gathered_.size() + size > kGatherMax) flush();
    if (code_ != SQLITE_OK) return code_;
    if (!gathers_ || size > kGatherMax) return put(bytes, size, offset);
    if (gathered_.empty()) at_ = offset;
    gathered_.insert(gathered_.end(), bytes, bytes + size);
    return SQLITE_OK;
  }

  int truncate(std::uint64_t size) {
    flush();
    if (code_ != SQLITE_OK && size <= failed_at_) code_ = SQLITE_OK;
    if (code_ != SQLITE_OK) return code_;
    return noted([&] { return below()->pMethods->xTruncate(below(), static_cast<sqlite3_int64>(size)); });
  }

  int sync(int flags) {
    flush();
    if (code_ != SQLITE_OK) return code_;
    ++record_.counts.syncs;
    return noted([&] { return below()->pMethods->xSync(below(), flags); });
  }

  // SQLite takes EIO for a damaged file and would say SQLITE_CORRUPT; but a medium that fails to read may succeed
  // later.
  int read(void* bytes, int size, sqlite3_int64 offset) {
    if (const int flushed = flush(); flushed != SQLITE_OK) return flushed;
    const int code = noted([&] { return below()->pMethods->xRead(below(), bytes, size, offset); });
    return code == SQLITE_IOERR_CORRUPTFS ? SQLITE_IOERR_READ : code;
  }

  // Writes the gathered bytes to the file below. An error is what write() and sync() answer from now on.
  int flush() {
    if (gathered_.empty()) return SQLITE_OK;
    code_ = put(gathered_.data(), gathered_.size(), at_);
    failed_at_ = at_;
    gathered_.clear();
    return code_;
  }

 private:
  int put(const std::uint8_t* bytes, std::size_t size, std::uint64_t offset) {
    record_.counts.bytes += size;
    return noted([&] {
      return below()->pMethods->xWrite(below(), bytes, static_cast<int>(size), static_cast<sqlite3_int64>(offset));
    });
  }

  // Keeps the errno with which `work` fails: SQLite asks for it when others have changed it, or not at all.
  template <typename Work>
  int noted(Work work) {
    errno = 0;
    const int code = work();
    if (code != SQLITE_OK && code != SQLITE_IOERR_SHORT_READ) record_.last_errno = errno;
    return code;
  }

  VfsRecord& record_;
  const bool gathers_;
  std::vector<std::uint8_t> gathered_;
  std::uint64_t at_ = 0;  // where gathered_ belongs
  int code_ = SQLITE_OK;  // of what could not be written at failed_at_
  std::uint64_t failed_at_ = 0;
};
static_assert(alignof(StoreFile) <= 8 && sizeof(StoreFile) % 8 == 0);  // as SQLite aligns files

StoreFile& ours(sqlite3_file* file) {
  return *static_cast<StoreFile*>(file);
}

sqlite3_file* below(sqlite3_file* file) {
  return ours(file).below();
}

int close(sqlite3_file* file) {
  const int flushed = ours(file).flush();
  const int closed = below(file)->pMethods->xClose(below(file));
  ours(file).~StoreFile();
  return flushed != SQLITE_OK ? flushed : closed;
}

int read(sqlite3_file* file, void* bytes, int size, sqlite3_int64 offset) {
  return ours(file).read(bytes, size, offset);
}

int write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  return ours(file).write(static_cast<const std::uint8_t*>(bytes), static_cast<std::size_t>(size),
                          static_cast<std::uint64_t>(offset));
}

int truncate(sqlite3_file* file, sqlite3_int64 size) {
  return ours(file).truncate(static_cast<std::uint64_t>(size));
}

int sync(sqlite3_file* file, int flags) {
  return ours(file).sync(flags);
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
  const int flushed = ours(file).flush();
  return flushed != SQLITE_OK ? flushed : below(file)->pMethods->xFileSize(below(file), size);
}

int lock(sqlite3_file* file, int level) {
  return below(file)->pMethods->xLock(below(file), level);
}

int unlock(sqlite3_file* file, int level) {
  return below(file)->pMethods->xUnlock(below(file), level);
}

int check_reserved_lock(sqlite3_file* file, int* result) {
  return below(file)->pMethods->xCheckReservedLock(below(file), result);
}

int file_control(sqlite3_file* file, int operation, void* argument) {
  return below(file)->pMethods->xFileControl(below(file), operation, argument);
}

int sector_size(sqlite3_file* file) {
  return below(file)->pMethods->xSectorSize(below(file));
}

int device_characteristics(sqlite3_file* file) {
  return below(file)->pMethods->xDeviceCharacteristics(below(file));
}

// Version 1 ends before the shared memory and memory mapping that we do not use.
const sqlite3_io_methods kMethods = {
    .iVersion = 1,
    .xClose = close,
    .xRead = read,
    .xWrite = write,
    .xTruncate = truncate,
    .xSync = sync,
    .xFileSize = file_size,
    .xLock = lock,
    .xUnlock = unlock,
    .xCheckReservedLock = check_reserved_lock,
    .xFileControl = file_control,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = device_characteristics,
    .xShmMap = nullptr,
    .xShmLock = nullptr,
    .xShmBarrier = nullptr,
    .xShmUnmap = nullptr,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

std::string next_name() {
  static std::atomic<unsigned> count = 0;
  return "furrow-" + std::to_string(++count);
}

}  // namespace

Result<std::unique_ptr<StoreVfs>> StoreVfs::make(const std::string& base) {
  sqlite3_vfs* found = sqlite3_vfs_find(base.empty() ? nullptr : base.c_str());
  if (found == nullptr) return Error(Errc::NotFound, "no SQLite VFS named '" + base + "'");
  std::unique_ptr<StoreVfs> vfs(new StoreVfs(found));
  if (sqlite3_vfs_register(&vfs->vfs_, 0) != SQLITE_OK) return Error(Errc::Io, "registering a SQLite VFS failed");
  return vfs;
}

// The base gets itself handed in everywhere, as it may be more than a plain sqlite3_vfs. Without extensions to load
// there is nothing to forward for xDl….
StoreVfs::StoreVfs(sqlite3_vfs* base) : name_(next_name()) {
  vfs_.base = base;
  vfs_.iVersion = 1;
  vfs_.szOsFile = static_cast<int>(sizeof(StoreFile)) + base->szOsFile;
  vfs_.mxPathname = base->mxPathname;
  vfs_.zName = name_.c_str();
  vfs_.xOpen = open;
  vfs_.xDelete = [](sqlite3_vfs* vfs, const char* name, int sync_directory) {
    return base_of(vfs)->xDelete(base_of(vfs), name, sync_directory);
  };
  vfs_.xAccess = [](sqlite3_vfs* vfs, const char* name, int flags, int* result) {
    return base_of(vfs)->xAccess(base_of(vfs), name, flags, result);
  };
  vfs_.xFullPathname = [](sqlite3_vfs* vfs, const char* name, int size, char* path) {
    return base_of(vfs)->xFullPathname(base_of(vfs), name, size, path);
  };
  vfs_.xRandomness = [](sqlite3_vfs* vfs, int size, char* bytes) {
    return base_of(vfs)->xRandomness(base_of(vfs), size, bytes);
  };
  vfs_.xSleep = [](sqlite3_vfs* vfs, int microseconds) { return base_of(vfs)->xSleep(base_of(vfs), microseconds); };
  vfs_.xCurrentTime = [](sqlite3_vfs* vfs, double* day) { return base_of(vfs)->xCurrentTime(base_of(vfs), day); };
  vfs_.xGetLastError = [](sqlite3_vfs* vfs, int, char*) { return static_cast<Vfs*>(vfs)->record.last_errno; };
}

// Unregistering fails only for what was never registered, which is as good.
StoreVfs::~StoreVfs() {
  (void)sqlite3_vfs_unregister(&vfs_);
}

int StoreVfs::open(sqlite3_vfs* vfs, sqlite3_filename name, sqlite3_file* file, int flags, int* flags_out) {
  const bool gathers = (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) != 0;
  VfsRecord& record = static_cast<Vfs*>(vfs)->record;
  auto* opened = new (file) StoreFile(record, gathers);
  opened->below()->pMethods = nullptr;  // the base need not set it when it fails
  errno = 0;
  const int code = base_of(vfs)->xOpen(base_of(vfs), name, opened->below(), flags, flags_out);
  if (code != SQLITE_OK) record.last_errno = errno;
  if (opened->below()->pMethods != nullptr) {
    opened->pMethods = &kMethods;
  } else {
    opened->~StoreFile();
    file->pMethods = nullptr;  // SQLite then calls nothing on it
  }
  return code;
}

}  // namespace furrow::gateway
