// `furrow check`: everything that is wrong with a configuration, and what it would not survive.
#pragma once

#include <optional>
#include <string>

namespace furrow::gateway {

struct CheckOptions {
  std::optional<std::string> config;
  std::optional<std::string> data;  // instead of the configured directory
};

struct CheckReport {
  std::string text;
  std::string error = {};  // why there is nothing to check; empty where there is
  int exit_code = 0;
};
CheckReport check_report(const CheckOptions& options);

// Prints it; returns the exit code.
int run_check(const CheckOptions& options);

}  // namespace furrow::gateway
