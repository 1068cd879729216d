// `furrow check`: everything that is wrong with a configuration, what it would not survive, and with --connect whether
// its bridges would get through.
#pragma once

#include <optional>
#include <string>

#include "config/config.h"

namespace furrow::gateway {

struct CheckOptions {
  std::optional<std::string> config;
  std::optional<std::string> data;  // instead of the configured directory
  bool connect = false;
  std::optional<std::string> bridge;  // that alone is tried; else all that are enabled
  bool json = false;                  // what was tried, a line of JSON for each step
};

struct CheckReport {
  std::string text;
  std::string error = {};  // why there is nothing to check; empty where there is
  int exit_code = 0;
  config::Config config = {};  // what was checked
};
CheckReport check_report(const CheckOptions& options);

// Prints it; returns the exit code.
int run_check(const CheckOptions& options);

}  // namespace furrow::gateway
