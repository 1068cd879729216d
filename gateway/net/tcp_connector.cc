#include "gateway/net/tcp_connector.h"

#include <algorithm>
#include <utility>

#include "gateway/net/address_order.h"
#include "gateway/net/tcp_source.h"

namespace furrow::gateway {
namespace {

// No name has a colon. What looks like an IPv6 address and is none has a zone that this machine does not have now, or
// one by name that is not of a link.
bool is_v6_literal(const std::string& host) {
  return host.find(':') != std::string::npos;
}

std::string no_answer_within(std::chrono::milliseconds time) {
  const auto count = time.count();
  return "no answer within " +
         (count % 1000 == 0 ? std::to_string(count / 1000) + " s" : std::to_string(count) + " ms");
}

}  // namespace

struct TcpConnector::Attempt {
  static void on_connected(uv_connect_t* uv, int code) {
    const std::unique_ptr<Attempt> attempt(static_cast<Attempt*>(uv->data));
    if (attempt->connector != nullptr) attempt->connector->on_connected(attempt->index, code);
  }

  uv_connect_t uv;
  TcpConnector* connector;  // nullptr once abandoned
  std::size_t index;        // of the connector's tries
  std::unique_ptr<TcpStream> stream;
};

TcpConnector::TcpConnector(uv_loop_t& loop, std::string host, Options options, Done done)
    : loop_(loop),
      host_(std::move(host)),
      options_(std::move(options)),
      done_(std::move(done)),
      next_try_(loop, this, uv_timer_init),
      timeout_(loop, this, uv_timer_init) {
  const auto on_timeout = [](uv_timer_t* timer) { static_cast<TcpConnector*>(timer->data)->on_timeout(); };
  uv_timer_start(timeout_.get(), on_timeout, static_cast<std::uint64_t>(options_.timeout.count()), 0);
}

TcpConnector::TcpConnector(uv_loop_t& loop, const SocketAddress& address, Done done)
    : TcpConnector(loop, address.text(), Options{}, std::move(done)) {
  set_addresses({address});
}

TcpConnector::TcpConnector(uv_loop_t& loop, Resolver& resolver, std::string host, std::uint16_t port, Options options,
                           Done done)
    : TcpConnector(loop, std::move(host), std::move(options), std::move(done)) {
  if (const auto address = SocketAddress::parse(host_, port)) {
    set_addresses({*address});
  } else if (is_v6_literal(host_)) {
    look_up_failed_ = "connect to " + host_ + ": no such address or network interface";
    try_next_within({});
  } else {
    look_up(resolver, port);
  }
}

TcpConnector::~TcpConnector() {
  abandon();
}

const SocketAddress& TcpConnector::reached() const {
  return tries_[reached_].address;
}

void TcpConnector::look_up(Resolver& resolver, std::uint16_t port) {
  auto started = resolver.start(host_, port, [this](const auto& found) { on_found(found); });
  if (started) {
    look_up_ = *std::move(started);
  } else {
    on_found(std::move(started).error());
  }
}

void TcpConnector::on_found(const Result<std::vector<SocketAddress>>& addresses) {
  look_up_.reset();
  if (addresses) {
    set_addresses(*addresses);
  } else {
    look_up_failed_ = "look up " + host_ + ": " + addresses.error().message();
    try_next_within({});
  }
}

void TcpConnector::set_addresses(const std::vector<SocketAddress>& addresses) {
  for (const SocketAddress& one : in_order_of_trying(addresses, options_.first)) tries_.push_back({.address = one});
  try_next_within({});
}

void TcpConnector::try_next_within(std::chrono::milliseconds delay) {
  const auto on_due = [](uv_timer_t* timer) { static_cast<TcpConnector*>(timer->data)->try_next(); };
  uv_timer_start(next_try_.get(), on_due, static_cast<std::uint64_t>(delay.count()), 0);
}

void TcpConnector::try_next() {
  while (next_ < tries_.size()) {
    if (!begin(tries_[next_++])) continue;
    if (next_ < tries_.size()) try_next_within(options_.attempt_delay);
    return;
  }
  if (!trying()) finish(Error(Errc::Io, reason()));
}

bool TcpConnector::begin(Try& one) {
  auto attempt = std::make_unique<Attempt>();
  attempt->uv.data = attempt.get();
  attempt->connector = this;
  attempt->index = static_cast<std::size_t>(&one - tries_.data());
  attempt->stream = std::make_unique<TcpStream>(loop_, nullptr);
  if (const Status bound = bind_to_source(*attempt->stream->uv(), options_.source, one.address); !bound) {
    one.failed = bound.error().message();
    return false;
  }
  const int code = uv_tcp_connect(&attempt->uv, attempt->stream->uv(), one.address.get(), Attempt::on_connected);
  if (code != 0) {
    one.failed = uv_text(code);
    return false;
  }
  one.attempt = attempt.release();
  return true;
}

void TcpConnector::on_connected(std::size_t index, int code) {
  Attempt* const attempt = std::exchange(tries_[index].attempt, nullptr);
  if (code == 0) {
    reached_ = index;
    attempt->stream->start();
    finish(std::move(attempt->stream));
  } else {
    tries_[index].failed = uv_text(code);
    uv_timer_stop(next_try_.get());
    try_next();
  }
}

void TcpConnector::on_timeout() {
  finish(Error(Errc::Io, reason()));
}

bool TcpConnector::trying() const {
  return std::any_of(tries_.begin(), tries_.end(), [](const Try& one) { return one.attempt != nullptr; });
}

std::string TcpConnector::reason() const {
  const std::string no_answer = no_answer_within(options_.timeout);
  if (look_up_) return "look up " + host_ + ": " + no_answer;
  if (tries_.empty()) return look_up_failed_;
  std::string text = options_.source.empty() ? "connect to " : "connect from " + options_.source + " to ";
  for (const Try& one : tries_) {
    if (&one != tries_.data()) text += ", ";
    text += one.address.text();
    text += ": ";
    text += one.attempt != nullptr ? no_answer : one.failed.empty() ? "not tried" : one.failed;
  }
  return text;
}

void TcpConnector::abandon() {
  look_up_.reset();
  for (Try& one : tries_) {
    if (one.attempt == nullptr) continue;
    one.attempt->connector = nullptr;
    one.attempt->stream.reset();  // its callback follows
    one.attempt = nullptr;
  }
}

void TcpConnector::finish(Result<std::unique_ptr<TcpStream>> result) {
  abandon();
  uv_timer_stop(next_try_.get());
  uv_timer_stop(timeout_.get());
  const Done done = std::move(done_);  // outlives this connector
  done(std::move(result));
}

}  // namespace furrow::gateway
