#include "gateway/net/resolver.h"

#include <netdb.h>

#include <utility>

namespace furrow::gateway {

struct Resolver::Request {
  static void on_found(uv_getaddrinfo_t* uv, int code, addrinfo* first);

  uv_getaddrinfo_t uv;
  Found found;  // empty once abandoned
  Resolver* resolver = nullptr;
};

void Resolver::Request::on_found(uv_getaddrinfo_t* uv, int code, addrinfo* first) {
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
}

Result<std::unique_ptr<Resolver>> Resolver::start(uv_loop_t& loop, const std::string& host, std::uint16_t port,
                                                  Found found) {
  auto request = std::make_unique<Request>();
  request->uv.data = request.get();
  request->found = std::move(found);
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  const std::string service = std::to_string(port);
  const int code = uv_getaddrinfo(&loop, &request->uv, Request::on_found, host.c_str(), service.c_str(), &hints);
  if (code != 0) return Error(Errc::InvalidArgument, uv_strerror(code));
  return std::unique_ptr<Resolver>(new Resolver(std::move(request)));
}

Resolver::Resolver(std::unique_ptr<Request> request) : request_(request.release()) {
  request_->resolver = this;
}

Resolver::~Resolver() {
  if (request_ == nullptr) return;
  request_->found = nullptr;
  // One that has not begun ends now; one under way cannot be interrupted, and its answer is thrown away.
  (void)uv_cancel(reinterpret_cast<uv_req_t*>(&request_->uv));
}

}  // namespace furrow::gateway
