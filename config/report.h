// The findings of the checks across keys, each at the place of its key.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "config/diagnostic.h"
#include "config/places.h"

namespace furrow::config {

// The paths of list elements as Places has them: `bridges[0]`, `bridges[0].topics[2]`.
inline std::string listener_path(std::size_t listener) {
  return "listeners[" + std::to_string(listener) + "]";
}
inline std::string access_rule_path(std::size_t rule) {
  return "access.rules[" + std::to_string(rule) + "]";
}
inline std::string bridge_path(std::size_t bridge) {
  return "bridges[" + std::to_string(bridge) + "]";
}
inline std::string rule_path(std::size_t bridge, std::size_t rule) {
  return bridge_path(bridge) + ".topics[" + std::to_string(rule) + "]";
}

// Paths are those of Places. About a value that could not be read nothing more is said.
class Report {
 public:
  Report(const Places& places, Diagnostics& diagnostics) : places_(places), diagnostics_(diagnostics) {}

  void error(std::string_view path, std::string message) { say(Severity::Error, path, std::move(message)); }
  void warning(std::string_view path, std::string message) { say(Severity::Warning, path, std::move(message)); }
  void note(std::string_view path, std::string message) { say(Severity::Note, path, std::move(message)); }

  const Places& places() const { return places_; }

 private:
  void say(Severity severity, std::string_view path, std::string message) {
    if (places_.is_spoiled(path)) return;
    diagnostics_.push_back({severity, places_.at(path), std::move(message)});
  }

  const Places& places_;
  Diagnostics& diagnostics_;
};

}  // namespace furrow::config
