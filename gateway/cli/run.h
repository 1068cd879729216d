// `furrow run`: the gateway itself.
#pragma once

#include <optional>
#include <string>

namespace furrow::gateway {

struct RunOptions {
  std::optional<std::string> config;
  std::optional<std::string> data;  // instead of the configured directory
};

// Runs until a signal ends it; returns the exit code.
int run_gateway(const RunOptions& options);

}  // namespace furrow::gateway
