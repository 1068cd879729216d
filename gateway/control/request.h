// What an operator asks of the gateway: one line of JSON, as a value.
//
//   {"command":"retained.delete","filter":"farm/#","older_s":86400}
//
// A field that a command does not know is an error, never ignored: a gateway that is older than the command would
// otherwise delete what a newer field was to spare.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "broker-core/base/result.h"

namespace furrow::gateway {

// The longest line that is taken for a request.
inline constexpr std::size_t kRequestBytesMax = 128 * 1024;

enum class ControlCommand : std::uint8_t {
  ClientsList,
  ClientsShow,
  ClientsKick,
  ClientsForget,
  BridgeList,
  BridgePause,
  BridgeResume,
  BridgeReconnect,
  BridgeUse,
  RetainedList,
  RetainedShow,
  RetainedCount,
  RetainedDelete,
  BufferShow,
  BufferPurge,
  BufferReplay,
  Trace,
};

struct ControlRequest {
  ControlCommand command = ControlCommand::ClientsList;
  std::string client;
  std::string bridge;
  std::string filter = "#";                    // a valid one
  std::string address;                         // of a far broker; of clients, for a trace
  std::optional<std::chrono::seconds> older;   // only what is older than that
  std::optional<std::chrono::seconds> length;  // of a pause, or a trace
  std::optional<std::uint64_t> limit;          // of what is shown
  bool payload = false;                        // the first bytes of payloads are shown
  bool quarantine = false;                     // of a buffer: what was set aside, instead of what waits
};

// The error says what is wrong with `line`, for people.
Result<ControlRequest> parse_request(std::string_view line);
// A text of a request in its answer: in quotes, and its begin where it is long.
std::string in_quotes(std::string_view text);
// The command as a request names it: `clients.kick`.
std::string_view name(ControlCommand command);

// As a line, without its end. parse_request() reads it as the same.
std::string write_request(const ControlRequest& request);

}  // namespace furrow::gateway
