// The manual page and the completion of a shell, made from the command line itself.
#pragma once

#include <string>

#include "gateway/cli/command_text.h"

namespace furrow::gateway {

// furrow(1), in the man macros of troff.
std::string command_manual(const CommandText& furrow, const std::string& version);

// What bash sources to complete the commands and options; what is no option is completed as a file.
std::string bash_completion(const CommandText& furrow);

}  // namespace furrow::gateway
