// Another process of this program, for the demo: started, watched by its log, stopped.
#pragma once

#include <sys/types.h>
#include <uv.h>

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker-core/base/result.h"
#include "gateway/net/uv_handle.h"

namespace furrow::gateway {

class DemoProcess {
 public:
  struct Events {
    std::function<void(std::uint16_t port)> on_ready;  // it accepts connections on 127.0.0.1:`port`
    std::function<void()> on_ended;                    // of itself; log_tail() may say why
  };

  // Starts `furrow` with `arguments`, whose log must be text. It ends with this process, whatever ends that.
  static Result<std::unique_ptr<DemoProcess>> start(uv_loop_t& loop, std::vector<std::string> arguments, Events events);
  // Asks it to stop, and waits.
  ~DemoProcess();
  DemoProcess(const DemoProcess&) = delete;
  DemoProcess& operator=(const DemoProcess&) = delete;

  pid_t pid() const { return pid_; }
  // Of its listener for WebSocket; 0: it has none, or is not ready.
  std::uint16_t web_port() const { return web_port_; }
  // The last lines of its log.
  std::string log_tail() const;

 private:
  DemoProcess(uv_loop_t& loop, pid_t pid, int log, Events events);
  void on_log(std::string_view bytes);
  void on_line(std::string line);

  const pid_t pid_;
  const Events events_;
  UvHandle<uv_pipe_t> log_;
  std::array<char, 4096> buffer_{};
  std::string unfinished_;  // of the log's last line
  std::deque<std::string> tail_;
  std::uint16_t port_ = 0;
  std::uint16_t web_port_ = 0;
};

// The port of a log line `… listening name=… address=HOST:PORT`; 0 if it is another one.
std::uint16_t port_of_listening(std::string_view line);

}  // namespace furrow::gateway
