#include "gateway/net/event_loop.h"

#include "broker-core/base/check.h"
#include "gateway/process.h"

namespace furrow::gateway {

EventLoop::EventLoop() : read_buffer_(std::make_unique<ReadBuffer>()), loop_(std::make_unique<uv_loop_t>()) {
  ignore_broken_pipes();
  FURROW_CHECK(uv_loop_init(loop_.get()) == 0);
  loop_->data = read_buffer_.get();
}

EventLoop::~EventLoop() {
  (void)close();
}

void EventLoop::run() {
  uv_run(loop_.get(), UV_RUN_DEFAULT);
}

bool EventLoop::close() {
  if (!loop_) return true;
  // Each turn calls the close callbacks of handles whose owners have ended; one is enough, more are harmless.
  for (int turn = 0; turn < 3 && uv_loop_alive(loop_.get()) != 0; ++turn) uv_run(loop_.get(), UV_RUN_NOWAIT);
  const bool closed = uv_loop_close(loop_.get()) == 0;
  if (closed) {
    loop_.reset();
  } else {
    (void)loop_.release();  // a thread of the pool still writes into it
  }
  return closed;
}

}  // namespace furrow::gateway
