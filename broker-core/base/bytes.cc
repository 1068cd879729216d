#include "broker-core/base/bytes.h"

#include <algorithm>

namespace furrow {

void ByteBuffer::make_room(std::size_t count) {
  const std::size_t used = size();
  // Moving the rest to the front is cheaper than growing when the consumed half is the larger one.
  if (begin_ > 0 && begin_ >= used && std::size_t{capacity_} - used >= count) {
    std::memmove(data_, data_ + begin_, used);
    begin_ = 0;
    end_ = static_cast<std::uint32_t>(used);
    return;
  }
  constexpr std::size_t kCapacityMin = 256;
  std::size_t capacity = std::max(std::size_t{capacity_} * 2, kCapacityMin);
  while (capacity - used < count) capacity *= 2;
  FURROW_CHECK(capacity <= UINT32_MAX);
  auto* grown = static_cast<std::uint8_t*>(std::malloc(capacity));
  FURROW_CHECK(grown != nullptr);
  if (used > 0) std::memcpy(grown, data_ + begin_, used);
  std::free(data_);
  data_ = grown;
  begin_ = 0;
  end_ = static_cast<std::uint32_t>(used);
  capacity_ = static_cast<std::uint32_t>(capacity);
}

}  // namespace furrow
