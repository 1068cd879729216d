// The documents that are made from the table of keys: the reference file and the manual page.
#pragma once

#include <string>
#include <string_view>

namespace furrow::config {

// The text of `config/furrow.yaml`: every key that is built, with its meaning, range, default and danger.
//
// Sections are written plainly, keys as comments at their default: `#key: value`, without a space. Explanations have
// one: `# text`. So a key is changed by taking its `#` away, and uncommenting all of them changes nothing but the
// example of a bridge.
std::string reference_yaml();

// `reference` with all keys uncommented.
std::string uncommented(const std::string& reference);

// The manual page furrow.yaml(5), in man's own markup.
std::string manual_page();

// `text` as troff prints it, whose markup begins with a backslash.
std::string troff_text(std::string_view text);

}  // namespace furrow::config
