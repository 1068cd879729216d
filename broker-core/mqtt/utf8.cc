#include "broker-core/mqtt/utf8.h"

#include <cstdint>
#include <cstring>

namespace furrow::mqtt {
namespace {

// Whether all eight bytes are U+0001 to U+007F. A zero byte shows as the borrow of the subtraction.
bool is_plain_word(const std::uint8_t* at) {
  std::uint64_t word = 0;
  std::memcpy(&word, at, sizeof word);
  return ((word | (word - 0x0101010101010101U)) & 0x8080808080808080U) == 0;
}

bool is_continuation(std::uint8_t byte) {
  return (byte & 0xC0U) == 0x80;
}

// The bytes of the multi-byte sequence at `at`; 0 when it is ill-formed [Unicode 15 §3.9, table 3-7].
std::size_t sequence_size(const std::uint8_t* at, std::size_t available) {
  const std::uint8_t lead = at[0];
  if (lead < 0xC2 || lead > 0xF4) return 0;  // a continuation byte, an overlong form of ASCII, or past U+10FFFF
  const std::size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (available < size) return 0;
  // The second byte keeps out overlong forms (E0, F0), surrogates (ED) and what lies past U+10FFFF (F4).
  const std::uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const std::uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (at[1] < low || at[1] > high) return 0;
  for (std::size_t i = 2; i < size; ++i) {
    if (!is_continuation(at[i])) return 0;
  }
  return size;
}

}  // namespace

bool is_valid_utf8(std::string_view text) {
  const auto* at = reinterpret_cast<const std::uint8_t*>(text.data());
  const std::uint8_t* const end = at + text.size();
  while (at != end) {
    const auto left = static_cast<std::size_t>(end - at);
    if (left >= sizeof(std::uint64_t) && is_plain_word(at)) {
      at += sizeof(std::uint64_t);
    } else if (*at < 0x80) {
      if (*at == 0) return false;
      ++at;
    } else {
      const std::size_t size = sequence_size(at, left);
      if (size == 0) return false;
      at += size;
    }
  }
  return true;
}

bool has_control_character(std::string_view text) {
  std::uint8_t before = 0;
  for (const char character : text) {
    const auto byte = static_cast<std::uint8_t>(character);
    if (byte < 0x20 || byte == 0x7F || (before == 0xC2 && byte < 0xA0)) return true;
    before = byte;
  }
  return false;
}

}  // namespace furrow::mqtt
