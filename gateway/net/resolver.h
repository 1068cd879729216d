// Host names into the addresses they have now, by the system: its files, its name servers, mDNS, whatever NSS has.
//
// The system's call cannot be interrupted, and a name server that swallows questions holds it for minutes. So each
// look-up has a thread of its own, which nobody waits for: one that is abandoned goes on by itself, and what it finds
// is thrown away. There is one at most for each host and port, since who asks for what is being looked up already gets
// its answer too. Rejected: libuv's pool, whose few threads would all stand still behind one silent name server.
#pragma once

#include <uv.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "broker-core/base/result.h"
#include "gateway/net/socket_address.h"
#include "gateway/net/uv_handle.h"

namespace furrow::gateway {

// Asks the system. Blocks, for minutes at worst.
Result<std::vector<SocketAddress>> look_up(const std::string& host, std::uint16_t port);

// The look-ups of one loop. Does not keep the loop alive. Thread: loop.
class Resolver {
 public:
  // More are never under way at once, for distinct hosts and ports and with abandoned ones: a start then fails. Far
  // more than any gateway has bridges; a thread that waits costs a few KiB.
  static constexpr std::size_t kLookUpsMax = 64;

  // In the order in which they should be tried (RFC 6724); never empty.
  using Addresses = std::vector<SocketAddress>;
  // Runs on threads of its own, several at once, and may outlive the resolver.
  using LookUp = std::function<Result<Addresses>(const std::string& host, std::uint16_t port)>;
  using Found = std::function<void(const Result<Addresses>&)>;

  // Somebody who waits. Destroying it abandons the look-up: `found` is not called any more.
  class Request {
   public:
    ~Request();
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;

   private:
    friend class Resolver;
    Request(Resolver& resolver, std::uint64_t thread, Found found);

    Resolver& resolver_;
    const std::uint64_t thread_;  // whose answer is waited for
    Found found_;
  };

  // `look_up` is another one in tests.
  explicit Resolver(uv_loop_t& loop, LookUp look_up = gateway::look_up);
  // REQUIRES: no Request is left, and no `found` is running. Threads may be.
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // Calls `found` once, never before start() has returned; the Request may be destroyed from within. Fails when there
  // is no thread to be had.
  Result<std::unique_ptr<Request>> start(const std::string& host, std::uint16_t port, Found found);

  // Whether any thread of this process still looks something up. Ending the process by exit() would pull away under it
  // what its libraries use; std::_Exit does not.
  static bool any_under_way();

 private:
  using Key = std::pair<std::string, std::uint16_t>;
  struct Shared;
  struct Thread;

  Status start_thread(const Key& key);
  void on_wake();
  void answer(std::uint64_t thread, const Result<Addresses>& result);

  const LookUp look_up_;
  const std::shared_ptr<Shared> shared_;    // with the threads
  UvHandle<uv_async_t> wake_;               // a thread has finished
  std::map<Key, std::uint64_t> under_way_;  // the thread that looks it up
  std::vector<Request*> waiting_;
  std::uint64_t last_thread_ = 0;
};

}  // namespace furrow::gateway
