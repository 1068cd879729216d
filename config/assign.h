// One text into the member that a key stands for.
#pragma once

#include <filesystem>
#include <string_view>

#include "broker-core/base/result.h"
#include "config/schema.h"

namespace furrow::config {

// Reads `text` as the type and range of `key` say and stores it; lists (Kind::Texts, Kind::Addresses) get one element
// more. Relative paths become relative to `directory`. The error does not name the key.
// REQUIRES: the key has a slot and is no list of maps; the element of `at` it belongs to is set.
Status assign(const Key& key, Objects& at, std::string_view text, const std::filesystem::path& directory);

// Empties the list that a key of Kind::Texts or Kind::Addresses stands for, before its elements are assigned.
void clear_list(const Key& key, Objects& at);

}  // namespace furrow::config
