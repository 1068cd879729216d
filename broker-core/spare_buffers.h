// Heap of outputs that have been written out, kept for the next ones: a burst to many would else make and free it each
// turn.
//
// Bounded by kSpareBytesMax. Thread: loop.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "broker-core/base/bytes.h"
#include "broker-core/limits.h"

namespace furrow::broker {

class SpareBuffers {
 public:
  // An empty buffer, with heap if there is any.
  ByteBuffer take() {
    if (buffers_.empty()) return {};
    ByteBuffer buffer = std::move(buffers_.back());
    buffers_.pop_back();
    bytes_ -= buffer.capacity();
    return buffer;
  }
  // `buffer` owns no heap afterwards. REQUIRES: it is empty.
  void give_back(ByteBuffer&& buffer) {
    ByteBuffer taken(std::move(buffer));
    if (taken.capacity() < kSpareBytesMin || bytes_ + taken.capacity() > kSpareBytesMax) return;
    bytes_ += taken.capacity();
    buffers_.push_back(std::move(taken));
  }

 private:
  std::vector<ByteBuffer> buffers_;
  std::size_t bytes_ = 0;  // capacity of all
};

}  // namespace furrow::broker
