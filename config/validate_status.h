// The checks of the status: the topic of the gateway's presence, and the topics that are watched.
#pragma once

#include "config/config.h"
#include "config/report.h"

namespace furrow::config {

void check_status(const Config& config, Report& report);

}  // namespace furrow::config
