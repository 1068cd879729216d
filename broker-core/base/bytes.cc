#include "broker-core/base/bytes.h"

#include <algorithm>

namespace furrow {

void ByteBuffer::make_room(std::size_t count) {
  const std::size_t used = size();
  // Moving the rest to the front is cheaper than growing when the consumed half is the larger one.
  if (begin_ > 0 && begin_ >= used && capacity_ - used >= count) {
    std::memmove(data_, data_ + begin_, used);
    begin_ = 0;
    end_ = used;
    return;
  }
  constexpr std::size_t kCapacityMin = 256;
  std::size_t capacity = std::max(capacity_ * 2, kCapacityMin);
  while (capacity - used < count) capacity *= 2;
  auto* grown = static_cast<std::uint8_t*>(std::malloc(capacity));
  FURROW_CHECK(grown != nullptr);
  if (used > 0) std::memcpy(grown, data_ + begin_, used);
  std::free(data_);
  data_ = grown;
  begin_ = 0;
  end_ = used;
  capacity_ = capacity;
}

}  // namespace furrow
