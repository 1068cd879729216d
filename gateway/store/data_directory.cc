#include "gateway/store/data_directory.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>
#include <filesystem>
#include <string_view>
#include <utility>

#include "gateway/store/disk_room.h"
#include "gateway/store/errno_error.h"

namespace furrow::gateway {
namespace {

Status sync_directory(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return errno_error("open directory " + path);
  // Some file systems cannot sync a directory and say EINVAL; they order renames by themselves.
  const bool synced = ::fsync(descriptor) == 0 || errno == EINVAL;
  Status status;
  if (!synced) status = errno_error("sync directory " + path);
  ::close(descriptor);  // read-only: nothing can be lost here
  return status;
}

Status make_directory(const std::string& path) {
  struct stat found = {};
  if (::stat(path.c_str(), &found) == 0) {
    if (S_ISDIR(found.st_mode)) return {};
    return Error(Errc::InvalidArgument, "data directory " + path + ": is a file, not a directory");
  }
  if (errno != ENOENT) return errno_error("data directory " + path);
  if (::mkdir(path.c_str(), 0700) != 0) {
    // Only the last folder is made here: a path that does not exist further up is more likely a mistake, or not
    // mounted.
    return errno_error("create data directory " + path + " (gateway.data or --data; its parent must exist)");
  }
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  return sync_directory(parent.empty() ? "." : parent.string());
}

// The process that wrote itself into the lock file, for the message only.
std::string lock_holder(int descriptor) {
  std::array<char, 32> text{};
  const ssize_t size = ::pread(descriptor, text.data(), text.size(), 0);
  if (size <= 0) return "an unknown process";
  std::string_view pid(text.data(), static_cast<std::size_t>(size));
  return "process " + std::string(pid.substr(0, pid.find('\n')));
}

std::string user_name(uid_t user) {
  const passwd* found = ::getpwuid(user);
  return found != nullptr ? found->pw_name : "uid " + std::to_string(user);
}

// Says that our user may not write to the file, and what to do about it.
Error not_writable(const std::string& path, const struct stat& file) {
  const std::string us = user_name(::geteuid());
  const std::string owner = user_name(file.st_uid);
  const std::string remedy = file.st_uid == ::geteuid() ? "'chmod u+rw " + path + "'"
                                                        : "'chown " + us + " " + path + "', or run furrow as " + owner;
  return {Errc::PermissionDenied,
          us + " may not write to " + path + ", which belongs to " + owner + ": Permission denied: " + remedy};
}

}  // namespace

Result<DataDirectory> DataDirectory::open(const std::string& path) {
  FURROW_TRY_STATUS(make_directory(path));
  DataDirectory directory(path);
  FURROW_TRY_STATUS(directory.lock());
  return directory;
}

DataDirectory::DataDirectory(DataDirectory&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

DataDirectory& DataDirectory::operator=(DataDirectory&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(lock_, other.lock_);
  return *this;
}

// The file stays: were it removed, a third process could lock a new one while a second still waits on the old.
DataDirectory::~DataDirectory() {
  if (lock_ >= 0) ::close(lock_);
}

Status DataDirectory::lock() {
  const std::string path = path_of("lock");
  lock_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_ < 0) return errno_error("open " + path);
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return errno_error("lock " + path);
    return Error(Errc::InUse, "data directory " + path_ + " is used by " + lock_holder(lock_) +
                                  ", another furrow: stop it or choose another directory with --data");
  }
  // The number is for a second gateway, to name us in its error; without room for it the lock is taken all the same.
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(lock_, 0) == 0) (void)!::pwrite(lock_, pid.data(), pid.size(), 0);
  return {};
}

bool DataDirectory::has(const std::string& file) const {
  struct stat found = {};
  return ::stat(path_of(file).c_str(), &found) == 0;
}

Status DataDirectory::check_writable(const std::string& file) const {
  const std::string path = path_of(file);
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor >= 0) ::close(descriptor);
  if (descriptor >= 0 || errno == ENOENT) return {};
  struct stat found = {};
  const bool denied = errno == EACCES;
  if (!denied || ::stat(path.c_str(), &found) != 0) return errno_error("open " + path + " for writing");
  return not_writable(path, found);
}

Status DataDirectory::rename(const std::string& from, const std::string& to) const {
  if (::rename(path_of(from).c_str(), path_of(to).c_str()) == 0 || errno == ENOENT) return {};
  return errno_error("rename " + path_of(from) + " to " + to);
}

Status DataDirectory::remove(const std::string& file) const {
  if (::unlink(path_of(file).c_str()) == 0 || errno == ENOENT) return {};
  return errno_error("remove " + path_of(file));
}

Status DataDirectory::sync() const {
  return sync_directory(path_);
}

std::uint64_t DataDirectory::free_bytes() const {
  struct statvfs found = {};
  if (::statvfs(path_.c_str(), &found) != 0) return DiskRoom::kUnlimited;
  return std::uint64_t{found.f_bavail} * found.f_frsize;
}

std::string compact_utc(WallTime time) {
  const std::time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
  std::tm parts = {};
  std::array<char, 20> text{};
  if (::gmtime_r(&seconds, &parts) == nullptr) return "unknown-time";
  return {text.data(), std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &parts)};
}

}  // namespace furrow::gateway
