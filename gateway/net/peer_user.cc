#include "gateway/net/peer_user.h"

#include <pwd.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "broker-core/base/bytes.h"
#include "gateway/store/errno_error.h"

namespace furrow::gateway {

Result<std::uint32_t> uid_at(const Descriptor& connection) {
  ucred peer = {};
  socklen_t size = sizeof peer;
  if (::getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return Error(Errc::Io, "ask who is at the other end: " + errno_text(errno));
  }
  return std::uint32_t{peer.uid};
}

Result<std::string> user_at(const Descriptor& connection) {
  FURROW_TRY(const std::uint32_t uid, uid_at(connection));
  std::array<char, 16 * KiB> space;  // entries with longer lines are of nobody
  passwd entry = {};
  passwd* found = nullptr;
  const int code = ::getpwuid_r(uid, &entry, space.data(), space.size(), &found);
  if (found == nullptr) {
    const std::string why = code == 0 ? "no user of this machine has it" : errno_text(code);
    return Error(Errc::NotFound, "user id " + std::to_string(uid) + ": " + why);
  }
  return std::string(found->pw_name);
}

}  // namespace furrow::gateway
