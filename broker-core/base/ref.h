// An intrusive, non-atomic reference: loop thread only. `T` has `std::uint32_t references_` (0 at birth) and `static
// void destroy(T*)`, and befriends Ref<T>. One pointer wide, so that a queue entry stays small.
#pragma once

#include <cstdint>
#include <utility>

#include "broker-core/base/check.h"

namespace furrow {

template <typename T>
class Ref {
 public:
  Ref() = default;
  explicit Ref(T* object) : object_(object) { acquire(); }
  Ref(const Ref& other) : object_(other.object_) { acquire(); }
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() { release(); }

  explicit operator bool() const { return object_ != nullptr; }
  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  friend bool operator==(const Ref& one, const Ref& other) { return one.object_ == other.object_; }

 private:
  void acquire() {
    if (object_ != nullptr) ++object_->references_;
  }
  void release() {
    if (object_ != nullptr && --object_->references_ == 0) T::destroy(object_);
  }

  T* object_ = nullptr;
};

}  // namespace furrow
