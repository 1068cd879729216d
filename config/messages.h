// How messages to the operator are put together.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "broker-core/base/printable.h"
#include "broker-core/base/result.h"
#include "config/diagnostic.h"

namespace furrow::config {

// A message shows this many bytes of a text that the file brought in.
inline constexpr std::size_t kShownBytesMax = 200;

inline std::string in_quotes(std::string_view text) {
  return "'" + printable(text, kShownBytesMax) + "'";
}

// `text` as it must stand in the file, for advice: in quotes where YAML would take it for something else.
std::string as_written(std::string_view text);

// `in line 12`, and of which file where there are several.
inline std::string in_line(const Place& place) {
  const std::string line = "in line " + std::to_string(place.line);
  return place.file != nullptr ? line + " of " + printable(place.file->name, kShownBytesMax) : line;
}

// What gateways, bridges and listeners are called by, and how another text is refused.
bool is_name(std::string_view text);
std::string explain_name(std::string_view text);

}  // namespace furrow::config
