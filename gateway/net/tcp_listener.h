// A TCP port, or a unix socket, that accepts connections.
//
// Two steps, so that a program can first see whether it gets all its ports and then begin: bind(), then accept().
// Out of descriptors, or with none left but those of the reserve (descriptor_reserve.h), newcomers wait in the kernel's
// queue, and the operator reads why, once, and once it is over. Rejected: uv_listen(), which closes them, or spins,
// without telling us. Thread: loop.
#pragma once

#include <uv.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "broker-core/base/log.h"
#include "broker-core/base/result.h"
#include "broker-core/base/time.h"
#include "gateway/net/descriptor.h"
#include "gateway/net/link_stats.h"
#include "gateway/net/socket_address.h"
#include "gateway/net/uv_handle.h"

namespace furrow::gateway {

class TcpListener {
 public:
  // Takes the port; connections wait in the kernel's queue. `host` is an address without brackets, or `*` for all,
  // IPv4 and IPv6. Port 0 takes a free one. Errc::InUse: somebody has it; Errc::NotFound: this machine does not have
  // the address now.
  static Result<std::unique_ptr<TcpListener>> bind(const std::string& host, std::uint16_t port);
  // Makes the socket file, with `mode` in octal digits, and of `group` unless that is empty. One that nobody answers on
  // any more is replaced. The file goes with the listener. A unix socket takes no path of more than 107 bytes.
  static Result<std::unique_ptr<TcpListener>> bind_unix(const std::string& path, const std::string& mode,
                                                        const std::string& group);

  ~TcpListener();

  // `HOST:PORT` as bound, with the real port; `unix:PATH`.
  const std::string& address() const { return address_; }

  // Gets the descriptor of each new connection, non-blocking, and the address at its other end. Returns how long the
  // next one has to wait.
  using Accepted = std::function<Duration(Descriptor connection, const SocketAddress& peer)>;
  // Whose connections these are: clients leave the reserve (descriptor_reserve.h) to others.
  enum class Kind : std::uint8_t { Clients, Control };
  // Begins to accept. `log` and `stats` must outlive the listener.
  void accept(uv_loop_t& loop, Log& log, LinkStats& stats, Accepted accepted, Kind kind = Kind::Clients);

 private:
  struct Accepting;

  TcpListener(Descriptor socket, std::string address);

  const std::string address_;
  std::string file_;  // of a unix socket
  Descriptor socket_;
  std::unique_ptr<Accepting> accepting_;  // after socket_: its poll handle must go first
};

}  // namespace furrow::gateway
