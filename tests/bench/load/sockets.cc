#include "tests/bench/load/sockets.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "tests/bench/load/fail.h"

namespace furrow::load {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

const sockaddr* as_generic(const sockaddr_in& address) {
  return reinterpret_cast<const sockaddr*>(&address);  // NOLINT: the socket interface's kind of inheritance
}

void set_no_delay(const Socket& socket) {
  const int on = 1;
  if (::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) fail_errno("set TCP_NODELAY");
}

}  // namespace

Socket::~Socket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Socket::Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

Socket Socket::connect_to(std::uint16_t port) {
  Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) fail_errno("open a socket");
  const sockaddr_in address = loopback(port);
  if (::connect(socket.get(), as_generic(address), sizeof address) != 0) fail_errno("connect to the broker");
  set_no_delay(socket);
  const int on = 1;
  if (::ioctl(socket.get(), FIONBIO, &on) != 0) fail_errno("make a socket non-blocking");
  return socket;
}

Socket Socket::listen_on_loopback(std::uint16_t port) {
  Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) fail_errno("open a socket");
  const int on = 1;
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) fail_errno("set SO_REUSEADDR");
  const sockaddr_in address = loopback(port);
  if (::bind(socket.get(), as_generic(address), sizeof address) != 0) fail_errno("bind");
  if (::listen(socket.get(), SOMAXCONN) != 0) fail_errno("listen");
  return socket;
}

std::uint16_t Socket::port() const {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size) != 0) fail_errno("ask for the port");
  return ntohs(address.sin_port);
}

Socket Socket::accept() const {
  Socket socket(::accept4(descriptor_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (socket.get() >= 0) set_no_delay(socket);
  return socket;
}

std::ptrdiff_t Socket::read(std::span<char> into) const {
  const ssize_t count = ::recv(descriptor_, into.data(), into.size(), 0);
  if (count > 0) return count;
  return count < 0 && errno == EAGAIN ? 0 : -1;
}

std::ptrdiff_t Socket::write(std::string_view bytes) const {
  const ssize_t count = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (count >= 0) return count;
  return errno == EAGAIN ? 0 : -1;
}

Epoll::Epoll() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_.get() < 0) fail_errno("epoll_create1");
}

void Epoll::add(const Socket& socket, std::uint64_t key, std::uint32_t events) {
  epoll_event event{.events = events, .data = {.u64 = key}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket.get(), &event) != 0) fail_errno("watch a socket");
}

void Epoll::change(const Socket& socket, std::uint64_t key, std::uint32_t events) {
  epoll_event event{.events = events, .data = {.u64 = key}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, socket.get(), &event) != 0) fail_errno("watch a socket");
}

std::span<const epoll_event> Epoll::wait(std::chrono::milliseconds longest) {
  const int count =
      ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), static_cast<int>(longest.count()));
  if (count < 0 && errno != EINTR) fail_errno("epoll_wait");
  return {events_.data(), count < 0 ? 0 : static_cast<std::size_t>(count)};
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) fail_errno("ask for the limit of open files");
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) fail_errno("raise the limit of open files");
}

}  // namespace furrow::load
