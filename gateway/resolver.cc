#include "gateway/resolver.h"

#include <netdb.h>

#include <memory>
#include <utility>

#include "broker-core/base/check.h"

namespace furrow::gateway {

struct Resolver::Request {
  uv_getaddrinfo_t uv;
  Found found;  // empty once abandoned
  Resolver* resolver;
};

Resolver::Resolver(uv_loop_t& loop, const std::string& host, std::uint16_t port, Found found)
    : request_(new Request{.uv = {}, .found = std::move(found), .resolver = this}) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
  const auto on_found = [](uv_getaddrinfo_t* uv, int code, addrinfo* first) {
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(first, uv_freeaddrinfo);
    const std::unique_ptr<Request> request(static_cast<Request*>(uv->data));
    if (!request->found) return;
    request->resolver->request_ = nullptr;
    if (code != 0) {
      request->found(Error(Errc::NotFound, uv_strerror(code)));
      return;
    }
    std::vector<SocketAddress> addresses;
    for (const addrinfo* one = first; one != nullptr; one = one->ai_next) {
      addresses.emplace_back(one->ai_addr, one->ai_addrlen);
    }
    request->found(std::move(addresses));
  };
  request_->uv.data = request_;
  const std::string service = std::to_string(port);
  // Fails when out of memory, or for a host name longer than the configuration lets through.
  FURROW_CHECK(uv_getaddrinfo(&loop, &request_->uv, on_found, host.c_str(), service.c_str(), &hints) == 0);
}

Resolver::~Resolver() {
  if (request_ == nullptr) return;
  request_->found = nullptr;
  // One that has not begun ends now; one under way cannot be interrupted, and its answer is thrown away.
  (void)uv_cancel(reinterpret_cast<uv_req_t*>(&request_->uv));
}

}  // namespace furrow::gateway
