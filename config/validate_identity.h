// Whether clients can prove who they are, where they have to.
#pragma once

#include "config/config.h"
#include "config/report.h"

namespace furrow::config {

void check_identity(const Config& config, Report& report);

// Notes: where clients get in that prove nothing.
void note_anonymous(const Config& config, Report& report);

}  // namespace furrow::config
