// `furrow check`: everything that is wrong with a configuration, and what it would not survive.
#pragma once

#include <optional>
#include <string>

namespace furrow::gateway {

struct CheckOptions {
  std::optional<std::string> config;
  std::optional<std::string> data;  // instead of the configured directory
};

// Prints to standard output; returns the exit code.
int run_check(const CheckOptions& options);

}  // namespace furrow::gateway
