#include "gateway/net/tcp_source.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <string_view>

#include "gateway/net/tcp_stream.h"

namespace furrow::gateway {
namespace {

Error cannot_use(const std::string& source, std::string_view why) {
  return {Errc::Io, "source " + source + ": " + std::string(why)};
}

Status bind_to(uv_tcp_t& tcp, const std::string& source, const SocketAddress& address) {
  const int code = uv_tcp_bind(&tcp, address.get(), 0);
  if (code == UV_EADDRNOTAVAIL) return cannot_use(source, "this machine does not have that address");
  return code == 0 ? Status() : cannot_use(source, uv_text(code));
}

// A socket gets a descriptor when it is bound; to any address, so that the interface's own is chosen with the route.
Status bind_to_interface(uv_tcp_t& tcp, const std::string& source, const SocketAddress& target) {
  FURROW_TRY(const SocketAddress any, SocketAddress::parse(target.family() == AF_INET6 ? "::" : "0.0.0.0", 0));
  FURROW_TRY_STATUS(bind_to(tcp, source, any));
  uv_os_fd_t descriptor = -1;
  if (const int code = uv_fileno(reinterpret_cast<uv_handle_t*>(&tcp), &descriptor); code != 0) {
    return cannot_use(source, uv_text(code));
  }
  const auto size = static_cast<socklen_t>(source.size());
  if (::setsockopt(descriptor, SOL_SOCKET, SO_BINDTODEVICE, source.c_str(), size) == 0) return {};
  const int cause = errno;
  if (cause == ENODEV) return cannot_use(source, "there is no network interface or address of that name");
  return cannot_use(source, uv_text(uv_translate_sys_error(cause)));
}

}  // namespace

Status bind_to_source(uv_tcp_t& tcp, const std::string& source, const SocketAddress& target) {
  if (source.empty()) return {};
  const Result<SocketAddress> address = SocketAddress::parse(source, 0);
  if (!address) return bind_to_interface(tcp, source, target);
  if (address->family() != target.family()) return cannot_use(source, "it is of the other family of addresses");
  return bind_to(tcp, source, *address);
}

}  // namespace furrow::gateway
