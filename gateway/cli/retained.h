// `furrow retained`: shows and deletes retained messages.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "gateway/cli/gateway_access.h"

namespace furrow::gateway {

struct RetainedOptions : GatewayChoice {
  enum class Action : std::uint8_t { List, Show, Delete };

  Action action = Action::List;
  std::string filter = "#";
  std::optional<std::chrono::seconds> older;
  bool yes = false;
  bool json = false;
};

// The exit code.
int run_retained(const RetainedOptions& options);

}  // namespace furrow::gateway
