// How a bridge reaches its far side, and when: where it connects from, through which proxy, in which hours, and what it
// was called before.
#pragma once

#include <string>

#include "config/config.h"
#include "config/report.h"

namespace furrow::config {

void check_link(const Bridge& bridge, const std::string& path, Report& report);

// Former names, among all bridges.
void check_renames(const Config& config, Report& report);

// What waits for a window or for demand, and what a rename keeps.
void note_links(const Config& config, Report& report);

}  // namespace furrow::config
