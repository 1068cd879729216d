// The gateways of a region as a table of 80 columns, for people: a row for each, and beneath it its alarms.
#pragma once

#include <string>
#include <vector>

#include "gateway/status/documents.h"

namespace furrow::gateway {

// `colour`: for a terminal that has them. Those that are gone come first, then those with alarms.
std::string fleet_table(std::vector<FleetDocument> gateways, bool colour);

}  // namespace furrow::gateway
