// A configuration file into a Config and everything that is to be said about it.
//
// All mistakes are found at once, each with its place: what cannot be read is reported and skipped, and the rest is
// read and checked as if the default stood there.
#pragma once

#include <filesystem>
#include <string>

#include "broker-core/base/result.h"
#include "config/config.h"
#include "config/diagnostic.h"
#include "config/include_files.h"
#include "config/places.h"
#include "config/scalar.h"

namespace furrow::config {

struct Loaded {
  Config config;            // to be used only when the diagnostics have no error
  Diagnostics diagnostics;  // sorted by place; notes only when there is no error
  Places places;            // of every key that is written, for whoever finds out more about its value
};

// `file_name` gives relative paths their directory. An empty text means the defaults. Without `find_files` nothing is
// included.
Loaded load(const std::string& text, const std::string& file_name, const Environment& environment,
            const FindFiles& find_files = nullptr);

// With what the file includes. Fails when the file itself cannot be read; what is wrong inside of it is in the
// diagnostics.
Result<Loaded> load_file(const std::filesystem::path& file, const Environment& environment);

}  // namespace furrow::config
