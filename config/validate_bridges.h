// The rules that bridges must keep, one by one and among each other.
#pragma once

#include <string>

#include "config/config.h"
#include "config/report.h"

namespace furrow::config {

// 1 to 64 of A-Z a-z 0-9 _ . - ; empty stands for the default.
void check_gateway_id(const std::string& id, Report& report);

// Names, client ids, credentials, times, then each bridge's rules.
void check_bridges(const Config& config, Report& report);

}  // namespace furrow::config
