#include "gateway/net/resolver.h"

#include <netdb.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstring>
#include <mutex>
#include <optional>

#include "broker-core/base/bytes.h"
#include "broker-core/base/check.h"

namespace furrow::gateway {
namespace {

// The modules of NSS want some; what is not touched is not used.
constexpr std::size_t kStackBytes = 1024 * KiB;

std::atomic<std::size_t> threads_alive = 0;

// Begins a thread that nobody joins and that gets no signals. Returns an errno.
int start_detached(void* (*run)(void*), void* argument) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  const int code = pthread_create(&thread, &attributes, run, argument);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  return code;
}

}  // namespace

Result<std::vector<SocketAddress>> look_up(const std::string& host, std::uint16_t port) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* first = nullptr;
  const int code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &first);
  if (code != 0) return Error(Errc::NotFound, ::gai_strerror(code));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(first, ::freeaddrinfo);
  std::vector<SocketAddress> addresses;
  for (const addrinfo* one = first; one != nullptr; one = one->ai_next) {
    addresses.emplace_back(one->ai_addr, one->ai_addrlen);
  }
  return addresses;
}

// What the threads and the loop both touch; lives until the last of them is through with it.
struct Resolver::Shared {
  struct Finished {
    Key key;
    std::uint64_t thread;
    Result<Addresses> result;
  };

  std::mutex mutex;
  uv_async_t* wake;  // nullptr once the resolver is gone
  std::vector<Finished> finished;
};

struct Resolver::Thread {
  void run() {
    Shared::Finished finished{.key = key, .thread = id, .result = look_up(key.first, key.second)};
    const std::lock_guard lock(shared->mutex);
    if (shared->wake == nullptr) return;
    shared->finished.push_back(std::move(finished));
    uv_async_send(shared->wake);
  }

  static void* main(void* thread) {
    static_cast<Thread*>(thread)->run();
    delete static_cast<Thread*>(thread);
    --threads_alive;
    return nullptr;
  }

  const std::shared_ptr<Shared> shared;
  const LookUp look_up;
  const Key key;
  const std::uint64_t id;
};

Resolver::Request::Request(Resolver& resolver, std::uint64_t thread, Found found)
    : resolver_(resolver), thread_(thread), found_(std::move(found)) {
  resolver_.waiting_.push_back(this);
}

Resolver::Request::~Request() {
  std::erase(resolver_.waiting_, this);
}

Resolver::Resolver(uv_loop_t& loop, LookUp look_up)
    : look_up_(std::move(look_up)),
      shared_(std::make_shared<Shared>()),
      wake_(loop, this, uv_async_init, [](uv_async_t* handle) { static_cast<Resolver*>(handle->data)->on_wake(); }) {
  uv_unref(reinterpret_cast<uv_handle_t*>(wake_.get()));  // NOLINT: libuv's kind of inheritance
  shared_->wake = wake_.get();
}

Resolver::~Resolver() {
  FURROW_CHECK(waiting_.empty());
  const std::lock_guard lock(shared_->mutex);
  shared_->wake = nullptr;
}

Result<std::unique_ptr<Resolver::Request>> Resolver::start(const std::string& host, std::uint16_t port, Found found) {
  const Key key(host, port);
  if (!under_way_.contains(key)) FURROW_TRY_STATUS(start_thread(key));
  return std::unique_ptr<Request>(new Request(*this, under_way_[key], std::move(found)));
}

Status Resolver::start_thread(const Key& key) {
  if (under_way_.size() >= kLookUpsMax) {
    return Error(Errc::Io, std::to_string(kLookUpsMax) + " names are being looked up, and none is answered");
  }
  auto thread =
      std::unique_ptr<Thread>(new Thread{.shared = shared_, .look_up = look_up_, .key = key, .id = last_thread_ + 1});
  ++threads_alive;
  const int code = start_detached(Thread::main, thread.get());
  if (code != 0) {
    --threads_alive;
    return Error(Errc::Io, "no thread for it: " + std::string(std::strerror(code)));
  }
  (void)thread.release();
  under_way_[key] = ++last_thread_;
  return {};
}

void Resolver::on_wake() {
  std::vector<Shared::Finished> finished;
  {
    const std::lock_guard lock(shared_->mutex);
    finished.swap(shared_->finished);
  }
  for (const Shared::Finished& one : finished) {
    under_way_.erase(one.key);
    answer(one.thread, one.result);
  }
}

// Who is told may destroy any request, and start others, which get a thread of their own.
void Resolver::answer(std::uint64_t thread, const Result<Addresses>& result) {
  const auto waits = [thread](const Request* request) { return request->thread_ == thread; };
  while (true) {
    const auto request = std::find_if(waiting_.begin(), waiting_.end(), waits);
    if (request == waiting_.end()) return;
    const Found found = std::move((*request)->found_);  // outlives the request
    waiting_.erase(request);
    found(result);
  }
}

bool Resolver::any_under_way() {
  return threads_alive > 0;
}

}  // namespace furrow::gateway
