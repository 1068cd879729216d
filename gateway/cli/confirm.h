// Asks a person before something that cannot be taken back.
#pragma once

#include <string>

#include "broker-core/base/result.h"

namespace furrow::gateway {

// Whether the answer on the terminal begins with `y`. An error where there is no terminal to ask on: a script says
// --yes.
Result<bool> confirm(const std::string& question);

}  // namespace furrow::gateway
