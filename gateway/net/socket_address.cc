#include "gateway/net/socket_address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string_view>

namespace furrow::gateway {

SocketAddress::SocketAddress(const sockaddr* address, socklen_t size)
    : size_(std::min<socklen_t>(size, sizeof storage_)) {
  std::memcpy(&storage_, address, size_);
}

Result<SocketAddress> SocketAddress::parse(const std::string& host, std::uint16_t port) {
  addrinfo hints = {};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;  // no name is looked up
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (code != 0) return Error(Errc::InvalidArgument, "address " + host + ": " + ::gai_strerror(code));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  return SocketAddress(found->ai_addr, found->ai_addrlen);
}

std::optional<IpAddress> SocketAddress::ip() const {
  if (family() == AF_INET) {
    IpAddress::V4 bytes{};
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in*>(&storage_)->sin_addr, bytes.size());
    return IpAddress(bytes);
  }
  if (family() == AF_INET6) {
    IpAddress::V6 bytes{};
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_addr, bytes.size());
    return IpAddress(bytes);
  }
  return std::nullopt;
}

std::uint16_t SocketAddress::port() const {
  if (family() == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_port);
  if (family() == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_port);
  return 0;
}

bool operator==(const SocketAddress& one, const SocketAddress& other) {
  return one.size_ == other.size_ && std::memcmp(&one.storage_, &other.storage_, one.size_) == 0;
}

std::string SocketAddress::host() const {
  std::array<char, NI_MAXHOST> host{};
  const int code = ::getnameinfo(get(), size_, host.data(), host.size(), nullptr, 0, NI_NUMERICHOST);
  return code == 0 ? host.data() : "an unknown address";
}

std::string SocketAddress::text() const {
  if (is_unix()) return "unix";
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (::getnameinfo(get(), size_, host.data(), host.size(), port.data(), port.size(),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "an unknown address";
  }
  constexpr std::string_view kMapped = "::ffff:";
  std::string_view name(host.data());
  if (name.starts_with(kMapped) && name.find('.') != std::string_view::npos) name.remove_prefix(kMapped.size());
  const bool is_v6 = name.find(':') != std::string_view::npos;
  return (is_v6 ? "[" + std::string(name) + "]" : std::string(name)) + ":" + port.data();
}

}  // namespace furrow::gateway
