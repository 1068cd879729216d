// Small text files: a password, a machine id, a line of /proc, a configuration.
#pragma once

#include <string>
#include <string_view>

#include "broker-core/base/result.h"
#include "gateway/net/descriptor.h"

namespace furrow::gateway {

// The first line of `path`, without its line end. Longer ones than 64 KiB are an error: that is no such file.
Result<std::string> read_first_line(const std::string& path);

// Writes all of `text`, and returns once the disk has it. The error says what was attempted: `write /etc/passwords`.
Status write_all(const Descriptor& file, std::string_view text, std::string_view attempted);

}  // namespace furrow::gateway
