// Rules that no key can break alone: between keys, between rules, between bridges.
#pragma once

#include "config/config.h"
#include "config/diagnostic.h"
#include "config/places.h"

namespace furrow::config {

// Adds what is wrong or suspicious in `config`, and, unless there are errors, notes that say in plain words what would
// not survive an outage, a restart or a power cut. Values that could not be read are left out.
void validate(const Config& config, const Places& places, Diagnostics& diagnostics);

}  // namespace furrow::config
