// `furrow check --connect`: whether the bridges of a configuration would get through, address by address.
#pragma once

#include <optional>
#include <string>

#include "config/config.h"

namespace furrow::gateway {

// Walks the way to each address of the bridge, or of all that are enabled, and prints what it finds; returns the exit
// code: 0 where every step went well. REQUIRES: the configuration has no errors.
int check_links(const config::Config& config, const std::optional<std::string>& bridge, bool json);

}  // namespace furrow::gateway
