#include "tests/sim/sim_vfs.h"

#include <algorithm>
#include <cstring>

#include "broker-core/base/check.h"

namespace furrow::sim {

namespace {

// The units in which a write is torn: a sector, and the page of a flash card.
constexpr std::size_t kSector = 512;
constexpr std::size_t kFlashPage = 4096;

bool all_zero(const std::uint8_t* bytes, std::size_t size) {
  return std::all_of(bytes, bytes + size, [](std::uint8_t byte) { return byte == 0; });
}

std::string next_name() {
  static std::uint64_t count = 0;
  return "sim-" + std::to_string(++count);
}

}  // namespace

SimVfs::SimVfs(Random& random) : random_(random), name_(next_name()) {
  sqlite3_vfs* base = sqlite3_vfs_find(nullptr);
  static_cast<sqlite3_vfs&>(vfs_) = *base;  // random bytes, sleeping and the time are the default's
  vfs_.iVersion = 1;
  vfs_.pNext = nullptr;
  vfs_.pAppData = nullptr;
  vfs_.zName = name_.c_str();
  vfs_.szOsFile = sizeof(File);
  vfs_.self = this;
  vfs_.xOpen = open;
  vfs_.xDelete = [](sqlite3_vfs* vfs, const char* path, int) {
    SimVfs& self = *static_cast<Vfs*>(vfs)->self;
    if (!self.operate()) return SQLITE_IOERR_DELETE;
    return self.files_.erase(path) > 0 ? SQLITE_OK : SQLITE_IOERR_DELETE_NOENT;
  };
  vfs_.xAccess = [](sqlite3_vfs* vfs, const char* path, int, int* result) {
    *result = static_cast<Vfs*>(vfs)->self->files_.contains(path) ? 1 : 0;
    return SQLITE_OK;
  };
  vfs_.xFullPathname = [](sqlite3_vfs*, const char* path, int size, char* out) {
    sqlite3_snprintf(size, out, "%s", path);
    return SQLITE_OK;
  };
  // The same seed gives the same bytes.
  vfs_.xRandomness = [](sqlite3_vfs* vfs, int size, char* out) {
    for (int i = 0; i < size; ++i) out[i] = static_cast<char>(static_cast<Vfs*>(vfs)->self->random_.next());
    return size;
  };
  const int code = sqlite3_vfs_register(&vfs_, 0);
  FURROW_CHECK(code == SQLITE_OK);
}

SimVfs::~SimVfs() {
  (void)sqlite3_vfs_unregister(&vfs_);
}

int SimVfs::open(sqlite3_vfs* vfs, sqlite3_filename name, sqlite3_file* file, int flags, int* flags_out) {
  file->pMethods = nullptr;
  SimVfs& self = *static_cast<Vfs*>(vfs)->self;
  if (self.failed()) return SQLITE_CANTOPEN;
  auto found = self.files_.find(name);
  if (found == self.files_.end()) {
    if ((flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
    found = self.files_.emplace(name, std::make_unique<Data>()).first;
  }
  auto* opened = static_cast<File*>(file);
  opened->self = &self;
  opened->data = found->second.get();
  opened->pMethods = methods();
  if (flags_out != nullptr) *flags_out = flags;
  return SQLITE_OK;
}

const sqlite3_io_methods* SimVfs::methods() {
  static const sqlite3_io_methods kMethods = [] {
    sqlite3_io_methods made{};
    made.iVersion = 1;
    made.xClose = [](sqlite3_file*) { return SQLITE_OK; };
    made.xRead = [](sqlite3_file* file, void* bytes, int size, sqlite3_int64 offset) {
      const std::size_t count = data_of(file).cached.read(
          static_cast<std::uint64_t>(offset), static_cast<std::uint8_t*>(bytes), static_cast<std::size_t>(size));
      if (count == static_cast<std::size_t>(size)) return SQLITE_OK;
      std::memset(static_cast<char*>(bytes) + count, 0, static_cast<std::size_t>(size) - count);
      return SQLITE_IOERR_SHORT_READ;
    };
    made.xWrite = [](sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
      return self_of(file).write(data_of(file), bytes, static_cast<std::size_t>(size),
                                 static_cast<std::uint64_t>(offset));
    };
    made.xTruncate = [](sqlite3_file* file, sqlite3_int64 size) {
      return self_of(file).truncate(data_of(file), static_cast<std::uint64_t>(size));
    };
    made.xSync = [](sqlite3_file* file, int) { return self_of(file).sync(data_of(file)); };
    made.xFileSize = [](sqlite3_file* file, sqlite3_int64* size) {
      *size = static_cast<sqlite3_int64>(data_of(file).cached.size());
      return SQLITE_OK;
    };
    // One process, one connection a file: nobody to lock out.
    made.xLock = [](sqlite3_file*, int) { return SQLITE_OK; };
    made.xUnlock = [](sqlite3_file*, int) { return SQLITE_OK; };
    made.xCheckReservedLock = [](sqlite3_file*, int* result) {
      *result = 0;
      return SQLITE_OK;
    };
    made.xFileControl = [](sqlite3_file*, int operation, void*) {
      return operation == SQLITE_FCNTL_PERSIST_WAL ? SQLITE_OK : SQLITE_NOTFOUND;
    };
    made.xSectorSize = [](sqlite3_file*) { return static_cast<int>(kFlashPage); };
    // As the unix VFS says of itself: a torn write harms no bytes beside those written.
    made.xDeviceCharacteristics = [](sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; };
    return made;
  }();
  return &kMethods;
}

bool SimVfs::operate() {
  if (!operations_left_) return true;
  if (*operations_left_ == 0) return false;
  --*operations_left_;
  return true;
}

int SimVfs::write(Data& data, const void* bytes, std::size_t size, std::uint64_t offset) {
  if (!operate()) return SQLITE_IOERR_WRITE;
  const std::uint64_t end = offset + size;
  const bool grows = end > data.cached.size();
  if (grows && capacity_ > 0 && this->bytes() + end - data.cached.size() > capacity_) return SQLITE_FULL;
  const auto* begin = static_cast<const std::uint8_t*>(bytes);
  Change change{.offset = offset, .size = size, .truncates = false, .bytes = {}};
  if (!all_zero(begin, size)) change.bytes.assign(begin, begin + size);
  change.apply_to(data.cached);
  data.changes.push_back(std::move(change));
  return SQLITE_OK;
}

int SimVfs::truncate(Data& data, std::uint64_t size) {
  if (!operate()) return SQLITE_IOERR_TRUNCATE;
  data.changes.push_back({.offset = size, .size = 0, .truncates = true, .bytes = {}});
  data.changes.back().apply_to(data.cached);
  return SQLITE_OK;
}

int SimVfs::sync(Data& data) {
  if (!operate()) return SQLITE_IOERR_FSYNC;
  if (syncs_fail_) {
    tear(data);
    return SQLITE_IOERR_FSYNC;
  }
  ++syncs_;
  for (const Change& change : data.changes) change.apply_to(data.durable);
  data.changes.clear();
  data.named = true;
  return SQLITE_OK;
}

void SimVfs::kill() {
  operations_left_.reset();
}

void SimVfs::cut_power() {
  operations_left_.reset();
  for (auto& [path, data] : files_) {
    tear(*data);
    data->cached = data->durable;
  }
  std::erase_if(files_, [](const auto& entry) { return !entry.second->named; });
}

void SimVfs::tear(Data& data) {
  const std::size_t unit = random_.chance(50) ? kSector : kFlashPage;
  for (const Change& change : data.changes) {
    const std::uint64_t fate = random_.below(3);
    if (fate == 0) continue;
    if (change.truncates || fate == 1) {
      change.apply_to(data.durable);
    } else {
      // Some of its blocks, any of them.
      const std::uint64_t end = change.offset + change.size;
      for (std::uint64_t at = change.offset; at < end;) {
        const std::uint64_t next = std::min(end, (at / unit + 1) * unit);
        if (random_.chance(50)) data.durable.write(at, change.at(at), next - at);
        at = next;
      }
    }
  }
  data.changes.clear();
}

std::uint64_t SimVfs::bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [path, data] : files_) sum += data->cached.size();
  return sum;
}

std::uint64_t SimVfs::bytes_of(const std::string& path) const {
  const auto found = files_.find(path);
  return found == files_.end() ? 0 : found->second->cached.size();
}

}  // namespace furrow::sim
