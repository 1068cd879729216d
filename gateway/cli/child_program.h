// Other programs of this machine that a command runs to their end: journalctl, gzip.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "broker-core/base/result.h"

namespace furrow::gateway {

struct ChildOutput {
  int exit_code = 0;
  std::string text;  // of both of its outputs
};

// Runs `arguments`, the first of which names the program, without a shell, and returns what it prints: `bytes_max` at
// most, and for `patience`; what is not done then is killed, and an error. Found on PATH.
Result<ChildOutput> run_program(const std::vector<std::string>& arguments, std::size_t bytes_max,
                                std::chrono::seconds patience);

// Gives `input` to the program and lets it write to the open file `output`. From then on this process ignores broken
// pipes: the program may end before it has read all.
Status filter_into(const std::vector<std::string>& arguments, std::string_view input, int output);

}  // namespace furrow::gateway
