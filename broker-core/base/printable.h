// Text that others chose, made fit for a terminal, a log and a message.
//
// A client identifier, a file name or a key may hold anything: escape sequences that recolour or rewrite what stands
// on the screen, a line end that forges a line, bytes that no reader of JSON takes, a megabyte. Escaped are control
// characters, characters that break a line or turn the direction of writing, and bytes that are no UTF-8.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace furrow {

// The first character of a text.
struct Character {
  std::string_view bytes;  // of the text; one byte where they are no UTF-8
  char32_t code = 0;       // U+FFFD where they are no UTF-8
  bool shows = false;      // it may stand as it is
};

// Takes the first character off `text`. REQUIRES: `text` is not empty.
Character take_character(std::string_view& text);

// Appends `character` as it is or, where that would not do, as `\u001b`, the escape of JSON.
void append_printable(std::string& line, const Character& character);

// `text` with every character printable, and cut between characters once it has `bytes_max` bytes, with a `…` behind.
std::string printable(std::string_view text, std::size_t bytes_max);

}  // namespace furrow
