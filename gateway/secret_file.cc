#include "gateway/secret_file.h"

#include <endian.h>
#include <fcntl.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <linux/xattr.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>
#include <vector>

#include "broker-core/base/bytes.h"
#include "broker-core/base/printable.h"
#include "gateway/net/descriptor.h"

namespace furrow::gateway {
namespace {

constexpr std::size_t kFileBytesMax = 1 * MiB;

std::string shown(const std::filesystem::path& file) {
  constexpr std::size_t kNameBytesMax = 300;
  return printable(file.string(), kNameBytesMax);
}

Error cannot_read(const std::filesystem::path& file, int error_number) {
  const std::error_code cause(error_number, std::generic_category());
  const Errc code = error_number == ENOENT   ? Errc::NotFound
                    : error_number == EACCES ? Errc::PermissionDenied
                                             : Errc::Io;
  return {code, "read " + shown(file) + ": " + cause.message()};
}

bool is_our_group(gid_t group) {
  if (group == ::getegid()) return true;
  const int count = ::getgroups(0, nullptr);
  if (count <= 0) return false;
  std::vector<gid_t> groups(static_cast<std::size_t>(count));
  if (::getgroups(count, groups.data()) < 0) return false;
  return std::find(groups.begin(), groups.end(), group) != groups.end();
}

// Whether the access control list `entry` lets somebody else in, who may read a file of the group `file_group`.
bool is_for_others(const posix_acl_xattr_entry& entry, gid_t file_group) {
  if (entry.e_perm == 0) return false;
  switch (le16toh(entry.e_tag)) {
    case ACL_USER:
      return le32toh(entry.e_id) != ::geteuid();
    case ACL_GROUP_OBJ:
      return !is_our_group(file_group);
    case ACL_GROUP:
      return !is_our_group(le32toh(entry.e_id));
    default:
      return false;
  }
}

// By the bits of the file; where it has an access control list, those of the group are only the most that the list
// gives. systemd hands out credentials by such lists: the file is root's, and the user of the service may read it.
bool is_for_others(int descriptor, const struct stat& file) {
  constexpr std::size_t kEntriesMax = 32;
  struct {
    posix_acl_xattr_header header;
    std::array<posix_acl_xattr_entry, kEntriesMax> entries;
  } list;
  if ((file.st_mode & S_IRWXO) != 0) return true;
  if ((file.st_mode & S_IRWXG) == 0) return false;
  const ssize_t size = ::fgetxattr(descriptor, XATTR_NAME_POSIX_ACL_ACCESS, &list, sizeof(list));
  if (size < 0 && errno == ERANGE) return true;  // who needs so many is not alone
  if (size < static_cast<ssize_t>(sizeof(list.header))) return !is_our_group(file.st_gid);
  const std::size_t count = (static_cast<std::size_t>(size) - sizeof(list.header)) / sizeof(list.entries[0]);
  return std::any_of(list.entries.begin(), list.entries.begin() + static_cast<std::ptrdiff_t>(count),
                     [&file](const posix_acl_xattr_entry& one) { return is_for_others(one, file.st_gid); });
}

// Opened first and asked then, so that what was asked is what is read.
Result<Descriptor> open(const std::filesystem::path& file, bool is_secret) {
  Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat found = {};
  if (descriptor.get() < 0 || ::fstat(descriptor.get(), &found) != 0) return cannot_read(file, errno);
  if (!S_ISREG(found.st_mode)) return Error(Errc::InvalidArgument, "read " + shown(file) + ": it is no file");
  if (is_secret && is_for_others(descriptor.get(), found)) {
    return Error(Errc::PermissionDenied,
                 shown(file) + " holds a secret that other users may reach; 'chmod 600 " + shown(file) + "' ends that");
  }
  return descriptor;
}

Result<std::string> read(const std::filesystem::path& file, bool is_secret) {
  FURROW_TRY(const Descriptor descriptor, open(file, is_secret));
  std::string text;
  std::array<char, 4 * KiB> part;
  while (true) {
    const ssize_t count = ::read(descriptor.get(), part.data(), part.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return cannot_read(file, errno);
    if (count == 0) return text;
    text.append(part.data(), static_cast<std::size_t>(count));
    if (text.size() > kFileBytesMax) return Error(Errc::InvalidArgument, shown(file) + " is larger than 1 MiB");
  }
}

}  // namespace

Status check_secret_file(const std::filesystem::path& file) {
  const Result<Descriptor> opened = open(file, true);
  if (!opened) return opened.error();
  return {};
}

Result<std::string> read_secret_file(const std::filesystem::path& file) {
  return read(file, true);
}

Result<std::string> read_secret_line(const std::filesystem::path& file) {
  FURROW_TRY(std::string text, read_secret_file(file));
  text.resize(std::min(text.find('\n'), text.size()));
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

Result<std::string> read_public_file(const std::filesystem::path& file) {
  return read(file, false);
}

}  // namespace furrow::gateway
