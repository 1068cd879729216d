#include "gateway/store/disk_room.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace furrow::gateway {

DiskRoom::DiskRoom(Options options) : options_(std::move(options)) {
  struct stat found = {};
  ballast_there_ = !options_.ballast.empty() && ::stat(options_.ballast.c_str(), &found) == 0 &&
                   static_cast<std::uint64_t>(found.st_size) >= kBallastBytes;
}

std::uint64_t DiskRoom::growth() const {
  const std::uint64_t free = free_bytes();
  if (free == kUnlimited) return kUnlimited;
  // Where the ballast was is room for draining, not for more.
  const std::uint64_t kept = std::max(options_.reserve, has_ballast() ? 0 : kBallastBytes);
  return free > kept ? free - kept : 0;
}

void DiskRoom::measure(const std::function<std::uint64_t()>& reusable) {
  const std::uint64_t needed = full_ ? 2 * kFullBelow : kFullBelow;
  const std::uint64_t room = growth();
  full_ = room < needed && room + reusable() < needed;
}

std::string DiskRoom::reason() const {
  return std::to_string(free_bytes() / MiB) + " MiB are free, and store.disk_reserve keeps " +
         std::to_string(options_.reserve / MiB) + " MiB: free some space";
}

bool DiskRoom::give_up_ballast() {
  // With more free space it is our own limit that was reached, which the ballast is not for.
  if (!ballast_there_ || free_bytes() >= kBallastBytes) return false;
  ballast_there_ = ::unlink(options_.ballast.c_str()) != 0;
  return !ballast_there_;
}

void DiskRoom::keep_ballast() {
  if (has_ballast() || free_bytes() < std::max(options_.reserve, kBallastBytes) + kBallastBytes) return;
  const int descriptor = ::open(options_.ballast.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return;  // the next look tries again
  const bool made = ::posix_fallocate(descriptor, 0, static_cast<off_t>(kBallastBytes)) == 0;
  ::close(descriptor);  // its blocks are allocated; what they hold does not matter
  if (!made) ::unlink(options_.ballast.c_str());
  ballast_there_ = made;
}

}  // namespace furrow::gateway
