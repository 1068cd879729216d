// Preloaded into a program (LD_PRELOAD), makes its disk fail or slow while it runs.
//
// FURROW_DISK_FAULTS names a file of five 32-bit numbers, which may change at any time (disk_faults.py writes it): the
// errno that opening for writing fails with, that writes, syncs and reads fail with, each 0 for none; and how many
// milliseconds a sync takes more, as on a worn card, or -1: syncs are left out, so that a store with a million commits
// is there in minutes. Only files whose path begins with FURROW_DISK_FAULTS_BELOW fail.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <thread>

namespace {

struct Faults {
  std::int32_t open;
  std::int32_t write;
  std::int32_t sync;
  std::int32_t read;
  std::int32_t sync_ms;
};

// What `name` would be without this library.
template <typename Function>
Function real_function(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));  // NOLINT: what dlsym() is for
}

int real_open(const char* path, int flags, mode_t mode) {
  static const auto real = real_function<int (*)(const char*, int, ...)>("open");
  return real(path, flags, mode);
}

const volatile Faults& faults() {
  static const volatile Faults& mapped = []() -> const volatile Faults& {
    static const Faults kNone{};
    const char* const path = std::getenv("FURROW_DISK_FAULTS");
    if (path == nullptr) return kNone;
    const int descriptor = real_open(path, O_RDONLY | O_CLOEXEC, 0);
    void* const found = ::mmap(nullptr, sizeof(Faults), PROT_READ, MAP_SHARED, descriptor, 0);
    if (found == MAP_FAILED) std::abort();
    return *static_cast<const volatile Faults*>(found);
  }
  ();
  return mapped;
}

bool is_chosen(std::string_view path) {
  const char* const below = std::getenv("FURROW_DISK_FAULTS_BELOW");
  return below != nullptr && path.starts_with(below);
}

// True, with errno set, when a call on `descriptor` shall fail with `error`.
bool fails(std::int32_t error, int descriptor) {
  if (error == 0) return false;
  std::array<char, 32> link{};
  std::array<char, 4096> path{};
  std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", descriptor);
  const ssize_t size = ::readlink(link.data(), path.data(), path.size());
  if (size <= 0 || !is_chosen({path.data(), static_cast<std::size_t>(size)})) return false;
  errno = error;
  return true;
}

int sync_file(int (*real)(int), int descriptor) {
  const std::int32_t more = faults().sync_ms;
  if (more > 0) std::this_thread::sleep_for(std::chrono::milliseconds(more));
  if (fails(faults().sync, descriptor)) return -1;
  return more < 0 ? 0 : real(descriptor);
}

}  // namespace

// Others call the names that end in 64; with an off_t of 64 bits they are the same functions.
static_assert(sizeof(off_t) == sizeof(off64_t));

extern "C" {

int open(const char* path, int flags, ...) {
  std::va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  const std::int32_t error = faults().open;
  if (error != 0 && (flags & O_ACCMODE) != O_RDONLY && is_chosen(path)) {
    errno = error;
    return -1;
  }
  return real_open(path, flags, mode);
}
int open64(const char* path, int flags, ...) __attribute__((alias("open")));

ssize_t pwrite(int descriptor, const void* bytes, std::size_t size, off_t offset) {
  static const auto real = real_function<decltype(&::pwrite)>("pwrite");
  return fails(faults().write, descriptor) ? -1 : real(descriptor, bytes, size, offset);
}
ssize_t pwrite64(int descriptor, const void* bytes, std::size_t size, off64_t offset) __attribute__((alias("pwrite")));

ssize_t pread(int descriptor, void* bytes, std::size_t size, off_t offset) {
  static const auto real = real_function<decltype(&::pread)>("pread");
  return fails(faults().read, descriptor) ? -1 : real(descriptor, bytes, size, offset);
}
ssize_t pread64(int descriptor, void* bytes, std::size_t size, off64_t offset) __attribute__((alias("pread")));

int fsync(int descriptor) {
  static const auto real = real_function<decltype(&::fsync)>("fsync");
  return sync_file(real, descriptor);
}

int fdatasync(int descriptor) {
  static const auto real = real_function<decltype(&::fdatasync)>("fdatasync");
  return sync_file(real, descriptor);
}
}
