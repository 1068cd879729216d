// What is printed for people: texts of others, cells of a width, lines of 80 columns, and colours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace furrow::gateway {

inline constexpr std::string_view kBold = "\x1b[1m";
inline constexpr std::string_view kGreen = "\x1b[32m";
inline constexpr std::string_view kYellow = "\x1b[33m";
inline constexpr std::string_view kRed = "\x1b[31m";

inline constexpr std::size_t kColumns = 80;

// What others have chosen, fit for a terminal; a bound on what one of them can fill it with.
inline constexpr std::size_t kShownBytesMax = 400;
std::string shown(std::string_view text);

// All texts below are UTF-8, and printable.

// How many columns `text` takes, a character each.
std::size_t width(std::string_view text);
// At most `columns` of it, the last of which is `…` where there is more.
std::string cut(std::string_view text, std::size_t columns);
// The same, with blanks up to `columns` behind it or before it.
std::string left(std::string_view text, std::size_t columns);
std::string right(std::string_view text, std::size_t columns);
// In a colour, or bold, if `colour`.
std::string painted(std::string_view text, std::string_view with, bool colour);
// In lines of kColumns, broken between words, each with `indent` before it.
std::string wrapped(std::string_view text, std::string_view indent);

// `1 message`, `2 messages`.
std::string counted(std::uint64_t count, std::string_view thing);

// To standard output, as it is and as a line.
void print(std::string_view text);
void print_line(std::string_view line);

// Whether standard output is a terminal that can redraw; and whether it is to have colours (https://no-color.org).
bool can_redraw();
bool has_colours();
// The cursor home, and everything below it away.
inline constexpr std::string_view kRedraw = "\x1b[H\x1b[J";

}  // namespace furrow::gateway
