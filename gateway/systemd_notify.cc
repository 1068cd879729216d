#include "gateway/systemd_notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <string>

namespace furrow::gateway {
namespace {

std::optional<std::uint64_t> parse_number(const char* text) {
  if (text == nullptr) return std::nullopt;
  std::uint64_t number = 0;
  const char* const end = text + std::strlen(text);
  const auto read = std::from_chars(text, end, number);
  if (read.ec != std::errc{} || read.ptr != end) return std::nullopt;
  return number;
}

std::optional<Duration> half_of_watchdog(const SystemdNotify::Environment& environment) {
  const std::optional<std::uint64_t> interval = parse_number(environment("WATCHDOG_USEC"));
  if (!interval || *interval < 2) return std::nullopt;
  // Meant for another process that handed us its environment.
  const std::optional<std::uint64_t> process = parse_number(environment("WATCHDOG_PID"));
  if (process && *process != static_cast<std::uint64_t>(::getpid())) return std::nullopt;
  return Duration(static_cast<std::int64_t>(*interval / 2));
}

}  // namespace

SystemdNotify::SystemdNotify(const Environment& environment) {
  const char* const path = environment("NOTIFY_SOCKET");
  if (path == nullptr || std::strlen(path) >= sizeof(sockaddr_un::sun_path)) return;
  if (path[0] != '/' && path[0] != '@') return;
  path_ = path;
  socket_ = Descriptor(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  watchdog_interval_ = half_of_watchdog(environment);
}

// By the clock that systemd compares with its own, which stands still while the machine sleeps.
void SystemdNotify::reloading() {
  timespec now = {};
  (void)::clock_gettime(CLOCK_MONOTONIC, &now);
  send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(now.tv_sec * 1'000'000 + now.tv_nsec / 1000));
}

void SystemdNotify::send(std::string_view message) {
  if (!socket_) return;
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path_.data(), path_.size());
  if (path_[0] == '@') address.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_.size());
  // Without systemd at the other end there is nobody to tell, and furrow works without it.
  (void)::sendto(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&address),
                 size);
}

}  // namespace furrow::gateway
