#include "config/diagnostic.h"

#include <algorithm>
#include <tuple>

#include "broker-core/base/printable.h"

namespace furrow::config {

std::string file_of(const Place& place, std::string_view file_name) {
  constexpr std::size_t kFileNameBytesMax = 4096;
  return printable(place.file != nullptr ? std::string_view(place.file->name) : file_name, kFileNameBytesMax);
}

std::string format(const Diagnostic& diagnostic, std::string_view file_name) {
  constexpr std::size_t kMessageBytesMax = 2000;
  std::string line = file_of(diagnostic.place, file_name);
  if (diagnostic.place.line != 0) {
    line += ':' + std::to_string(diagnostic.place.line) + ':' + std::to_string(diagnostic.place.column);
  }
  line += ": ";
  if (diagnostic.severity == Severity::Warning) line += "warning: ";
  if (diagnostic.severity == Severity::Note) line += "note: ";
  return line + printable(diagnostic.message, kMessageBytesMax);
}

bool has_errors(const Diagnostics& diagnostics) {
  return std::any_of(diagnostics.begin(), diagnostics.end(),
                     [](const Diagnostic& one) { return one.severity == Severity::Error; });
}

void sort_by_place(Diagnostics& diagnostics) {
  const auto key = [](const Diagnostic& one) {
    const std::uint32_t file = one.place.file != nullptr ? one.place.file->order : 0;
    return std::tuple(file, one.place.line, one.place.column, one.severity);
  };
  std::stable_sort(diagnostics.begin(), diagnostics.end(),
                   [key](const Diagnostic& a, const Diagnostic& b) { return key(a) < key(b); });
}

}  // namespace furrow::config
