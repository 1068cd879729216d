// The files of a configuration on disk. The only pair of files in this folder that looks at one.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "broker-core/base/result.h"
#include "config/include_files.h"

namespace furrow::config {

// The text of the file; at most one byte more than a configuration may have: enough to see that it is too large.
Result<std::string> read_config_file(const std::filesystem::path& file);

// Every file that `pattern` matches, in the order of the names, but for `main`. No match is no error.
Result<std::vector<IncludedFile>> find_config_files(const std::string& pattern, const std::filesystem::path& main);

}  // namespace furrow::config
