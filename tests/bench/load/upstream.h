// The far broker of a bridge, as far as a load needs one: accepts one connection of MQTT 3.1.1 or 5, hands out every
// PUBLISH, and acknowledges it when it is told to.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tests/bench/load/frames.h"
#include "tests/bench/load/sockets.h"

namespace furrow::load {

class Upstream {
 public:
  // Listens on `port` of loopback from now on.
  explicit Upstream(std::uint16_t port);

  // Every PUBLISH that comes.
  std::function<void(const Publish&)> on_publish;
  // The PUBACK leaves at the end of the turn.
  void acknowledge(std::uint16_t id) { append_acknowledgement(output_, FrameType::Puback, id); }

  bool accepted() const { return accepted_; }
  // Waits for the bridge, `longest` at most, and handles what is there. False: nothing was.
  bool turn(std::chrono::milliseconds longest);

 private:
  static constexpr std::uint64_t kListener = 0;
  static constexpr std::uint64_t kBridge = 1;

  void accept();
  void read();
  void handle_frame(const Frame& frame);
  void handle_connect(const Frame& frame);
  void handle_publish(const Frame& frame);
  void write();

  const Socket listener_;
  Epoll epoll_;
  std::optional<Socket> bridge_;
  bool accepted_ = false;  // its CONNECT
  unsigned version_ = 0;
  std::vector<char> buffer_;
  std::string rest_;  // an unfinished frame
  std::string output_;
  bool blocked_ = false;  // the socket takes no more for now
};

}  // namespace furrow::load
