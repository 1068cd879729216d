// `furrow diag`: one archive for a question to a maintainer, with what is known of a gateway and nothing secret.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "gateway/cli/gateway_access.h"

namespace furrow::gateway {

struct DiagOptions : GatewayChoice {
  std::optional<std::string> output;  // a new file; nothing: one in the working directory, by name and time
  std::string unit = "furrow";        // of systemd
  std::optional<std::string> log;     // a file with the log, where there is no journal
};

// The exit code: fine when the archive is there, whatever is missing in it.
int run_diag(const DiagOptions& options);

}  // namespace furrow::gateway
