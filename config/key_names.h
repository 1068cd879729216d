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

// The one of `known` that `name` was probably meant to be; empty when none is near.
std::string nearest_name(std::string_view name, const std::vector<std::string_view>& known);

// The message about `name`, which the map at `path` does not have: it says what furrow calls the thing, or the nearest
// name there is, or where the name belongs, or all the names of the map.
std::string explain_unknown(std::string_view path, std::string_view name);

}  // namespace furrow::config
