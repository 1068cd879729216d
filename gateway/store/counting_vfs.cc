#include "gateway/store/counting_vfs.h"

#include <atomic>
#include <cstddef>

namespace furrow::gateway {
namespace {

// A file of ours; the file of the VFS below lies right behind it, where SQLite left room for it.
struct CountingFile : sqlite3_file {
  WriteCounts* counts;
};
static_assert(sizeof(CountingFile) % alignof(std::max_align_t) == 0);

sqlite3_file* below(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(static_cast<CountingFile*>(file) + 1);
}

int close(sqlite3_file* file) {
  return below(file)->pMethods->xClose(below(file));
}

int read(sqlite3_file* file, void* bytes, int size, sqlite3_int64 offset) {
  return below(file)->pMethods->xRead(below(file), bytes, size, offset);
}

int write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  static_cast<CountingFile*>(file)->counts->bytes += static_cast<std::uint64_t>(size);
  return below(file)->pMethods->xWrite(below(file), bytes, size, offset);
}

int truncate(sqlite3_file* file, sqlite3_int64 size) {
  return below(file)->pMethods->xTruncate(below(file), size);
}

int sync(sqlite3_file* file, int flags) {
  ++static_cast<CountingFile*>(file)->counts->syncs;
  return below(file)->pMethods->xSync(below(file), flags);
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
  return below(file)->pMethods->xFileSize(below(file), size);
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

Result<std::unique_ptr<CountingVfs>> CountingVfs::make(const std::string& base) {
  sqlite3_vfs* found = sqlite3_vfs_find(base.empty() ? nullptr : base.c_str());
  if (found == nullptr) return Error(Errc::NotFound, "no SQLite VFS named '" + base + "'");
  std::unique_ptr<CountingVfs> vfs(new CountingVfs(found));
  if (sqlite3_vfs_register(&vfs->vfs_, 0) != SQLITE_OK) return Error(Errc::Io, "registering a SQLite VFS failed");
  return vfs;
}

// The base gets itself handed in everywhere, as it may be more than a plain sqlite3_vfs. Without extensions to load
// there is nothing to forward for xDl….
CountingVfs::CountingVfs(sqlite3_vfs* base) : name_(next_name()) {
  vfs_.base = base;
  vfs_.iVersion = 1;
  vfs_.szOsFile = static_cast<int>(sizeof(CountingFile)) + base->szOsFile;
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
  vfs_.xGetLastError = [](sqlite3_vfs* vfs, int size, char* text) {
    return base_of(vfs)->xGetLastError(base_of(vfs), size, text);
  };
}

// Unregistering fails only for what was never registered, which is as good.
CountingVfs::~CountingVfs() {
  (void)sqlite3_vfs_unregister(&vfs_);
}

int CountingVfs::open(sqlite3_vfs* vfs, sqlite3_filename name, sqlite3_file* file, int flags, int* flags_out) {
  file->pMethods = nullptr;         // stays so when opening fails: SQLite then calls nothing on it
  below(file)->pMethods = nullptr;  // likewise for the base, which need not set it when it fails
  const int code = base_of(vfs)->xOpen(base_of(vfs), name, below(file), flags, flags_out);
  if (below(file)->pMethods == nullptr) return code;
  static_cast<CountingFile*>(file)->counts = &static_cast<Vfs*>(vfs)->counts;
  file->pMethods = &kMethods;
  return code;
}

}  // namespace furrow::gateway
