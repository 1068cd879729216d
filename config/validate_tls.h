// Keys of TLS that do not go together: half a pair, two kinds of trust, keys without an address that uses them.
#pragma once

#include "config/config.h"
#include "config/report.h"

namespace furrow::config {

void check_tls(const Config& config, Report& report);

}  // namespace furrow::config
