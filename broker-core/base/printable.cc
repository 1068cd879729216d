#include "broker-core/base/printable.h"

#include <cstdint>

#include "broker-core/base/check.h"

namespace furrow {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

// The lead byte of a sequence: it says how long the sequence is, and `least` is the smallest code that needs as much.
struct Lead {
  std::size_t size = 0;  // 0: no lead byte
  char32_t bits = 0;
  char32_t least = 0;
};

Lead lead_of(std::uint8_t byte) {
  if (byte < 0x80) return {1, byte, 0};
  if ((byte & 0xE0U) == 0xC0) return {2, byte & 0x1FU, 0x80};
  if ((byte & 0xF0U) == 0xE0) return {3, byte & 0x0FU, 0x800};
  if ((byte & 0xF8U) == 0xF0) return {4, byte & 0x07U, 0x10000};
  return {};
}

// The character that `text` begins with, and its size; a size of 0 where the bytes are no UTF-8.
std::size_t decode(std::string_view text, char32_t& code) {
  const Lead lead = lead_of(static_cast<std::uint8_t>(text.front()));
  if (lead.size == 0 || lead.size > text.size()) return 0;
  code = lead.bits;
  for (std::size_t i = 1; i < lead.size; ++i) {
    const auto byte = static_cast<std::uint8_t>(text[i]);
    if ((byte & 0xC0U) != 0x80) return 0;
    code = code << 6U | (byte & 0x3FU);
  }
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  return code < lead.least || code > 0x10FFFF || surrogate ? 0 : lead.size;
}

bool shows(char32_t code) {
  const auto between = [code](char32_t first, char32_t last) { return code >= first && code <= last; };
  const bool control = code < 0x20 || between(0x7F, 0x9F);
  const bool turns_or_breaks = between(0x200E, 0x200F) || between(0x2028, 0x202E) || between(0x2066, 0x2069);
  return !control && !turns_or_breaks && code != 0xFEFF && code != 0x061C;
}

}  // namespace

Character take_character(std::string_view& text) {
  FURROW_CHECK(!text.empty());
  Character character;
  const std::size_t size = decode(text, character.code);
  character.shows = size > 0 && shows(character.code);
  if (size == 0) character.code = kReplacement;
  character.bytes = text.substr(0, size == 0 ? 1 : size);
  text.remove_prefix(character.bytes.size());
  return character;
}

void append_printable(std::string& line, const Character& character) {
  constexpr std::string_view kHex = "0123456789abcdef";
  if (character.shows) {
    line += character.bytes;
  } else if (character.code == '\n') {
    line += "\\n";
  } else {
    line += "\\u";
    for (const unsigned shift : {12U, 8U, 4U, 0U}) line += kHex[character.code >> shift & 0x0FU];
  }
}

std::string printable(std::string_view text, std::size_t bytes_max) {
  std::string line;
  while (!text.empty()) {
    if (line.size() >= bytes_max) return line + "…";
    append_printable(line, take_character(text));
  }
  return line;
}

}  // namespace furrow
