// How this program gives up: one line on stderr, exit code 1. There is nothing to clean up that its end does not.
#pragma once

#include <string>

namespace furrow::load {

[[noreturn]] void fail(const std::string& why);
// The same for a system call, with errno.
[[noreturn]] void fail_errno(const std::string& attempted);

}  // namespace furrow::load
