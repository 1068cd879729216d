// Finding keys by name, and telling an operator about names that are not there.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/schema.h"

namespace furrow::config {

// The key of this path, or null. A list is found with or without its `[]`.
const Key* find_key(std::string_view path);

// The last part of a path without `[]`: how the key is written in the file.
std::string_view written_name(std::string_view path);

// The keys of the map at `path`, in the order of the table; `path` is empty for the whole file.
std::vector<const Key*> keys_in(std::string_view path);

// What to tell about `name`, which the map at `path` does not have: the nearest name it has, or where the name
// belongs, or all its names.
std::string explain_unknown(std::string_view path, std::string_view name);

}  // namespace furrow::config
