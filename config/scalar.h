// The meaning of one scalar of the file: times, sizes, counts, and variables from the environment.
//
//   time  = "0" | DIGITS ("ms" | "s" | "m" | "h" | "d")
//   size  = "0" | DIGITS ("KiB" | "MiB" | "GiB")
//   count = DIGITS
// Zero is the same in every unit and needs none. The errors quote the text and name the fix, but not the key.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker-core/base/result.h"
#include "broker-core/base/time.h"

namespace furrow::config {

Result<Duration> parse_time(std::string_view text);
Result<std::uint64_t> parse_size(std::string_view text);
Result<std::uint64_t> parse_count(std::string_view text);

// The shortest text that parse_time and parse_size turn back into the same value.
// REQUIRES for times: whole milliseconds. For sizes: whole KiB.
std::string time_text(Duration time);
std::string size_text(std::uint64_t bytes);

// Where MQTT itself counts in seconds, a fraction of one cannot be said.
inline bool is_whole_seconds(Duration time) {
  return time % std::chrono::seconds(1) == Duration::zero();
}

// The value of an environment variable, or nothing when it is not set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

// The environment of this process.
Environment process_environment();

// Replaces `${NAME}` by the variable's value and `$$` by `$`; any other `$` stands for itself, as in `$SYS/#`.
// The value of a variable is not searched for further variables.
Result<std::string> interpolate(std::string_view text, const Environment& environment);

// "a | b | c" taken apart.
std::vector<std::string_view> split_words(std::string_view words);

}  // namespace furrow::config
