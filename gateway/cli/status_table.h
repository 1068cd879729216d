// The status of a gateway as a table of 80 columns, for people.
//
//   one line of the gateway, and a line for each thing of its own that is wrong
//   a row for each bridge, and beneath it the reason of its state, if it has one
//   the alarms, with what to do about them
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gateway/status/documents.h"

namespace furrow::gateway {

struct StatusPicture {
  GatewayDocument gateway;
  std::vector<BridgeDocument> bridges;  // in the order in which they are shown
  AlarmsDocument alarms = {};
};

// `colour`: for a terminal that has them.
std::string status_table(const StatusPicture& picture, bool colour);

// What fits a column: `345`, `99999`, `123k`, `1.2M`.
std::string short_count(std::uint64_t count);
// `345 B`, `1.2 KiB`, `999 MiB`.
std::string short_size(std::uint64_t bytes);
// `0 s`, `59 s`, `3 min`, `23 h`, `99 d`.
std::string short_time(double seconds);
// The same, and `-` where there is none.
std::string time_or_none(const std::optional<double>& seconds);

}  // namespace furrow::gateway
