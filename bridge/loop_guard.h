// What keeps messages from circling over several bridges: the gateways that they have come by, which they say
// (broker-core/gateway_path.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "broker-core/gateway_path.h"
#include "broker-core/session/books.h"

namespace furrow::bridge {

struct LoopGuard {
  // Which messages say it: those that came over another bridge; also those of local clients; none.
  enum class Mode : std::uint8_t { Transit, Always, Off };
  Mode mode = Mode::Transit;
  std::uint8_t hop_limit = 4;  // no message leaves that more gateways have passed on, this one among them

  // Why the gateway `own` does not send the message with this path; nothing when it does.
  std::optional<broker::DropReason> judge(std::string_view path, std::string_view own) const {
    if (mode == Mode::Off || path.empty()) return std::nullopt;
    if (broker::has_circled(path, own)) return broker::DropReason::Loop;
    if (broker::hops(path) > hop_limit) return broker::DropReason::HopLimit;
    return std::nullopt;
  }

  friend bool operator==(const LoopGuard&, const LoopGuard&) = default;
};

// A message that was not passed on, for the log.
struct Circling {
  std::string topic;
  std::string path;
  broker::DropReason reason{};
};

}  // namespace furrow::bridge
