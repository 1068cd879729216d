// A mistake in a configuration file, or something worth knowing about it, with its place.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace furrow::config {

// One of several files that make up a configuration.
struct SourceFile {
  std::string name;
  std::uint32_t order = 0;  // 0: the main file
};

// A place in a file, counted from 1 as editors do. Line 0 is nowhere: a value that was not written.
struct Place {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::shared_ptr<const SourceFile> file = nullptr;  // nullptr: there is one file alone

  // Where a value was written does not change what it means: two configurations are equal
  // when they say the same, whatever their layout.
  friend bool operator==(const Place&, const Place&) { return true; }
};

enum class Severity : std::uint8_t {
  Error,    // the file is refused
  Warning,  // the file runs, but hardly does what was meant
  Note,     // in plain words: what would not survive an outage, a restart, a power cut
};

struct Diagnostic {
  Severity severity = Severity::Error;
  Place place;
  std::string message;
};

using Diagnostics = std::vector<Diagnostic>;

// `furrow.yaml:12:5: message`, with `file_name` where the place is in the main file; `warning: ` or `note: ` stands
// before the message of those. A diagnostic from nowhere has the file alone. Whatever the file holds, the line is
// printable and not endless.
std::string format(const Diagnostic& diagnostic, std::string_view file_name);

// The file that holds `place`, as people may read it; `file_name` is that of the main file.
std::string file_of(const Place& place, std::string_view file_name);

bool has_errors(const Diagnostics& diagnostics);

// Sorts by place; at one place errors come first, and the order of discovery is kept.
void sort_by_place(Diagnostics& diagnostics);

}  // namespace furrow::config
