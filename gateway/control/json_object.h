// One JSON object, written field by field: an answer may have a hundred thousand of them.
//
// Nothing throws: bytes that are no UTF-8 become U+FFFD. Fields stand in the order in which they were added.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "broker-core/base/time.h"

namespace furrow::gateway {

class JsonObject {
 public:
  JsonObject& text(std::string_view key, std::string_view value);
  JsonObject& number(std::string_view key, std::uint64_t value);
  // To the millisecond.
  JsonObject& seconds(std::string_view key, Duration value);
  JsonObject& flag(std::string_view key, bool value);
  JsonObject& null(std::string_view key);
  JsonObject& object(std::string_view key, const JsonObject& value) { return raw(key, value.str()); }
  // `value` is JSON.
  JsonObject& raw(std::string_view key, std::string_view value);

  JsonObject& text_or_null(std::string_view key, const std::optional<std::string_view>& value) {
    return value ? text(key, *value) : null(key);
  }
  JsonObject& seconds_or_null(std::string_view key, const std::optional<Duration>& value) {
    return value ? seconds(key, *value) : null(key);
  }

  std::string str() const { return text_ + "}"; }

 private:
  void begin(std::string_view key);

  std::string text_ = "{";
};

// `"…"`, with what JSON wants escaped.
void append_json_string(std::string& out, std::string_view text);

}  // namespace furrow::gateway
