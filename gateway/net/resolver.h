// A host name into the addresses it has now. Asynchronous: the look-up runs on libuv's worker pool.
#pragma once

#include <uv.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "broker-core/base/result.h"
#include "gateway/net/socket_address.h"

namespace furrow::gateway {

// One look-up. Destroying it before its end abandons it: `found` is not called any more. Thread: loop.
class Resolver {
 public:
  // In the order in which they should be tried (RFC 6724); never empty.
  using Found = std::function<void(Result<std::vector<SocketAddress>>)>;

  // The Resolver may be destroyed from within `found`, which is never called before start() has returned. Fails for
  // what cannot be a host name.
  static Result<std::unique_ptr<Resolver>> start(uv_loop_t& loop, const std::string& host, std::uint16_t port,
                                                 Found found);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

 private:
  struct Request;
  explicit Resolver(std::unique_ptr<Request> request);

  Request* request_;  // owned by its callback
};

}  // namespace furrow::gateway
