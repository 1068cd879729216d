// How the pure folders say what happened: an event name and fields, no text formatting, no destination.
//
// The operator reads who, what, why and what next: `bridge.offline name=cloud reason=tls_verify retry_in=8s`.
// Once per change, not once per attempt. The strings live for the call only.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace furrow {

enum class LogLevel : std::uint8_t { Error, Warning, Info, Debug };

struct LogField {
  LogField(std::string_view field, std::string_view value) : name(field), text(value) {}
  LogField(std::string_view field, const char* value) : name(field), text(value) {}
  LogField(std::string_view field, const std::string& value) : name(field), text(value) {}
  LogField(std::string_view field, std::uint64_t value) : name(field), number(value), is_number(true) {}
  template <std::same_as<bool> Truth>  // nothing else: a pointer would become one
  LogField(std::string_view field, Truth value) : name(field), text(value ? "true" : "false"), is_truth(true) {}

  std::string_view name;
  std::string_view text;
  std::uint64_t number = 0;
  bool is_number = false;
  bool is_truth = false;  // `text` says which
};

class Log {
 public:
  virtual ~Log() = default;
  virtual bool enabled(LogLevel level) const = 0;
  virtual void write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) = 0;
};

}  // namespace furrow
