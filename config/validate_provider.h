// Whether a bridge fits the broker of the cloud that its `provider` names.
#pragma once

#include <cstddef>

#include "config/config.h"
#include "config/report.h"

namespace furrow::config {

// Errors for what the far side would refuse as a whole, warnings for what is brought within its limits.
void check_provider(const Config& config, std::size_t bridge, Report& report);

// How much they take in a second.
void note_providers(const Config& config, Report& report);

}  // namespace furrow::config
