#include "gateway/net/listen_point.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <utility>

namespace furrow::gateway {
namespace {

constexpr std::uint64_t kLookIntervalMs = 2000;

// The addresses of a network interface, those of its link with their zone. Each network has one of them at least once
// it is up.
std::vector<std::string> addresses_of(const std::string& interface) {
  std::vector<std::string> found;
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return found;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(first, ::freeifaddrs);
  for (const ifaddrs* one = first; one != nullptr; one = one->ifa_next) {
    if (interface != one->ifa_name || one->ifa_addr == nullptr || (one->ifa_flags & IFF_UP) == 0) continue;
    const int family = one->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    const SocketAddress address(one->ifa_addr, family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    found.push_back(address.host());
  }
  std::ranges::sort(found);
  return found;
}

}  // namespace

ListenPoint::ListenPoint(const config::Listener& listener, std::string name, InterfaceAddresses addresses)
    : bind_(listener.bind),
      mode_(listener.mode),
      group_(listener.group),
      wait_(listener.wait),
      interface_addresses_(addresses ? std::move(addresses) : addresses_of),
      name_(std::move(name)) {}

ListenPoint::~ListenPoint() = default;

Result<std::unique_ptr<ListenPoint>> ListenPoint::bind(const config::Listener& listener, std::string name,
                                                       InterfaceAddresses addresses) {
  std::unique_ptr<ListenPoint> point(new ListenPoint(listener, std::move(name), std::move(addresses)));
  FURROW_TRY_STATUS(point->settle());
  return point;
}

std::vector<std::string> ListenPoint::hosts() const {
  if (bind_.kind == config::Bind::Kind::Interface) return interface_addresses_(bind_.host);
  return {bind_.host};
}

Result<std::unique_ptr<TcpListener>> ListenPoint::open(const std::string& host) const {
  if (bind_.kind == config::Bind::Kind::Unix) return TcpListener::bind_unix(host, mode_, group_);
  return TcpListener::bind(host, bind_.port);
}

Status ListenPoint::settle() {
  const std::vector<std::string> wanted = hosts();
  std::erase_if(sockets_, [&](const Socket& socket) {
    const bool is_gone = std::ranges::find(wanted, socket.host) == wanted.end();
    if (is_gone && log_ != nullptr) {
      log_->write(LogLevel::Warning, "listener.address_gone",
                  {{"name", name_}, {"address", socket.listener->address()}});
    }
    return is_gone;
  });
  std::string waiting;
  if (wanted.empty()) waiting = "the network interface " + bind_.host + " is not there, or has no address";
  for (const std::string& host : wanted) {
    if (std::ranges::find(sockets_, host, &Socket::host) != sockets_.end()) continue;
    Result<std::unique_ptr<TcpListener>> opened = open(host);
    if (opened) {
      sockets_.push_back({host, *std::move(opened)});
      if (loop_ != nullptr) start(sockets_.back());
    } else if (opened.error().code() == Errc::NotFound && wait_) {
      waiting = opened.error().message();
    } else {
      return std::move(opened).error();
    }
  }
  if (!waiting.empty() && !wait_) return Error(Errc::NotFound, std::move(waiting));
  // An interface listens as long as it has one address that can be had.
  waiting_ = sockets_.empty() ? std::move(waiting) : std::string();
  return {};
}

void ListenPoint::accept(uv_loop_t& loop, Log& log, LinkStats& stats, TcpListener::Accepted accepted,
                         std::function<void()> changed) {
  loop_ = &loop;
  log_ = &log;
  stats_ = &stats;
  accepted_ = std::move(accepted);
  changed_ = std::move(changed);
  for (Socket& socket : sockets_) start(socket);
  if (!waiting_.empty()) {
    log.write(LogLevel::Warning, "listener.waiting",
              {{"name", name_}, {"bind", bind_.text()}, {"reason", waiting_}, {"then", "looked for each 2 s"}});
  }
  // What has its one address keeps it: a socket stays bound when its address goes, and works again when that is back.
  if (waiting_.empty() && bind_.kind != config::Bind::Kind::Interface) return;
  timer_ = UvHandle<uv_timer_t>(loop, this, uv_timer_init);
  const auto on_timer = [](uv_timer_t* timer) { static_cast<ListenPoint*>(timer->data)->look(); };
  uv_timer_start(timer_.get(), on_timer, kLookIntervalMs, kLookIntervalMs);
}

void ListenPoint::start(Socket& socket) {
  socket.listener->accept(*loop_, *log_, *stats_, accepted_);
  log_->write(LogLevel::Info, "listening", {{"name", name_}, {"address", socket.listener->address()}});
}

void ListenPoint::look() {
  const std::string before = address() + waiting_;
  const bool waited = !waiting_.empty();
  if (const Status settled = settle(); !settled) {
    // Somebody else was faster, or the rights are not ours: said once, and tried again.
    if (failed_ != settled.error().message()) {
      failed_ = settled.error().message();
      log_->write(LogLevel::Error, "listener.failed",
                  {{"name", name_}, {"bind", bind_.text()}, {"reason", failed_}, {"then", "tried again each 2 s"}});
    }
    if (sockets_.empty()) waiting_ = failed_;
  } else {
    failed_.clear();
  }
  if (!waited && !waiting_.empty() && failed_.empty()) {
    log_->write(LogLevel::Warning, "listener.waiting",
                {{"name", name_}, {"bind", bind_.text()}, {"reason", waiting_}, {"then", "looked for each 2 s"}});
  }
  if (waiting_.empty() && bind_.kind != config::Bind::Kind::Interface) uv_timer_stop(timer_.get());
  if (address() + waiting_ != before) changed_();
}

std::string ListenPoint::address() const {
  std::string all;
  for (const Socket& socket : sockets_) all += (all.empty() ? "" : ", ") + socket.listener->address();
  return all.empty() ? bind_.text() : all;
}

}  // namespace furrow::gateway
