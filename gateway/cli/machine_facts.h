// What this machine is and how it is doing, as text for a question to a maintainer.
#pragma once

#include <optional>
#include <string>

#include "broker-core/base/result.h"

namespace furrow::gateway {

// Version and build of this program, and of the libraries that it uses.
std::string build_facts();

// Kernel, processor, memory, clock, and the disk of `directory`. What cannot be found out is left out.
std::string system_facts(const std::string& directory);

// Limits and memory of a process, as /proc has them; of this one when `process` is nothing.
std::string process_facts(std::optional<int> process);

// The files of a directory with their sizes, and nothing of what is in them.
Result<std::string> directory_facts(const std::string& directory);

}  // namespace furrow::gateway
