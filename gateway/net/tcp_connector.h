// Makes one TCP connection: looks the host up, unless it is an address, and tries each address until one answers.
#pragma once

#include <uv.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker-core/base/result.h"
#include "gateway/net/resolver.h"
#include "gateway/net/tcp_stream.h"
#include "gateway/net/uv_handle.h"

namespace furrow::gateway {

// One attempt. Destroying it before its end abandons it: `done` is not called any more. Thread: loop.
class TcpConnector {
 public:
  // A connected stream without an owner, not yet reading; or why there is none.
  using Done = std::function<void(Result<std::unique_ptr<TcpStream>>)>;

  // The connector may be destroyed from within `done`, which is never called before the constructor has returned.
  // `resolver` must outlive it.
  TcpConnector(uv_loop_t& loop, Resolver& resolver, std::string host, std::uint16_t port, Done done);
  // To an address, which is not looked up.
  TcpConnector(uv_loop_t& loop, const SocketAddress& address, Done done);
  ~TcpConnector();
  TcpConnector(const TcpConnector&) = delete;
  TcpConnector& operator=(const TcpConnector&) = delete;

 private:
  struct Attempt;

  TcpConnector(uv_loop_t& loop, std::string host, Done done);
  void try_next();
  // Gives the step that begins now its time.
  void begin_step(std::uint64_t timeout_ms);
  void fail_step(std::string attempted, std::string_view reason);
  void abandon();
  void on_resolved(const Result<std::vector<SocketAddress>>& addresses);
  void on_connected(int code);
  void on_timeout();
  // Ends: calls `done`, after which nothing of this may be touched.
  void finish(Result<std::unique_ptr<TcpStream>> result);

  uv_loop_t& loop_;
  const std::string host_;
  Done done_;
  std::unique_ptr<Resolver::Request> look_up_;
  std::vector<SocketAddress> addresses_;
  std::size_t next_ = 0;               // of addresses_
  Attempt* attempt_ = nullptr;         // under way; owned by its callback
  std::unique_ptr<TcpStream> stream_;  // of the attempt
  std::string reason_;                 // why the last one failed
  UvHandle<uv_timer_t> timer_;         // for one step: the look-up, or one address
};

}  // namespace furrow::gateway
