// Patterns of names, as in a shell: `*` stands for any text, also none, `?` for one character; the rest for itself.
//
// Names of users and clients are chosen by others and may hold any character: in a name `*` and `?` mean nothing.
#pragma once

#include <string_view>

namespace furrow::access {

// Takes at most size(glob) × size(name) steps, whatever either says.
bool glob_matches(std::string_view glob, std::string_view name);

// Whether the pattern stands for more than one name.
bool is_glob(std::string_view text);

}  // namespace furrow::access
