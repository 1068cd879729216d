// The value of a key as it would be written in the file: the other way round of assign().
#pragma once

#include <string>

#include "config/schema.h"

namespace furrow::config {

// Two values of a key have the same text when they are equal. Lists are shown as `[a, b]`, and what stands for nothing
// as the word of the table, such as `auto`. For people: a text is not put in quotes where YAML would want them.
// REQUIRES: the key has a slot and is no list of maps; the element of `at` it belongs to is set.
std::string value_text(const Key& key, Objects& at);

}  // namespace furrow::config
