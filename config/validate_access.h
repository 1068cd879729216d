// The checks of access rules: whom they name, their topics, and rules that decide nothing.
#pragma once

#include <cstddef>
#include <string>

#include "config/config.h"
#include "config/report.h"

namespace furrow::config {

void check_access_rules(const Config& config, Report& report);

// Says in plain words what a client without credentials may do, where there is one.
void note_anonymous_access(const Config& config, Report& report);

// Warns about rules that never decide anything because others stand before them. REQUIRES: no errors were found.
void check_shadowed_access_rules(const Config& config, Report& report);

}  // namespace furrow::config
