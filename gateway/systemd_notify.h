// What systemd is told, by its notify protocol (sd_notify(3)): a datagram with `NAME=VALUE` lines.
//
// Silent when nobody asked (no NOTIFY_SOCKET). Thread: any.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "broker-core/base/time.h"
#include "gateway/net/descriptor.h"

namespace furrow::gateway {

class SystemdNotify {
 public:
  // The value of an environment variable, or nullptr.
  using Environment = std::function<const char*(const char* name)>;
  explicit SystemdNotify(const Environment& environment);

  void ready() { send("READY=1"); }
  void stopping() { send("STOPPING=1"); }
  // The configuration is read again; ready() follows.
  void reloading();
  // One line for `systemctl status`.
  void status(std::string_view line) { send("STATUS=" + std::string(line)); }
  void watchdog() { send("WATCHDOG=1"); }

  // How often watchdog() is to be called: twice in the time after which systemd restarts us. Nothing: never.
  std::optional<Duration> watchdog_interval() const { return watchdog_interval_; }

 private:
  void send(std::string_view message);

  std::string path_;  // empty: nobody listens; a leading '@' stands for an abstract name
  Descriptor socket_;
  std::optional<Duration> watchdog_interval_;
};

}  // namespace furrow::gateway
