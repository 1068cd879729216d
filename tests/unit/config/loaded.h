// A file as a text, and what becomes of it where no environment variable is set.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "config/load_yaml.h"

namespace furrow::config {

inline Environment nothing_set() {
  return [](const std::string&) -> std::optional<std::string> { return std::nullopt; };
}

inline std::string errors_of(const Loaded& loaded) {
  std::string errors;
  for (const Diagnostic& one : loaded.diagnostics) {
    if (one.severity == Severity::Error) errors += format(one, "furrow.yaml") + "\n";
  }
  return errors;
}

inline Config loaded(const std::string& text, const std::string& file_name = "furrow.yaml") {
  const Loaded result = load(text, file_name, nothing_set());
  EXPECT_EQ(errors_of(result), "");
  return result.config;
}

}  // namespace furrow::config
