// A log that a test can read.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "broker-core/base/log.h"

namespace furrow::test {

// Keeps what is logged as lines: `warning connection.closed client=a reason=…`.
class LineLog final : public Log {
 public:
  bool enabled(LogLevel) const override { return true; }
  void write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) override {
    constexpr std::string_view kLevels[] = {"error", "warning", "info", "debug"};
    std::string line = std::string(kLevels[static_cast<std::size_t>(level)]) + ' ' + std::string(event);
    for (const LogField& field : fields) {
      line += ' ' + std::string(field.name) + '=';
      line += field.is_number ? std::to_string(field.number) : std::string(field.text);
    }
    lines.push_back(std::move(line));
  }

  std::vector<std::string> lines;
};

}  // namespace furrow::test
