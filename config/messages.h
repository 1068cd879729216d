// How messages to the operator are put together.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "broker-core/base/result.h"
#include "config/diagnostic.h"

namespace furrow::config {

inline std::string in_quotes(std::string_view text) {
  return "'" + std::string(text) + "'";
}

inline std::string in_line(Place place) {
  return "in line " + std::to_string(place.line);
}

inline Error invalid(std::string message) {
  return {Errc::InvalidArgument, std::move(message)};
}

}  // namespace furrow::config
