// Files that hold secrets: keys of certificates, pre-shared keys, passwords and their hashes.
//
// A secret that other users of the machine may read is refused, with the command that mends it: who learns it from a
// warning in a log learns it too late. A group may read it if we are in that group, since that is how services share
// keys. Symbolic links are followed, since that is how keys are renewed; the file behind counts.
#pragma once

#include <filesystem>
#include <string>

#include "broker-core/base/result.h"

namespace furrow::gateway {

// Whether `file` is there, may be read, and is for us alone.
Status check_secret_file(const std::filesystem::path& file);

// All of `file`; more than 1 MiB is an error: that is no such file.
Result<std::string> read_secret_file(const std::filesystem::path& file);

// Its first line, without the line end: a password, or a key.
Result<std::string> read_secret_line(const std::filesystem::path& file);

// As read_secret_file(), whoever else may read it: certificates are no secret.
Result<std::string> read_public_file(const std::filesystem::path& file);

}  // namespace furrow::gateway
