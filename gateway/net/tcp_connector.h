// Makes one TCP connection: looks the host up, unless it is an address, and tries its addresses side by side.
//
// One try begins each `attempt_delay`, and at once when the one before has failed; none is given up for the next. The
// first that connects wins, and the others are closed (RFC 8305 §5). So an address that swallows packets costs a
// fraction of a second, and a slow one can still win.
#pragma once

#include <uv.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker-core/base/result.h"
#include "gateway/net/resolver.h"
#include "gateway/net/socket_address.h"
#include "gateway/net/tcp_stream.h"
#include "gateway/net/uv_handle.h"

namespace furrow::gateway {

// One connection on its way. Destroying it before its end abandons it: `done` is not called any more. Thread: loop.
class TcpConnector {
 public:
  struct Options {
    // For everything together. Three SYNs go out within 7 s, and a resolver leaves a dead name server for the next one
    // after 5 s; less than the 15 s of a bridge, so that its reason is ours, which names the addresses.
    std::chrono::milliseconds timeout = std::chrono::seconds(14);
    // What RFC 8305 §5 recommends.
    std::chrono::milliseconds attempt_delay = std::chrono::milliseconds(250);
    // Tried before the others if the host still has it: the one that worked last.
    std::optional<SocketAddress> first = std::nullopt;
    // A local address, or a network interface; empty: the system chooses. See tcp_source.h.
    std::string source = {};
  };
  // A connected stream without an owner, not yet reading; or why there is none: one reason that names each address.
  using Done = std::function<void(Result<std::unique_ptr<TcpStream>>)>;

  // The connector may be destroyed from within `done`, which is never called before the constructor has returned.
  // `resolver` must outlive it.
  TcpConnector(uv_loop_t& loop, Resolver& resolver, std::string host, std::uint16_t port, Options options, Done done);
  // To an address, which is not looked up.
  TcpConnector(uv_loop_t& loop, const SocketAddress& address, Done done);
  ~TcpConnector();
  TcpConnector(const TcpConnector&) = delete;
  TcpConnector& operator=(const TcpConnector&) = delete;

  // Whom the stream is connected to. REQUIRES: within `done`, with a stream.
  const SocketAddress& reached() const;

 private:
  struct Attempt;
  // One address, and what came of it.
  struct Try {
    SocketAddress address;
    Attempt* attempt = nullptr;  // under way; owned by its callback
    std::string failed = {};     // why; empty: it has not
  };

  TcpConnector(uv_loop_t& loop, std::string host, Options options, Done done);

  void look_up(Resolver& resolver, std::uint16_t port);
  void on_found(const Result<std::vector<SocketAddress>>& addresses);
  void set_addresses(const std::vector<SocketAddress>& addresses);
  // Begins the next try that can be begun; ends when none is left and none is under way.
  void try_next();
  void try_next_within(std::chrono::milliseconds delay);
  bool begin(Try& one);
  void on_connected(std::size_t index, int code);
  void on_timeout();
  bool trying() const;
  std::string reason() const;
  void abandon();
  // Ends: calls `done`, after which nothing of this may be touched.
  void finish(Result<std::unique_ptr<TcpStream>> result);

  uv_loop_t& loop_;
  const std::string host_;
  const Options options_;
  Done done_;
  std::unique_ptr<Resolver::Request> look_up_;
  std::string look_up_failed_;  // in words
  std::vector<Try> tries_;      // in their order; does not grow once the first has begun
  std::size_t next_ = 0;        // of tries_
  std::size_t reached_ = 0;     // of tries_
  UvHandle<uv_timer_t> next_try_;
  UvHandle<uv_timer_t> timeout_;
};

}  // namespace furrow::gateway
