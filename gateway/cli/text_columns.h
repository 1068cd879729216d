// Text laid out in columns of a terminal. REQUIRES, throughout: UTF-8, a column a character.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace furrow::gateway {

inline constexpr std::size_t kColumns = 80;

// How many columns `text` takes.
std::size_t width(std::string_view text);
// At most `columns` of it, the last of which is `…` where there is more.
std::string cut(std::string_view text, std::size_t columns);
// The same, filled with blanks behind it or before it.
std::string left(std::string_view text, std::size_t columns);
std::string right(std::string_view text, std::size_t columns);
// `text` in lines of kColumns, broken between words, each with `indent` before it.
std::string wrapped(std::string_view text, std::string_view indent);

// Whether standard output is a terminal that wants colours (NO_COLOR).
bool wants_colour();
// `text` in bold, where colours are wanted.
std::string bold(std::string_view text, bool colour);

}  // namespace furrow::gateway
