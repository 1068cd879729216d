// A Config as the text of a configuration file: the other way round of load().
//
// Only what differs from its default is written, in the order of the table of keys, so that the text is one that a
// person could have written. What load() makes of it is the same Config.
#pragma once

#include <string>

#include "config/config.h"

namespace furrow::config {

// REQUIRES: every value is one that its key takes.
std::string write_yaml(const Config& config);

}  // namespace furrow::config
