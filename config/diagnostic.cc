#include "config/diagnostic.h"

#include <algorithm>
#include <tuple>

#include "broker-core/base/printable.h"

namespace furrow::config {

std::string format(const Diagnostic& diagnostic, std::string_view file_name) {
  constexpr std::size_t kFileNameBytesMax = 4096;
  constexpr std::size_t kMessageBytesMax = 2000;
  std::string line = printable(file_name, kFileNameBytesMax);
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
  const auto key = [](const Diagnostic& one) { return std::tuple(one.place.line, one.place.column, one.severity); };
  std::stable_sort(diagnostics.begin(), diagnostics.end(),
                   [key](const Diagnostic& a, const Diagnostic& b) { return key(a) < key(b); });
}

}  // namespace furrow::config
