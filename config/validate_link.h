// What a bridge was called before.
#pragma once

#include <string>

#include "config/config.h"
#include "config/report.h"

namespace furrow::config {

// Former names, among all bridges.
void check_renames(const Config& config, Report& report);

// What a rename keeps.
void note_links(const Config& config, Report& report);

}  // namespace furrow::config
