// Sets of enumerators in 16 bits, for the tables that say what may stand where.
#pragma once

#include <cstdint>

namespace furrow::mqtt {

// One bit for each of `values`, as a table reads: in(Connack, Disconnect). REQUIRES: each is below 16.
template <typename... E>
constexpr std::uint16_t in(E... values) {
  return static_cast<std::uint16_t>(((1U << static_cast<unsigned>(values)) | ... | 0U));
}

}  // namespace furrow::mqtt
