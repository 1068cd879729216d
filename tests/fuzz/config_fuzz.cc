// Any bytes as a configuration file: no crash, no endless work, and every diagnostic has a place inside of the file.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "config/load_yaml.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const furrow::config::Loaded loaded =
      furrow::config::load(text, "furrow.yaml", [](const std::string& name) -> std::optional<std::string> {
        if (name == "EMPTY") return "";
        return std::nullopt;
      });
  // yaml-cpp knows three ends of a line.
  const auto line_ends = std::count_if(text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; });
  for (const furrow::config::Diagnostic& one : loaded.diagnostics) {
    if (one.message.empty() || one.place.line > static_cast<std::uint64_t>(line_ends) + 1) std::abort();
  }
  return 0;
}
