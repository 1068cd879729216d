// `furrow buffer`: looks into the buffers and the quarantines of bridges, writes out what is there, drops it, and has
// what was set aside sent again.
#pragma once

#include <optional>
#include <string>

#include "gateway/cli/gateway_access.h"

namespace furrow::gateway {

struct BufferOptions : GatewayChoice {
  enum class Action : std::uint8_t { List, Show, Export, Purge, Replay };

  Action action = Action::List;
  std::optional<std::string> bridge;  // nothing: the only one that there is
  std::optional<std::string> output;  // a file for Export; nothing: standard output
  std::uint64_t limit = 20;           // of messages, for Show
  bool quarantine = false;            // what was set aside, instead of what waits
  bool yes = false;
  bool json = false;
};

// The exit code.
int run_buffer(const BufferOptions& options);

}  // namespace furrow::gateway
