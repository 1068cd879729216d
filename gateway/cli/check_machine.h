// The objections of this machine to a configuration that is right by itself: directories, files, addresses.
#pragma once

#include "config/config.h"
#include "config/diagnostic.h"
#include "config/places.h"

namespace furrow::gateway {

// Adds warnings, each at the place of its key. Looks, and changes nothing. Warnings only: the machine and the user that
// check a configuration need not be those that run it.
void check_machine(const config::Config& config, const config::Places& places, config::Diagnostics& diagnostics);

}  // namespace furrow::gateway
