// A double-ended queue in one power-of-two array: no heap until the first push, and none once released.
//
// (An empty std::deque owns about 700 bytes; ten thousand idle sessions have one queue each.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "broker-core/base/check.h"

namespace furrow {

template <typename T>
class Ring {
 public:
  Ring() = default;
  Ring(Ring&& other) noexcept
      : slots_(std::exchange(other.slots_, nullptr)),
        head_(std::exchange(other.head_, 0)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  Ring& operator=(Ring&& other) noexcept {
    std::swap(slots_, other.slots_);
    std::swap(head_, other.head_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() { release(); }

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }

  // REQUIRES: index < size().
  T& operator[](std::size_t index) { return *slot(index); }
  const T& operator[](std::size_t index) const { return *slot(index); }

  // REQUIRES: !empty().
  T& front() { return *slot(0); }
  const T& front() const { return *slot(0); }
  T& back() { return *slot(size_ - 1); }
  const T& back() const { return *slot(size_ - 1); }

  T& push_back(T value) { return emplace_back(std::move(value)); }
  // Makes the element in its place. REQUIRES: no argument is in the ring.
  template <typename... Arguments>
  T& emplace_back(Arguments&&... arguments) {
    if (size_ == capacity_) grow();
    T* place = slots_ + ((head_ + size_) & (capacity_ - 1));
    ::new (static_cast<void*>(place)) T(std::forward<Arguments>(arguments)...);
    ++size_;
    return *place;
  }

  T pop_front() {
    T value = std::move(front());
    drop_front();
    return value;
  }
  void drop_front() {
    FURROW_CHECK(size_ > 0);
    slots_[head_].~T();
    head_ = (head_ + 1) & (capacity_ - 1);
    --size_;
  }

  void clear() {
    while (size_ > 0) drop_front();
    head_ = 0;
  }

  // Destroys all elements and frees the memory.
  void release() {
    clear();
    std::allocator<T>{}.deallocate(slots_, capacity_);
    slots_ = nullptr;
    capacity_ = 0;
  }

 private:
  static_assert(std::is_nothrow_move_constructible_v<T>);
  static constexpr std::uint32_t kCapacityMin = 8;

  T* slot(std::size_t index) const {
    FURROW_CHECK(index < size_);
    return slots_ + ((head_ + index) & (capacity_ - 1));
  }

  void grow() {
    FURROW_CHECK(capacity_ < (std::uint32_t{1} << 31U));
    const std::uint32_t capacity = capacity_ == 0 ? kCapacityMin : capacity_ * 2;
    T* grown = std::allocator<T>{}.allocate(capacity);
    for (std::uint32_t i = 0; i < size_; ++i) {
      T* from = slots_ + ((head_ + i) & (capacity_ - 1));
      ::new (static_cast<void*>(grown + i)) T(std::move(*from));
      from->~T();
    }
    std::allocator<T>{}.deallocate(slots_, capacity_);
    slots_ = grown;
    head_ = 0;
    capacity_ = capacity;
  }

  T* slots_ = nullptr;
  std::uint32_t head_ = 0;
  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = 0;
};

}  // namespace furrow
