// Far ends on loopback: ports that listen, refuse or say nothing, and name servers that do not answer.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "gateway/net/descriptor.h"
#include "gateway/net/resolver.h"
#include "gateway/net/socket_address.h"

namespace furrow::gateway {

inline SocketAddress address_of(const std::string& host, std::uint16_t port) {
  return *SocketAddress::parse(host, port);
}

// A port that listens. The kernel connects to it without our help.
class Port {
 public:
  explicit Port(int backlog = 16) {
    const SocketAddress any = address_of("127.0.0.1", 0);
    socket_ = Descriptor(::socket(any.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    EXPECT_EQ(::bind(socket_.get(), any.get(), any.size()), 0);
    EXPECT_EQ(::listen(socket_.get(), backlog), 0);
    EXPECT_EQ(::getsockname(socket_.get(), bound_.receive(), bound_.receive_size()), 0);
  }

  const SocketAddress& address() const { return bound_; }
  // The next connection, if there is one.
  Descriptor accept() const { return Descriptor(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK)); }
  std::uint16_t number() const {
    const std::string text = bound_.text();
    return static_cast<std::uint16_t>(std::stoi(text.substr(text.rfind(':') + 1)));
  }

 private:
  Descriptor socket_;
  SocketAddress bound_;
};

// A port that answers nobody: its queue is full, and the kernel drops what asks for more.
class SilentPort {
 public:
  SilentPort() : port_(0) {
    for (Descriptor& one : clients_) {
      one = Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      (void)::connect(one.get(), address().get(), address().size());
    }
  }
  const SocketAddress& address() const { return port_.address(); }

 private:
  Port port_;
  std::array<Descriptor, 4> clients_;
};

// A port that nobody listens at.
inline SocketAddress closed_port() {
  return Port().address();
}

// Name servers that swallow every question, until the test has ended.
class SilentServers {
 public:
  SilentServers() : state_(std::make_shared<State>()) {}
  ~SilentServers() { answer(Error(Errc::NotFound, "too late")); }
  SilentServers(const SilentServers&) = delete;
  SilentServers& operator=(const SilentServers&) = delete;

  void answer(Result<Resolver::Addresses> answer) {
    const std::lock_guard lock(state_->mutex);
    state_->answer = std::move(answer);
    state_->changed.notify_all();
  }
  int asked() const { return state_->asked; }

  Resolver::LookUp look_up() const {
    return [state = state_](const std::string&, std::uint16_t) -> Result<Resolver::Addresses> {
      std::unique_lock lock(state->mutex);
      ++state->asked;
      state->changed.wait(lock, [&] { return state->answer.has_value(); });
      return *state->answer;
    };
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<Result<Resolver::Addresses>> answer;
    std::atomic<int> asked = 0;
  };
  std::shared_ptr<State> state_;
};

}  // namespace furrow::gateway
