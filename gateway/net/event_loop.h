// The libuv loop with an owner.
#pragma once

#include <uv.h>

#include <array>
#include <memory>

#include "broker-core/base/bytes.h"

namespace furrow::gateway {

class EventLoop {
 public:
  // From then on the process ignores broken pipes: libuv writes to connections that may be gone.
  EventLoop();
  // As close().
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  uv_loop_t& uv() { return *loop_; }
  // Until stop(), or until nothing is left that could happen.
  void run();
  void stop() { uv_stop(loop_.get()); }

  // Lets handles finish closing. All owners of handles must be gone. False when libuv's pool still works for this loop,
  // which nothing can interrupt: the loop is left to that thread, and the process should end by std::_Exit.
  bool close();

  // What the streams of this loop read into: one buffer for all, since what is read is handled at once.
  using ReadBuffer = std::array<char, 64 * KiB>;
  static ReadBuffer& read_buffer(uv_loop_t& loop) { return *static_cast<ReadBuffer*>(loop.data); }

 private:
  std::unique_ptr<ReadBuffer> read_buffer_;
  std::unique_ptr<uv_loop_t> loop_;
};

}  // namespace furrow::gateway
