// The most likely mistake in a file that is no YAML, where the parser only knows where it gave up.
#pragma once

#include <optional>
#include <string_view>

#include "config/diagnostic.h"

namespace furrow::config {

// The mistake behind the one that the parser found at `failed`, with its own place; nothing when none is found.
// `unknown_reference`: the parser met a `*name` without its `&name`.
std::optional<Diagnostic> yaml_advice(std::string_view text, Place failed, bool unknown_reference);

}  // namespace furrow::config
