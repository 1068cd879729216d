#include "gateway/net/tcp_connector.h"

#include <utility>

namespace furrow::gateway {
namespace {

// Three SYNs go out within 7 s; a link that loses all of them is tried again by the backoff.
constexpr std::uint64_t kStepTimeoutMs = 10'000;
constexpr const char* kNoAnswer = "no answer within 10 s";

// No name has a colon. What looks like an IPv6 address and is none has a zone that this machine does not have now.
bool is_v6_literal(const std::string& host) {
  return host.find(':') != std::string::npos;
}

}  // namespace

struct TcpConnector::Attempt {
  static void on_connected(uv_connect_t* uv, int code) {
    const std::unique_ptr<Attempt> attempt(static_cast<Attempt*>(uv->data));
    if (attempt->connector != nullptr) attempt->connector->on_connected(code);
  }

  uv_connect_t uv;
  TcpConnector* connector;  // nullptr once abandoned
};

TcpConnector::TcpConnector(uv_loop_t& loop, std::string host, Done done)
    : loop_(loop), host_(std::move(host)), done_(std::move(done)), timer_(loop, this, uv_timer_init) {}

TcpConnector::TcpConnector(uv_loop_t& loop, const SocketAddress& address, Done done)
    : TcpConnector(loop, address.text(), std::move(done)) {
  addresses_.push_back(address);
  begin_step(0);
}

TcpConnector::TcpConnector(uv_loop_t& loop, Resolver& resolver, std::string host, std::uint16_t port, Done done)
    : TcpConnector(loop, std::move(host), std::move(done)) {
  if (auto address = SocketAddress::parse(host_, port)) {
    addresses_.push_back(*std::move(address));
    begin_step(0);
    return;
  }
  if (is_v6_literal(host_)) {
    fail_step("connect to " + host_, "no such network interface");
    begin_step(0);
    return;
  }
  auto look_up = resolver.start(host_, port, [this](const auto& found) { on_resolved(found); });
  if (look_up) {
    look_up_ = *std::move(look_up);
    begin_step(kStepTimeoutMs);
  } else {
    fail_step("look up " + host_, look_up.error().message());
    begin_step(0);
  }
}

TcpConnector::~TcpConnector() {
  abandon();
}

void TcpConnector::abandon() {
  look_up_.reset();
  if (attempt_ != nullptr) attempt_->connector = nullptr;
  attempt_ = nullptr;
  stream_.reset();
}

void TcpConnector::begin_step(std::uint64_t timeout_ms) {
  const auto on_timeout = [](uv_timer_t* timer) { static_cast<TcpConnector*>(timer->data)->on_timeout(); };
  uv_timer_start(timer_.get(), on_timeout, timeout_ms, 0);
}

void TcpConnector::fail_step(std::string attempted, std::string_view reason) {
  reason_ = std::move(attempted);
  reason_ += ": ";
  reason_ += reason;
}

void TcpConnector::on_resolved(const Result<std::vector<SocketAddress>>& addresses) {
  look_up_.reset();
  if (addresses) {
    addresses_ = *addresses;
  } else {
    fail_step("look up " + host_, addresses.error().message());
  }
  try_next();
}

void TcpConnector::try_next() {
  while (next_ < addresses_.size()) {
    const SocketAddress& address = addresses_[next_++];
    stream_ = std::make_unique<TcpStream>(loop_, nullptr);
    auto attempt = std::make_unique<Attempt>();
    attempt->uv.data = attempt.get();
    attempt->connector = this;
    const int code = uv_tcp_connect(&attempt->uv, stream_->uv(), address.get(), Attempt::on_connected);
    if (code == 0) {
      attempt_ = attempt.release();
      begin_step(kStepTimeoutMs);
      return;
    }
    fail_step("connect to " + address.text(), uv_text(code));
  }
  finish(Error(Errc::Io, reason_));
}

void TcpConnector::on_connected(int code) {
  attempt_ = nullptr;
  if (code == 0) {
    stream_->start();
    finish(std::move(stream_));
  } else {
    fail_step("connect to " + addresses_[next_ - 1].text(), uv_text(code));
    try_next();
  }
}

void TcpConnector::on_timeout() {
  if (look_up_) fail_step("look up " + host_, kNoAnswer);
  if (attempt_ != nullptr) fail_step("connect to " + addresses_[next_ - 1].text(), kNoAnswer);
  abandon();
  try_next();
}

void TcpConnector::finish(Result<std::unique_ptr<TcpStream>> result) {
  uv_timer_stop(timer_.get());
  const Done done = std::move(done_);  // outlives this connector
  done(std::move(result));
}

}  // namespace furrow::gateway
