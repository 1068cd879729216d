#include "gateway/net/tcp_listener.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "gateway/net/descriptor_reserve.h"
#include "gateway/store/data_directory.h"

namespace furrow::gateway {
namespace {

// The rest of a burst is accepted in the next turn, so that clients which are connected are served in between.
constexpr int kAcceptsPerTurn = 64;
// After running out of descriptors or memory: long enough not to spin, short enough for a client's patience.
constexpr std::uint64_t kPauseMs = 100;

Error bind_error(const SocketAddress& address, const char* attempted) {
  const int cause = errno;
  std::string what = std::string(attempted) + " " + address.text() + ": " + errno_text(cause);
  if (cause != EADDRINUSE) return {errc_from_errno(cause), std::move(what)};
  return {Errc::InUse, std::move(what) + "; choose another port, or stop the program that has it (ss -ltnp shows it)"};
}

Result<Descriptor> listen_on(const SocketAddress& address, bool both_families) {
  Descriptor socket(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return bind_error(address, "open a socket for");
  const int on = 1;
  const int v6_only = both_families ? 0 : 1;
  // A restart must not wait for connections of the last run to leave TIME_WAIT. Failing, bind() says what is wrong.
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.family() == AF_INET6) {
    (void)::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof v6_only);
  }
  if (::bind(socket.get(), address.get(), address.size()) != 0) return bind_error(address, "bind");
  if (::listen(socket.get(), SOMAXCONN) != 0) return bind_error(address, "listen on");
  return socket;
}

Result<Descriptor> listen_on_all(std::uint16_t port) {
  Result<Descriptor> both = listen_on(*SocketAddress::parse("::", port), true);
  // A machine without IPv6 has IPv4 still.
  if (both || both.error().code() == Errc::InUse) return both;
  return listen_on(*SocketAddress::parse("0.0.0.0", port), false);
}

}  // namespace

struct TcpListener::Accepting {
  Accepting(uv_loop_t& loop, int socket, const std::string& bound, Log& log_to, LinkStats& counts, Accepted callback)
      : address(bound),
        log(log_to),
        stats(counts),
        accepted(std::move(callback)),
        poll(loop, this, uv_poll_init_socket, socket),
        pause(loop, this, uv_timer_init) {
    resume();
  }

  void resume() {
    uv_poll_start(poll.get(), UV_READABLE,
                  [](uv_poll_t* handle, int, int) { static_cast<Accepting*>(handle->data)->on_readable(); });
  }

  void on_readable() {
    uv_os_fd_t socket = -1;
    if (uv_fileno(reinterpret_cast<uv_handle_t*>(poll.get()), &socket) != 0) return;
    for (int count = 0; count < kAcceptsPerTurn; ++count) {
      if (!leaves_reserve(socket)) {
        if (count == 0) hold_back_for_reserve();  // else it is not known whether somebody waits
        return;
      }
      SocketAddress peer;
      Descriptor connection(::accept4(socket, peer.receive(), peer.receive_size(), SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (connection) {
        accepted(std::move(connection), peer);
      } else if (errno == EAGAIN) {
        go_on();  // all that waited are in
        return;
      } else if (errno != ECONNABORTED && errno != EINTR) {
        hold_back(errno);
        return;
      }
    }
  }

  void go_on() {
    if (std::exchange(held_back, false)) log.write(LogLevel::Info, "listener.accepting", {{"address", address}});
  }

  void hold_back(int cause) {
    if (!held_back) {
      log.write(
          LogLevel::Error, "listener.accept_failed",
          {{"address", address}, {"reason", errno_text(cause)}, {"then", "new connections wait until it works again"}});
    }
    pause_accepting();
  }

  void hold_back_for_reserve() {
    if (!held_back) {
      ++stats.descriptors_short;
      log.write(LogLevel::Warning, "listener.out_of_descriptors",
                {{"address", address},
                 {"limit", descriptor_limit()},
                 {"reserved", kDescriptorsReserved},
                 {"then",
                  "new connections wait; raise LimitNOFILE of the service (ulimit -n), or lower "
                  "limits.connections"}});
    }
    pause_accepting();
  }

  void pause_accepting() {
    held_back = true;
    uv_poll_stop(poll.get());
    uv_timer_start(
        pause.get(), [](uv_timer_t* timer) { static_cast<Accepting*>(timer->data)->resume(); }, kPauseMs, 0);
  }

  const std::string& address;
  Log& log;
  LinkStats& stats;
  const Accepted accepted;
  bool held_back = false;  // somebody waits in the kernel's queue
  UvHandle<uv_poll_t> poll;
  UvHandle<uv_timer_t> pause;
};

TcpListener::TcpListener(Descriptor socket, std::string address)
    : address_(std::move(address)), socket_(std::move(socket)) {}

TcpListener::~TcpListener() = default;

Result<std::unique_ptr<TcpListener>> TcpListener::bind(const std::string& host, std::uint16_t port) {
  Descriptor socket;
  if (host == "*") {
    FURROW_TRY(socket, listen_on_all(port));
  } else {
    FURROW_TRY(const SocketAddress address, SocketAddress::parse(host, port));
    FURROW_TRY(socket, listen_on(address, false));
  }
  SocketAddress bound;
  if (::getsockname(socket.get(), bound.receive(), bound.receive_size()) != 0) {
    return bind_error(bound, "ask for the port of");
  }
  return std::unique_ptr<TcpListener>(new TcpListener(std::move(socket), bound.text()));
}

void TcpListener::accept(uv_loop_t& loop, Log& log, LinkStats& stats, Accepted accepted) {
  accepting_ = std::make_unique<Accepting>(loop, socket_.get(), address_, log, stats, std::move(accepted));
}

}  // namespace furrow::gateway
