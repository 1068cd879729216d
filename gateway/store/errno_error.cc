#include "gateway/store/errno_error.h"

#include <cerrno>
#include <system_error>

namespace furrow::gateway {

Errc errc_from_errno(int errno_value) {
  switch (errno_value) {
    case ENOENT:
      return Errc::NotFound;
    case EACCES:
    case EPERM:
      return Errc::PermissionDenied;
    case ENOTDIR:
    case EISDIR:
    case ENAMETOOLONG:
      return Errc::InvalidArgument;
    case ENOSPC:
    case EDQUOT:
      return Errc::NoSpace;
    case EROFS:
      return Errc::ReadOnly;
    default:
      return Errc::Io;
  }
}

std::string errno_text(int errno_value) {
  return std::generic_category().message(errno_value);
}

Error errno_error(std::string_view attempted) {
  const int cause = errno;
  return {errc_from_errno(cause), std::string(attempted) + ": " + errno_text(cause)};
}

}  // namespace furrow::gateway
