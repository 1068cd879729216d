// Small text files: a password, a machine id, a line of /proc.
#pragma once

#include <string>

#include "broker-core/base/result.h"

namespace furrow::gateway {

// The first line of `path`, without its line end. Longer ones than 64 KiB are an error: that is no such file.
Result<std::string> read_first_line(const std::string& path);

}  // namespace furrow::gateway
