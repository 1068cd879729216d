// An IPv4 or IPv6 address with a port, as the socket calls want it and as people read it.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>

#include "broker-core/base/ip.h"
#include "broker-core/base/result.h"

namespace furrow::gateway {

class SocketAddress {
 public:
  // Of no family; for receive().
  SocketAddress() = default;
  SocketAddress(const sockaddr* address, socklen_t size);

  // `host` is a numeric address without brackets; IPv6 may have a zone (`fe80::1%eth0`).
  static Result<SocketAddress> parse(const std::string& host, std::uint16_t port);

  int family() const { return storage_.ss_family; }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const { return size_; }

  // Not of a network: a program of this machine.
  bool is_unix() const { return family() == AF_UNIX; }

  // For calls that fill in an address.
  sockaddr* receive() { return reinterpret_cast<sockaddr*>(&storage_); }
  socklen_t* receive_size() { return &size_; }

  // The address without its port, and an IPv6 address without its zone; nothing for other families.
  std::optional<IpAddress> ip() const;

  // 0 where there is none.
  std::uint16_t port() const;

  // As parse() takes it: `127.0.0.1`, `fe80::1%eth0`.
  std::string host() const;
  // `127.0.0.1:1883`, `[::1]:1883`. An IPv4 peer of a socket for both families is shown as IPv4.
  std::string text() const;

  // Everything is the same: family, address, port and zone.
  friend bool operator==(const SocketAddress& one, const SocketAddress& other);

 private:
  sockaddr_storage storage_ = {};
  socklen_t size_ = sizeof storage_;
};

}  // namespace furrow::gateway
