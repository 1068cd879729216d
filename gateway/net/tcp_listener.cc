#include "gateway/net/tcp_listener.h"

#include <grp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "gateway/net/descriptor_reserve.h"
#include "gateway/store/errno_error.h"

namespace furrow::gateway {
namespace {

// The rest of a burst is accepted in the next turn, so that clients which are connected are served in between.
constexpr int kAcceptsPerTurn = 64;
// After running out of descriptors or memory: long enough not to spin, short enough for a client's patience.
constexpr std::chrono::milliseconds kPause{100};

Error bind_error(const SocketAddress& address, const char* attempted) {
  const int cause = errno;
  std::string what = std::string(attempted) + " " + address.text() + ": " + errno_text(cause);
  if (cause == EADDRNOTAVAIL || cause == ENODEV) {
    return {Errc::NotFound, std::move(what) + "; this machine does not have it now"};
  }
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

// --- unix sockets ---

constexpr std::size_t kUnixPathBytesMax = sizeof(sockaddr_un::sun_path) - 1;

Error unix_error(const std::string& path, const char* attempted) {
  const int cause = errno;
  return {errc_from_errno(cause), std::string(attempted) + " " + path + ": " + errno_text(cause)};
}

sockaddr_un unix_address(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), std::min(path.size(), sizeof address.sun_path - 1));
  return address;
}

Result<Descriptor> unix_socket(const std::string& path) {
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return unix_error(path, "open a socket for");
  return socket;
}

// Makes room for a new socket at `path`, where a file is: only a socket that nobody answers on goes.
Status remove_stale(const std::string& path) {
  struct stat found = {};
  if (::lstat(path.c_str(), &found) != 0) return unix_error(path, "look at");
  if (!S_ISSOCK(found.st_mode)) {
    return Error(Errc::InUse,
                 "bind " + path + ": there is a file that is no socket; remove it, or choose another path");
  }
  FURROW_TRY(const Descriptor probe, unix_socket(path));
  const sockaddr_un address = unix_address(path);
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
      errno != ECONNREFUSED) {
    return Error(Errc::InUse, "bind " + path + ": another program answers there; stop it, or choose another path");
  }
  return ::unlink(path.c_str()) == 0 ? Status() : unix_error(path, "remove the old socket");
}

// Who may connect is decided by the rights of the file.
Status open_to(const std::string& path, const std::string& mode, const std::string& group) {
  if (!group.empty()) {
    const struct group* const found = ::getgrnam(group.c_str());
    if (found == nullptr) return Error(Errc::InvalidArgument, "bind " + path + ": there is no group " + group);
    if (::chown(path.c_str(), static_cast<uid_t>(-1), found->gr_gid) != 0) return unix_error(path, "give to its group");
  }
  const auto bits = static_cast<mode_t>(std::strtoul(mode.c_str(), nullptr, 8));
  return ::chmod(path.c_str(), bits) == 0 ? Status() : unix_error(path, "set the mode of");
}

}  // namespace

struct TcpListener::Accepting {
  Accepting(uv_loop_t& loop, int socket, const std::string& bound, Log& log_to, LinkStats& counts, Accepted callback,
            bool spares)
      : address(bound),
        log(log_to),
        stats(counts),
        accepted(std::move(callback)),
        spares_reserve(spares),
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
      if (spares_reserve && !leaves_reserve(socket)) {
        if (count == 0) hold_back_for_reserve();  // else it is not known whether somebody waits
        return;
      }
      SocketAddress peer;
      Descriptor connection(::accept4(socket, peer.receive(), peer.receive_size(), SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (connection) {
        const Duration wait = accepted(std::move(connection), peer);
        if (wait <= Duration::zero()) continue;
        pause_for(std::chrono::ceil<std::chrono::milliseconds>(wait));
        return;
      }
      if (errno == EAGAIN) {
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
    pause_for(kPause);
  }

  void pause_for(std::chrono::milliseconds time) {
    uv_poll_stop(poll.get());
    uv_timer_start(
        pause.get(), [](uv_timer_t* timer) { static_cast<Accepting*>(timer->data)->resume(); },
        static_cast<std::uint64_t>(time.count()), 0);
  }

  const std::string& address;
  Log& log;
  LinkStats& stats;
  const Accepted accepted;
  const bool spares_reserve;
  bool held_back = false;  // somebody waits in the kernel's queue
  UvHandle<uv_poll_t> poll;
  UvHandle<uv_timer_t> pause;
};

TcpListener::TcpListener(Descriptor socket, std::string address)
    : address_(std::move(address)), socket_(std::move(socket)) {}

TcpListener::~TcpListener() {
  if (!file_.empty()) (void)::unlink(file_.c_str());  // a start removes what is left
}

Result<std::unique_ptr<TcpListener>> TcpListener::bind(const std::string& host, std::uint16_t port) {
  Descriptor socket;
  if (host == "*") {
    FURROW_TRY(socket, listen_on_all(port));
  } else {
    Result<SocketAddress> parsed = SocketAddress::parse(host, port);
    const bool has_zone = host.find('%') != std::string::npos;
    if (!parsed && has_zone) return Error(Errc::NotFound, parsed.error().message());  // of an interface that may come
    FURROW_TRY(const SocketAddress address, std::move(parsed));
    FURROW_TRY(socket, listen_on(address, false));
  }
  SocketAddress bound;
  if (::getsockname(socket.get(), bound.receive(), bound.receive_size()) != 0) {
    return bind_error(bound, "ask for the port of");
  }
  return std::unique_ptr<TcpListener>(new TcpListener(std::move(socket), bound.text()));
}

Result<std::unique_ptr<TcpListener>> TcpListener::bind_unix(const std::string& path, const std::string& mode,
                                                            const std::string& group) {
  if (path.size() > kUnixPathBytesMax) {
    return Error(Errc::InvalidArgument, "bind " + path + ": the path has " + std::to_string(path.size()) +
                                            " bytes, and a unix socket takes " + std::to_string(kUnixPathBytesMax));
  }
  FURROW_TRY(Descriptor socket, unix_socket(path));
  const sockaddr_un address = unix_address(path);
  const auto bind_once = [&] {
    return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  };
  if (!bind_once()) {
    if (errno != EADDRINUSE) return unix_error(path, "bind");
    FURROW_TRY_STATUS(remove_stale(path));
    if (!bind_once()) return unix_error(path, "bind");
  }
  std::unique_ptr<TcpListener> listener(new TcpListener(std::move(socket), "unix:" + path));
  listener->file_ = path;
  // Until here the file is the owner's alone, by the process's umask.
  FURROW_TRY_STATUS(open_to(path, mode, group));
  if (::listen(listener->socket_.get(), SOMAXCONN) != 0) return unix_error(path, "listen on");
  return listener;
}

void TcpListener::accept(uv_loop_t& loop, Log& log, LinkStats& stats, Accepted accepted, Kind kind) {
  accepting_ = std::make_unique<Accepting>(loop, socket_.get(), address_, log, stats, std::move(accepted),
                                           kind == Kind::Clients);
}

}  // namespace furrow::gateway
