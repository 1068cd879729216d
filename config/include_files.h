// Several files that are read as one: what `include` names becomes part of the tree of the main file.
//
// Maps are merged, lists appended, and a key without a value adds nothing to one that has some. A key whose two values
// are neither stays twice in the map, which its reader refuses as it refuses any duplicate. Each node keeps the place
// where it was written.
//
// Bounded: kIncludedFilesMax files, which have as many bytes together as one file may have, and as many nodes.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "broker-core/base/result.h"
#include "config/diagnostic.h"
#include "config/scalar.h"
#include "config/yaml_tree.h"

namespace furrow::config {

inline constexpr std::size_t kIncludedFilesMax = 100;

struct IncludedFile {
  std::string name;
  std::string text;
};

// The files that match a pattern, in the order of their names.
using FindFiles = std::function<Result<std::vector<IncludedFile>>(const std::string& pattern)>;

struct IncludeOptions {
  const std::string& file_name;  // of the main file, to which patterns are relative
  const Environment& environment;
  const FindFiles& find_files;
};

// Adds to `root` what its key `include` names. What is wrong goes to `diagnostics`; returns what is worth a note.
Diagnostics include_files(YamlNode& root, const IncludeOptions& options, Diagnostics& diagnostics);

}  // namespace furrow::config
