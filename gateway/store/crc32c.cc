#include "gateway/store/crc32c.h"

#include <array>

namespace furrow::gateway {
namespace {

constexpr std::uint32_t kPolynomial = 0x82F63B78U;  // 0x1EDC6F41, bits reversed

using Table = std::array<std::array<std::uint32_t, 256>, 8>;

// Slicing by 8 (Kounavis and Berry, "Novel Table Lookup-Based Algorithms for High-Performance CRC Generation", 2008):
// row k holds the effect of a byte that k further bytes follow. Much cheaper than the write it guards, without
// instructions that an older Pi lacks.
constexpr Table make_table() {
  Table table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? kPolynomial : 0);
    table[0][byte] = crc;
  }
  for (std::size_t row = 1; row < 8; ++row) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t before = table[row - 1][byte];
      table[row][byte] = (before >> 8U) ^ table[0][before & 0xFFU];
    }
  }
  return table;
}

constexpr Table kTable = make_table();

std::uint32_t load_u32(const std::uint8_t* bytes) {
  return bytes[0] | std::uint32_t{bytes[1]} << 8U | std::uint32_t{bytes[2]} << 16U | std::uint32_t{bytes[3]} << 24U;
}

}  // namespace

std::uint32_t crc32c(std::uint32_t crc, ByteView bytes) {
  crc = ~crc;
  const std::uint8_t* in = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 8; left -= 8, in += 8) {
    const std::uint32_t low = crc ^ load_u32(in);
    const std::uint32_t high = load_u32(in + 4);
    crc = kTable[7][low & 0xFFU] ^ kTable[6][(low >> 8U) & 0xFFU] ^ kTable[5][(low >> 16U) & 0xFFU] ^
          kTable[4][low >> 24U] ^ kTable[3][high & 0xFFU] ^ kTable[2][(high >> 8U) & 0xFFU] ^
          kTable[1][(high >> 16U) & 0xFFU] ^ kTable[0][high >> 24U];
  }
  for (; left > 0; --left, ++in) crc = (crc >> 8U) ^ kTable[0][(crc ^ *in) & 0xFFU];
  return ~crc;
}

}  // namespace furrow::gateway
