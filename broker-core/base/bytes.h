// Views of bytes, and the one growable byte buffer that output is gathered in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

#include "broker-core/base/check.h"

namespace furrow {

// Borrowed bytes; the function that hands them out says for how long.
using ByteView = std::span<const std::uint8_t>;
// The same where the borrower may overwrite them: decrypts or unmasks them in place.
using MutableBytes = std::span<std::uint8_t>;

inline constexpr std::size_t KiB = 1024;
inline constexpr std::size_t MiB = 1024 * KiB;
inline constexpr std::uint64_t GiB = 1024 * MiB;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// A queue of bytes: appended at the back, consumed at the front, contiguous, so that one write takes
// all of it. Owns no heap while empty and released. Grows by doubling; never zero-fills.
class ByteBuffer {
 public:
  ByteBuffer() = default;
  ByteBuffer(ByteBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        begin_(std::exchange(other.begin_, 0)),
        end_(std::exchange(other.end_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  ByteBuffer& operator=(ByteBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(begin_, other.begin_);
    std::swap(end_, other.end_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }
  ByteBuffer(const ByteBuffer&) = delete;
  ByteBuffer& operator=(const ByteBuffer&) = delete;
  ~ByteBuffer() { std::free(data_); }

  bool empty() const { return begin_ == end_; }
  std::size_t size() const { return std::size_t{end_} - begin_; }
  std::size_t capacity() const { return capacity_; }
  const std::uint8_t* data() const { return data_ + begin_; }
  std::uint8_t* data() { return data_ + begin_; }
  ByteView view() const { return {data_ + begin_, size()}; }

  // Adds `count` uninitialised bytes and returns the place to write them; valid until the next append.
  std::uint8_t* extend(std::size_t count) {
    if (std::size_t{capacity_} - end_ < count) make_room(count);
    std::uint8_t* place = data_ + end_;
    end_ += static_cast<std::uint32_t>(count);
    return place;
  }

  void append(ByteView bytes) {
    if (!bytes.empty()) std::memcpy(extend(bytes.size()), bytes.data(), bytes.size());
  }
  void append(std::string_view text) { append(as_bytes(text)); }
  void push_back(std::uint8_t byte) { *extend(1) = byte; }

  // Drops `count` bytes from the front. REQUIRES: count <= size().
  void consume(std::size_t count) {
    FURROW_CHECK(count <= size());
    begin_ += static_cast<std::uint32_t>(count);
    if (begin_ == end_) begin_ = end_ = 0;
  }

  // Cuts to `size` bytes, counted from the front. REQUIRES: size <= this->size().
  void truncate(std::size_t size) {
    FURROW_CHECK(size <= this->size());
    end_ = begin_ + static_cast<std::uint32_t>(size);
  }

  void clear() { begin_ = end_ = 0; }

  // Gives the heap back. For buffers that are usually empty: an idle connection owns none.
  void release() {
    std::free(data_);
    data_ = nullptr;
    begin_ = end_ = capacity_ = 0;
  }

 private:
  void make_room(std::size_t count);

  // Half as wide as pointers: every connection has two of these, and nothing here comes near 4 GiB.
  std::uint8_t* data_ = nullptr;
  std::uint32_t begin_ = 0;
  std::uint32_t end_ = 0;
  std::uint32_t capacity_ = 0;
};

}  // namespace furrow
