// A libuv handle with an owner.
//
// Closing is asynchronous: libuv needs the memory of a handle until it calls back. So the handle lies on the heap, and
// the destructor of its owner begins the close. A handle that closes calls nobody. Thread: loop.
#pragma once

#include <uv.h>

#include <utility>

#include "broker-core/base/check.h"

namespace furrow::gateway {

template <typename Handle>
class UvHandle {
 public:
  // None.
  UvHandle() = default;
  // `init` is the handle's init function and `arguments` what comes after the handle, as in uv_prepare_init.
  // These fail only when the process is out of memory or descriptors at start.
  template <typename Init, typename... Arguments>
  UvHandle(uv_loop_t& loop, void* data, Init init, Arguments... arguments) : handle_(new Handle) {
    handle_->data = data;
    FURROW_CHECK(init(&loop, handle_, arguments...) == 0);
  }
  UvHandle(UvHandle&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  UvHandle& operator=(UvHandle&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~UvHandle() { close(); }

  Handle* get() const { return handle_; }
  Handle* operator->() const { return handle_; }

  // For the callbacks of a handle: the `data` it was made with.
  void set_data(void* data) { handle_->data = data; }

  void close() {
    Handle* const handle = std::exchange(handle_, nullptr);
    if (handle == nullptr) return;
    uv_close(reinterpret_cast<uv_handle_t*>(handle), [](uv_handle_t* closed) {
      delete reinterpret_cast<Handle*>(closed);  // NOLINT: libuv's kind of inheritance
    });
  }

 private:
  Handle* handle_ = nullptr;
};

}  // namespace furrow::gateway
