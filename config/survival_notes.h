// In plain words: what would not survive an outage, a restart, a power cut.
#pragma once

#include "config/config.h"
#include "config/report.h"

namespace furrow::config {

// Warnings: somebody chose to lose messages, and should know it.
void warn_about_losses(const Config& config, Report& report);

// Notes: where the limits are, and what is given up first when they are reached.
void note_limits(const Config& config, Report& report);

}  // namespace furrow::config
