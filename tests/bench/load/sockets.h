// Sockets and epoll with owners; whatever does not work ends the program.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace furrow::load {

// What is read at once: more than a batch of any scenario, so that reading costs the generator little.
inline constexpr std::size_t kReadBytes = std::size_t{256} * 1024;

class Socket {
 public:
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  ~Socket();
  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&&) = delete;

  int get() const { return descriptor_; }

  // A non-blocking connection to loopback, without Nagle's algorithm.
  static Socket connect_to(std::uint16_t port);
  // Listens on a port of loopback; 0: on a free one.
  static Socket listen_on_loopback(std::uint16_t port = 0);
  std::uint16_t port() const;
  // The next connection that waits, non-blocking, without Nagle's algorithm; get() is -1 when there is none.
  Socket accept() const;

  // How many bytes came, 0 for none now, -1 for the end of the connection.
  std::ptrdiff_t read(std::span<char> into) const;
  // How many bytes were taken, 0 for none now; -1 when the connection is gone.
  std::ptrdiff_t write(std::string_view bytes) const;

 private:
  int descriptor_;
};

class Epoll {
 public:
  Epoll();

  // `key` comes back with its events.
  void add(const Socket& socket, std::uint64_t key, std::uint32_t events = EPOLLIN);
  void change(const Socket& socket, std::uint64_t key, std::uint32_t events);
  // Waits at most `longest`. The events live until the next call.
  std::span<const epoll_event> wait(std::chrono::milliseconds longest);

 private:
  Socket epoll_;
  std::array<epoll_event, 256> events_;
};

// As many open files as the system allows: ten thousand connections are one of the scenarios.
void raise_descriptor_limit();

}  // namespace furrow::load
