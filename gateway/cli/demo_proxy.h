// The demo's WAN: a TCP proxy that can be cut and healed, and is as slow on the way up as the link of a farm.
#pragma once

#include <uv.h>

#include <cstdint>
#include <list>
#include <memory>
#include <string>

#include "broker-core/base/log.h"
#include "broker-core/base/result.h"
#include "gateway/net/tcp_listener.h"

namespace furrow::gateway {

class DemoProxy {
 public:
  // Forwards to 127.0.0.1:`port`. `log` must outlive it.
  static Result<std::unique_ptr<DemoProxy>> start(uv_loop_t& loop, std::uint16_t port, Log& log);
  ~DemoProxy();
  DemoProxy(const DemoProxy&) = delete;
  DemoProxy& operator=(const DemoProxy&) = delete;

  // `HOST:PORT` to connect to.
  const std::string& address() const { return listener_->address(); }

  // The next bytes on their way up are cut in two, and the connection is reset: a message is lost half-way. From then
  // on every connection is reset, until heal().
  void cut();
  void heal() { state_ = State::Up; }

 private:
  class Pair;
  enum class State : std::uint8_t { Up, Cutting, Down };

  DemoProxy(uv_loop_t& loop, std::uint16_t port, std::unique_ptr<TcpListener> listener);
  void accept(Descriptor connection);
  void take_down();

  uv_loop_t& loop_;
  const std::uint16_t port_;
  LinkStats stats_;  // of no interest here
  std::unique_ptr<TcpListener> listener_;
  std::list<std::unique_ptr<Pair>> pairs_;
  State state_ = State::Up;
};

}  // namespace furrow::gateway
